// flannel: every worker has a lease and a tunnel, knows every other worker, and carries containers' packets unchanged.
//
// Topology: pair.json, two workers; the same tests judge the built-in daemon, the real one, and one of each.

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/fixtures/wire.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/sys/file.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::Field;
using testing::IsEmpty;
using testing::Not;
using testing::Optional;
using testing::SizeIs;

class FlannelFixture : public EmulationTest {
 protected:
  Worker& w1() { return worker("w1"); }
  Worker& w2() { return worker("w2"); }
  Container& c1() { return w1().container("c1"); }
  Container& c2() { return w2().container("c2"); }

  static Network lease_of(Worker& worker) {
    return canonical(flannel::read_subnet_env(worker.subnet_file()).subnet.value());
  }
  static netlink::Link tunnel_of(Worker& worker) {
    auto socket = worker.netlink();
    return netlink::get_link(socket, "flannel.100");
  }
};

class Flannel : public FlannelFixture, public testing::WithParamInterface<Flavour> {
 protected:
  void SetUp() override {
    if (const auto absent = why_no(parts::kFlannel, GetParam())) GTEST_SKIP() << *absent;
    boot(with_flannel(topology("pair.json"), GetParam()));
  }
};

INSTANTIATE_TEST_SUITE_P(Flavours, Flannel, kPairFlavours, flavour_name);

TEST_P(Flannel, EveryWorkerHasATunnelWithItsLeasesAddress) {
  for (auto* one : {&w1(), &w2()}) {
    EXPECT_THAT(*one,
                HasLink("flannel.100", AllOf(HasKind("vxlan"), IsUp(), IsRunning(), HasMtu(1450), HasTxqueuelen(0))));
    EXPECT_THAT(*one, HasAddress("flannel.100", host_network(address_of(lease_of(*one)))));
    const auto vxlan = tunnel_of(*one).vxlan;
    ASSERT_TRUE(vxlan);
    EXPECT_EQ(vxlan->vni, 100U);
    EXPECT_EQ(vxlan->port, 8472);
    EXPECT_EQ(vxlan->local, one->address());
    EXPECT_FALSE(vxlan->learning);
  }
}

TEST_P(Flannel, SubnetEnvTellsTheLease) {
  const auto env = flannel::read_subnet_env(w1().subnet_file());
  EXPECT_THAT(env.networks, testing::ElementsAre(parse_network("11.0.0.0/8")));
  EXPECT_EQ(prefix_length(env.subnet.value()), 20U);
  EXPECT_EQ(env.mtu, 1450U);
  EXPECT_EQ(env.ip_masq, false);
  EXPECT_EQ(address_of(*env.subnet), advance(address_of(lease_of(w1())), 1));
}

TEST_P(Flannel, LeasesAreDifferentAndWithinTheConfiguredRange) {
  const auto first = address_of(lease_of(w1()));
  const auto second = address_of(lease_of(w2()));
  EXPECT_NE(first, second);
  for (const auto& base : {first, second}) {
    EXPECT_GE(base, parse_address("11.10.0.0"));
    EXPECT_LE(base, parse_address("11.99.0.0"));
  }
}

TEST_P(Flannel, KnowsThePeerByPermanentEntriesAlone) {
  const auto peer = tunnel_of(w2());
  const auto base = address_of(lease_of(w2()));
  const auto tunnel = tunnel_of(w1());
  EXPECT_THAT(w1(), HasRoute(lease_of(w2()), AllOf(Via(base), IsOnlink())));
  auto socket = w1().netlink();
  const auto neighbours = netlink::list_neighbours(socket, AF_INET, tunnel.index);
  EXPECT_THAT(neighbours, Contains(AllOf(Field("address", &netlink::Neighbour::address, base),
                                         Field("mac", &netlink::Neighbour::mac, Optional(peer.mac)),
                                         Field("state", &netlink::Neighbour::state, NUD_PERMANENT))));
  EXPECT_THAT(netlink::list_fdb(socket, tunnel.index),
              Contains(AllOf(Field("mac", &netlink::FdbEntry::mac, peer.mac),
                             Field("destination", &netlink::FdbEntry::destination, Optional(w2().address())))));
}

TEST_P(Flannel, ContainersOnTwoWorkersReachEachOtherUnchanged) {
  EXPECT_THAT(c1(), CanPing(c2()));
  EXPECT_THAT(c2(), CanPing(c1()));
  const EchoServer server(c2());
  EXPECT_EQ(tcp_exchange(c1(), c2().address(), server.port(), 1U << 20U), std::nullopt) << "a megabyte each way";
  EXPECT_EQ(udp_exchange(c1(), c2().address(), server.port()), std::nullopt);
  EXPECT_THAT(server.clients(), AllOf(Not(IsEmpty()), Each(c1().address()))) << "its own address";
}

TEST_P(Flannel, AFullPacketFitsTheTunnelAndOneByteMoreIsRefused) {
  const auto ping = [this](int bytes) {
    return c1().exec(
        {"ping", "-c", "1", "-W", "5", "-M", "do", "-s", std::to_string(bytes), c2().address().to_string()});
  };
  // 1450 = 20 (IPv4) + 8 (ICMP) + 1422
  EXPECT_THAT(ping(1422), Succeeds());
  EXPECT_THAT(ping(1423), ExitsWith(1));
}

TEST_P(Flannel, ThePacketOnTheWireIsVxlanWithTheClustersNumber) {
  Capture wire(w1().netns(), "eth0");
  EXPECT_THAT(c1(), CanPing(c2()));
  const auto packet = wait_for_tunnelled(wire, c2().address());
  EXPECT_EQ(packet.vni, 100U);
  EXPECT_EQ(packet.port, 8472);
  EXPECT_EQ(packet.outer_source, w1().address());
  EXPECT_EQ(packet.outer_destination, w2().address());
  EXPECT_EQ(packet.inner_source, c1().address());
}

TEST_P(Flannel, ADaemonThatEndsLeavesItsDataPlaneStanding) {
  EXPECT_EQ(w1().flanneld().stop().code(), 0);
  EXPECT_THAT(c1(), CanPing(c2()));
  EXPECT_THAT(c2(), CanPing(c1()));
}

TEST_P(Flannel, ADaemonThatComesBackTakesTheSameLease) {
  const auto before = lease_of(w1());
  const auto mac = tunnel_of(w1()).mac;
  for (const bool asked : {true, false}) {
    std::filesystem::remove(w1().subnet_file());
    if (asked)
      w1().flanneld().stop();
    else
      w1().flanneld().kill();
    w1().flanneld().restart();
    wait_for_file(w1().subnet_file(), std::chrono::seconds(10));
    EXPECT_EQ(lease_of(w1()), before);
    EXPECT_EQ(tunnel_of(w1()).mac, mac);
    EXPECT_THAT(c1(), CanPing(c2()));
  }
  const auto& late = w1().create_container("late");
  EXPECT_THAT(late, CanPing(c2()));
  EXPECT_THAT(c2(), CanPing(late));
}

/// Its other backends and families: what unit-flannel says of them arrives at containers.
class FlannelBackend : public FlannelFixture {};

TEST_F(FlannelBackend, HostGwRoutesThroughThePeersUnderlayAddress) {
  auto pair = with_flannel(topology("pair.json"), Flavour::builtin);
  auto config = nlohmann::json::parse(pair.clusters.at(0).flannel->config);
  config["Backend"] = {{"Type", "host-gw"}};
  pair.clusters.at(0).flannel->config = config.dump();
  boot(pair);
  EXPECT_THAT(w1(), HasRoute(lease_of(w2()), Via(w2().address())));
  EXPECT_THAT(w1(), HasNoLink("flannel.100"));
  EXPECT_EQ(flannel::read_subnet_env(w1().subnet_file()).mtu, 1500U);
  EXPECT_THAT(c1(), CanPing(c2()));
  const EchoServer server(c2());
  EXPECT_EQ(tcp_exchange(c1(), c2().address(), server.port()), std::nullopt);
}

TEST_F(FlannelBackend, CarriesBothFamilies) {
  auto pair = with_flannel(topology("pair.json"), Flavour::builtin);
  pair.underlay.networks.push_back(parse_network("fd00::/64"));
  auto& spec = pair.clusters.at(0);
  spec.workers.at(0).addresses.push_back(parse_address("fd00::3"));
  spec.workers.at(1).addresses.push_back(parse_address("fd00::4"));
  auto config = nlohmann::json::parse(spec.flannel->config);
  config["EnableIPv6"] = true;
  config["IPv6Network"] = "fd11::/48";
  config["IPv6SubnetLen"] = 64;
  spec.flannel->config = config.dump();
  boot(pair);
  ASSERT_THAT(c2().addresses(), SizeIs(2));
  for (const auto& address : c2().addresses()) {
    EXPECT_THAT(c1(), CanPing(address));
    const EchoServer server(c2());
    EXPECT_EQ(tcp_exchange(c1(), address, server.port()), std::nullopt);
  }
}

}  // namespace
}  // namespace knetsim::fixtures
