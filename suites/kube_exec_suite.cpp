// kubectl exec, cp, logs and attach of a lab's containers, by the real kubectl through the API server and the kubelet's
// endpoint of their worker. What the endpoint does with clients of any kind is proven in unit-emulator.
//
// Topology: pair.json, where c2 prints something. kubectl before 1.29 can only be told that it is too old.

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/pty.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

class KubeExec : public EmulationTest {
 protected:
  void SetUp() override {
    auto talking = topology("pair.json");
    talking.clusters.front().containers.at(1).command = {"sh", "-c", "echo first; echo second; exec sleep 1000"};
    boot(std::move(talking));
    emulation().start_apis();
  }

  static Command command(std::vector<std::string> arguments) {
    auto made = Emulation::kubectl(std::move(arguments));
    made.environment["KUBECTL_REMOTE_COMMAND_WEBSOCKETS"] = "true";  // 1.29; later ones need no telling
    return made;
  }
  static ExecResult kubectl(std::vector<std::string> arguments, const std::string& input = {}) {
    return exec(command(std::move(arguments)), kExecTimeout, input);
  }
  /// Debian 12's is 1.20.
  static bool streams_over_websockets() {
    const auto version = nlohmann::json::parse(kubectl({"version", "--client", "-o", "json"}).out);
    constexpr int kFirst = 29;
    return std::stoi(version.at("clientVersion").at("minor").get<std::string>()) >= kFirst;
  }
};

TEST_F(KubeExec, RunsProgramsAndCopiesFiles) {
  if (!streams_over_websockets()) {
    EXPECT_THAT(kubectl({"exec", "c1", "--", "true"}).err, HasSubstr("use kubectl 1.30 or later"));
    return;
  }
  const auto there = kubectl({"exec", "c1", "--", "ip", "-o", "-4", "address", "show", "eth0"});
  EXPECT_THAT(there.out, HasSubstr(cluster("C0").container("c1").address().to_string())) << there.err;

  const auto ended = kubectl({"exec", "c1", "--", "sh", "-c", "echo said; echo complaint >&2; exit 7"});
  EXPECT_EQ(ended.status.code(), 7);
  EXPECT_EQ(ended.out, "said\n");
  EXPECT_THAT(ended.err, HasSubstr("complaint\n"));

  std::string everything;
  for (int i = 0; i < 1 << 20; ++i) everything += static_cast<char>(i * 7 + i / 251);
  EXPECT_EQ(kubectl({"exec", "-i", "c1", "--", "cat"}, everything).out, everything);

  const std::filesystem::path here = kStateDirectory + std::string("/sent");
  const std::filesystem::path arrived = kStateDirectory + std::string("/arrived");
  std::ofstream(here) << everything;
  const auto sent = kubectl({"cp", here.string(), "c1:" + arrived.string()});
  EXPECT_TRUE(sent.ok()) << sent.err;
  const auto fetched = kubectl({"cp", "c1:" + arrived.string(), here.string() + "-back"});
  EXPECT_TRUE(fetched.ok()) << fetched.err;
  EXPECT_EQ(read_file(here.string() + "-back"), everything);

  EXPECT_THAT(kubectl({"exec", "nobody", "--", "true"}).err, HasSubstr("pods \"nobody\" not found"));
  EXPECT_THAT(kubectl({"exec", "c1", "-c", "x", "--", "true"}).err, HasSubstr("x is not valid for pod c1"));
  EXPECT_THAT(kubectl({"exec", "c1", "--", "no-such-program"}).err, HasSubstr("no-such-program"));
}

TEST_F(KubeExec, GivesAShellATerminal) {
  if (!streams_over_websockets()) return;  // RunsProgramsAndCopiesFiles sees what it is told
  auto shell = PtyProcess::spawn(command({"exec", "-it", "c1", "--", "sh"}), {.rows = 33, .columns = 101});
  shell.write("stty size\n");
  shell.expect("33 101\r\n");
  shell.resize(44, 99);
  eventually([&]() -> std::optional<std::string> {
    shell.write("stty size\n");
    return shell.expect(std::regex("[0-9]+ [0-9]+\r\n")).find("44 99") != std::string::npos
               ? std::nullopt
               : std::optional<std::string>("the new size");
  });
  shell.write("echo $((6 * 7)); sleep 1000\n");
  shell.expect("42\r\n");
  shell.write("\x03");
  shell.write("echo $((7 * 7)); exit 5\n");
  shell.expect("49\r\n");
  EXPECT_EQ(shell.wait().code(), 5);
}

TEST_F(KubeExec, ShowsWhatContainersPrint) {
  EXPECT_EQ(kubectl({"logs", "c2"}).out, "first\nsecond\n");
  EXPECT_EQ(kubectl({"logs", "c2", "--tail=1"}).out, "second\n");
  EXPECT_EQ(kubectl({"logs", "c1"}).out, "");
  EXPECT_THAT(kubectl({"logs", "c2", "--previous"}).err, HasSubstr("previous terminated container"));
  auto follower = PtyProcess::spawn(command({"logs", "-f", "c2"}));
  follower.expect("second\r\n");
  cluster("C0").container("c2").program().stop();
  EXPECT_EQ(follower.wait().code(), 0);
}

TEST_F(KubeExec, TellsWhichNodeItCannotReach) {
  if (!streams_over_websockets()) return;
  auto& worker = this->worker("w1");
  ASSERT_TRUE(worker.exec({"ip", "link", "set", Underlay::kInterface, "down"}).ok());
  EXPECT_THAT(kubectl({"exec", "c1", "--", "true"}).err, HasSubstr("error dialing backend: dial tcp 10.0.0.3:10250"));
}

}  // namespace
}  // namespace knetsim::fixtures
