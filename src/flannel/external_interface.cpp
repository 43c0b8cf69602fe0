#include "external_interface.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <regex>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/route.h"
#include "knetsim/sys/error.h"

namespace knetsim::flannel {

namespace {

/// The first of `preferred` that is on the link, else the link's first global address, else its first of any scope.
std::optional<Address> choose_address(const std::vector<netlink::InterfaceAddress>& addresses, bool v6,
                                      const std::vector<Address>& preferred) {
  for (const auto& wanted : preferred) {
    const auto is_it = [&](const auto& entry) { return address_of(entry.address) == wanted; };
    if (wanted.is_v6() == v6 && std::any_of(addresses.begin(), addresses.end(), is_it)) return wanted;
  }
  std::optional<Address> first;
  std::optional<Address> global;
  for (const auto& entry : addresses) {
    const auto address = address_of(entry.address);
    if (address.is_v6() != v6) continue;
    if (!first) first = address;
    if (!global && entry.scope == RT_SCOPE_UNIVERSE) global = address;
  }
  return global ? global : first;
}

std::optional<netlink::Link> link_with(netlink::Socket& socket, const Address& address) {
  for (const auto& entry : netlink::list_addresses(socket, 0, family(address))) {
    if (address_of(entry.address) == address) return netlink::find_link(socket, entry.interface);
  }
  return std::nullopt;
}

netlink::Link link_of_default_route(netlink::Socket& socket, bool v4) {
  spdlog::info("Determining IP address of default interface");
  for (const auto& route : netlink::list_routes(socket, v4 ? AF_INET : AF_INET6)) {
    if (prefix_length(route.destination) != 0 || route.type != RTN_UNICAST) continue;
    const int index = route.hops.empty() ? route.interface : route.hops.front().interface;
    if (auto link = netlink::find_link(socket, index)) return *link;
  }
  throw Error(describe({.tried = "find an interface to use",
                        .answer = "there is no default route",
                        .remedy = "name the interface with -iface"}));
}

/// As flanneld: an address of any link that the pattern is found in, else a link's name.
std::optional<netlink::Link> link_matching(netlink::Socket& socket, const std::string& pattern,
                                           std::vector<Address>& preferred) {
  const std::regex wanted(pattern);
  for (const auto& entry : netlink::list_addresses(socket)) {
    const auto address = address_of(entry.address);
    if (entry.scope != RT_SCOPE_UNIVERSE || !std::regex_search(address.to_string(), wanted)) continue;
    if (auto link = netlink::find_link(socket, entry.interface)) {
      preferred.push_back(address);
      return link;
    }
  }
  for (auto& link : netlink::list_links(socket))
    if (std::regex_search(link.name, wanted)) return link;
  return std::nullopt;
}

std::optional<netlink::Link> link_to(netlink::Socket& socket, const Address& target, std::vector<Address>& preferred) {
  const auto route = netlink::lookup_route(socket, target);
  if (!route) return std::nullopt;
  if (route->source) preferred.push_back(*route->source);
  return netlink::find_link(socket, route->interface);
}

/// Names and addresses first, then patterns, then what leads to an address. `preferred` gets the addresses by which it
/// was found.
netlink::Link choose_link(netlink::Socket& socket, const std::vector<std::string>& wanted, const DaemonOptions& options,
                          std::vector<Address>& preferred) {
  for (const auto& text : wanted) {
    boost::system::error_code not_an_address;
    const auto address = boost::asio::ip::make_address(text, not_an_address);
    auto link = not_an_address ? netlink::find_link(socket, text) : link_with(socket, address);
    if (!not_an_address) preferred.push_back(address);
    if (link) return *link;
    spdlog::info("Could not find valid interface matching {}", text);
  }
  auto sought = wanted;
  for (const auto& pattern : options.interface_patterns) {
    if (auto link = link_matching(socket, pattern, preferred)) return *link;
    spdlog::info("Could not find valid interface matching {}", pattern);
    sought.push_back(pattern);
  }
  if (options.interface_can_reach) {
    if (auto link = link_to(socket, *options.interface_can_reach, preferred)) return *link;
    sought.push_back("the way to " + options.interface_can_reach->to_string());
  }
  std::vector<std::string> names;
  for (const auto& link : netlink::list_links(socket)) names.push_back(link.name);
  throw Error(fmt::format(
      "Failed to find interface to use that matches the interfaces and/or regexes provided: {} (there are: {})",
      fmt::join(sought, ", "), fmt::join(names, ", ")));
}

/// Fills in one family's address on the link and its public one.
void choose_family(const std::vector<netlink::InterfaceAddress>& addresses, bool v6,
                   const std::vector<Address>& preferred, const std::optional<Address>& public_ip,
                   ExternalInterface& interface) {
  const auto address = choose_address(addresses, v6, preferred);
  const auto* name = v6 ? "IPv6" : "IPv4";
  if (!address)
    throw Error(describe({.where = interface.name,
                          .tried = fmt::format("use it for {}", name),
                          .answer = fmt::format("it has no {} address", name),
                          .remedy = "give it one, or name another interface with -iface"}));
  (v6 ? interface.v6 : interface.v4) = address;
  (v6 ? interface.public_v6 : interface.public_v4) = public_ip ? public_ip : address;
  spdlog::info("Using interface with name {} and address {}", interface.name, address->to_string());
  if (!public_ip) spdlog::info("Defaulting external address to interface address ({})", address->to_string());
}

}  // namespace

ExternalInterface find_external_interface(netlink::Socket& socket, const DaemonOptions& options, bool v4, bool v6) {
  auto wanted = options.interfaces;
  const bool named = !wanted.empty() || !options.interface_patterns.empty() || options.interface_can_reach;
  if (!named && options.public_ip && v4) wanted.push_back(options.public_ip->to_string());
  if (!named && wanted.empty() && options.public_ipv6 && v6) wanted.push_back(options.public_ipv6->to_string());
  // The public address, or the one by which the link was found, if they are on it.
  std::vector<Address> preferred;
  for (const auto& public_ip : {options.public_ip, options.public_ipv6}) {
    if (public_ip) preferred.push_back(*public_ip);
  }
  const auto link =
      named || !wanted.empty() ? choose_link(socket, wanted, options, preferred) : link_of_default_route(socket, v4);
  ExternalInterface interface;
  interface.index = link.index;
  interface.name = link.name;
  interface.mtu = link.mtu;
  const auto addresses = netlink::list_addresses(socket, link.index);
  if (v4) choose_family(addresses, false, preferred, options.public_ip, interface);
  if (v6) choose_family(addresses, true, preferred, options.public_ipv6, interface);
  return interface;
}

}  // namespace knetsim::flannel
