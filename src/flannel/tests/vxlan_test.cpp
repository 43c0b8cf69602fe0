// The vxlan data plane of real daemons.

#include <csignal>

#include "flannel_test.h"
#include "knetsim/netlink/address.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/sys/eventually.h"

namespace knetsim::flannel::test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class Vxlan : public FlannelTest {
 protected:
  netlink::Link flannel_link(std::size_t index) {
    auto socket = worker(index).socket();
    return netlink::get_link(socket, "flannel.100");
  }
};

TEST_F(Vxlan, LinkIsMadeAsTheConfigSays) {
  stand_up(1, kVxlan);
  start_all();
  const auto link = flannel_link(0);
  auto socket = worker(0).socket();
  EXPECT_TRUE(link.up);
  EXPECT_EQ(link.mtu, 1450U);
  EXPECT_EQ(link.mac.bytes[0] & 3, 2) << "locally administered, unicast";
  ASSERT_TRUE(link.vxlan);
  EXPECT_EQ(link.vxlan->vni, 100U);
  EXPECT_EQ(link.vxlan->port, 8472);
  EXPECT_EQ(link.vxlan->local, worker(0).v4);
  EXPECT_EQ(link.vxlan->parent, netlink::get_link(socket, "eth0").index);
  EXPECT_FALSE(link.vxlan->learning);
  const auto addresses = netlink::list_addresses(socket, link.index, AF_INET);
  ASSERT_THAT(addresses, SizeIs(1));
  EXPECT_EQ(addresses[0].address, host_network(address_of(worker(0).subnet())));
}

TEST_F(Vxlan, LeaseAndSubnetEnvTellTheSame) {
  stand_up(1, kVxlan);
  start_all();
  const auto& env = worker(0).env;
  EXPECT_THAT(env.networks, testing::ElementsAre(parse_network("11.0.0.0/8")));
  EXPECT_EQ(env.mtu, 1450U);
  EXPECT_EQ(env.ip_masq, false);
  EXPECT_EQ(env.subnet, make_network(advance(address_of(worker(0).subnet()), 1), 20));
  const auto lease = lease_of(0);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->value,
            R"({"PublicIP":"10.0.0.10","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":100,"VtepMAC":")" +
                netlink::to_string(flannel_link(0).mac) + "\"}}");
  const auto state = etcd().time_to_live(lease->lease);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->granted, std::chrono::hours(24));
}

TEST_F(Vxlan, PodsReachEachOther) {
  stand_up(2, kVxlan);
  start_all();
  await_full_mesh();
  add_pods();
  const auto answer = ping(0, 1);
  EXPECT_TRUE(answer.ok()) << answer.out << answer.err;
}

TEST_F(Vxlan, TwentyDaemonsStartedInTheSameInstantFormAFullMesh) {
  stand_up(20, kVxlan);
  start_all();
  await_full_mesh();
  EXPECT_THAT(leases(), SizeIs(20));
}

TEST_F(Vxlan, DeletedLinkComesBackWithItsPeersAndItsMac) {
  stand_up(3, kVxlan);
  start_all();
  await_full_mesh();
  add_pods();
  const auto before = flannel_link(0);
  {
    auto socket = worker(0).socket();
    netlink::delete_link(socket, before.index);
  }
  netlink::wait_for_link(worker(0).netns, "flannel.100",
                         [&](const auto& link) { return link.index != before.index && link.up; });
  await_peer(0, 1);
  await_peer(0, 2);
  EXPECT_EQ(flannel_link(0).mac, before.mac);
  EXPECT_TRUE(ping(0, 1).ok());
  EXPECT_TRUE(ping(2, 0).ok());
}

TEST_F(Vxlan, MacChangedBehindItsBackIsPutRight) {
  stand_up(2, kVxlan);
  start_all();
  await_full_mesh();
  add_pods();
  const auto before = flannel_link(0);
  {
    auto socket = worker(0).socket();
    netlink::set_mac(socket, before.index, netlink::parse_mac("0a:00:00:00:00:07"));
  }
  netlink::wait_for_link(worker(0).netns, "flannel.100", [&](const auto& link) { return link.mac == before.mac; });
  eventually([&]() -> std::optional<std::string> {
    const auto there = ping(0, 1);
    const auto back = ping(1, 0);
    if (there.ok() && back.ok()) return std::nullopt;
    return there.out + back.out;
  });
}

TEST_F(Vxlan, PeerWhoseLeaseGoesIsForgotten) {
  stand_up(2, kVxlan);
  start_all();
  await_full_mesh();
  etcd().remove(key_of(1));
  auto socket = worker(0).socket();
  const auto link = flannel_link(0);
  eventually([&]() -> std::optional<std::string> {
    for (const auto& route : netlink::list_routes(socket, AF_INET)) {
      if (route.destination == worker(1).subnet()) return netlink::to_string(route) + " is still there";
    }
    return std::nullopt;
  });
  EXPECT_THAT(netlink::list_neighbours(socket, AF_INET, link.index), SizeIs(0));
  for (const auto& entry : netlink::list_fdb(socket, link.index))
    EXPECT_FALSE(entry.destination) << netlink::to_string(entry);
}

TEST_F(Vxlan, PeerWithANewMacReplacesTheOldEntries) {
  stand_up(2, kVxlan);
  start_all();
  await_full_mesh();
  const auto old = flannel_link(1).mac;
  stop(1);
  {
    auto socket = worker(1).socket();
    netlink::delete_link(socket, "flannel.100");
  }
  start(1);
  await_ready(1);
  ASSERT_NE(flannel_link(1).mac, old);
  auto socket = worker(0).socket();
  eventually([&]() -> std::optional<std::string> {
    for (const auto& entry : netlink::list_fdb(socket, flannel_link(0).index)) {
      if (entry.mac == old) return netlink::to_string(entry) + " is still there";
    }
    return std::nullopt;
  });
  await_peer(0, 1);
  add_pods();
  EXPECT_TRUE(ping(0, 1).ok());
}

TEST_F(Vxlan, RestartKeepsLeaseLinkAndTraffic) {
  stand_up(2, kVxlan);
  start_all();
  await_full_mesh();
  add_pods();
  const auto link = flannel_link(0);
  const auto env = worker(0).env;
  auto traffic =
      Process::spawn({.argv = {"ping", "-n", "-q", "-i", "0.002", "-c", "400", "-I",
                               address_of(*env.subnet).to_string(), address_of(*worker(1).env.subnet).to_string()},
                      .netns = &worker(0).netns},
                     "/tmp/knetsim/ping.log");
  EXPECT_EQ(stop(0).code(), 0);
  EXPECT_TRUE(flannel_link(0).up) << "the data plane stays";
  start(0);
  await_ready(0);
  EXPECT_EQ(worker(0).env, env);
  EXPECT_EQ(flannel_link(0).index, link.index);
  EXPECT_EQ(flannel_link(0).mac, link.mac);
  traffic.wait(std::chrono::seconds(20));
  EXPECT_THAT(traffic.log_tail(), HasSubstr("400 received, 0% packet loss"));
}

TEST_F(Vxlan, IncompatibleLinkIsMadeAnew) {
  stand_up(1, kVxlan);
  int old = 0;
  {
    auto socket = worker(0).socket();
    old = netlink::create_vxlan(socket, {.name = "flannel.100", .vni = 99, .port = 8472});
  }
  start_all();
  EXPECT_NE(flannel_link(0).index, old);
  EXPECT_EQ(flannel_link(0).vxlan->vni, 100U);
}

TEST_F(Vxlan, StrangersOnAKeptLinkAreForgotten) {
  stand_up(2, kVxlan);
  start_all();
  await_full_mesh();
  stop(0);
  etcd().remove(key_of(1));
  start(0);
  await_ready(0);
  auto socket = worker(0).socket();
  const auto link = flannel_link(0);
  for (const auto& route : netlink::list_routes(socket, AF_INET))
    EXPECT_NE(route.interface, link.index) << netlink::to_string(route);
  EXPECT_THAT(netlink::list_neighbours(socket, AF_INET, link.index), SizeIs(0));
  for (const auto& entry : netlink::list_fdb(socket, link.index))
    EXPECT_FALSE(entry.destination) << netlink::to_string(entry);
}

TEST_F(Vxlan, MtuOfTheConfigTakesThePlaceOfTheInterfaces) {
  stand_up(1, R"({"Network": "11.0.0.0/8", "Backend": {"Type": "vxlan", "VNI": 100, "MTU": 1400}})");
  start_all();
  EXPECT_EQ(flannel_link(0).mtu, 1350U);
  EXPECT_EQ(worker(0).env.mtu, 1350U);
}

}  // namespace
}  // namespace knetsim::flannel::test
