// Virtual addresses: everything that is sent to one reaches a container behind it, new flows in exact turns.
//
// Topology: pair.json; c1 on w1, c2 and c3 on w2, VIP 100.64.10.1 -> c2, c3.

#include <gmock/gmock.h>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/flavour.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/stack.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/nft/error.h"
#include "knetsim/sys/error.h"
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

class Vip : public EmulationTest, public testing::WithParamInterface<Flavour> {
 protected:
  void SetUp() override {
    if (const auto absent = why_no_cni(GetParam())) GTEST_SKIP() << *absent;
    boot(with_cni(topology("pair.json"), GetParam()));
  }

  Container& c1() { return worker("w1").container("c1"); }
  Container& c2() { return worker("w2").container("c2"); }
  Container& c3() { return worker("w2").container("c3"); }
  Address vip() { return parse_address(kVip); }

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

INSTANTIATE_TEST_SUITE_P(Flavours, Vip, kAllFlavours, flavour_name);

TEST_P(Vip, PingsTakeExactTurns) { EXPECT_EQ(turns_of_pings(c1(), 6), "232323"); }

TEST_P(Vip, OnePingProcessIsOneFlow) {
  const auto before = echo_requests_received(c2());
  EXPECT_THAT(c1().exec({"ping", "-c", "4", "-i", "0.01", kVip}), Succeeds());
  EXPECT_EQ(echo_requests_received(c2()) - before, 4);
}

TEST_P(Vip, TcpConnectionsTakeExactTurnsAndCarryAMegabyteEachWay) {
  const EchoServer s2(c2(), kPort);
  const EchoServer s3(c3(), kPort);
  for (std::size_t pair = 1; pair <= 3; ++pair) {
    EXPECT_EQ(tcp_exchange(c1(), vip(), kPort), std::nullopt);
    EXPECT_EQ(s2.flows(), pair);
    EXPECT_EQ(tcp_exchange(c1(), vip(), kPort), std::nullopt);
    EXPECT_EQ(s3.flows(), pair);
  }
}

TEST_P(Vip, DatagramsTakeExactTurns) {
  const EchoServer s2(c2(), kPort);
  const EchoServer s3(c3(), kPort);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(udp_exchange(c1(), vip(), kPort), std::nullopt);
  EXPECT_EQ(s2.flows(), 3U);
  EXPECT_EQ(s3.flows(), 3U);
}

TEST_P(Vip, AFullPacketFitsAndOneByteMoreIsRefused) {
  const auto ping = [this](int bytes) {
    return c1().exec({"ping", "-c", "1", "-W", "5", "-M", "do", "-s", std::to_string(bytes), kVip});
  };
  EXPECT_THAT(ping(1422), Succeeds());
  EXPECT_THAT(ping(1423), ExitsWith(1));
}

TEST_P(Vip, TheContainerSeesWhoCalls) {
  const EchoServer s2(c2(), kPort);
  const EchoServer s3(c3(), kPort);
  EXPECT_EQ(tcp_exchange(c1(), vip(), kPort, 1), std::nullopt);
  EXPECT_EQ(tcp_exchange(c1(), vip(), kPort, 1), std::nullopt);
  EXPECT_THAT(s2.clients(), ElementsAre(c1().address()));
  EXPECT_THAT(s3.clients(), ElementsAre(c1().address()));
}

TEST_P(Vip, ServesTheWorkerItself) {
  EXPECT_EQ(turns_of_pings(worker("w1"), 4), "2323");
  const EchoServer s2(c2(), kPort);
  const EchoServer s3(c3(), kPort);
  EXPECT_EQ(tcp_exchange(worker("w1"), vip(), kPort), std::nullopt);
  EXPECT_EQ(udp_exchange(worker("w1"), vip(), kPort), std::nullopt);
}

TEST_P(Vip, EachWorkerAndEachHookHasATurnOfItsOwn) {
  EXPECT_EQ(turns_of_pings(c1(), 1), "2");
  EXPECT_EQ(turns_of_pings(worker("w1"), 1), "2") << "the OUTPUT hook starts with the first container too";
  EXPECT_EQ(turns_of_pings(worker("w2"), 1), "2") << "and so does another worker";
  EXPECT_EQ(turns_of_pings(c1(), 1), "3");
}

TEST_P(Vip, AContainerReachesItselfAndItsNeighbourThroughTheVip) {
  const EchoServer s2(c2(), kPort);
  const EchoServer s3(c3(), kPort);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(tcp_exchange(c2(), vip(), kPort), std::nullopt);
  EXPECT_EQ(s2.flows(), 2U);
  EXPECT_EQ(s3.flows(), 2U);
}

TEST_P(Vip, TheRuleCountsNewFlows) {
  EXPECT_EQ(worker("w1").proxy().counters(vip()).prerouting.packets, 0U);
  EXPECT_THAT(c1().exec({"ping", "-c", "3", "-i", "0.01", kVip}), Succeeds());
  EXPECT_THAT(c1().exec({"ping", "-c", "1", kVip}), Succeeds());
  EXPECT_THAT(worker("w1").exec({"ping", "-c", "1", kVip}), Succeeds());
  const auto counters = worker("w1").proxy().counters(vip());
  EXPECT_EQ(counters.prerouting.packets, 2U);
  EXPECT_EQ(counters.output.packets, 1U);
}

TEST_P(Vip, AReplacedVipStartsWithItsFirstContainer) {
  EXPECT_EQ(turns_of_pings(c1(), 1), "2");
  cluster("C0").kp_vip_add(kVip, {"c2", "c3"});
  EXPECT_EQ(turns_of_pings(c1(), 3), "232");
  cluster("C0").kp_vip_add(kVip, {"c3"});
  EXPECT_EQ(turns_of_pings(c1(), 3), "333");
}

TEST_P(Vip, OneVipsTurnsDoNotDependOnAnothers) {
  cluster("C0").kp_vip_add("100.64.10.2", {"c2", "c3"});
  EXPECT_EQ(turns_of_pings(c1(), 1), "2");
  EXPECT_EQ(turns_of_pings(c1(), 1, "100.64.10.2"), "2");
  EXPECT_EQ(turns_of_pings(c1(), 1), "3");
  cluster("C0").kp_vip_delete("100.64.10.2");
  EXPECT_EQ(turns_of_pings(c1(), 1), "2") << "the other one's turns go on";
}

TEST_P(Vip, ADeletedVipIsGoneFromEveryWorker) {
  cluster("C0").kp_vip_delete(kVip);
  EXPECT_EQ(turns_of_pings(c1(), 1), "-");
  for (auto* one : cluster("C0").workers())
    EXPECT_THAT(one->exec({"nft", "list", "ruleset"}).out, Not(HasSubstr(kVip)));
  EXPECT_THROW(cluster("C0").kp_vip_delete(kVip), InputError);
}

TEST_P(Vip, ADeletedContainerKeepsItsTurn) {
  cluster("C0").delete_container("c3");
  std::vector<bool> answered;
  for (const auto* patience : {"5", "1", "5", "1"})
    answered.push_back(c1().exec({"ping", "-c", "1", "-W", patience, kVip}).ok());
  EXPECT_THAT(answered, ElementsAre(true, false, true, false));
}

TEST_P(Vip, NonsenseIsRefusedAndWhatStoodStillStands) {
  auto& c0 = cluster("C0");
  EXPECT_THROW(c0.kp_vip_add("100.64.10", {"c2"}), InputError);
  EXPECT_THROW(c0.kp_vip_add(kVip, {}), InputError);
  EXPECT_THROW(c0.kp_vip_add(kVip, {"c2", "c9"}), InputError);
  EXPECT_THROW(c0.kp_vip_add("fd00::1", {"c2"}), InputError);
  EXPECT_EQ(turns_of_pings(c1(), 2), "23");
}

TEST_P(Vip, OutsideTheRangeThatWorkersRouteItIsRefused) {
  try {
    cluster("C0").kp_vip_add("100.65.0.1", {"c2"});
    FAIL() << "it was added";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("100.65.0.1 lies outside"), HasSubstr("choose one of 100.64.0.0/16")));
  }
}

TEST_P(Vip, AChangeThatOneWorkerRefusesIsMadeOnNone) {
  auto& c0 = cluster("C0");
  auto owner = PtyProcess::spawn(worker("w2").command({"nft", "-i"}));
  owner.expect("nft> ");
  owner.write("delete table ip kube-proxy\n");
  owner.expect("nft> ");
  // Nobody but its owner may touch such a table, for as long as that runs.
  owner.write("add table ip kube-proxy { flags owner; }\n");
  owner.expect("nft> ");
  EXPECT_THROW(c0.kp_vip_add("100.64.10.2", {"c3"}), nft::Error);
  EXPECT_THAT(worker("w1").exec({"nft", "list", "ruleset"}).out, AllOf(HasSubstr(kVip), Not(HasSubstr("100.64.10.2"))));
  EXPECT_THAT(c0.services(), testing::SizeIs(1));

  owner.write("quit\n");
  owner.wait();
  c0.kp_vip_add("100.64.10.2", {"c3"});
  EXPECT_EQ(turns_of_pings(c1(), 2, "100.64.10.2"), "33");
  EXPECT_EQ(turns_of_pings(worker("w2"), 2, "100.64.10.2"), "33");
}

TEST_P(Vip, AListingReadsAsAPersonWouldHaveTypedIt) {
  const auto listing = worker("w1").exec({"nft", "list", "ruleset"}).out;
  EXPECT_THAT(listing, HasSubstr("ip daddr 100.64.10.1 counter packets 0 bytes 0 dnat to numgen inc mod 2 map { 0 : " +
                                 c2().address().to_string() + ", 1 : " + c3().address().to_string() + " }"));
}

}  // namespace
}  // namespace knetsim::fixtures
