#include "bridge_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "host_local.h"
#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/route.h"

namespace knetsim::cni {

namespace {

[[noreturn]] void differs(const std::string& what) { throw knetsim::Error(what); }

netlink::Link expect_link(netlink::Socket& socket, const Interface& expected, const std::string& kind) {
  const auto link = netlink::find_link(socket, expected.name);
  if (!link) differs(fmt::format("there is no link {}", expected.name));
  if (link->kind != kind) differs(fmt::format("{} is no {}", expected.name, kind));
  if (to_string(link->mac) != expected.mac)
    differs(fmt::format("{} has the MAC {}, not {}", expected.name, to_string(link->mac), expected.mac));
  if (!link->up) differs(fmt::format("{} is down", expected.name));
  return *link;
}

void expect_address(netlink::Socket& socket, const netlink::Link& link, const Network& expected) {
  const auto present = netlink::list_addresses(socket, link.index, family(expected));
  const bool found =
      std::any_of(present.begin(), present.end(), [&](const auto& address) { return address.address == expected; });
  if (!found) differs(fmt::format("{} lacks the address {}", link.name, to_string(expected)));
}

void expect_route(netlink::Socket& socket, const netlink::Link& link, const ResultRoute& expected) {
  const auto present = netlink::list_routes(socket, family(expected.destination));
  const bool found = std::any_of(present.begin(), present.end(), [&](const auto& route) {
    return route.destination == expected.destination && route.interface == link.index &&
           (!expected.gateway || route.gateway == expected.gateway);
  });
  if (!found) differs(fmt::format("there is no route to {} through {}", to_string(expected.destination), link.name));
}

const Interface& interface_at(const Result& result, std::size_t index) {
  if (index >= result.interfaces.size()) differs(fmt::format("the earlier result names no interface {}", index));
  return result.interfaces[index];
}

}  // namespace

void check_bridge(const NetNs& worker, const std::string& node, const Attachment& attachment,
                  const BridgeConfig& config, const Result& previous) {
  const auto held = HostLocal(config.allocations, config.name).held(attachment.container_id, attachment.ifname);
  for (const auto& address : previous.addresses())
    if (std::find(held.begin(), held.end(), address) == held.end())
      differs(fmt::format("the address {} isn't allocated to it", address.to_string()));

  netlink::Socket outside(worker, node);
  const auto bridge = expect_link(outside, interface_at(previous, 0), "bridge");
  const auto outer = expect_link(outside, interface_at(previous, 1), "veth");
  if (outer.master != bridge.index) differs(fmt::format("{} isn't a port of {}", outer.name, bridge.name));
  if (outer.hairpin != config.hairpin)
    differs(fmt::format("hairpin mode of {} is {}", outer.name, outer.hairpin ? "on" : "off"));

  const auto container = NetNs::open(attachment.netns);
  netlink::Socket inside(container, attachment.netns);
  const auto inner = expect_link(inside, interface_at(previous, 2), "veth");
  for (const auto& ip : previous.ips) {
    expect_address(inside, inner, ip.address);
    if (ip.gateway) expect_address(outside, bridge, make_network(*ip.gateway, prefix_length(ip.address)));
  }
  for (const auto& route : previous.routes) expect_route(inside, inner, route);
}

}  // namespace knetsim::cni
