// What routers keep between them for their streams: sessions, links, and how much may be on its way.

#include <proton/disposition.h>

#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/sys/eventually.h"
#include "tests/amqp_peer.h"
#include "tests/router_test.h"
#include "tests/tcp.h"
#include "wire/message.h"

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
  sender.begin_stream(head + pattern(4 * 16 * 1024));  // 5 frames of the 8
  sender.wait_for_window();
}

TEST_F(LinksTest, ManyStreamsInOneSessionDoNotStandStillBeforeItsWindowIsUsedUp) {
  struct Try {
    std::uint16_t frames;
    std::size_t bytes;
  };
  // 640 is what skupper writes, and 40 little more than what skrouterd waits for.
  for (const auto& [frames, bytes] : {Try{2, 50'000}, Try{40, 500'000}, Try{640, 1'000'000}}) {
    const auto port = static_cast<std::uint16_t>(55'000 + frames);
    const TcpService sink(8080, [](TcpPeer& client) { client.receive_to_end(); });
    start("c0", {listener(port, {{"maxSessionFrames", frames}}), service("svc", 8080)});
    wait_for_port(port);
    AmqpPeer sender(port, "x1", {.data = true});
    sender.wait_for_open();
    sender.send_as_skrouterd(24, bytes, "svc");
  }
}

TEST_F(LinksTest, APeakOfConnectionsLeavesFewLinksBehind) {
  constexpr int kPeak = 200;
  constexpr int kKept = 128;
  const TcpService echo(8080, TcpService::echo());
  start("c0", {listener(55671), service("svc", 8080)});
  wait_for_port(55671);  // so that no connection is made later than the others
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
    // New ones come while links are being detached.
    auto next = TcpPeer::connect(1028);
    next.send("y");
    EXPECT_EQ(next.receive(1), "y");
    next.finish();
    next.wait_for_end();
  }
  eventually([]() -> std::optional<std::string> {
    const auto links = metric(9090, "qdr_streaming_links");
    if (links == kKept) return std::nullopt;
    return std::to_string(links) + " links";
  });
}

TEST_F(LinksTest, ALinkOutlivesTheStreamsThatAreAborted) {
  constexpr int kMoreThanTheCredit = 300;
  start("c0", {listener(55671)});
  wait_for_port(55671);
  AmqpPeer sender(55671, "x1", {.data = true});
  sender.wait_for_open();
  sender.abort_streams(kMoreThanTheCredit);
}

TEST_F(LinksTest, AFlowOnALinkForMessagesIsAFlow) {
  std::promise<std::string> heard;
  const TcpService server(8080, [&](TcpPeer& client) { heard.set_value(client.receive_to_end()); });
  start("c0", {listener(55671), service("svc", 8080)});
  wait_for_port(55671);
  AmqpPeer sender(55671, "x1");
  sender.wait_for_open();
  const auto head = wire::encode(wire::flow_request("x1", "svc", "amqp:/_topo/0/x1/temp.a", "x:1"));
  EXPECT_EQ(sender.send_stream(head + "hello", "qd.router-data"), PN_ACCEPTED);
  auto all = heard.get_future();
  ASSERT_EQ(all.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(all.get(), "hello");
}

TEST_F(LinksTest, AMessageThatIsNoFlowIsAcceptedAndForgotten) {
  start("c0", {listener(55671)});
  wait_for_port(55671);
  AmqpPeer sender(55671, "x1");
  sender.wait_for_open();
  const auto head = wire::encode(wire::flow_request("x1", "mc/sfe.all", "amqp:/_topo/0/x1/temp.a", "x:1"));
  EXPECT_EQ(sender.send_stream(head + "telemetry", "qd.router-data"), PN_ACCEPTED);
  EXPECT_EQ(sender.send_stream("what is this", "qd.router-data"), PN_ACCEPTED);
}

}  // namespace
}  // namespace knetsim::skupper
