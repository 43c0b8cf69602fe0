#include "knetsim/emulator/underlay.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/sys/sandbox.h"
#include "knetsim/sys/sysctl.h"

namespace knetsim {

namespace {

// The kernel allows 1,024 (BR_MAX_PORTS), but each further port costs it a walk over those that are there.
constexpr int kPortsOfABridge = 250;
// Chosen by us, a link can be made and used in one message. Where tunnels are loaded, every fresh namespace has their
// fallback devices (tunl0, sit0, gre0 ...) from index 2 on: we begin well behind those.
constexpr int kFirstIndex = 100;
constexpr int kInterfaceIndex = kFirstIndex;

// A switch has no addresses: without this, every port would announce an IPv6 link-local one to all others.
NetNs make_switch_room() {
  auto ns = NetNs::create();
  ns.run([] {
    write_sysctl("net.ipv6.conf.all.disable_ipv6", "1");
    write_sysctl("net.ipv6.conf.default.disable_ipv6", "1");
  });
  return ns;
}

// A node without IPv6 addresses does without this: each descent into /proc/sys/net costs a search among all
// namespaces'.
void prepare_v6() {
  const SysctlDirectory conf("net.ipv6.conf");
  const auto all = conf.open("all");
  all.write("forwarding", "1");
  // As IPv4 does it by itself: a link that goes down and comes back still has its addresses.
  all.write("keep_addr_on_down", "1");
  // Addresses are the topology's: duplicate address detection (RFC 4862) would find nothing, yet keep a link-local
  // address unusable for a second or two, and a router asks its neighbours from that one. Counts for links that are
  // made later.
  conf.open("default").write("accept_dad", "0");
}

// The link is asked for by itself: the kernel answers that under the lock under which it brings links into use, while a
// listing may show a link as running that its bridge doesn't forward to yet.
void wait_until_running(const NetNs& ns, netlink::Socket& socket, int index, const std::string& name,
                        std::chrono::milliseconds budget) {
  if (!netlink::get_link(socket, index).running)
    netlink::wait_for_link(
        ns, name, [](const netlink::Link& link) { return link.running; }, budget);
}

// Who was asked for in vain is asked for again only a second later, and what is sent to it until then waits or is lost.
void forget_unresolved(const NetNs& ns, const std::string& name) {
  netlink::Socket socket(ns, name);
  const auto link = netlink::find_link(socket, Underlay::kInterface);
  if (!link) return;
  for (const auto& neighbour : netlink::list_neighbours(socket, AF_UNSPEC, link->index))
    if (!neighbour.mac) netlink::delete_neighbour(socket, link->index, neighbour.address);
}

bool has_v6(const std::vector<Address>& addresses) {
  return std::any_of(addresses.begin(), addresses.end(), [](const Address& address) { return address.is_v6(); });
}

}  // namespace

Underlay::Underlay(UnderlaySpec spec)
    : spec_(std::move(spec)), netns_(make_switch_room()), socket_(netns_, "underlay"), next_index_(kFirstIndex) {
  dismantle_at_the_end(netns_);
  for (const auto& one : spec_.switches) {
    Switch made;
    made.bridge = create_bridge(one.name);
    switches_.emplace(one.name, made);
    if (one.uplink.empty()) continue;
    auto& above = switches_.at(one.uplink);
    connect(made.bridge, above.bridge);
    ++above.ports;
    ++switches_.at(one.name).ports;
  }
}

int Underlay::create_bridge(const std::string& name) {
  return netlink::create_bridge(
      socket_, {.name = name, .mtu = spec_.mtu, .up = true, .multicast_snooping = false, .index = next_index_++});
}

void Underlay::connect(int lower, int upper) {
  const int lower_index = next_index_++;
  const int upper_index = next_index_++;
  // Named by number: two switches' names wouldn't fit into the 15 characters of an interface's.
  netlink::create_veth(socket_,
                       {.ns = netns_,
                        .name = fmt::format("up{}", lower),
                        .mtu = spec_.mtu,
                        .mac = {},
                        .up = true,
                        .master = lower,
                        .index = lower_index},
                       {.ns = netns_,
                        .name = fmt::format("down{}", lower),
                        .mtu = spec_.mtu,
                        .mac = {},
                        .up = true,
                        .master = upper,
                        .index = upper_index});
}

int Underlay::take_port(const std::string& switch_name) {
  auto& one = switches_.at(switch_name);
  if (one.ports >= kPortsOfABridge) {
    const auto name = fmt::format("leaf{}.{}", ++one.leaves, one.bridge);
    const int leaf = create_bridge(name);
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
  const auto addresses = networks_of(spec);
  if (has_v6(spec.addresses)) node.netns().run(prepare_v6);
  auto socket = node.netlink();
  netlink::Batch batch(socket);  // all that is asked of the node's own namespace goes in one message
  netlink::create_veth(socket_,
                       {.ns = netns_,
                        .name = spec.name,
                        .mtu = spec_.mtu,
                        .mac = {},
                        .up = true,
                        .master = take_port(switch_name),
                        .index = next_index_++},
                       {.ns = node.netns(),
                        .name = kInterface,
                        .mtu = spec_.mtu,
                        .mac = {},
                        .up = true,
                        // Link-local addresses that nobody asked for cost a burst of multicast, flooded to every port.
                        .link_local = has_v6(spec.addresses),
                        .index = kInterfaceIndex,
                        .socket = &socket});
  for (const auto& address : addresses) netlink::add_address(socket, kInterfaceIndex, {.address = address});
  batch.commit();
  return node;
}

void Underlay::cut(const std::string& node) { netlink::set_down(socket_, netlink::get_link(socket_, node).index); }

void Underlay::heal(const std::string& node) {
  const auto port = netlink::get_link(socket_, node).index;
  netlink::set_up(socket_, port);
  wait_until_running(netns_, socket_, port, node, kDefaultBudget);
  // Its end of the cable too: until then it answers nothing.
  const auto there = NetNs::open("/run/netns/" + node);
  netlink::Socket socket(there, node);
  wait_until_running(there, socket, kInterfaceIndex, kInterface, kDefaultBudget);
  // Whoever has plugged in something by hand has no such file for it.
  for (const auto& [name, cable] : cables())
    if (const auto pin = "/run/netns/" + name; !switches_.contains(name) && std::filesystem::exists(pin))
      forget_unresolved(NetNs::open(pin), name);
}

void Underlay::settle(const std::vector<const Node*>& nodes, std::chrono::milliseconds budget) {
  for (const auto& link : netlink::list_links(socket_))
    if (link.master != 0 && link.up) wait_until_running(netns_, socket_, link.index, link.name, budget);
  for (const auto* node : nodes) {
    auto socket = node->netlink();
    wait_until_running(node->netns(), socket, kInterfaceIndex, kInterface, budget);
    if (!has_v6(node->addresses())) continue;
    // The kernel ends the tentative state in the background, also where it has nothing to detect.
    for (const auto& address : netlink::list_addresses(socket, kInterfaceIndex, AF_INET6))
      if (address.tentative())
        netlink::wait_for_address(node->netns(), kInterface, address_of(address.address), budget);
  }
}

std::vector<Underlay::Acquaintance> Underlay::acquaintances(const std::vector<const Node*>& nodes) {
  std::vector<Acquaintance> result;
  for (const auto* node : nodes) {
    auto socket = node->netlink();
    result.push_back({node->addresses(), netlink::get_link(socket, kInterfaceIndex).mac});
  }
  return result;
}

void Underlay::introduce(netlink::Socket& socket, const std::vector<Acquaintance>& to) {
  const auto own = netlink::get_link(socket, kInterfaceIndex).mac;
  netlink::Batch batch(socket);
  for (const auto& other : to)
    if (other.mac != own)
      for (const auto& address : other.addresses)
        netlink::replace_neighbour(socket, kInterfaceIndex, address, other.mac);
  batch.commit();
}

void Underlay::introduce(const std::vector<const Node*>& nodes) {
  const auto all = acquaintances(nodes);
  for (const auto* node : nodes) {
    auto socket = node->netlink();
    introduce(socket, all);
  }
}

std::map<std::string, Cable> Underlay::cables() const {
  netlink::Socket socket(netns_, "underlay");
  std::map<int, netlink::Link> links;
  std::map<std::string, int> indexes;
  for (auto& link : netlink::list_links(socket)) {
    indexes.emplace(link.name, link.index);
    links.emplace(link.index, std::move(link));
  }
  const auto port = [&](const std::string& name) -> const netlink::Link* {
    const auto found = indexes.find(name);
    return found == indexes.end() ? nullptr : &links.at(found->second);
  };
  // The bridge above this one, 0 if there is none, and whether the cable to it carries.
  const auto above = [&](int bridge) -> std::pair<int, bool> {
    const auto* lower = port(fmt::format("up{}", bridge));
    const auto* upper = port(fmt::format("down{}", bridge));
    if (lower == nullptr || upper == nullptr || lower->master != bridge) return {0, false};
    return {upper->master, lower->running && upper->running};
  };
  const auto is_switch = [&](const std::string& name) { return switches_.contains(name); };
  // A leaf stands for the switch that it has grown from. No way is longer than there are links, whatever has been
  // plugged into what by hand.
  const auto switch_at = [&](int bridge, bool carries) -> Cable {
    for (std::size_t hops = 0; hops < links.size() && links.contains(bridge); ++hops) {
      const auto& name = links.at(bridge).name;
      if (is_switch(name)) return {name, carries};
      const auto [next, passes] = above(bridge);
      carries = carries && passes;
      bridge = next;
    }
    return {};
  };
  std::map<std::string, Cable> cables;
  for (const auto& [index, link] : links) {
    if (is_switch(link.name)) {
      const auto [upper, carries] = above(index);
      if (upper != 0) cables.emplace(link.name, switch_at(upper, carries));
    } else if (link.parent_netns) {
      cables.emplace(link.name, switch_at(link.master, link.running));
    }
  }
  return cables;
}

std::vector<std::string> Underlay::bridges() const {
  std::vector<std::string> names;
  netlink::Socket socket(netns_, "underlay");
  for (const auto& link : netlink::list_links(socket))
    if (link.kind == "bridge") names.push_back(link.name);
  return names;
}

}  // namespace knetsim
