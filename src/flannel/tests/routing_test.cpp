// host-gw and DirectRouting: plain routes instead of tunnels.

#include "flannel_test.h"
#include "knetsim/netlink/address.h"
#include "knetsim/netlink/monitor.h"
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

TEST_F(HostGw, DeletedRouteComesBack) {
  stand_up(2, kHostGw);
  start_all();
  await_plain_route(0, 1);
  {
    auto socket = worker(0).socket();
    netlink::delete_route(socket, {.destination = worker(1).subnet()});
  }
  await_log(0, "Route recovered " + to_string(worker(1).subnet()));
  await_plain_route(0, 1);
}

TEST_F(HostGw, RoutesComeBackWhenTheInterfaceWasDown) {
  stand_up(2, kHostGw);
  start_all();
  await_plain_route(0, 1);
  {
    auto socket = worker(0).socket();
    const int eth0 = netlink::get_link(socket, "eth0").index;
    netlink::set_down(socket, eth0);
    netlink::set_up(socket, eth0);
  }
  await_plain_route(0, 1);
}

TEST_F(HostGw, RouteOfAPeerWhoseLeaseGoesIsRemoved) {
  stand_up(2, kHostGw);
  start_all();
  await_plain_route(0, 1);
  etcd().remove(key_of(1));
  await_log(0, "Subnet removed: " + to_string(worker(1).subnet()));
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
