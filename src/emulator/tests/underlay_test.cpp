// The underlay: nodes on switches, cables that can be cut, crowds beyond what one bridge or the neighbour table holds.
#include "knetsim/emulator/underlay.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/sys/error.h"

namespace knetsim {
namespace {

using testing::SizeIs;

UnderlaySpec two_switches() {
  return {.networks = {parse_network("10.0.0.0/8"), parse_network("fd00::/64")},
          .switches = {{.name = "t0"}, {.name = "s0", .uplink = "t0"}, {.name = "s1", .uplink = "t0"}}};
}

NodeSpec node_spec(const std::string& name, std::vector<std::string> addresses) {
  NodeSpec spec{.name = name, .addresses = {}};
  for (const auto& address : addresses) spec.addresses.push_back(parse_address(address));
  return spec;
}

bool pings(const Node& from, const std::string& to, int patience = 5) {
  return from.exec({"ping", "-c1", "-W", std::to_string(patience), to}).ok();
}

TEST(Underlay, JoinsNodesOnDifferentSwitches) {
  Underlay underlay(two_switches());
  const auto a = underlay.plug(node_spec("a", {"10.0.0.1"}), "s0");
  const auto b = underlay.plug(node_spec("b", {"10.0.0.2"}), "s1");
  EXPECT_TRUE(pings(a, "10.0.0.2"));
  EXPECT_TRUE(pings(b, "10.0.0.1"));
}

TEST(Underlay, CarriesBothFamilies) {
  Underlay underlay(two_switches());
  const auto a = underlay.plug(node_spec("a", {"10.0.0.1", "fd00::1"}), "s0");
  const auto b = underlay.plug(node_spec("b", {"10.0.0.2", "fd00::2"}), "s1");
  EXPECT_TRUE(pings(a, "10.0.0.2"));
  EXPECT_TRUE(pings(a, "fd00::2"));
}

TEST(Underlay, NodesForwardTheFamiliesOfTheirAddresses) {
  Underlay underlay(two_switches());
  const auto a = underlay.plug(node_spec("a", {"10.0.0.1", "fd00::1"}), "s0");
  EXPECT_EQ(a.exec({"cat", "/proc/sys/net/ipv4/conf/all/forwarding"}).out, "1\n");
  EXPECT_EQ(a.exec({"cat", "/proc/sys/net/ipv6/conf/all/forwarding"}).out, "1\n");
}

TEST(Underlay, LeavesTheFirstIndicesToFallbackTunnels) {
  Underlay underlay(two_switches());
  const auto a = underlay.plug(node_spec("a", {"10.0.0.1"}), "s0");
  for (const auto* index : {"2", "9", "32"})
    EXPECT_TRUE(a.exec({"ip", "link", "add", std::string("tunl") + index, "index", index, "type", "bridge"}).ok());
}

TEST(Underlay, SettledNodesWaitForNoDuplicateAddressDetection) {
  Underlay underlay(two_switches());
  const auto a = underlay.plug(node_spec("a", {"fd00::1"}), "s0");
  underlay.settle({&a});
  auto socket = a.netlink();
  const auto eth0 = netlink::get_link(socket, Underlay::kInterface);
  const auto addresses = netlink::list_addresses(socket, eth0.index, AF_INET6);
  EXPECT_THAT(addresses, SizeIs(2)) << "the given address, and a link-local one to ask neighbours from";
  for (const auto& address : addresses) EXPECT_FALSE(address.tentative()) << netlink::to_string(address);
  EXPECT_EQ(a.exec({"cat", "/proc/sys/net/ipv6/conf/default/accept_dad"}).out, "0\n") << "a second or two of waiting";
}

TEST(Underlay, ANodeWithoutIpv6AddressSendsNoIpv6) {
  Underlay underlay(two_switches());
  const auto a = underlay.plug(node_spec("a", {"10.0.0.1"}), "s0");
  auto socket = a.netlink();
  const auto eth0 = netlink::get_link(socket, Underlay::kInterface);
  EXPECT_THAT(netlink::list_addresses(socket, eth0.index, AF_INET6), SizeIs(0));
  EXPECT_EQ(a.exec({"ip", "link", "add", "br0", "type", "bridge"}).status.code(), 0);
  EXPECT_EQ(a.exec({"cat", "/proc/sys/net/ipv6/conf/br0/disable_ipv6"}).out, "0\n") << "other links keep IPv6";
}

TEST(Underlay, ACutCableSeparatesAndAHealedOneJoins) {
  Underlay underlay(two_switches());
  const auto a = underlay.plug(node_spec("a", {"10.0.0.1"}), "s0");
  const auto b = underlay.plug(node_spec("b", {"10.0.0.2"}), "s0");
  underlay.cut("b");
  EXPECT_FALSE(pings(a, "10.0.0.2", 1));
  underlay.heal("b");
  EXPECT_TRUE(pings(a, "10.0.0.2"));
}

TEST(Underlay, WhoWasAskedForWhileTheCableWasOutIsAskedForAnew) {
  Underlay underlay(two_switches());
  const auto a = underlay.plug(node_spec("a", {"10.0.0.1", "fd00::1"}), "s0");
  const auto b = underlay.plug(node_spec("b", {"10.0.0.2", "fd00::2"}), "s0");
  underlay.settle({&a, &b});
  underlay.cut("b");
  const auto unresolved = [](const Node& node) {
    auto socket = node.netlink();
    const auto all = netlink::list_neighbours(socket);
    return std::count_if(all.begin(), all.end(), [](const auto& one) { return !one.mac; });
  };
  for (const auto& [from, to] : {std::pair(&a, "2"), std::pair(&b, "1")}) {
    for (const auto* network : {"10.0.0.", "fd00::"}) EXPECT_FALSE(pings(*from, network + std::string(to), 1));
    EXPECT_EQ(unresolved(*from), 2);
  }
  underlay.heal("b");
  EXPECT_EQ(unresolved(a) + unresolved(b), 0);
  EXPECT_TRUE(pings(a, "10.0.0.2"));
  EXPECT_TRUE(pings(b, "fd00::1"));
}

TEST(Underlay, NodesAreGoneWithTheirHandles) {
  Underlay underlay(two_switches());
  {
    const auto a = underlay.plug(node_spec("a", {"10.0.0.1"}), "s0");
    EXPECT_TRUE(std::filesystem::exists("/run/netns/a"));
  }
  EXPECT_FALSE(std::filesystem::exists("/run/netns/a"));
  const auto again = underlay.plug(node_spec("b", {"10.0.0.1"}), "s0");
  EXPECT_TRUE(pings(again, "10.0.0.1"));
}

TEST(Underlay, RefusesASecondNodeOfTheSameName) {
  Underlay underlay(two_switches());
  const auto a = underlay.plug(node_spec("a", {"10.0.0.1"}), "s0");
  EXPECT_THROW(underlay.plug(node_spec("a", {"10.0.0.2"}), "s0"), SystemError);
  EXPECT_TRUE(std::filesystem::exists("/run/netns/a")) << "the first one must not be harmed";
}

TEST(Underlay, GrowsLeavesWhenABridgeIsFull) {
  Underlay underlay(two_switches());
  std::vector<Node> nodes;
  for (int i = 0; i < 1100; ++i)
    nodes.push_back(
        underlay.plug(node_spec(fmt::format("n{}", i), {fmt::format("10.1.{}.{}", i / 250, i % 250 + 1)}), "s0"));
  EXPECT_THAT(underlay.bridges(), SizeIs(7)) << "three switches and four leaves of 250 ports";
  EXPECT_TRUE(pings(nodes.front(), nodes.back().address().to_string()));
  EXPECT_TRUE(pings(nodes.back(), nodes.at(500).address().to_string()));
}

TEST(Underlay, IntroducedNodesNeedNoPlaceInTheNeighbourTable) {
  Underlay underlay(two_switches());
  const auto a = underlay.plug(node_spec("a", {"10.0.0.1", "fd00::1"}), "s0");
  const auto b = underlay.plug(node_spec("b", {"10.0.0.2", "fd00::2"}), "s1");
  underlay.settle({&a, &b});  // no ARP request will be repeated for a packet that is lost at the start
  Underlay::introduce({&a, &b});
  EXPECT_TRUE(pings(a, "10.0.0.2"));
  EXPECT_TRUE(pings(b, "fd00::1"));
  for (const auto* node : {&a, &b}) {
    auto socket = node->netlink();
    for (const auto& neighbour : netlink::list_neighbours(socket)) {
      if (neighbour.address.is_multicast() || neighbour.address.is_loopback()) continue;
      EXPECT_TRUE(neighbour.permanent()) << netlink::to_string(neighbour);
    }
  }
}

}  // namespace
}  // namespace knetsim
