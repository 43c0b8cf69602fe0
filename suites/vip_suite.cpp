// Virtual addresses: everything that is sent to one reaches a container behind it, new flows in exact turns.
//
// What rules and tracked flows do is proven below the emulator, in unit-kubeproxy; here is that clusters use it.
//
// Topology: pair.json; c1 on w1, c2 and c3 on w2, VIP 100.64.10.1 -> c2, c3.

#include <gmock/gmock.h>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/flavour.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/stack.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/nft/error.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/pty.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string kVip = "100.64.10.1";
const std::uint16_t kPort = 7000;

class Vip : public EmulationTest {
 protected:
  void SetUp() override { boot(topology("pair.json")); }

  Container& c1() { return worker("w1").container("c1"); }
  Container& c2() { return worker("w2").container("c2"); }
  Container& c3() { return worker("w2").container("c3"); }
  Address vip() { return parse_address(kVip); }

  /// Waits for echo requests there, of whatever runs.
  static void expect_pings_at(const Container& container) {
    const auto before = echo_requests_received(container);
    eventually([&]() -> std::optional<std::string> {
      return echo_requests_received(container) > before + 1 ? std::nullopt
                                                            : std::optional("pings at " + container.name());
    });
  }

  /// Which container each of `count` pings reaches, in order: "2323"; "-" for none.
  std::string turns_of_pings(const Node& from, int count, const std::string& to = kVip) {
    std::string turns;
    for (int i = 0; i < count; ++i) {
      const auto before2 = echo_requests_received(c2());
      const auto before3 = echo_requests_received(c3());
      const bool answered = from.exec({"ping", "-c", "1", "-W", "5", to}).ok();
      const auto to2 = echo_requests_received(c2()) - before2;
      const auto to3 = echo_requests_received(c3()) - before3;
      turns += !answered ? "-" : to2 > to3 ? "2" : "3";
    }
    return turns;
  }
};

/// What depends on how containers are connected: by built-in plugins, real ones, and both.
class VipOfAnyPlugin : public Vip, public testing::WithParamInterface<Flavour> {
 protected:
  void SetUp() override {
    if (const auto absent = why_no(parts::kCni, GetParam())) GTEST_SKIP() << *absent;
    boot(with_cni(topology("pair.json"), GetParam()));
  }
};

INSTANTIATE_TEST_SUITE_P(Flavours, VipOfAnyPlugin, kAllFlavours, flavour_name);

TEST_F(Vip, PingsTakeExactTurns) { EXPECT_EQ(turns_of_pings(c1(), 6), "232323"); }

TEST_F(Vip, OnePingProcessIsOneFlow) {
  const auto before = echo_requests_received(c2());
  EXPECT_THAT(c1().exec({"ping", "-c", "4", "-i", "0.01", kVip}), Succeeds());
  EXPECT_EQ(echo_requests_received(c2()) - before, 4);
}

TEST_P(VipOfAnyPlugin, TcpConnectionsTakeExactTurnsAndCarryAMegabyteEachWay) {
  const EchoServer s2(c2(), kPort);
  const EchoServer s3(c3(), kPort);
  for (std::size_t pair = 1; pair <= 3; ++pair) {
    EXPECT_EQ(tcp_exchange(c1(), vip(), kPort), std::nullopt);
    EXPECT_EQ(s2.flows(), pair);
    EXPECT_EQ(tcp_exchange(c1(), vip(), kPort), std::nullopt);
    EXPECT_EQ(s3.flows(), pair);
  }
}

TEST_F(Vip, DatagramsTakeExactTurns) {
  const EchoServer s2(c2(), kPort);
  const EchoServer s3(c3(), kPort);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(udp_exchange(c1(), vip(), kPort), std::nullopt);
  EXPECT_EQ(s2.flows(), 3U);
  EXPECT_EQ(s3.flows(), 3U);
}

TEST_P(VipOfAnyPlugin, AFullPacketFitsAndOneByteMoreIsRefused) {
  const auto ping = [this](int bytes) {
    return c1().exec({"ping", "-c", "1", "-W", "5", "-M", "do", "-s", std::to_string(bytes), kVip});
  };
  EXPECT_THAT(ping(1422), Succeeds());
  EXPECT_THAT(ping(1423), ExitsWith(1));
}

TEST_P(VipOfAnyPlugin, TheContainerSeesWhoCalls) {
  const EchoServer s2(c2(), kPort);
  const EchoServer s3(c3(), kPort);
  EXPECT_EQ(tcp_exchange(c1(), vip(), kPort, 1), std::nullopt);
  EXPECT_EQ(tcp_exchange(c1(), vip(), kPort, 1), std::nullopt);
  EXPECT_THAT(s2.clients(), ElementsAre(c1().address()));
  EXPECT_THAT(s3.clients(), ElementsAre(c1().address()));
}

TEST_F(Vip, ServesTheWorkerItself) {
  EXPECT_EQ(turns_of_pings(worker("w1"), 4), "2323");
  const EchoServer s2(c2(), kPort);
  const EchoServer s3(c3(), kPort);
  EXPECT_EQ(tcp_exchange(worker("w1"), vip(), kPort), std::nullopt);
  EXPECT_EQ(udp_exchange(worker("w1"), vip(), kPort), std::nullopt);
}

TEST_F(Vip, EachWorkerAndEachHookHasATurnOfItsOwn) {
  EXPECT_EQ(turns_of_pings(c1(), 1), "2");
  EXPECT_EQ(turns_of_pings(worker("w1"), 1), "2") << "the OUTPUT hook starts with the first container too";
  EXPECT_EQ(turns_of_pings(worker("w2"), 1), "2") << "and so does another worker";
  EXPECT_EQ(turns_of_pings(c1(), 1), "3");
}

TEST_P(VipOfAnyPlugin, AContainerReachesItselfAndItsNeighbourThroughTheVip) {
  const EchoServer s2(c2(), kPort);
  const EchoServer s3(c3(), kPort);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(tcp_exchange(c2(), vip(), kPort), std::nullopt);
  EXPECT_EQ(s2.flows(), 2U);
  EXPECT_EQ(s3.flows(), 2U);
}

TEST_F(Vip, TheRuleCountsNewFlows) {
  EXPECT_EQ(worker("w1").proxy().counters(vip()).prerouting.packets, 0U);
  EXPECT_THAT(c1().exec({"ping", "-c", "3", "-i", "0.01", kVip}), Succeeds());
  EXPECT_THAT(c1().exec({"ping", "-c", "1", kVip}), Succeeds());
  EXPECT_THAT(worker("w1").exec({"ping", "-c", "1", kVip}), Succeeds());
  const auto counters = worker("w1").proxy().counters(vip());
  EXPECT_EQ(counters.prerouting.packets, 2U);
  EXPECT_EQ(counters.output.packets, 1U);
}

TEST_F(Vip, AReplacedVipStartsWithItsFirstContainer) {
  EXPECT_EQ(turns_of_pings(c1(), 1), "2");
  cluster("C0").vips().add(kVip, {"c2", "c3"});
  EXPECT_EQ(turns_of_pings(c1(), 3), "232");
  cluster("C0").vips().add(kVip, {"c3"});
  EXPECT_EQ(turns_of_pings(c1(), 3), "333");
}

TEST_F(Vip, OneVipsTurnsDoNotDependOnAnothers) {
  cluster("C0").vips().add("100.64.10.2", {"c2", "c3"});
  EXPECT_EQ(turns_of_pings(c1(), 1), "2");
  EXPECT_EQ(turns_of_pings(c1(), 1, "100.64.10.2"), "2");
  EXPECT_EQ(turns_of_pings(c1(), 1), "3");
  cluster("C0").vips().remove("100.64.10.2");
  EXPECT_EQ(turns_of_pings(c1(), 1), "2") << "the other one's turns go on";
}

TEST_F(Vip, ADeletedVipIsGoneFromEveryWorker) {
  cluster("C0").vips().remove(kVip);
  EXPECT_EQ(turns_of_pings(c1(), 1), "-");
  for (auto* one : cluster("C0").workers())
    EXPECT_THAT(one->exec({"nft", "list", "ruleset"}).out, Not(HasSubstr(kVip)));
  EXPECT_THROW(cluster("C0").vips().remove(kVip), InputError);
}

TEST_F(Vip, ADeletedContainerKeepsItsTurn) {
  cluster("C0").delete_container("c3");
  std::vector<bool> answered;
  for (const auto* patience : {"5", "1", "5", "1"})
    answered.push_back(c1().exec({"ping", "-c", "1", "-W", patience, kVip}).ok());
  EXPECT_THAT(answered, ElementsAre(true, false, true, false));
}

TEST_F(Vip, AFlowFollowsWhoeverServes) {
  const std::vector<const Node*> callers{&c1(), &worker("w1")};
  for (const auto* caller : callers) {
    SCOPED_TRACE(caller->name());
    cluster("C0").vips().add(kVip, {"c2"});
    // One process, one flow: it never ends, and never is a new one.
    const auto flow = caller->spawn({"ping", "-i", "0.05", kVip}, "flow.log");
    expect_pings_at(c2());
    cluster("C0").vips().add(kVip, {"c3"});
    expect_pings_at(c3());
    cluster("C0").vips().remove(kVip);
    {
      // What was under way to c3 has arrived when this has: it goes the same way.
      const auto marker = caller->spawn({"ping", "-i", "0.05", c2().address().to_string()}, "marker.log");
      expect_pings_at(c2());
      const auto had = echo_requests_received(c3());
      expect_pings_at(c2());
      EXPECT_EQ(echo_requests_received(c3()), had) << "nobody serves it";
    }
    cluster("C0").vips().add(kVip, {"c3"});
    expect_pings_at(c3());
  }
}

TEST_F(Vip, AFlowMovesOnWhenItsContainerIsDeleted) {
  const auto flow = c1().spawn({"ping", "-i", "0.05", kVip}, "flow.log");
  expect_pings_at(c2());
  cluster("C0").delete_container("c2");
  expect_pings_at(c3());
}

TEST_F(Vip, NonsenseIsRefusedAndWhatStoodStillStands) {
  auto& c0 = cluster("C0");
  EXPECT_THROW(c0.vips().add("100.64.10", {"c2"}), InputError);
  EXPECT_THROW(c0.vips().add(kVip, {}), InputError);
  EXPECT_THROW(c0.vips().add(kVip, {"c2", "c9"}), InputError);
  EXPECT_THROW(c0.vips().add("fd00::1", {"c2"}), InputError);
  EXPECT_EQ(turns_of_pings(c1(), 2), "23");
}

TEST_F(Vip, OutsideTheRangeThatWorkersRouteItIsRefused) {
  try {
    cluster("C0").vips().add("100.65.0.1", {"c2"});
    FAIL() << "it was added";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("100.65.0.1 lies outside"), HasSubstr("choose one of 100.64.0.0/16")));
  }
}

TEST_F(Vip, AChangeThatOneWorkerRefusesIsMadeOnNone) {
  auto& c0 = cluster("C0");
  auto owner = PtyProcess::spawn(worker("w2").command({"nft", "-i"}));
  owner.expect("nft> ");
  // Nobody but its owner may touch such a table, for as long as that runs. In one line, and so at once: a table that is
  // missed is put back.
  owner.write("delete table ip kube-proxy; add table ip kube-proxy { flags owner; }\n");
  owner.expect("nft> ");
  EXPECT_THROW(c0.vips().add("100.64.10.2", {"c3"}), nft::Error);
  EXPECT_THAT(worker("w1").exec({"nft", "list", "ruleset"}).out, AllOf(HasSubstr(kVip), Not(HasSubstr("100.64.10.2"))));
  EXPECT_THAT(c0.vips().services(), testing::SizeIs(1));

  owner.write("quit\n");
  owner.wait();
  c0.vips().add("100.64.10.2", {"c3"});
  EXPECT_EQ(turns_of_pings(c1(), 2, "100.64.10.2"), "33");
  EXPECT_EQ(turns_of_pings(worker("w2"), 2, "100.64.10.2"), "33");
}

TEST_F(Vip, RoutesToServicesOutliveTheLinkAndTheAddress) {
  const auto& w1 = worker("w1");
  const auto still_serves = [&](const char* after) {
    netlink::wait_for_route(w1.netns(), parse_network("100.64.0.0/16"));
    EXPECT_THAT(w1.exec({"ping", "-c", "1", "-W", "5", kVip}), Succeeds()) << after;
  };
  EXPECT_THAT(w1.exec({"ip", "link", "set", "eth0", "down"}), Succeeds());
  EXPECT_THAT(w1.exec({"ip", "link", "set", "eth0", "up"}), Succeeds());
  still_serves("the link was down");
  EXPECT_THAT(w1.exec({"ip", "address", "flush", "dev", "eth0"}), Succeeds());
  EXPECT_THAT(w1.exec({"ip", "address", "add", w1.address().to_string() + "/8", "dev", "eth0"}), Succeeds());
  still_serves("the address was away");
  EXPECT_THAT(w1.exec({"ip", "route", "delete", "100.64.0.0/16"}), Succeeds());
  still_serves("the route was deleted");
  EXPECT_THAT(c1().exec({"ip", "link", "set", "eth0", "down"}), Succeeds());
  EXPECT_THAT(c1().exec({"ip", "link", "set", "eth0", "up"}), Succeeds());
  netlink::wait_for_route(c1().netns(), parse_network("0.0.0.0/0"));
  EXPECT_THAT(c1().exec({"ping", "-c", "1", "-W", "5", kVip}), Succeeds()) << "the container's link was down";
}

TEST_F(Vip, RulesThatAreFlushedArePutBack) {
  EXPECT_THAT(worker("w1").exec({"nft", "flush", "ruleset"}), Succeeds());
  eventually([&]() -> std::optional<std::string> {
    const auto listing = worker("w1").exec({"nft", "list", "ruleset"}).out;
    return listing.find(kVip) != std::string::npos ? std::nullopt : std::optional("the VIP's rule in:\n" + listing);
  });
  EXPECT_EQ(turns_of_pings(c1(), 2), "23");
}

TEST_F(Vip, AListingReadsAsAPersonWouldHaveTypedIt) {
  const auto listing = worker("w1").exec({"nft", "list", "ruleset"}).out;
  EXPECT_THAT(listing, HasSubstr("ip daddr 100.64.10.1 counter packets 0 bytes 0 dnat to numgen inc mod 2 map { 0 : " +
                                 c2().address().to_string() + ", 1 : " + c3().address().to_string() + " }"));
}

}  // namespace
}  // namespace knetsim::fixtures
