#include "acceptance.h"

#include <fmt/format.h>

namespace knetsim::flannel {

namespace {

bool is_unicast(const Address& address) {
  if (address.is_unspecified() || address.is_loopback() || address.is_multicast()) return false;
  return address.is_v6() || address.to_v4() != boost::asio::ip::address_v4::broadcast();
}

bool is_unicast(const netlink::Mac& mac) { return mac != netlink::Mac{} && (mac.bytes.front() & 1) == 0; }

std::optional<std::string> why_not(const Network& subnet, const SubnetRange& range, const std::optional<Network>& own,
                                   const Surroundings& surroundings) {
  const auto text = to_string(subnet);
  if (!contains(range.network, subnet))
    return fmt::format("{} is outside the network {}", text, to_string(range.network));
  if (prefix_length(subnet) != range.subnet_length)
    return fmt::format("{} isn't one of the network's subnets, which are /{}", text, range.subnet_length);
  if (own && overlaps(subnet, *own)) return fmt::format("{} overlaps this node's own subnet {}", text, to_string(*own));
  for (const auto& network : surroundings.links)
    if (contains(subnet, network)) return fmt::format("{} covers the underlay's network {}", text, to_string(network));
  for (const auto& address : surroundings.addresses)
    if (contains(subnet, address))
      return fmt::format("{} covers {}, an address of the underlay", text, address.to_string());
  return std::nullopt;
}

std::optional<std::string> why_not(const Network& subnet, const std::optional<Address>& underlay,
                                   const std::optional<VtepData>& vtep) {
  if (!underlay) return std::nullopt;  // nobody to send to
  if (!is_unicast(*underlay)) return fmt::format("{} isn't the address of a node", underlay->to_string());
  if (contains(subnet, *underlay)) return fmt::format("{} lies within its own subnet", underlay->to_string());
  if (vtep && !is_unicast(vtep->mac)) return fmt::format("{} isn't the MAC of a link", netlink::to_string(vtep->mac));
  return std::nullopt;
}

}  // namespace

LeaseSubnets taking_room(const LeaseSubnets& subnets, const Config& config) {
  const auto within = [](const std::optional<Network>& subnet, const std::optional<SubnetRange>& range) {
    // A network holds at least four subnets: config.cpp.
    const bool possible = subnet && range && contains(range->network, *subnet) &&
                          prefix_length(*subnet) >= prefix_length(range->network) + 2;
    return possible ? subnet : std::nullopt;
  };
  return {within(subnets.v4, config.v4), within(subnets.v6, config.v6)};
}

std::optional<std::string> why_not_followed(const Lease& lease, const Config& config,
                                            const Surroundings& surroundings) {
  const auto& [subnets, attributes] = lease;
  if (config.v4 && subnets.v4) {
    if (auto why = why_not(*subnets.v4, *config.v4, surroundings.own.v4, surroundings)) return why;
    if (auto why = why_not(*subnets.v4, attributes.public_ip, attributes.vtep)) return why;
  }
  if (config.v6 && subnets.v6) {
    if (auto why = why_not(*subnets.v6, *config.v6, surroundings.own.v6, surroundings)) return why;
    if (auto why = why_not(*subnets.v6, attributes.public_ipv6, attributes.vtep_v6)) return why;
  }
  return std::nullopt;
}

}  // namespace knetsim::flannel
