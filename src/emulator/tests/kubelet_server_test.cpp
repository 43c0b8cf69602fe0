// The kubelet's endpoint over real sockets and real programs, on the sandbox's loopback.
#include "../kubelet_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"
#include "kubelet_client.h"

namespace knetsim {
namespace {

using nlohmann::json;
using test::kubelet_answer;
using test::KubeletDial;
using test::StreamClient;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// As they are on the wire, whatever the code calls them.
constexpr unsigned char kIn = 0;
constexpr unsigned char kOut = 1;
constexpr unsigned char kErr = 2;
constexpr unsigned char kStatus = 3;
constexpr unsigned char kResize = 4;
constexpr unsigned char kClose = 255;

/// One pod with one container, "web", which prints to a file of the test's.
class OnePod : public PodRuntime {
 public:
  explicit OnePod(std::filesystem::path log) : log_file(std::move(log)) {}

  PodProgram start(const PodContainer& where, std::vector<std::string> argv, Streams wanted) override {
    require(where);
    auto program = start_with_streams({.argv = std::move(argv)}, wanted);
    program.container = duplicate(life.read);
    last = program.child.pid();
    return program;
  }
  PodAttachment attach(const PodContainer& where) override {
    require(where);
    return {.in = duplicate(input.write), .log = {.file = log_file, .ended = duplicate(life.read)}};
  }
  Fd socket_in(const PodContainer& pod) override {
    if (pod.node != "w1" || pod.ns != "shop" || pod.pod != "web") throw InputError("there is web alone");
    return tcp_socket_in(NetNs::current());
  }
  PodLog log(const PodContainer& where, bool previous) override {
    require(where);
    if (previous) throw InputError("there was no run before");
    return {.file = log_file, .ended = duplicate(life.read)};
  }

  std::filesystem::path log_file;
  Pipe life = Pipe::create();
  Pipe input = Pipe::create();
  std::atomic<pid_t> last = 0;

 private:
  static void require(const PodContainer& where) {
    if (where.node != "w1" || where.ns != "shop" || where.pod != "web" || where.container != "web")
      throw InputError("there is web alone");
  }
};

class KubeletEndpoint : public testing::Test {
 protected:
  void SetUp() override {
    // A program's end interrupts what waits, if a library has asked to be told of it.
    sigset_t ends;
    ::sigemptyset(&ends);
    ::sigaddset(&ends, SIGCHLD);
    ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    std::filesystem::create_directories(directory_);
    pods_.emplace(directory_ / "web.log");
    server_.emplace(*pods_);
    server_->listen("w1", NetNs::current(), test::kubelet_w1);
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }

  static std::string exec(const std::string& script, const std::string& streams = "input=1&output=1&error=1") {
    std::string command = "command=sh&command=-c&command=";
    for (const char c : script) command += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    return "/exec/shop/web/web?" + command + "&" + streams;
  }
  static std::string log(const std::string& query) {
    const auto answer = kubelet_answer("GET /containerLogs/shop/web/web?" + query + " HTTP/1.1\r\nHost: w1\r\n\r\n");
    return answer;
  }
  void print(const std::string& text) { std::ofstream(pods_->log_file, std::ios::app) << text; }
  /// Whether the last program that was started is gone.
  std::optional<std::string> still_there() const {
    const auto pid = pods_->last.load();
    return pid != 0 && ::kill(pid, 0) != 0 ? std::nullopt : std::optional(fmt::format("process {} runs", pid));
  }

  std::filesystem::path directory_ = std::filesystem::path(kStateDirectory) / "kubelet";
  std::optional<OnePod> pods_;
  std::optional<KubeletServer> server_;
};

TEST_F(KubeletEndpoint, KeepsAProgramsStreamsApartAndTellsItsExitCode) {
  StreamClient client(exec("echo said; echo complaint >&2; exit 7"));
  EXPECT_EQ(client.protocol(), "v5.channel.k8s.io");
  auto said = client.rest();
  EXPECT_EQ(said[kOut], "said\n");
  EXPECT_EQ(said[kErr], "complaint\n");
  const auto status = json::parse(said[kStatus]);
  EXPECT_EQ(status.at("reason"), "NonZeroExitCode");
  EXPECT_EQ(status.at("/details/causes/0/message"_json_pointer), "7");
  EXPECT_EQ(json::parse(StreamClient(exec("true")).rest()[kStatus]).at("status"), "Success");
  EXPECT_EQ(StreamClient(exec("true"), "base64.channel.k8s.io, v4.channel.k8s.io,v5.channel.k8s.io").protocol(),
            "v4.channel.k8s.io");
  EXPECT_EQ(
      json::parse(StreamClient(exec("kill -KILL $$")).rest()[kStatus]).at("/details/causes/0/message"_json_pointer),
      "137");
}

TEST_F(KubeletEndpoint, SendsWholeMessagesOfStreamsThatSpeakAtOnce) {
  StreamClient client(exec("yes complaint | head -c 1000000 >&2 & yes said | head -c 1000000; wait"));
  auto said = client.rest();
  const auto repeated = [](std::string_view line) {
    std::string text;
    while (text.size() < 1'000'000) text += line;
    return text.substr(0, 1'000'000);
  };
  EXPECT_TRUE(said[kOut] == repeated("said\n")) << said[kOut].size();
  EXPECT_TRUE(said[kErr] == repeated("complaint\n")) << said[kErr].size();
}

TEST_F(KubeletEndpoint, HandsInputOnUntilItIsClosed) {
  StreamClient client(exec("cat; echo end"));
  client.send(kIn, "one ");
  client.expect(kOut, "one ");
  client.send(kIn, "two ");
  client.send(kClose, std::string_view("\0", 1));
  EXPECT_EQ(client.rest()[kOut], "one two end\n");
  // More than a pipe holds.
  StreamClient much(exec("read line; wc -c"));
  for (int i = 0; i < 10; ++i) much.send(kIn, std::string(32'768, 'x'));
  much.send(kIn, "\n");
  for (int i = 0; i < 10; ++i) much.send(kIn, std::string(32'768, 'x'));
  much.send(kClose, std::string_view("\0", 1));
  EXPECT_EQ(much.rest()[kOut], "327680\n");
  // The older protocol has no way to end it, and clients of it read until they have enough.
  StreamClient old(exec("read line; echo $line"), "v4.channel.k8s.io");
  EXPECT_EQ(old.protocol(), "v4.channel.k8s.io");
  old.send(kIn, "typed\n");
  EXPECT_EQ(old.rest()[kOut], "typed\n");
  // A terminal stays: its end of input is a character.
  StreamClient terminal(exec("cat; echo end", "input=1&output=1&tty=1"));
  terminal.send(kIn, "typed\n");
  terminal.expect(kOut, "typed\r\ntyped\r\n");
  terminal.send(kClose, std::string_view("\0", 1));
  EXPECT_THAT(terminal.rest()[kOut], HasSubstr("end\r\n"));
}

TEST_F(KubeletEndpoint, HasATerminalThatIsResizedAndInterrupted) {
  StreamClient client(
      exec("trap 'stty size; exit 3' INT; echo ready; while :; do sleep 1; done", "input=1&output=1&tty=1"));
  client.expect(kOut, "ready\r\n");
  client.send(kResize, R"({"Width":101,"Height":33})");
  client.send(kIn, "\x03");
  auto said = client.rest();
  EXPECT_THAT(said[kOut], HasSubstr("33 101\r\n"));
  EXPECT_THAT(said[kStatus], HasSubstr(R"("message":"3")"));
}

TEST_F(KubeletEndpoint, DoesNotWaitForWhatAProgramLeavesBehind) {
  // Whether its end comes while more is waited for, or with the last that it says.
  StreamClient waiting(exec("sleep 1000 & echo $!; read line"));
  waiting.expect(kOut, "\n");
  waiting.send(kIn, "go on\n");
  auto said = waiting.rest();
  EXPECT_THAT(said[kStatus], HasSubstr("Success"));
  EXPECT_EQ(::kill(std::stoi(said[kOut]), SIGKILL), 0);
  StreamClient client(exec("sleep 1000 & echo $!"));
  said = client.rest();
  EXPECT_THAT(said[kStatus], HasSubstr("Success"));
  EXPECT_EQ(::kill(std::stoi(said[kOut]), SIGKILL), 0);
  StreamClient talkative(exec("yes & exit 3"));
  EXPECT_THAT(talkative.rest()[kStatus], HasSubstr(R"("message":"3")"));
}

TEST_F(KubeletEndpoint, EndsTheProgramOfAClientThatIsGone) {
  for (const auto* streams : {"input=1&output=1&error=1", "input=1&output=1&tty=1"}) {
    StreamClient client(exec("echo ready; exec sleep 1000", streams));
    client.expect(kOut, "ready");
    client.vanish();
    eventually([&] { return still_there(); });
  }
}

TEST_F(KubeletEndpoint, NoticesThatWhileItsProgramTakesNoInput) {
  StreamClient client(exec("echo ready; exec sleep 1000"));
  client.expect(kOut, "ready");
  // More than the pipe holds: what doesn't fit is held, and nobody reads on.
  for (int i = 0; i < 3; ++i) client.send(kIn, std::string(32'768, '\0'));
  client.vanish();
  eventually([&] { return still_there(); });
}

TEST_F(KubeletEndpoint, HoldsAProgramUpWhoseOutputNobodyTakes) {
  StreamClient client(exec("exec yes"));
  const auto written = [&] {
    const auto io = read_file(fmt::format("/proc/{}/io", pods_->last.load()));
    return std::stoull(io.substr(io.find("wchar: ") + 7));
  };
  eventually([&] { return pods_->last != 0 ? std::nullopt : std::optional<std::string>("none"); });
  // It is held up when all that lies between is full; a writer that is free writes gigabytes meanwhile.
  constexpr int kLooks = 5;
  std::uint64_t before = 0;
  int unchanged = 0;
  eventually([&]() -> std::optional<std::string> {
    const auto now = written();
    unchanged = now > 0 && std::exchange(before, now) == now ? unchanged + 1 : 0;
    return unchanged == kLooks ? std::nullopt : std::optional<std::string>("it still writes");
  });
  EXPECT_LT(before, 64ULL << 20);
}

TEST_F(KubeletEndpoint, EndsProgramsWithTheirContainerAndWithItself) {
  StreamClient first(exec("echo ready; exec sleep 1000"));
  first.expect(kOut, "ready");
  pods_->life.write.reset();
  EXPECT_THAT(first.rest()[kStatus], HasSubstr(R"("message":"137")"));
  pods_->life = Pipe::create();
  StreamClient second(exec("echo ready; exec sleep 1000"));
  second.expect(kOut, "ready");
  server_.reset();
  EXPECT_EQ(still_there(), std::nullopt);
  EXPECT_THROW(second.rest(), boost::system::system_error);
}

TEST_F(KubeletEndpoint, TellsWhatItCannotDoWhereClientsShowIt) {
  EXPECT_THAT(StreamClient("/exec/shop/web/nope?command=ls&output=1").rest()[kStatus],
              AllOf(HasSubstr("InternalError"), HasSubstr("there is web alone")));
  EXPECT_THAT(StreamClient("/exec/shop/web/web?command=no-such-program&output=1").rest()[kStatus],
              HasSubstr("no-such-program"));
  const auto refused = [](const std::string& target, const std::string& fields = {}) {
    return kubelet_answer("GET " + target + " HTTP/1.1\r\nHost: w1\r\n" + fields + "\r\n");
  };
  EXPECT_THAT(refused(exec("ls")), AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("Upgrade request required")));
  EXPECT_THAT(refused(exec("ls"), "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"),
              HasSubstr("none of the protocols that are offered"));
  EXPECT_THAT(refused(exec("ls"),
                      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                      "AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: chat\r\n"),
              AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("v5.channel.k8s.io")));
  EXPECT_THAT(refused("/pods"), StartsWith("HTTP/1.1 404"));
}

TEST_F(KubeletEndpoint, OutlivesClientsThatBreakTheRules) {
  const std::string upgrade = "GET " + exec("cat") +
                              " HTTP/1.1\r\nHost: w1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                              "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n";
  const std::vector<std::string> frames{
      std::string("\x82\x02\x00x", 4),                                      // not masked
      std::string("\x8f\x80\0\0\0\0", 6),                                   // an opcode that there isn't
      std::string("\xf2\x81\0\0\0\0\0", 7),                                 // bits that nobody agreed on
      std::string("\x09\x80\0\0\0\0", 6),                                   // half a ping
      std::string("\x89\xfe\x01\x00\0\0\0\0", 8),                           // a ping that is too long
      std::string("\x80\x81\0\0\0\0\0", 7),                                 // goes on with nothing
      std::string("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14),  // eight exabytes
      std::string("\x82\xff\0\0\0\0\0\x10\0\0\0\0\0\0", 14)                 // a megabyte
  };
  for (const auto& frame : frames) {
    StreamClient client(exec("cat"));
    client.dial().send(frame);
    EXPECT_THROW(while (true) client.next(), boost::system::system_error) << testing::PrintToString(frame);
    eventually([&] { return still_there(); });
  }
  EXPECT_THAT(kubelet_answer(upgrade + frames.front()), HasSubstr("before the upgrade"));
  EXPECT_THAT(kubelet_answer("GET / HTTP/1.1\r\nX: " + std::string(300'000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(kubelet_answer("POST " + exec("cat") + " HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"),
              StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(kubelet_answer("DELETE " + exec("cat") + " HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(StreamClient(exec("echo well")).rest()[kOut], "well\n");
}

TEST_F(KubeletEndpoint, IgnoresWhatNoClientHasToSay) {
  StreamClient client(exec("cat", "input=1&output=1&tty=1"));
  for (const auto* size :
       {"", "{", "[1,2]", R"({"Width":0,"Height":1})", R"({"Width":70000,"Height":1})", R"({"Width":"a"})"})
    client.send(kResize, size);
  client.send(kOut, "not yours");
  client.send(7, "nobody's");
  client.send(kClose, "\x01");
  client.send(kIn, "typed\n");
  client.expect(kOut, "typed\r\ntyped\r\n");
}

TEST_F(KubeletEndpoint, ShowsALogOrItsEnd) {
  EXPECT_THAT(log(""), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("\r\n\r\n0\r\n")));  // nothing was printed
  print("one\ntwo\nthree");
  EXPECT_THAT(log(""), HasSubstr("one\ntwo\nthree\r\n0\r\n"));
  EXPECT_THAT(log("tailLines=2"), HasSubstr("\r\n\r\n9\r\ntwo\nthree\r\n0\r\n"));
  EXPECT_THAT(log("tailLines=0"), HasSubstr("\r\n\r\n0\r\n"));
  EXPECT_THAT(log("tailLines=99"), HasSubstr("one\ntwo\nthree\r\n0\r\n"));
  EXPECT_THAT(log("limitBytes=5"), HasSubstr("5\r\none\nt\r\n0\r\n"));
  EXPECT_THAT(log("previous=true"), AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("no run before")));
  EXPECT_THAT(log("tailLines=-1"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(log("timestamps=true"), AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("nobody has noted")));
  // Looked for from the end, in more than one piece.
  print("\n" + std::string(40'000, 'x') + "\nend\n");
  EXPECT_THAT(log("tailLines=1"), HasSubstr("\r\n\r\n4\r\nend\n\r\n0\r\n"));
  EXPECT_THAT(log("tailLines=2"), AllOf(HasSubstr("x\nend\n"), testing::Not(HasSubstr("three"))));
  EXPECT_THAT(log("tailLines=3"), AllOf(HasSubstr("three\nxxx"), testing::Not(HasSubstr("two"))));
}

TEST_F(KubeletEndpoint, FollowsALogUntilItsProgramEnds) {
  print("older\nold\n");
  KubeletDial dial;
  dial.send("GET /containerLogs/shop/web/web?follow=true&tailLines=1 HTTP/1.1\r\nHost: w1\r\n\r\n");
  std::string text;
  const auto read_to = [&](const std::string& end) {
    boost::asio::read_until(dial.stream(), boost::asio::dynamic_buffer(text), end);
  };
  read_to("old\n");
  print("new\n");
  read_to("new\n");
  print("last\n");
  pods_->life.write.reset();
  read_to("\r\n0\r\n\r\n");
  EXPECT_THAT(text, AllOf(HasSubstr("last\n"), testing::Not(HasSubstr("older"))));
}

TEST_F(KubeletEndpoint, FollowsALogThatComesLater) {
  StreamClient client("/attach/shop/web/web?input=1&output=1");
  client.send(kIn, "x");
  char typed = 0;
  ASSERT_EQ(::read(pods_->input.read.get(), &typed, 1), 1);  // from here on it follows
  print("first\n");
  client.expect(kOut, "first\n");
  print("second\n");
  client.expect(kOut, "second\n");
}

TEST_F(KubeletEndpoint, LetsGoOfFollowersThatAreGone) {
  const auto descriptors = [] {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  const auto before = descriptors();
  {
    StreamClient attached("/attach/shop/web/web?output=1");
    StreamClient other("/attach/shop/web/web?output=1");
    KubeletDial log;
    log.send("GET /containerLogs/shop/web/web?follow=true HTTP/1.1\r\nHost: w1\r\n\r\n");
    std::string text;
    boost::asio::read_until(log.stream(), boost::asio::dynamic_buffer(text), "\r\n\r\n");
    attached.vanish();
    other.vanish();
  }
  eventually([&]() -> std::optional<std::string> {
    return descriptors() == before ? std::nullopt : std::optional<std::string>("the end of what was held for them");
  });
}

TEST_F(KubeletEndpoint, TurnsAwayWhomItHasNoPlaceFor) {
  boost::asio::io_context context;
  std::vector<boost::asio::ip::tcp::socket> all;
  const std::string request = "GET / HTTP/1.1\r\n\r\n";
  for (std::size_t i = 0; i < KubeletServer::kMostConnections; ++i)
    all.emplace_back(context).connect({boost::asio::ip::address_v4::loopback(), 10250});
  EXPECT_EQ(kubelet_answer(request), "");
  all.clear();
  eventually([&]() -> std::optional<std::string> {
    return kubelet_answer(request).starts_with("HTTP/1.1 404") ? std::nullopt : std::optional<std::string>("a place");
  });
}

TEST_F(KubeletEndpoint, HearsOnlyMastersOfItsAuthority) {
  const std::string request = "GET / HTTP/1.1\r\nHost: w1\r\n\r\n";
  const auto& lab = test::kubelet_authority();
  const apiserver::Subject masters{.user = "somebody", .groups = {"others", "system:masters"}};
  EXPECT_THAT(kubelet_answer(request, lab.for_client(masters)), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(kubelet_answer(request, std::nullopt), AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("Unauthorized")));
  EXPECT_THAT(kubelet_answer(request, apiserver::Authority("the tests").for_client(masters)),
              StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(kubelet_answer(request, lab.for_server(masters, {"w1"}, {})), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(kubelet_answer(request, lab.for_client({.user = "system:kube-proxy", .groups = {"system:node-proxier"}})),
              AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("Forbidden (user=system:kube-proxy, ")));
  EXPECT_THAT(kubelet_answer(request, lab.for_client({.user = "system:masters"})), StartsWith("HTTP/1.1 403"));
}

TEST_F(KubeletEndpoint, SpeaksTlsAlone) {
  boost::asio::io_context context;
  boost::asio::ip::tcp::socket plain(context);
  plain.connect({boost::asio::ip::address_v4::loopback(), 10250});
  boost::asio::write(plain, boost::asio::buffer(std::string("GET /containerLogs/shop/web/web HTTP/1.1\r\n\r\n")));
  std::string answer;
  boost::system::error_code end;
  boost::asio::read(plain, boost::asio::dynamic_buffer(answer), end);
  EXPECT_THAT(answer, testing::Not(HasSubstr("HTTP")));
}

TEST_F(KubeletEndpoint, FollowsNoLinkAndWaitsForNoPipe) {
  const auto elsewhere = directory_ / "elsewhere";
  std::ofstream(elsewhere) << "a secret";
  std::filesystem::create_symlink(elsewhere, pods_->log_file);
  EXPECT_THAT(log(""), AllOf(StartsWith("HTTP/1.1 500"), testing::Not(HasSubstr("a secret"))));
  std::filesystem::remove(pods_->log_file);
  ASSERT_EQ(::mkfifo(pods_->log_file.c_str(), 0600), 0);
  EXPECT_THAT(log("follow=true"), StartsWith("HTTP/1.1 500"));
}

TEST_F(KubeletEndpoint, AttachesToWhatIsPrintedFromThenOn) {
  print("old\n");
  StreamClient typist("/attach/shop/web/web?input=1");
  StreamClient reader("/attach/shop/web/web?output=1");
  reader.send(kIn, "not asked for");
  StreamClient client("/attach/shop/web/web?input=1&output=1&error=1");
  client.send(kIn, "typed");
  std::array<char, 16> typed{};
  ASSERT_EQ(::read(pods_->input.read.get(), typed.data(), typed.size()), 5);
  print("new\n");
  client.expect(kOut, "new\n");
  pods_->life.write.reset();
  auto said = client.rest();
  EXPECT_EQ(said[kOut], "new\n");
  EXPECT_THAT(said[kStatus], HasSubstr("Success"));
  EXPECT_EQ(typist.rest()[kOut], "");
  EXPECT_EQ(reader.rest()[kOut], "new\n");
}

}  // namespace
}  // namespace knetsim
