#include "knetsim/emulator/underlay.h"

#include <fmt/format.h>

#include <algorithm>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"
#include "knetsim/sys/sysctl.h"

namespace knetsim {

namespace {

// Room for uplink and leaves is kept below the kernel's 1,024 (BR_MAX_PORTS).
constexpr int kPortsOfABridge = 1000;

// A switch has no addresses: without this, every port would announce an IPv6 link-local one to all others.
NetNs make_switch_room() {
  auto ns = NetNs::create();
  ns.run([] {
    write_sysctl("net.ipv6.conf.all.disable_ipv6", "1");
    write_sysctl("net.ipv6.conf.default.disable_ipv6", "1");
  });
  return ns;
}

bool has_v6(const std::vector<Address>& addresses) {
  return std::any_of(addresses.begin(), addresses.end(), [](const Address& address) { return address.is_v6(); });
}

}  // namespace

Underlay::Underlay(const UnderlaySpec& spec) : spec_(spec), netns_(make_switch_room()), socket_(netns_, "underlay") {
  for (const auto& one : spec_.switches) {
    Switch made;
    made.bridge =
        netlink::create_bridge(socket_, {.name = one.name, .mtu = spec_.mtu, .up = true, .multicast_snooping = false});
    switches_.emplace(one.name, made);
    if (one.uplink.empty()) continue;
    auto& above = switches_.at(one.uplink);
    connect(made.bridge, above.bridge);
    ++above.ports;
    ++switches_.at(one.name).ports;
  }
}

void Underlay::connect(int lower, int upper) {
  // Named by number: two switches' names wouldn't fit into the 15 characters of an interface's.
  netlink::create_veth(
      socket_,
      {.ns = netns_, .name = fmt::format("up{}", lower), .mtu = spec_.mtu, .mac = {}, .up = true, .master = lower},
      {.ns = netns_, .name = fmt::format("down{}", lower), .mtu = spec_.mtu, .mac = {}, .up = true, .master = upper});
}

int Underlay::take_port(const std::string& switch_name) {
  auto& one = switches_.at(switch_name);
  if (one.ports >= kPortsOfABridge) {
    const auto name = fmt::format("leaf{}.{}", ++one.leaves, one.bridge);
    const int leaf =
        netlink::create_bridge(socket_, {.name = name, .mtu = spec_.mtu, .up = true, .multicast_snooping = false});
    connect(leaf, one.bridge);
    one.bridge = leaf;
    one.ports = 1;
  }
  ++one.ports;
  return one.bridge;
}

std::vector<Network> Underlay::networks_of(const NodeSpec& spec) const {
  std::vector<Network> result;
  for (const auto& address : spec.addresses)
    for (const auto& network : spec_.networks)
      if (contains(network, address)) result.push_back(make_network(address, prefix_length(network)));
  return result;
}

Node Underlay::plug(const NodeSpec& spec, const std::string& switch_name) {
  Node node(spec.name, spec.name, std::filesystem::path(kStateDirectory) / spec.name);
  node.set_addresses(spec.addresses);
  // Link-local addresses that nobody asked for cost each node a burst of multicast, which the switch floods to all.
  const bool v6 = has_v6(spec.addresses);
  if (!v6) node.netns().run([] { write_sysctl("net.ipv6.conf.default.disable_ipv6", "1"); });
  netlink::create_veth(socket_, {.ns = node.netns(), .name = kInterface, .mtu = spec_.mtu, .mac = {}, .up = true},
                       {.ns = netns_,
                        .name = spec.name,
                        .mtu = spec_.mtu,
                        .mac = {},
                        .up = true,
                        .master = take_port(switch_name.empty() ? spec.switch_name : switch_name)});
  if (!v6) node.netns().run([] { write_sysctl("net.ipv6.conf.default.disable_ipv6", "0"); });
  auto socket = node.netlink();
  const int interface = netlink::get_link(socket, kInterface).index;
  for (const auto& address : networks_of(spec)) netlink::add_address(socket, interface, {.address = address});
  return node;
}

void Underlay::cut(const std::string& node) { netlink::set_down(socket_, netlink::get_link(socket_, node).index); }
void Underlay::heal(const std::string& node) { netlink::set_up(socket_, netlink::get_link(socket_, node).index); }

void Underlay::introduce(const Node& a, const Node& b) const {
  const auto teach = [](const Node& learner, const Node& other) {
    auto there = other.netlink();
    const auto mac = netlink::get_link(there, kInterface).mac;
    auto here = learner.netlink();
    const int interface = netlink::get_link(here, kInterface).index;
    for (const auto& address : other.addresses()) netlink::replace_neighbour(here, interface, address, mac);
  };
  teach(a, b);
  teach(b, a);
}

std::vector<std::string> Underlay::bridges() const {
  std::vector<std::string> names;
  netlink::Socket socket(netns_, "underlay");
  for (const auto& link : netlink::list_links(socket))
    if (link.kind == "bridge") names.push_back(link.name);
  return names;
}

}  // namespace knetsim
