// The program itself: its arguments, exit codes, HTTP pages, and how it finds its peers.

#include <gmock/gmock.h>

#include <csignal>

#include "knetsim/sys/error.h"
#include "tests/router_test.h"
#include "tests/tcp.h"

namespace knetsim::skupper {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ProgramTest : public RouterTest {
 protected:
  static ExecResult run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), program());
    return exec({.argv = arguments});
  }
};

TEST_F(ProgramTest, TellsItsVersionAndItsUsage) {
  const auto version = run({"--version"});
  EXPECT_TRUE(version.ok());
  EXPECT_THAT(version.out, testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+\n"));
  const auto help = run({"--help"});
  EXPECT_TRUE(help.ok());
  EXPECT_THAT(help.out, AllOf(HasSubstr("--conf"), HasSubstr("SIGTERM")));
}

TEST_F(ProgramTest, BadArgumentsAndConfigsEndItWithOne) {
  EXPECT_EQ(run({"--nonsense"}).status.code(), 1);
  const auto absent = run({"-c", "/nowhere.json"});
  EXPECT_EQ(absent.status.code(), 1);
  EXPECT_THAT(absent.err, HasSubstr("/nowhere.json"));
  auto& wrong = start("c0", {listener(55671, {{"port", 70000}})});
  EXPECT_EQ(wrong.wait(std::chrono::seconds(10)).code(), 1);
  EXPECT_THAT(log_of(wrong), AllOf(HasSubstr("listener"), HasSubstr("port"), HasSubstr("70000")));
}

TEST_F(ProgramTest, PortThatIsTakenEndsItWithOne) {
  const TcpService owner(55671, TcpService::echo());
  auto& router = start("c0", {listener(55671)});
  EXPECT_EQ(router.wait(std::chrono::seconds(10)).code(), 1);
  EXPECT_THAT(log_of(router), AllOf(HasSubstr("(critical)"), HasSubstr("127.0.0.1:55671"), HasSubstr("EADDRINUSE")));
}

TEST_F(ProgramTest, ServesHealthAndMetrics) {
  start("c0", {listener(9090, {{"role", "normal"}, {"http", true}})});
  wait_for_port(9090);
  EXPECT_THAT(http_get(9090, "/healthz"), AllOf(HasSubstr("200 OK"), HasSubstr("OK\n")));
  EXPECT_THAT(http_get(9090, "/metrics"), AllOf(HasSubstr("200 OK"), HasSubstr("# TYPE qdr_connections_total gauge\n"),
                                                HasSubstr("\nqdr_routers_total 0\n")));
  EXPECT_THAT(http_get(9090, "/"), HasSubstr("404"));
}

TEST_F(ProgramTest, PagesThatAreSwitchedOffAreNotThere) {
  start("c0", {listener(9090, {{"role", "normal"}, {"http", true}, {"metrics", false}})});
  wait_for_port(9090);
  EXPECT_THAT(http_get(9090, "/healthz"), HasSubstr("200 OK"));
  EXPECT_THAT(http_get(9090, "/metrics"), HasSubstr("404"));
}

TEST_F(ProgramTest, ConnectsAsSoonAsThePeerIsThere) {
  auto& c1 = start("c1", {connector(55671), entrance("svc", 1028)});
  wait_for_log(c1, "Connection to 127.0.0.1:55671 failed: Connection refused");
  const TcpService greeter(8080, TcpService::greet("hello"));
  start("c0", {listener(55671), service("svc", 8080)});
  wait_for_port(1028);
  EXPECT_EQ(TcpPeer::connect(1028).receive_to_end(), "hello");
}

TEST_F(ProgramTest, EntranceIsClosedWhileTheServiceIsAway) {
  const TcpService greeter(8080, TcpService::greet("hello"));
  start("c1", {listener(55671), entrance("svc", 1028)});
  wait_for_port(55671);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW(TcpPeer::connect(1028), SystemError);
    auto& c0 = start("c0", {connector(55671), service("svc", 8080)});
    wait_for_port(1028);
    EXPECT_EQ(TcpPeer::connect(1028).receive_to_end(), "hello");
    c0.signal(SIGTERM);
    EXPECT_EQ(c0.wait(std::chrono::seconds(10)).code(), 0);
    wait_for_no_port(1028);
  }
}

}  // namespace
}  // namespace knetsim::skupper
