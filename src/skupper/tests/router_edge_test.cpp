// Edge routers: they have one connection, to a router of the interior, and take no part in the routing protocol.

#include <proton/disposition.h>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/sys/eventually.h"
#include "tests/amqp_peer.h"
#include "tests/router_test.h"
#include "tests/tcp.h"

namespace knetsim::skupper {
namespace {

// interior a, listening for edges, and interior b, a's neighbour.
class EdgeTest : public RouterTest {
 protected:
  static Json edge_listener() { return listener(45671, {{"role", "edge"}}); }
  static Json edge_connector() { return connector(45671, {{"role", "edge"}}); }
  static Json edge() { return {{"mode", "edge"}}; }

  static void expect_echo(std::uint16_t port) {
    const auto bytes = pattern(100'000);
    for (int i = 0; i < 5; ++i) {
      auto client = TcpPeer::connect(port);
      client.send(bytes);
      client.finish();
      EXPECT_TRUE(client.receive_to_end() == bytes);
    }
  }

  TcpService echo_{8080, TcpService::echo()};
};

TEST_F(EdgeTest, ServiceAtTheEdgeIsReachedFromTheInterior) {
  start("a", {edge_listener(), listener(55671), entrance("svc", 1028)});
  start("b", {connector(55671), entrance("svc", 1029)});
  start("e", {edge_connector(), service("svc", 8080)}, edge());
  for (const std::uint16_t port : {1028, 1029}) {
    wait_for_port(port);
    expect_echo(port);
  }
}

TEST_F(EdgeTest, ClientAtTheEdgeReachesServicesOfTheInterior) {
  start("a", {edge_listener(), listener(55671), service("near", 8080)});
  start("b", {connector(55671), service("far", 8080)});
  start("e", {edge_connector(), entrance("near", 1028, "near"), entrance("far", 1029, "far")}, edge());
  for (const std::uint16_t port : {1028, 1029}) {
    wait_for_port(port);
    expect_echo(port);
  }
}

TEST_F(EdgeTest, EdgesReachEachOtherAndNoticeWhenOneIsGone) {
  start("a", {edge_listener()});
  auto& server = start("e1", {edge_connector(), service("svc", 8080)}, edge());
  start("e2", {edge_connector(), entrance("svc", 1028)}, edge());
  wait_for_port(1028);
  expect_echo(1028);
  kill(server);
  wait_for_no_port(1028);
}

TEST_F(EdgeTest, EachSideCountsTheOtherAmongItsConnections) {
  start("a", {edge_listener(), listener(9090, {{"role", "normal"}, {"http", true}})});
  start("e", {edge_connector(), listener(9091, {{"role", "normal"}, {"http", true}})}, edge());
  for (const std::uint16_t port : {9090, 9091}) {
    wait_for_port(port);
    eventually([&]() -> std::optional<std::string> {
      const auto page = http_get(port, "/metrics");
      if (page.find("\nqdr_connections_total 1\n") != std::string::npos) return std::nullopt;
      return "one connection in " + page;
    });
  }
}

TEST_F(EdgeTest, StreamsGoToTheInteriorOnLinksThatAreBoundToNoAddress) {
  const auto listening = listen_on(45671);
  start("e", {edge_connector(), entrance("one", 1028, "one"), entrance("two", 1029, "two")}, edge());
  AmqpPeer interior(listening, "x1");
  interior.tell_reachable("one");
  interior.tell_reachable("two");
  for (const std::uint16_t port : {1028, 1029}) wait_for_port(port);
  const auto client = TcpPeer::connect(1029);
  EXPECT_EQ(interior.wait_for_stream(), "");
}

TEST_F(EdgeTest, AStreamThatGetsNoLinkEndsItsClient) {
  const auto listening = listen_on(45671);
  start("e", {edge_connector(), entrance("one", 1028)}, edge());
  AmqpPeer interior(listening, "x1");
  interior.tell_reachable("one");
  wait_for_port(1028);
  auto client = TcpPeer::connect(1028);
  interior.refuse_a_link();
  EXPECT_EQ(client.wait_for_end(), "closed");
}

TEST_F(EdgeTest, AStreamThatIsAcceptedBeforeItHasEndedEndsItsClient) {
  const auto listening = listen_on(45671);
  start("e", {edge_connector(), entrance("one", 1028)}, edge());
  AmqpPeer interior(listening, "x1");
  interior.tell_reachable("one");
  wait_for_port(1028);
  auto client = TcpPeer::connect(1028);
  interior.wait_for_streams(1, PN_ACCEPTED);
  EXPECT_EQ(client.wait_for_end(), "closed");
}

TEST_F(EdgeTest, NoStreamBeginsOnALinkThatIsBeingDetached) {
  constexpr int kOneMoreThanIsKept = 129;
  const auto listening = listen_on(45671);
  start("e", {edge_connector(), entrance("one", 1028)}, edge());
  AmqpPeer interior(listening, "x1");
  interior.tell_reachable("one");
  wait_for_port(1028);
  std::vector<TcpPeer> clients;
  for (int i = 0; i < kOneMoreThanIsKept; ++i) clients.push_back(TcpPeer::connect(1028));
  interior.wait_for_links(kOneMoreThanIsKept);
  interior.wait_for_streams(kOneMoreThanIsKept);
  interior.give_credit_to_a_detached_link();
  const auto late = TcpPeer::connect(1028);
  interior.wait_for_streams(kOneMoreThanIsKept + 1);
}

TEST_F(EdgeTest, TheInteriorRefusesLinksOfTheRoutingProtocol) {
  start("a", {edge_listener()});
  wait_for_port(45671);
  AmqpPeer edge(45671, "x1");
  edge.wait_for_refusal("qd.router");
  edge.wait_for_refusal("qd.router-data");
}

TEST_F(EdgeTest, MessagesOfSkupperRoutersModulesAreAcceptedAndForgotten) {
  start("a", {edge_listener()});
  wait_for_port(45671);
  AmqpPeer edge(45671, "x1");
  EXPECT_EQ(edge.send_stream("a heartbeat", "", "_$qd.edge_heartbeat"), PN_ACCEPTED);
}

}  // namespace
}  // namespace knetsim::skupper
