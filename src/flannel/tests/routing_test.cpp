// host-gw and DirectRouting: plain routes instead of tunnels.

#include <ostream>

#include "flannel_test.h"
#include "knetsim/netlink/address.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/sysctl.h"

namespace knetsim::flannel::test {
namespace {

using testing::HasSubstr;

constexpr const char* kDirect = R"({"Network": "11.0.0.0/8", "SubnetLen": 20,
    "Backend": {"Type": "vxlan", "VNI": 100, "DirectRouting": true}})";

class Routing : public FlannelTest {
 protected:
  void await_plain_route(std::size_t from, std::size_t to) {
    auto socket = worker(from).socket();
    const int eth0 = netlink::get_link(socket, "eth0").index;
    netlink::wait_for_route(worker(from).netns, worker(to).subnet(), [&](const auto& route) {
      return route.gateway == worker(to).v4 && route.interface == eth0 && !route.onlink;
    });
  }
};

class HostGw : public Routing {};
class DirectRouting : public Routing {};

struct Case {
  const char* name;
  const char* config;
  bool plain;
  void (*disturb)(netlink::Socket&, const Worker& here, const Worker& there);
  friend void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }
};

int eth0_of(netlink::Socket& socket) { return netlink::get_link(socket, "eth0").index; }

void flap(netlink::Socket& socket, const Worker&, const Worker&) {
  netlink::set_down(socket, eth0_of(socket));
  netlink::set_up(socket, eth0_of(socket));
}

void flap_the_tunnel(netlink::Socket& socket, const Worker&, const Worker&) {
  const int tunnel = netlink::get_link(socket, "flannel.100").index;
  netlink::set_down(socket, tunnel);
  netlink::set_up(socket, tunnel);
}

void lose_the_address(netlink::Socket& socket, const Worker& here, const Worker&) {
  const auto own = make_network(here.v4, 8);
  netlink::delete_address(socket, eth0_of(socket), own);
  netlink::add_address(socket, eth0_of(socket), {.address = own});
}

void delete_the_route(netlink::Socket& socket, const Worker&, const Worker& there) {
  netlink::delete_route(socket, {.destination = there.subnet()});
}

void replace_the_route(netlink::Socket& socket, const Worker&, const Worker& there) {
  netlink::replace_route(socket, {.destination = there.subnet(), .gateway = parse_address("10.0.0.1")});
}

void delete_the_neighbour(netlink::Socket& socket, const Worker&, const Worker& there) {
  netlink::delete_neighbour(socket, netlink::get_link(socket, "flannel.100").index, address_of(there.subnet()));
}

void change_the_neighbour(netlink::Socket& socket, const Worker&, const Worker& there) {
  netlink::replace_neighbour(socket, netlink::get_link(socket, "flannel.100").index, address_of(there.subnet()),
                             netlink::parse_mac("0a:00:00:00:00:77"));
}

void delete_the_fdb(netlink::Socket& socket, const Worker&, const Worker&) {
  const int tunnel = netlink::get_link(socket, "flannel.100").index;
  for (const auto& entry : netlink::list_fdb(socket, tunnel)) netlink::delete_fdb(socket, tunnel, entry.mac);
}

void redirect_the_fdb(netlink::Socket& socket, const Worker&, const Worker&) {
  const int tunnel = netlink::get_link(socket, "flannel.100").index;
  for (const auto& entry : netlink::list_fdb(socket, tunnel))
    netlink::replace_fdb(socket, tunnel, entry.mac, parse_address("10.0.0.77"));
}

class WhatOthersUndo : public Routing, public testing::WithParamInterface<Case> {
 protected:
  void await_way(std::size_t from, std::size_t to) {
    if (GetParam().plain)
      await_plain_route(from, to);
    else
      await_peer(from, to);
  }
};

TEST_P(WhatOthersUndo, IsPutBack) {
  stand_up(2, GetParam().config);
  start_all();
  await_way(0, 1);
  await_way(1, 0);
  add_pods();
  auto socket = worker(0).socket();
  GetParam().disturb(socket, worker(0), worker(1));
  await_way(0, 1);
  eventually([&] { return ping(0, 1, {"-c1", "-W1"}).ok() ? std::nullopt : std::optional<std::string>("an answer"); });
}

INSTANTIATE_TEST_SUITE_P(
    All, WhatOthersUndo,
    testing::Values(
        Case{"VxlanFlap", kVxlan, false, flap}, Case{"VxlanAddress", kVxlan, false, lose_the_address},
        Case{"VxlanTunnelFlap", kVxlan, false, flap_the_tunnel}, Case{"VxlanRoute", kVxlan, false, delete_the_route},
        Case{"VxlanReplacedRoute", kVxlan, false, replace_the_route},
        Case{"VxlanNeighbour", kVxlan, false, delete_the_neighbour},
        Case{"VxlanOtherNeighbour", kVxlan, false, change_the_neighbour},
        Case{"VxlanFdb", kVxlan, false, delete_the_fdb}, Case{"VxlanOtherFdb", kVxlan, false, redirect_the_fdb},
        Case{"DirectFlap", kDirect, true, flap}, Case{"DirectAddress", kDirect, true, lose_the_address},
        Case{"DirectRoute", kDirect, true, delete_the_route},
        Case{"DirectReplacedRoute", kDirect, true, replace_the_route}, Case{"HostGwFlap", kHostGw, true, flap},
        Case{"HostGwAddress", kHostGw, true, lose_the_address}, Case{"HostGwRoute", kHostGw, true, delete_the_route},
        Case{"HostGwReplacedRoute", kHostGw, true, replace_the_route}),
    [](const auto& row) { return std::string(row.param.name); });

class StaleRoute : public Routing, public testing::WithParamInterface<const char*> {};

TEST_P(StaleRoute, OfAPeerThatWentWhileTheDaemonWasAwayIsRemoved) {
  stand_up(3, GetParam());
  start_all();
  await_plain_route(0, 1);
  await_plain_route(0, 2);
  auto socket = worker(0).socket();
  // Others' routes through eth0: not to a subnet of the network's, or not by hand.
  const netlink::Route elsewhere{.destination = parse_network("192.0.2.0/24"), .gateway = worker(1).v4};
  const netlink::Route routed{
      .destination = parse_network("11.250.0.0/20"), .gateway = worker(1).v4, .protocol = RTPROT_BGP};
  netlink::add_route(socket, elsewhere);
  netlink::add_route(socket, routed);
  EXPECT_EQ(stop(0).code(), 0);
  EXPECT_EQ(stop(1).code(), 0);
  etcd().remove(key_of(1));
  start(0);
  await_ready(0);
  await_plain_route(0, 2);
  std::vector<Network> through_gateways;
  for (const auto& route : netlink::list_routes(socket, AF_INET))
    if (route.gateway) through_gateways.push_back(route.destination);
  EXPECT_THAT(through_gateways,
              testing::UnorderedElementsAre(worker(2).subnet(), elsewhere.destination, routed.destination));
}

INSTANTIATE_TEST_SUITE_P(All, StaleRoute, testing::Values(kDirect, kHostGw),
                         [](const auto& row) { return row.index == 0 ? "Direct" : "HostGw"; });

TEST_F(HostGw, RoutesGoThroughThePublicAddresses) {
  stand_up(3, kHostGw);
  start_all();
  for (std::size_t from = 0; from < 3; ++from) {
    for (std::size_t to = 0; to < 3; ++to) {
      if (from != to) await_plain_route(from, to);
    }
  }
  EXPECT_EQ(worker(0).env.mtu, 1500U);
  EXPECT_EQ(lease_of(0)->value, R"({"PublicIP":"10.0.0.10","PublicIPv6":null,"BackendType":"host-gw"})");
  add_pods();
  EXPECT_TRUE(ping(0, 2).ok());
}

TEST_F(HostGw, RouteOfAPeerWhoseLeaseGoesIsRemoved) {
  stand_up(2, kHostGw);
  start_all();
  await_plain_route(0, 1);
  etcd().remove(key_of(1));
  auto socket = worker(0).socket();
  eventually([&]() -> std::optional<std::string> {
    for (const auto& route : netlink::list_routes(socket, AF_INET)) {
      if (route.destination == worker(1).subnet()) return netlink::to_string(route) + " is still there";
    }
    return std::nullopt;
  });
}

TEST_F(HostGw, RefusesAPublicIpThatIsntTheInterfaces) {
  stand_up(1, kHostGw);
  auto natted = options(0);
  natted.public_ip = parse_address("203.0.113.5");
  start(0, natted);
  EXPECT_EQ(worker(0).daemon->process().wait(std::chrono::seconds(20)).code(), 1);
  EXPECT_THAT(log_of(0), HasSubstr("not supported by host-gw"));
}

TEST_F(DirectRouting, UsesPlainRoutesToNeighboursAndTheTunnelBeyondARouter) {
  stand_up(3, kDirect);
  // w3 moves behind a router: its own address isn't on the switch's network any more.
  const auto far = parse_address("192.168.7.3");
  const auto router = NetNs::create();
  netlink::Socket router_socket(router, "router");
  netlink::create_veth({.ns = worker(2).netns, .name = "eth1", .up = true}, {.ns = router, .name = "far", .up = true});
  plug_into_switch(router, "router");
  netlink::add_address(router_socket, netlink::get_link(router_socket, "eth0").index,
                       {.address = parse_network("10.0.0.254/8")});
  netlink::add_address(router_socket, netlink::get_link(router_socket, "far").index,
                       {.address = parse_network("192.168.7.254/24")});
  router.run([] { write_sysctl("net.ipv4.ip_forward", "1"); });
  {
    auto socket = worker(2).socket();
    netlink::delete_link(socket, "eth0");
    netlink::add_address(socket, netlink::get_link(socket, "eth1").index, {.address = make_network(far, 24)});
    netlink::add_route(socket, {.destination = parse_network("0.0.0.0/0"), .gateway = parse_address("192.168.7.254")});
  }
  for (std::size_t i = 0; i < 2; ++i) {
    auto socket = worker(i).socket();
    netlink::add_route(socket,
                       {.destination = parse_network("192.168.7.0/24"), .gateway = parse_address("10.0.0.254")});
  }
  worker(2).v4 = far;
  auto through_eth1 = options(2);
  through_eth1.interfaces = {"eth1"};
  // The etcd node answers through the router too.
  add_etcd_route({.destination = parse_network("192.168.7.0/24"), .gateway = parse_address("10.0.0.254")});
  start(0);
  start(1);
  start(2, through_eth1);
  for (std::size_t i = 0; i < 3; ++i) await_ready(i);

  await_plain_route(0, 1);
  await_plain_route(1, 0);
  for (std::size_t i = 0; i < 2; ++i) {
    await_peer(i, 2);
    await_peer(2, i);
  }
  add_pods();
  EXPECT_TRUE(ping(0, 1).ok());
  EXPECT_TRUE(ping(0, 2).ok());
  EXPECT_TRUE(ping(2, 1).ok());
}

}  // namespace
}  // namespace knetsim::flannel::test
