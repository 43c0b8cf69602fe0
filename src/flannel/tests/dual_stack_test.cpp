// IPv6, alone and beside IPv4.

#include <fmt/format.h>

#include <set>
#include <string>

#include "flannel_test.h"
#include "knetsim/netlink/address.h"
#include "knetsim/netlink/monitor.h"

namespace knetsim::flannel::test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* kIPv6Only = R"({"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd11::/48",
    "Backend": {"Type": "vxlan", "VNI": 100}})";
constexpr const char* kIPv6HostGw = R"({"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd11::/48",
    "Backend": {"Type": "host-gw"}})";

class DualStack : public FlannelTest {
 protected:
  void await_v6_peer(std::size_t from, std::size_t to) {
    netlink::wait_for_route(worker(from).netns, worker(to).subnet_v6());
  }
  /// Between the pods' IPv6 addresses.
  ExecResult ping6(std::size_t from, std::size_t to) {
    return exec({.argv = {"ping", "-6", "-n", "-c1", "-W5", "-I", address_of(*worker(from).env.ipv6_subnet).to_string(),
                          address_of(*worker(to).env.ipv6_subnet).to_string()},
                 .netns = &worker(from).netns});
  }
};

TEST_F(DualStack, DaemonsTunnelBothFamilies) {
  stand_up(3, kDualStack);
  start_all();
  await_full_mesh();
  await_v6_peer(0, 1);
  await_v6_peer(1, 0);
  add_pods();
  EXPECT_TRUE(ping(0, 1).ok());
  const auto answer = ping6(0, 1);
  EXPECT_TRUE(answer.ok()) << answer.out << answer.err;
}

TEST_F(DualStack, LinkLeaseAndSubnetEnvHoldBoth) {
  stand_up(1, kDualStack);
  start_all();
  auto socket = worker(0).socket();
  const auto v4 = netlink::get_link(socket, "flannel.100");
  const auto v6 = netlink::get_link(socket, "flannel-v6.100");
  EXPECT_EQ(v4.mtu, 1450U);
  EXPECT_EQ(v6.mtu, 1430U);
  EXPECT_EQ(worker(0).env.mtu, 1430U);
  EXPECT_EQ(v6.vxlan->local, worker(0).v6);
  EXPECT_THAT(worker(0).env.ipv6_networks, testing::ElementsAre(parse_network("fd11::/48")));
  EXPECT_EQ(lease_of(0)->value, R"({"PublicIP":"10.0.0.10","PublicIPv6":"fd00::10","BackendType":"vxlan",)"
                                R"("BackendData":{"VNI":100,"VtepMAC":")" +
                                    netlink::to_string(v4.mac) + R"("},"BackendV6Data":{"VNI":100,"VtepMAC":")" +
                                    netlink::to_string(v6.mac) + "\"}}");
}

TEST_F(DualStack, RestartKeepsBothSubnets) {
  stand_up(1, kDualStack);
  start_all();
  const auto env = worker(0).env;
  stop(0);
  start(0);
  await_ready(0);
  EXPECT_EQ(worker(0).env, env);
}

TEST_F(DualStack, SubnetsOfBothFamiliesAreLeasedOnce) {
  stand_up(8, R"({"Network": "10.5.0.0/16", "SubnetMin": "10.5.1.0", "SubnetMax": "10.5.8.0", "EnableIPv6": true,
      "IPv6Network": "fd11::/48", "IPv6SubnetMin": "fd11:0:0:1::", "IPv6SubnetMax": "fd11:0:0:8::",
      "Backend": {"Type": "alloc"}})");
  start_all();
  for (std::size_t a = 0; a < size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      EXPECT_NE(worker(a).subnet(), worker(b).subnet());
      EXPECT_NE(worker(a).subnet_v6(), worker(b).subnet_v6());
    }
  }
}

TEST_F(DualStack, LaterOnesYieldWhenAllClaimTheSameSubnetUnderDifferentKeys) {
  stand_up(8, R"({"Network": "10.5.0.0/16", "EnableIPv6": true, "IPv6Network": "fd11::/48",
      "Backend": {"Type": "alloc"}})");
  for (std::size_t i = 0; i < size(); ++i) {
    // What a subnet.env says is claimed again if it is free: here, all see it free at first.
    write_subnet_env(
        options(i).subnet_file,
        parse_subnet_env(fmt::format("FLANNEL_SUBNET=10.5.7.1/24\nFLANNEL_IPV6_SUBNET=fd11:0:0:{}::1/64\n", i + 1)));
  }
  start_all();
  std::set<std::string> v4;
  for (std::size_t i = 0; i < size(); ++i) v4.insert(to_string(worker(i).subnet()));
  EXPECT_THAT(v4, SizeIs(8));
  EXPECT_THAT(leases(), SizeIs(8));
}

TEST_F(DualStack, HalfOfAKeyThatAnotherNodeHoldsIsNotTaken) {
  stand_up(1, R"({"Network": "10.5.0.0/16", "SubnetMin": "10.5.1.0", "SubnetMax": "10.5.2.0", "EnableIPv6": true,
      "IPv6Network": "fd11::/48", "IPv6SubnetMin": "fd11:0:0:1::", "IPv6SubnetMax": "fd11:0:0:2::",
      "Backend": {"Type": "alloc"}})");
  etcd().put(prefix() + "10.5.1.0-24&fd11:0:0:2::-64",
             R"({"PublicIP":"10.0.0.99","PublicIPv6":"fd00::99","BackendType":"alloc"})");
  start_all();
  EXPECT_EQ(worker(0).subnet(), parse_network("10.5.2.0/24"));
  EXPECT_EQ(worker(0).subnet_v6(), parse_network("fd11:0:0:1::/64"));
}

TEST_F(DualStack, IPv6AloneTunnels) {
  stand_up(2, kIPv6Only);
  start_all();
  EXPECT_FALSE(worker(0).env.subnet);
  EXPECT_THAT(lease_of(0)->key, HasSubstr("/0.0.0.0-0&fd11:"));
  EXPECT_THAT(lease_of(0)->value, HasSubstr(R"("PublicIP":"0.0.0.0","PublicIPv6":"fd00::10")"));
  await_v6_peer(0, 1);
  await_v6_peer(1, 0);
  auto socket = worker(0).socket();
  EXPECT_FALSE(netlink::find_link(socket, "flannel.100"));
  add_pods();
  EXPECT_TRUE(ping6(0, 1).ok());
  EXPECT_THAT(leases(), SizeIs(2));
}

TEST_F(DualStack, IPv6LinkDeletedComesBackWithItsPeers) {
  stand_up(2, kIPv6Only);
  start_all();
  await_v6_peer(0, 1);
  await_v6_peer(1, 0);
  add_pods();
  {
    auto socket = worker(0).socket();
    netlink::delete_link(socket, "flannel-v6.100");
  }
  netlink::wait_for_link(worker(0).netns, "flannel-v6.100", [](const auto& link) { return link.up; });
  await_v6_peer(0, 1);
  EXPECT_TRUE(ping6(0, 1).ok());
}

TEST_F(DualStack, IPv6HostGwRoutesThroughThePublicAddress) {
  stand_up(2, kIPv6HostGw);
  start_all();
  netlink::wait_for_route(worker(0).netns, worker(1).subnet_v6(),
                          [&](const auto& route) { return route.gateway == worker(1).v6; });
}

}  // namespace
}  // namespace knetsim::flannel::test
