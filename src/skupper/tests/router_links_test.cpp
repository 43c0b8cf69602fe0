// What routers keep between them for their streams: sessions, links, and how much may be on its way.

#include <gmock/gmock.h>

#include <vector>

#include "knetsim/sys/eventually.h"
#include "tests/amqp_peer.h"
#include "tests/router_test.h"
#include "tests/tcp.h"
#include "wire/flow.h"

namespace knetsim::skupper {
namespace {

class LinksTest : public RouterTest {
 protected:
  static int metric(std::uint16_t port, const std::string& name) {
    const auto page = http_get(port, "/metrics");
    const auto at = page.find("\n" + name + " ");
    if (at == std::string::npos) throw Error("no " + name + " among the metrics:\n" + page);
    return std::stoi(page.substr(at + name.size() + 2));
  }
};

TEST_F(LinksTest, ASenderHearsOfTheWindowBeforeItHasUsedItUp) {
  const TcpService echo(8080, TcpService::echo());
  start("c0", {listener(55671, {{"maxSessionFrames", 8}}), service("svc", 8080)});
  wait_for_port(55671);
  AmqpPeer sender(55671, "x1", {.data = true});
  sender.wait_for_open();
  const auto head = wire::encode(wire::flow_request("x1", "svc", "amqp:/_topo/0/x1/temp.a", "x:1"));
  sender.begin_stream(head + pattern(5 * 16 * 1024));  // 6 frames of the 8
  sender.wait_for_window();
}

TEST_F(LinksTest, APeakOfConnectionsLeavesFewLinksBehind) {
  constexpr int kPeak = 200;
  constexpr int kKept = 128;
  const TcpService echo(8080, TcpService::echo());
  start("c0", {listener(55671), service("svc", 8080)});
  start("c1", {connector(55671), entrance("svc", 1028), listener(9090, {{"role", "normal"}, {"http", true}})},
        {{"dataConnectionCount", "1"}});
  wait_for_port(1028);
  wait_for_port(9090);
  std::vector<TcpPeer> clients;
  for (int i = 0; i < kPeak; ++i) {
    clients.push_back(TcpPeer::connect(1028));
    clients.back().send("x");
    EXPECT_EQ(clients.back().receive(1), "x");
  }
  EXPECT_EQ(metric(9090, "qdr_streaming_links"), kPeak);
  for (auto& client : clients) {
    client.finish();
    client.wait_for_end();
  }
  eventually([]() -> std::optional<std::string> {
    const auto links = metric(9090, "qdr_streaming_links");
    if (links == kKept) return std::nullopt;
    return std::to_string(links) + " links";
  });
  auto late = TcpPeer::connect(1028);
  late.send("y");
  EXPECT_EQ(late.receive(1), "y");
}

}  // namespace
}  // namespace knetsim::skupper
