// Services between clusters when something breaks: servers, routers, links; and what strangers may do to a router.
//
// Topology: clusters in line (skupper_lab.h).

#include <algorithm>
#include <csignal>
#include <random>

#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/skupper/site.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "skupper_lab.h"

namespace knetsim::fixtures {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class SkupperFaults : public SkupperTest {
 protected:
  void SetUp() override { boot_sites(sites(2)); }

  /// A connection that carries bytes right now, both ends of it.
  struct Flow {
    TcpStream here;
    TcpStream there;
  };
  Flow begin_flow(TcpServer& listener) {
    auto here = connect();
    here.send("x");
    auto there = listener.accept();
    there.receive(1);
    there.send(test_pattern(100'000));
    here.receive(50'000);
    return {std::move(here), std::move(there)};
  }

  void expect_service() {
    const EchoServer echo(server(), kServed);
    EXPECT_EQ(tcp_exchange(client(), entrance(), kOffered, 1U << 20U, std::chrono::seconds(20)), std::nullopt);
  }
};

INSTANTIATE_TEST_SUITE_P(Flavours, SkupperFaults, kPairFlavours, flavour_name);

TEST_P(SkupperFaults, AServerThatRefusesEndsTheClientsConnection) {
  auto here = connect();
  here.wait_for_end();
  expect_service();
}

TEST_P(SkupperFaults, AServerMayDieAndReturn) {
  {
    TcpServer listener(server(), kServed);
    auto flow = begin_flow(listener);
    flow.there.abort();
    flow.here.wait_for_end();
  }
  connect().wait_for_end();
  expect_service();
}

TEST_P(SkupperFaults, ARouterKilledAtTheClientsSideResetsItsConnections) {
  TcpServer listener(server(), kServed);
  auto flow = begin_flow(listener);
  service_network().router(cluster("C1")).kill();
  flow.here.wait_for_end();
  EXPECT_THROW(flow.here.send(test_pattern(10'000'000)), SystemError) << "nobody takes that: it must be reset";
  flow.there.wait_for_end();
  service_network().router(cluster("C1")).restart();
  wait_until_offered();
  begin_flow(listener);
}

TEST_P(SkupperFaults, ARouterKilledAtTheServersSideEndsItsConnections) {
  TcpServer listener(server(), kServed);
  auto flow = begin_flow(listener);
  service_network().router(cluster("C0")).kill();
  flow.here.wait_for_end();
  flow.there.wait_for_end();
  wait_until_withdrawn();
  service_network().router(cluster("C0")).restart();
  wait_until_offered();
  begin_flow(listener);
}

TEST_P(SkupperFaults, AServiceIsWithdrawnWithItsRouterAndOfferedAgain) {
  for (const int number : {SIGTERM, SIGINT}) {
    auto& router = service_network().router(cluster("C0"));
    router.expect_end();
    router.process().signal(number);
    // skrouterd ends on SIGINT by that signal itself.
    const auto end = router.process().wait(std::chrono::seconds(20));
    EXPECT_TRUE(end.success() || end.signal() == SIGINT) << "a router that is told to ends well: " << end.describe();
    wait_until_withdrawn();
    EXPECT_THROW(connect(), SystemError);
    router.restart();
    wait_until_offered();
  }
  expect_service();
}

TEST_P(SkupperFaults, ALinkThatIsCutAgesOutAndHeals) {
  expect_service();
  emulation().underlay().cut("C0w1");
  wait_until_withdrawn();
  EXPECT_THROW(connect(), SystemError);
  emulation().underlay().heal("C0w1");
  wait_until_offered();
  expect_service();
}

TEST_P(SkupperFaults, ALinkThatSilentlyDropsPacketsAgesOutAndHeals) {
  expect_service();
  const auto& w1 = worker("C0w1");
  ASSERT_THAT(w1.exec({"nft",
                       "add table inet cut; add chain inet cut in { type filter hook input priority 0; }; "
                       "add rule inet cut in iifname eth0 drop"}),
              Succeeds());
  wait_until_withdrawn();
  ASSERT_THAT(w1.exec({"nft", "delete table inet cut"}), Succeeds());
  wait_until_offered();
  expect_service();
}

TEST_P(SkupperFaults, GarbageOnEveryPortHarmsNobody) {
  std::mt19937 random(1);
  const auto garbage = [&](std::size_t bytes) {
    std::string text(bytes, '\0');
    std::generate(text.begin(), text.end(), [&] { return static_cast<char>(random()); });
    return text;
  };
  const auto& w1 = worker("C0w1");
  const auto& stranger_node = worker("C1w1");
  for (const auto port : {skupper::kInterRouterPort, skupper::kEdgePort, skupper::kHttpPort})
    for (const auto& text : {garbage(8), garbage(100'000), std::string("AMQP\0\1\0\0", 8) + garbage(1'000),
                             std::string("AMQP\3\1\0\0", 8) + garbage(1'000), std::string("GET / HTTP/9.9\r\n\r\n")}) {
      auto stranger = TcpStream::connect(stranger_node, w1.address(), port);
      try {
        stranger.send(text);
        stranger.finish();
      } catch (const SystemError&) {
        // Closed in the middle of it: that is the right answer too.
      }
      stranger.wait_for_end();
    }
  EXPECT_THAT(emulation().ailments(), IsEmpty());
  EXPECT_THAT(read_file("/tmp/knetsim/skupper/0.log"), HasSubstr(stranger_node.address().to_string()))
      << "the log tells who it was";
  expect_service();
}

}  // namespace
}  // namespace knetsim::fixtures
