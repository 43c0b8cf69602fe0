// Virtual addresses: everything that is sent to one reaches a container behind it, new flows in exact turns.
//
// What rules and tracked flows do is proven below the emulator, in unit-kubeproxy; here is that clusters are wired to
// it.
//
// Topology: pair.json; c1 on w1, c2 and c3 on w2, VIP 100.64.10.1 -> c2, c3.

#include <gmock/gmock.h>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/fixtures/wire.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/nft/error.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/pty.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::Each;
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

TEST_P(VipOfAnyPlugin, ServesAnotherWorkersContainersAndThoseThatServe) {
  const EchoServer s2(c2(), kPort);
  const EchoServer s3(c3(), kPort);
  for (auto* caller : {&c1(), &c2()}) {
    SCOPED_TRACE(caller->name());
    const auto before2 = s2.flows();
    const auto before3 = s3.flows();
    // A checksummed megabyte each way.
    for (int i = 0; i < 2; ++i) EXPECT_EQ(tcp_exchange(*caller, vip(), kPort), std::nullopt);
    for (int i = 0; i < 2; ++i) EXPECT_EQ(udp_exchange(*caller, vip(), kPort), std::nullopt);
    EXPECT_EQ(s2.flows(), before2 + 2);
    EXPECT_EQ(s3.flows(), before3 + 2);
    if (caller == &c1()) {
      EXPECT_THAT(s2.clients(), Each(c1().address())) << "the container sees who calls";
      EXPECT_THAT(s3.clients(), Each(c1().address()));
    }
  }
  const auto ping = [this](int bytes) {
    return c1().exec({"ping", "-c", "1", "-W", "5", "-M", "do", "-s", std::to_string(bytes), kVip});
  };
  EXPECT_THAT(ping(1422), Succeeds()) << "a full packet";
  EXPECT_THAT(ping(1423), ExitsWith(1));
}

TEST_F(Vip, OfANeighbourOnTheSameBridgeShowsWhoCalls) {
  auto& vips = cluster("C0").vips();
  vips.add("100.64.10.2", {"c3"});
  const EchoServer s3(c3(), kPort);
  // Whether the kernel shows the bridge's own traffic to the packet filter, too, makes no difference.
  for (const char* shown : {"0", "1"}) {
    SCOPED_TRACE(shown);
    ASSERT_THAT(worker("w2").exec({"ip", "link", "set", "cni0", "type", "bridge", "nf_call_iptables", shown}),
                Succeeds());
    EXPECT_EQ(tcp_exchange(c2(), parse_address("100.64.10.2"), kPort), std::nullopt);
    EXPECT_EQ(udp_exchange(c2(), parse_address("100.64.10.2"), kPort), std::nullopt);
    EXPECT_EQ(tcp_exchange(c2(), c3().address(), kPort), std::nullopt);
  }
  EXPECT_THAT(s3.clients(), AllOf(testing::SizeIs(6), Each(c2().address())));
  EXPECT_THAT(c2().exec({"ping", "-c", "1", "-W", "5", c3().address().to_string()}).out, HasSubstr("ttl=63"))
      << "by way of the worker";
}

TEST_F(Vip, ServesTheWorkersWithTurnsOfTheirOwn) {
  EXPECT_EQ(turns_of_pings(c1(), 1), "2");
  EXPECT_EQ(turns_of_pings(worker("w1"), 3), "232") << "the OUTPUT hook starts with the first container too";
  EXPECT_EQ(turns_of_pings(worker("w2"), 1), "2") << "and so does another worker";
  EXPECT_EQ(turns_of_pings(c1(), 1), "3");
  const EchoServer s2(c2(), kPort);
  const EchoServer s3(c3(), kPort);
  EXPECT_EQ(tcp_exchange(worker("w1"), vip(), kPort), std::nullopt);
  EXPECT_EQ(udp_exchange(worker("w1"), vip(), kPort), std::nullopt);
}

TEST_F(Vip, IsAddedReplacedAndDeletedOnEveryWorker) {
  auto& vips = cluster("C0").vips();
  const std::vector<const Node*> callers{&c1(), &worker("w2")};
  for (const auto* caller : callers) EXPECT_EQ(turns_of_pings(*caller, 1), "2") << caller->name();
  vips.add(kVip, {"c2", "c3"});
  for (const auto* caller : callers) EXPECT_EQ(turns_of_pings(*caller, 1), "2") << "its turns start anew";
  vips.add("100.64.10.2", {"c3"});
  for (const auto* caller : callers) {
    EXPECT_EQ(turns_of_pings(*caller, 2, "100.64.10.2"), "33");
    EXPECT_EQ(turns_of_pings(*caller, 1), "3") << "the other one's turns go on";
  }
  vips.remove(kVip);
  EXPECT_EQ(turns_of_pings(c1(), 1), "-");
  for (auto* one : cluster("C0").workers()) {
    const auto listing = one->exec({"nft", "list", "ruleset"}).out;
    EXPECT_THAT(listing, AllOf(HasSubstr("100.64.10.2"), Not(HasSubstr(kVip))));
  }
}

TEST_F(Vip, OfADeletedContainerHasItsTurnAndItsFlowsMoveOn) {
  {
    const auto flow = c1().spawn({"ping", "-i", "0.05", kVip}, "flow.log");
    expect_pings_at(c2());
    cluster("C0").delete_container("c2");
    expect_pings_at(c3());
  }
  std::string turns;
  for (int i = 0; i < 4; ++i) {
    const auto before = echo_requests_received(c3());
    c1().exec({"ping", "-c", "1", "-W", "1", kVip});
    turns += echo_requests_received(c3()) > before ? "3" : "-";
  }
  EXPECT_THAT(turns, AnyOf("3-3-", "-3-3"));
}

TEST_F(Vip, NonsenseIsRefusedAndWhatStoodStillStands) {
  auto& vips = cluster("C0").vips();
  EXPECT_THROW(vips.add("100.64.10", {"c2"}), InputError);
  EXPECT_THROW(vips.add(kVip, {}), InputError);
  EXPECT_THROW(vips.add(kVip, {"c2", "c9"}), InputError);
  EXPECT_THROW(vips.add("fd00::1", {"c2"}), InputError);
  EXPECT_THROW(vips.remove("100.64.10.2"), InputError);
  try {
    vips.add("100.65.0.1", {"c2"});
    FAIL() << "it lies outside the range that workers route";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("100.65.0.1"), HasSubstr("100.64.0.0/16")));
  }
  EXPECT_EQ(turns_of_pings(c1(), 2), "23");
}

TEST_F(Vip, AChangeThatOneWorkerRefusesIsMadeOnNone) {
  auto& c0 = cluster("C0");
  auto owner = PtyProcess::spawn(worker("w2").command({"nft", "-i"}));
  owner.expect("nft> ");
  // Nobody but its owner may touch such a table, for as long as that runs. In one line, and so at once: a table that is
  // missed is put back.
  owner.write("delete table ip knetsim-vips; add table ip knetsim-vips { flags owner; }\n");
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

TEST_F(Vip, RoutesAndRulesThatOthersTakeAwayArePutBack) {
  const auto& w1 = worker("w1");
  const auto ping = [&] { return c1().exec({"ping", "-c", "1", "-W", "5", kVip}); };
  EXPECT_THAT(w1.exec({"ip", "link", "set", "eth0", "down"}), Succeeds());
  EXPECT_THAT(w1.exec({"ip", "link", "set", "eth0", "up"}), Succeeds());
  netlink::wait_for_route(w1.netns(), parse_network("100.64.0.0/16"));
  EXPECT_THAT(w1.exec({"ping", "-c", "1", "-W", "5", kVip}), Succeeds()) << "the worker's link was down";
  EXPECT_THAT(c1().exec({"ip", "link", "set", "eth0", "down"}), Succeeds());
  EXPECT_THAT(c1().exec({"ip", "link", "set", "eth0", "up"}), Succeeds());
  netlink::wait_for_route(c1().netns(), parse_network("0.0.0.0/0"));
  EXPECT_THAT(ping(), Succeeds()) << "the container's link was down";
  EXPECT_THAT(w1.exec({"nft", "flush", "ruleset"}), Succeeds());
  eventually([&]() -> std::optional<std::string> {
    const auto listing = w1.exec({"nft", "list", "ruleset"}).out;
    return listing.find(kVip) != std::string::npos ? std::nullopt : std::optional("the VIP's rule in:\n" + listing);
  });
  EXPECT_EQ(turns_of_pings(c1(), 2), "23");
}

}  // namespace
}  // namespace knetsim::fixtures
