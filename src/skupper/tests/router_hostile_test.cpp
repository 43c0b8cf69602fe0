// Peers that aren't routers, or not well-behaved ones: told off in the log, and all else goes on.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <proton/disposition.h>
#include <sys/resource.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "tests/amqp_peer.h"
#include "tests/router_test.h"
#include "tests/tcp.h"
#include "wire/control.h"

namespace knetsim::skupper {
namespace {

using testing::HasSubstr;

// c0, with a service, listens to everybody; c1 is a good neighbour of it and has the entrance.
class HostileTest : public RouterTest {
 protected:
  void SetUp() override {
    start("c0", {listener(55671), listener(5672, {{"role", "normal"}}),
                 listener(9090, {{"role", "normal"}, {"http", true}}), service("svc", 8080)});
    start("c1", {connector(55671), entrance("svc", 1028)});
    wait_for_port(1028);
  }
  void TearDown() override {
    auto client = TcpPeer::connect(1028);
    client.send("still here");
    EXPECT_EQ(client.receive(10), "still here");
    EXPECT_FALSE(routers_.at(0).status());
    RouterTest::TearDown();
  }

  TcpService echo_{8080, TcpService::echo()};
};

TEST_F(HostileTest, GarbageOnAnyPortEndsThatConnectionOnlyAndIsNamedInTheLog) {
  for (const auto& [port, reason] : std::map<std::uint16_t, std::string>{{55671, " (): amqp:connection:framing-error"},
                                                                         {5672, " (): amqp:connection:framing-error"},
                                                                         {9090, ": bad "}}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      auto peer = TcpPeer::connect(port);
      SCOPED_TRACE(peer.name());
      try {
        peer.send(pattern(4096, seed));
        peer.finish();
        peer.wait_for_end();
      } catch (const SystemError&) {
        // Thrown out before it had said everything.
      }
      wait_for_log(routers_.at(0), fmt::format("{}{}", peer.name(), reason));
    }
  }
}

TEST_F(HostileTest, GarbageInTheMiddleOfAConnectionEndsIt) {
  AmqpPeer peer(55671, "x1");
  peer.wait_for_open();
  peer.send_raw(pattern(4096));
  EXPECT_THAT(peer.wait_for_end(), HasSubstr("malformed frame"));
}

TEST_F(HostileTest, FrameAboveTheLimitEndsTheConnection) {
  AmqpPeer peer(55671, "x1");
  peer.wait_for_open();
  std::string frame("\x00\x10\x00\x00\x02\x00\x00\x00", 8);  // 1 MiB, of type AMQP
  peer.send_raw(frame + std::string(1024 * 1024, 'x'));
  EXPECT_THAT(peer.wait_for_end(), HasSubstr("malformed frame"));
}

TEST_F(HostileTest, OlderAnnotationsAreRefused) {
  AmqpPeer peer(55671, "old", {.annotations_version = 1});
  EXPECT_THAT(peer.wait_for_end(), HasSubstr("incompatible router annotations"));
}

TEST_F(HostileTest, WhoeverIsNoRouterIsRefused) {
  AmqpPeer peer(55671, "client", {.annotations_version = std::nullopt});
  EXPECT_THAT(peer.wait_for_end(), HasSubstr("not a router of this protocol"));
}

TEST_F(HostileTest, AReleaseThatCarriesTcpInAnotherWayIsRefused) {
  AmqpPeer peer(55671, "old", {.version = "2.7.6"});
  EXPECT_THAT(peer.wait_for_end(), HasSubstr("before release 3"));
}

TEST_F(HostileTest, ASecondLinkForTheRoutingProtocolIsRefused) {
  AmqpPeer peer(55671, "x1");
  peer.wait_for_open();
  peer.send_control(wire::encode(
      wire::ControlMessage{wire::originate("x1"), std::string(wire::kHelloAddress), wire::Hello{"x1", 1, 1, {"c0"}}}));
  peer.wait_for_refusal("qd.router");
  // The first one's loss is still noticed.
  peer.end_control();
  EXPECT_THAT(peer.wait_for_end(), HasSubstr("links were detached"));
}

TEST_F(HostileTest, APeerThatAllowsTooFewSessionsIsLetGo) {
  const auto listening = listen_on(45671);
  start("e", {connector(45671, {{"role", "edge"}}), entrance("svc", 1029)}, {{"mode", "edge"}});
  AmqpPeer peer(listening, "x1", {.channel_max = 0});
  EXPECT_THAT(peer.wait_for_end(), HasSubstr("allows fewer sessions"));
}

TEST_F(HostileTest, RouterWithOurOwnIdIsRefused) {
  AmqpPeer peer(55671, "c0");
  EXPECT_THAT(peer.wait_for_end(), HasSubstr("own id"));
}

TEST_F(HostileTest, MalformedRoutingMessageEndsTheConnection) {
  AmqpPeer peer(55671, "x1");
  peer.wait_for_open();
  peer.send_control("no message at all");
  EXPECT_THAT(peer.wait_for_end(), HasSubstr("router annotations"));
}

TEST_F(HostileTest, CapabilitiesThatNestTooDeepEndTheConnection) {
  AmqpPeer peer(55671, "x1");
  peer.wait_for_open();
  peer.attach_nested(100);
  EXPECT_THAT(peer.wait_for_end(), HasSubstr("nest deeper"));
}

TEST_F(HostileTest, WhoeverEndsTheRoutingProtocolsSessionIsLetGo) {
  AmqpPeer peer(55671, "x1");
  peer.wait_for_open();
  peer.send_control(wire::encode(
      wire::ControlMessage{wire::originate("x1"), std::string(wire::kHelloAddress), wire::Hello{"x1", 1, 1, {"c0"}}}));
  peer.end_control();
  EXPECT_THAT(peer.wait_for_end(), HasSubstr("links were detached"));
}

TEST_F(HostileTest, FlowWithoutAHeadIsRefusedAndTheConnectionLivesOn) {
  AmqpPeer peer(55671, "x1", {.data = true});
  peer.wait_for_open();
  EXPECT_EQ(peer.send_stream("no message at all"), PN_MODIFIED);
  EXPECT_EQ(peer.send_stream(pattern(100'000)), PN_MODIFIED);
}

TEST_F(HostileTest, PeerThatNeverReadsCostsLittle) {
  auto peer = TcpPeer::connect(55671);
  for (int i = 0; i < 20; ++i) {
    auto client = TcpPeer::connect(1028);
    client.send(pattern(1024 * 1024));
    client.receive(1024 * 1024);
  }
  EXPECT_LT(memory_kib(routers_.at(0)), 60'000U);
}

TEST_F(HostileTest, ManyConnectionsThatSayNothingDoNoHarm) {
  std::vector<TcpPeer> silent;
  for (int i = 0; i < 300; ++i) silent.push_back(TcpPeer::connect(55671));
}

TEST_F(HostileTest, WhoeverSaysNothingIsLetGoAndItsMemoryGivenBack) {
  constexpr std::size_t kMany = 1'500;  // and more than may be silent at once
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = files.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  auto& router = start("c2", {listener(55672, {{"initialHandshakeTimeoutSeconds", 1}})});
  wait_for_port(55672);
  const auto before = memory_kib(router);
  std::vector<TcpPeer> silent;
  for (std::size_t i = 0; i < kMany; ++i) {
    silent.push_back(TcpPeer::connect(55672));
    // One word of the protocol, and then nothing: an engine is there for it.
    if (i % 2 == 0) silent.back().send(std::string("AMQP\3\1\0\0", 8));
  }
  for (auto& peer : silent) peer.wait_for_end();
  wait_for_log(router, "more than 1024 connections have said nothing yet");
  eventually([&]() -> std::optional<std::string> {
    const auto now = memory_kib(router);
    return now < before + 8'192 ? std::nullopt : std::optional(fmt::format("{} KiB, {} before", now, before));
  });
}

}  // namespace
}  // namespace knetsim::skupper
