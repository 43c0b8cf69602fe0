#include "external_interface.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>

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
  throw Error(describe({.where = {},
                        .tried = "find an interface to use",
                        .answer = "there is no default route",
                        .remedy = "name the interface with -iface"}));
}

netlink::Link choose_link(netlink::Socket& socket, const std::vector<std::string>& wanted) {
  for (const auto& text : wanted) {
    boost::system::error_code not_an_address;
    const auto address = boost::asio::ip::make_address(text, not_an_address);
    auto link = not_an_address ? netlink::find_link(socket, text) : link_with(socket, address);
    if (link) return *link;
    spdlog::info("Could not find valid interface matching {}", text);
  }
  std::vector<std::string> names;
  for (const auto& link : netlink::list_links(socket)) names.push_back(link.name);
  throw Error(fmt::format("Failed to find interface to use that matches the interfaces provided: {} (there are: {})",
                          fmt::join(wanted, ", "), fmt::join(names, ", ")));
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
  if (wanted.empty() && options.public_ip && v4) wanted.push_back(options.public_ip->to_string());
  if (wanted.empty() && options.public_ipv6 && v6) wanted.push_back(options.public_ipv6->to_string());
  const auto link = wanted.empty() ? link_of_default_route(socket, v4) : choose_link(socket, wanted);

  // The public address, or the one that -iface names, if they are on the link.
  std::vector<Address> preferred;
  for (const auto& public_ip : {options.public_ip, options.public_ipv6}) {
    if (public_ip) preferred.push_back(*public_ip);
  }
  for (const auto& text : wanted) {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(text, error);
    if (!error) preferred.push_back(address);
  }
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
