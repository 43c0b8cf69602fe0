// The known issue's guard once more, where people meet it: at the prompt. known_issue_suite.cpp tells the cause.
//
// Topology: pair.json, stood up by `knetsim up`.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>

#include "knetsim/fixtures/prompt.h"
#include "knetsim/sys/child.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class KnownIssueAtThePrompt : public testing::Test {
 protected:
  /// Who runs, with which pid: it must be the same before and after.
  static std::string daemons_shown_by(Prompt& prompt) {
    auto shown = prompt.type("daemons");
    EXPECT_THAT(shown, HasSubstr(" flanneld ")) << "nothing would be proven";
    EXPECT_THAT(shown, HasSubstr(" etcd "));
    return shown;
  }

  static void expect_that_new_pods_connect(Prompt& prompt) {
    EXPECT_THAT(prompt.type("create w1/late"), HasSubstr("w1/late  11."));
    EXPECT_THAT(prompt.type("w2/c2 ping -c 1 -W 5 w1/late"), HasSubstr(" 1 received"));
    EXPECT_THAT(prompt.type("w1/late ping -c 1 -W 5 w2/c2"), HasSubstr(" 1 received"));
  }
};

TEST_F(KnownIssueAtThePrompt, AnEndlessPingEndedByCtrlCHarmsNobody) {
  Prompt prompt("pair");
  const auto before = daemons_shown_by(prompt);
  prompt.start("w1 ping w2/c2", "64 bytes from 11.");
  EXPECT_THAT(prompt.press_ctrl_c(), HasSubstr("packets transmitted"));
  EXPECT_EQ(daemons_shown_by(prompt), before);
  expect_that_new_pods_connect(prompt);
}

TEST_F(KnownIssueAtThePrompt, ACallEndedByCtrlCHarmsNobody) {
  Prompt prompt("pair");
  const auto before = daemons_shown_by(prompt);
  prompt.start(R"(py w1.exec_container("c1", "ping 100.64.10.1"))", "64 bytes from 100.64.10.1");
  EXPECT_THAT(prompt.press_ctrl_c(), HasSubstr("packets transmitted"));
  EXPECT_EQ(daemons_shown_by(prompt), before);
  expect_that_new_pods_connect(prompt);
}

TEST_F(KnownIssueAtThePrompt, CtrlCWithNothingRunningHarmsNobody) {
  Prompt prompt("pair");
  const auto before = daemons_shown_by(prompt);
  prompt.press_ctrl_c();
  EXPECT_EQ(daemons_shown_by(prompt), before);
  expect_that_new_pods_connect(prompt);
}

/// `knetsim` without a terminal: lines go through a pipe, and what it prints to a file.
class PipedKnetsim {
 public:
  PipedKnetsim(const std::string& name, std::vector<std::string> arguments)
      : log_path_("/tmp/knetsim/" + name + ".log"),
        log_(::open(log_path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)),
        program_(start(std::move(arguments))) {}

  void write(const std::string& lines) {
    ASSERT_EQ(::write(script_.write.get(), lines.data(), lines.size()), static_cast<ssize_t>(lines.size()));
  }
  void interrupt() { ::kill(program_.pid(), SIGINT); }
  ExitStatus wait() { return program_.wait(std::chrono::seconds(30)); }
  std::string output() const { return read_file(log_path_); }
  void wait_for(const std::string& text) const {
    eventually(
        [&]() -> std::optional<std::string> {
          const auto seen = output();
          if (seen.find(text) != std::string::npos) return std::nullopt;
          return "\"" + text + "\" in what knetsim prints:\n" + seen;
        },
        std::chrono::seconds(60));
  }

 private:
  Child start(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), knetsim_program().string());
    return Child::launch({.argv = std::move(arguments), .directory = {}, .environment = lab_environment()},
                         script_.read, log_, log_);
  }

  Pipe script_ = Pipe::create();
  std::string log_path_;
  Fd log_;
  Child program_;
};

TEST_F(KnownIssueAtThePrompt, WithoutATerminalSigintEndsThePingAlone) {
  PipedKnetsim knetsim("lab", {"up", "pair"});
  knetsim.write("daemons\n");
  knetsim.wait_for("knetsim> daemons\n");
  PipedKnetsim visitor("visitor", {"exec", "w1", "--", "ping", "w2/c2"});
  visitor.wait_for("64 bytes from w2/c2 (11.");
  visitor.interrupt();
  visitor.wait_for("packets transmitted");
  EXPECT_EQ(visitor.wait().code(), 0);
  knetsim.write("daemons\ncreate w1/late\nw2/c2 ping -c 1 -W 5 w1/late\n");
  knetsim.wait_for(" 1 received");
  knetsim.write("exit\n");
  EXPECT_EQ(knetsim.wait().code(), 0);

  const auto seen = knetsim.output();
  const std::string typed = "knetsim> daemons\n";
  const auto first = seen.find(typed) + typed.size();
  const auto second = seen.find(typed, first) + typed.size();
  const auto table_at = [&](std::size_t at) { return seen.substr(at, seen.find("knetsim> ", at) - at); };
  EXPECT_EQ(table_at(first), table_at(second));
  EXPECT_THAT(table_at(first), AllOf(HasSubstr(" flanneld "), HasSubstr(" etcd ")));
}

}  // namespace
}  // namespace knetsim::fixtures
