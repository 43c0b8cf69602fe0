// TCP connections through one, two and three routers, on real sockets.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>
#include <future>
#include <ostream>
#include <utility>
#include <vector>

#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "tests/router_test.h"
#include "tests/tcp.h"

namespace knetsim::skupper {
namespace {

using testing::HasSubstr;

constexpr std::size_t kMiB = 1024 * 1024;

// c1 (client's side, entrance 1028) -> c0 (service's side, service 8080).
class FlowTest : public RouterTest {
 protected:
  void start_pair(const std::vector<Json>& more = {}, const Json& settings = Json::object()) {
    std::vector<Json> entities{listener(55671), service("svc", 8080)};
    entities.insert(entities.end(), more.begin(), more.end());
    start("c0", entities, settings);
    start("c1", {connector(55671), entrance("svc", 1028)}, settings);
    wait_for_port(1028);
  }
  Process& c0() { return routers_.at(0); }
  Process& c1() { return routers_.at(1); }

  /// Sends while it receives, as echo needs: neither way may wait for the other.
  static std::string exchange(TcpPeer& peer, const std::string& bytes) {
    const auto sender = std::async(std::launch::async, [&] {
      peer.send(bytes);
      peer.finish();
    });
    return peer.receive_to_end();
  }
};

TEST_F(FlowTest, BytesArriveInOrderBothWays) {
  const TcpService echo(8080, TcpService::echo());
  start_pair();
  const auto bytes = pattern(20 * kMiB);
  auto client = TcpPeer::connect(1028);
  EXPECT_TRUE(exchange(client, bytes) == bytes);
}

TEST_F(FlowTest, TwoHundredConnectionsAtOnceStayApart) {
  const TcpService echo(8080, TcpService::echo());
  start_pair();
  std::vector<std::future<bool>> all;
  for (std::uint64_t seed = 1; seed <= 200; ++seed)
    all.push_back(std::async(std::launch::async, [seed] {
      const auto bytes = pattern(kMiB, seed);
      auto client = TcpPeer::connect(1028);
      return exchange(client, bytes) == bytes;
    }));
  for (auto& one : all) EXPECT_TRUE(one.get());
}

TEST_F(FlowTest, ServiceThatSpeaksFirstIsHeard) {
  const TcpService greeter(8080, TcpService::greet("hello"));
  start_pair();
  EXPECT_EQ(TcpPeer::connect(1028).receive_to_end(), "hello");
}

TEST_F(FlowTest, ClientThatHasFinishedStillReceives) {
  const TcpService counter(8080, [](TcpPeer& peer) {
    const auto all = peer.receive_to_end();
    peer.send(std::to_string(all.size()));
  });
  start_pair();
  auto client = TcpPeer::connect(1028);
  client.send(pattern(3 * kMiB));
  client.finish();
  EXPECT_EQ(client.receive_to_end(), std::to_string(3 * kMiB));
}

TEST_F(FlowTest, ServiceThatHasFinishedStillReceives) {
  std::promise<std::string> received;
  const TcpService service(8080, [&](TcpPeer& peer) {
    peer.send("bye");
    peer.finish();
    received.set_value(peer.receive_to_end());
  });
  start_pair();
  auto client = TcpPeer::connect(1028);
  EXPECT_EQ(client.receive_to_end(), "bye");
  const auto bytes = pattern(2 * kMiB);
  client.send(bytes);
  client.finish();
  EXPECT_TRUE(received.get_future().get() == bytes);
}

TEST_F(FlowTest, RefusedServiceClosesTheClientAndTheNextOneWorks) {
  start_pair();
  EXPECT_EQ(TcpPeer::connect(1028).wait_for_end(), "closed");
  const TcpService greeter(8080, TcpService::greet("back"));
  EXPECT_EQ(TcpPeer::connect(1028).receive_to_end(), "back");
}

TEST_F(FlowTest, ResetOfTheServiceReachesTheClient) {
  const TcpService service(8080, [](TcpPeer& peer) {
    peer.receive(5);
    peer.reset();
  });
  start_pair();
  auto client = TcpPeer::connect(1028);
  client.send("hello");
  EXPECT_EQ(client.wait_for_end(), "reset");
}

TEST_F(FlowTest, ResetOfTheClientReachesTheService) {
  std::promise<std::string> end;
  const TcpService service(8080, [&](TcpPeer& peer) {
    peer.send("go");
    end.set_value(peer.wait_for_end());
  });
  start_pair();
  auto client = TcpPeer::connect(1028);
  client.receive(2);
  client.reset();
  EXPECT_EQ(end.get_future().get(), "reset");
}

TEST_F(FlowTest, SlowReaderHoldsTheSenderBackAndNotTheMemory) {
  std::atomic<std::size_t> sent = 0;
  std::atomic<bool> stop = false;
  const TcpService source(8080, [&](TcpPeer& peer) {
    const auto piece = pattern(64 * 1024);
    while (!stop) {
      peer.send(piece);
      sent += piece.size();
    }
  });
  start_pair();
  auto client = TcpPeer::connect(1028);
  const auto before = client.receive(kMiB);
  // The sender comes to a stop: nothing has moved for a while.
  std::size_t last = 0;
  int still = 0;
  eventually([&]() -> std::optional<std::string> {
    still = sent == last ? still + 1 : 0;
    last = sent;
    return still >= 5 ? std::nullopt : std::optional<std::string>("the sender is still sending");
  });
  EXPECT_LT(memory_kib(c0()), 40'000U);
  EXPECT_LT(memory_kib(c1()), 40'000U);
  // All of it is still there, in order.
  const auto piece = pattern(64 * 1024);
  for (std::size_t i = kMiB / piece.size(); i < 256; ++i) ASSERT_TRUE(client.receive(piece.size()) == piece);
  stop = true;
  client.reset();
}

TEST_F(FlowTest, ConnectionsAreSharedOutEvenlyAmongServices) {
  const TcpService one(8080, TcpService::echo());
  const TcpService two(8081, TcpService::echo());
  start_pair({service("svc", 8081, "second")});
  // All stay open: each goes where fewer are.
  std::vector<TcpPeer> clients;
  for (int i = 0; i < 20; ++i) {
    auto& client = clients.emplace_back(TcpPeer::connect(1028));
    client.send("x");
    ASSERT_EQ(client.receive(1), "x");
  }
  EXPECT_EQ(one.connections(), 10U);
  EXPECT_EQ(two.connections(), 10U);
}

TEST_F(FlowTest, ServicesOfTwoRoutersShareTheWork) {
  const TcpService near(8080, TcpService::greet("1"));
  const TcpService far(8081, TcpService::greet("2"));
  start("c0", {listener(55671), service("svc", 8080)});
  start("c2", {listener(55672), service("svc", 8081)});
  start("c1", {connector(55671), connector(55672), entrance("svc", 1028)});
  wait_for_port(1028);
  eventually([&]() -> std::optional<std::string> {
    for (int i = 0; i < 10; ++i) TcpPeer::connect(1028).receive_to_end();
    if (near.connections() > 0 && far.connections() > 0) return std::nullopt;
    return "connections to one of the services";
  });
}

TEST_F(FlowTest, ServiceOfTheSameRouterNeedsNoOther) {
  const TcpService echo(8080, TcpService::echo());
  start("c0", {service("svc", 8080), entrance("svc", 1028)});
  wait_for_port(1028);
  const auto bytes = pattern(5 * kMiB);
  auto client = TcpPeer::connect(1028);
  EXPECT_TRUE(exchange(client, bytes) == bytes);
}

TEST_F(FlowTest, AListenerWithoutAnAddressOfThisMachineSaysSoOnce) {
  auto elsewhere = entrance("svc", 1027, "elsewhere");
  elsewhere[1]["host"] = "203.0.113.77";
  auto& router = start("c0", {RouterTest::service("svc", 8080), elsewhere, entrance("svc", 1028)});
  wait_for_port(1028);
  EXPECT_TRUE(router.terminate(std::chrono::seconds(20)).success());
  const auto log = log_of(router);
  const std::string line = "Listener elsewhere: 203.0.113.77:1027: can't bind: ";
  const auto first = log.find(line);
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find(line, first + 1), std::string::npos) << log;
  EXPECT_THAT(log, HasSubstr("remedy: give an address that this machine has: ip address"));
}

// How a client and a service of one router may end a flow; in the router each half tells the other.
struct LocalEnd {
  const char* name;
  std::function<void(TcpPeer& client)> client;
  std::function<void(TcpPeer& service)> service;
};

void PrintTo(const LocalEnd& end, std::ostream* out) { *out << end.name; }

class LocalFlowTest : public FlowTest, public testing::WithParamInterface<LocalEnd> {};

void echo_some(TcpPeer& peer) {
  peer.send("ping");
  peer.receive(4);
}

void send_a_lot(TcpPeer& peer) {
  try {
    static const auto bytes = pattern(4 * kMiB);
    peer.send(bytes);
  } catch (const SystemError&) {  // the other end was closed
  }
}

void serve_echo(TcpPeer& peer) { peer.send(peer.receive(4)); }

INSTANTIATE_TEST_SUITE_P(
    Ends, LocalFlowTest,
    testing::Values(LocalEnd{"ClientResetsAtOnce", [](TcpPeer& client) { client.reset(); },
                             [](TcpPeer& one) { one.wait_for_end(); }},
                    LocalEnd{"ClientResetsLater",
                             [](TcpPeer& client) {
                               echo_some(client);
                               client.reset();
                             },
                             [](TcpPeer& one) {
                               serve_echo(one);
                               one.wait_for_end();
                             }},
                    LocalEnd{"ClientClosesWithBytesUnread",
                             [](TcpPeer& client) {
                               client.send("ping");
                               client.receive(1);
                             },
                             [](TcpPeer& one) {
                               serve_echo(one);
                               one.wait_for_end();
                             }},
                    LocalEnd{"ClientReadsNothingAndGoes", [](TcpPeer& client) { echo_some(client); },
                             [](TcpPeer& one) {
                               serve_echo(one);
                               send_a_lot(one);
                             }},
                    LocalEnd{"ServiceResetsAtOnce", [](TcpPeer& client) { client.wait_for_end(); },
                             [](TcpPeer& one) { one.reset(); }},
                    LocalEnd{"ServiceClosesWithBytesUnread",
                             [](TcpPeer& client) {
                               client.send("ping");
                               client.wait_for_end();
                             },
                             [](TcpPeer& one) { one.receive(1); }},
                    LocalEnd{"ServiceReadsNothingAndGoes", send_a_lot, [](TcpPeer& one) { one.receive(1); }},
                    LocalEnd{"BothReset",
                             [](TcpPeer& client) {
                               echo_some(client);
                               client.reset();
                             },
                             [](TcpPeer& one) {
                               serve_echo(one);
                               one.reset();
                             }}),
    [](const auto& end) { return std::string(end.param.name); });

TEST_P(LocalFlowTest, EndsBothWaysAndTheRouterServesTheNext) {
  std::atomic<bool> last = false;
  const TcpService service(8080, [&](TcpPeer& peer) {
    try {
      last ? serve_echo(peer) : GetParam().service(peer);
    } catch (const Error&) {  // the client was faster
    }
  });
  start("c0", {RouterTest::service("svc", 8080), entrance("svc", 1028)});
  wait_for_port(1028);
  for (int i = 0; i < 5; ++i) {
    auto client = TcpPeer::connect(1028);
    try {
      GetParam().client(client);
    } catch (const Error&) {  // the service was faster
    }
  }
  last = true;
  auto client = TcpPeer::connect(1028);
  client.send("ping");
  EXPECT_EQ(client.receive(4), "ping");
}

/// The two ends of a flow whose client and service are one router's, each of them held by the test.
struct LocalHalves {
  TcpPeer client;
  TcpPeer service;
};

LocalHalves open_local_flow(FdView listening) {
  auto client = TcpPeer::connect(1028);
  TcpPeer service(Fd(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  client.send("?");
  service.receive(1);
  service.send("!");
  client.receive(1);
  return {std::move(client), std::move(service)};
}

/// Sends until the connection breaks. Throws if the peer takes no more and doesn't end.
void expect_sending_breaks(TcpPeer& peer) {
  static const auto piece = pattern(64 * 1024);
  try {
    for (;;) peer.send(piece);
  } catch (const SystemError& error) {
    EXPECT_TRUE(error.error() == EPIPE || error.error() == ECONNRESET) << error.what();
  }
}

TEST_F(FlowTest, TheOtherHalfOfALocalFlowIsToldOfItsEnd) {
  auto listening = listen_on(8080);
  const timeval patience{20, 0};
  ::setsockopt(listening.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  start("c0", {service("svc", 8080), entrance("svc", 1028)});
  wait_for_port(1028);
  for (const auto& [ending, other] : {std::pair(&LocalHalves::client, &LocalHalves::service),
                                      std::pair(&LocalHalves::service, &LocalHalves::client)}) {
    SCOPED_TRACE(ending == &LocalHalves::client ? "the client ends" : "the service ends");
    auto both_finish = open_local_flow(listening);
    (both_finish.*ending).finish();
    EXPECT_EQ((both_finish.*other).wait_for_end(), "closed");
    (both_finish.*other).send("more");
    (both_finish.*other).finish();
    EXPECT_EQ((both_finish.*ending).receive_to_end(), "more");

    auto reset = open_local_flow(listening);
    (reset.*ending).reset();
    EXPECT_EQ((reset.*other).wait_for_end(), "reset");

    auto finished_and_reset = open_local_flow(listening);
    (finished_and_reset.*ending).finish();
    EXPECT_EQ((finished_and_reset.*other).wait_for_end(), "closed");
    (finished_and_reset.*ending).reset();
    expect_sending_breaks(finished_and_reset.*other);

    auto answered_by_reset = open_local_flow(listening);
    (answered_by_reset.*other).finish();
    EXPECT_EQ((answered_by_reset.*ending).wait_for_end(), "closed");
    (answered_by_reset.*ending).reset();
    EXPECT_EQ((answered_by_reset.*other).wait_for_end(), "reset");
  }
  listening.reset();
  EXPECT_EQ(TcpPeer::connect(1028).wait_for_end(), "closed") << "nobody serves";
}

TEST_F(FlowTest, ServiceTwoHopsAwayIsReachedThroughTheRouterBetween) {
  const TcpService echo(8080, TcpService::echo());
  start("c0", {listener(55671), service("svc", 8080)});
  start("c1", {connector(55671), listener(55672)});
  start("c2", {connector(55672), entrance("svc", 1028)});
  wait_for_port(1028);
  const auto bytes = pattern(10 * kMiB);
  for (int i = 0; i < 5; ++i) {
    auto client = TcpPeer::connect(1028);
    EXPECT_TRUE(exchange(client, bytes) == bytes);
  }
  auto client = TcpPeer::connect(1028);
  client.send("x");
  EXPECT_EQ(client.receive(1), "x");
  kill(routers_.at(1));
  EXPECT_EQ(client.wait_for_end(), "reset");
}

TEST_F(FlowTest, RefusalCrossesTheRouterBetween) {
  start("c0", {listener(55671), service("svc", 8080)});
  start("c1", {connector(55671), listener(55672)});
  start("c2", {connector(55672), entrance("svc", 1028)});
  wait_for_port(1028);
  EXPECT_EQ(TcpPeer::connect(1028).wait_for_end(), "closed");
}

TEST_F(FlowTest, KilledRouterResetsItsFlowsAndItsSuccessorServesAgain) {
  const TcpService echo(8080, TcpService::echo());
  start_pair();
  auto client = TcpPeer::connect(1028);
  client.send("x");
  EXPECT_EQ(client.receive(1), "x");
  kill(c0());
  EXPECT_EQ(client.wait_for_end(), "reset");
  wait_for_no_port(1028);
  start("c0", {listener(55671), service("svc", 8080)});
  wait_for_port(1028);
  auto next = TcpPeer::connect(1028);
  next.send("y");
  EXPECT_EQ(next.receive(1), "y");
}

TEST_F(FlowTest, RoutersStopInGoodOrderOnEitherSignal) {
  const TcpService echo(8080, TcpService::echo());
  start_pair();
  auto client = TcpPeer::connect(1028);
  client.send("x");
  client.receive(1);
  c0().signal(SIGINT);
  EXPECT_EQ(c0().wait(std::chrono::seconds(10)).code(), 0) << log_of(c0());
  EXPECT_EQ(client.wait_for_end(), "reset");
  c1().signal(SIGHUP);
  c1().signal(SIGTERM);
  EXPECT_EQ(c1().wait(std::chrono::seconds(10)).code(), 0) << log_of(c1());
  EXPECT_THAT(log_of(c1()), HasSubstr("Shutting down on SIGTERM")) << "SIGHUP is nothing to it";
}

TEST_F(FlowTest, OneThreadIsEnough) {
  const TcpService echo(8080, TcpService::echo());
  start_pair({}, {{"workerThreads", 1}});
  const auto bytes = pattern(5 * kMiB);
  auto client = TcpPeer::connect(1028);
  EXPECT_TRUE(exchange(client, bytes) == bytes);
}

TEST_F(FlowTest, WithoutDataConnectionsTheControlConnectionCarriesFlows) {
  const TcpService echo(8080, TcpService::echo());
  start_pair({}, {{"dataConnectionCount", "0"}});
  const auto bytes = pattern(5 * kMiB);
  auto client = TcpPeer::connect(1028);
  EXPECT_TRUE(exchange(client, bytes) == bytes);
}

}  // namespace
}  // namespace knetsim::skupper
