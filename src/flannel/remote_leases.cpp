#include "remote_leases.h"

#include <fmt/format.h>

#include <span>

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

void RemoteLeases::put(const Lease& lease) {
  const auto [position, added] = leases_.try_emplace(key_name(lease.subnets), lease);
  if (!added && position->second == lease) return;
  position->second = lease;
  backend_.set(std::span(&lease, 1));
}

void RemoteLeases::forget(std::map<std::string, Lease>::iterator position) {
  const auto gone = position->second.subnets;
  leases_.erase(position);
  backend_.remove(gone);
  // Two dual-stack leases can share one of their subnets for a moment, until the later of them yields.
  for (const auto& [name, other] : leases_) {
    if ((gone.v4 && other.subnets.v4 == gone.v4) || (gone.v6 && other.subnets.v6 == gone.v6))
      backend_.set(std::span(&other, 1));
  }
}

void RemoteLeases::remove(const LeaseSubnets& subnets) {
  if (const auto found = leases_.find(key_name(subnets)); found != leases_.end()) forget(found);
}

void RemoteLeases::reset(const std::vector<Lease>& leases) {
  std::map<std::string, Lease> wanted;
  for (const auto& lease : leases) wanted.insert_or_assign(key_name(lease.subnets), lease);
  for (auto position = leases_.begin(); position != leases_.end();) {
    const auto current = position++;
    if (!wanted.contains(current->first)) forget(current);
  }
  std::vector<Lease> changed;
  for (const auto& [name, lease] : wanted) {
    const auto known = leases_.find(name);
    if (known == leases_.end() || known->second != lease) changed.push_back(lease);
    leases_.insert_or_assign(name, lease);
  }
  if (!changed.empty()) backend_.set(changed);
}

}  // namespace knetsim::flannel
