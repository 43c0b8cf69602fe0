#include "backend.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "gateway_plane.h"
#include "knetsim/sys/error.h"
#include "vxlan_plane.h"

namespace knetsim::flannel {

namespace {

constexpr unsigned kOverheadV4 = 50;  // RFC 7348: outer IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14
constexpr unsigned kOverheadV6 = 70;
constexpr std::uint16_t kDefaultPort = 8472;

VxlanPlaneSpec vxlan_spec(const Config& config, const ExternalInterface& interface, bool v6) {
  const auto& backend = config.backend;
  const auto underlay_mtu = backend.mtu != 0 ? backend.mtu : interface.mtu;
  const auto overhead = v6 ? kOverheadV6 : kOverheadV4;
  if (underlay_mtu <= overhead)
    throw Error(
        fmt::format("{}: its MTU {} leaves no room for VXLAN's {} bytes", interface.name, underlay_mtu, overhead));
  netlink::VxlanSpec link;
  link.name = vxlan_link_name(backend.vni, v6);
  link.vni = backend.vni;
  link.parent = interface.index;
  link.local = v6 ? interface.v6 : interface.v4;
  link.port = backend.port != 0 ? backend.port : kDefaultPort;
  link.learning = backend.learning;
  link.gbp = backend.gbp;
  link.mtu = underlay_mtu - overhead;
  return {link, *(v6 ? config.v6 : config.v4), backend.direct_routing};
}

void add_peer(const std::optional<Network>& subnet, const std::optional<Address>& underlay,
              const std::optional<VtepData>& vtep, std::vector<Peer>& peers) {
  if (subnet && underlay) peers.push_back({*subnet, *underlay, vtep ? vtep->mac : netlink::Mac{}});
}

}  // namespace

Backend::Backend(netlink::Socket& socket, const Config& config, const ExternalInterface& interface)
    : socket_(socket), mtu_(interface.mtu) {
  attributes_.backend_type = to_string(config.backend.type);
  attributes_.public_ip = interface.public_v4;
  attributes_.public_ipv6 = interface.public_v6;
  switch (config.backend.type) {
    case BackendType::vxlan:
      make_vxlan(config, interface);
      break;
    case BackendType::host_gw:
      make_host_gw(config, interface);
      break;
    case BackendType::alloc:
      break;
  }
}

void Backend::make_vxlan(const Config& config, const ExternalInterface& interface) {
  const auto& backend = config.backend;
  spdlog::info("VXLAN config: VNI={} Port={} GBP={} Learning={} DirectRouting={}", backend.vni, backend.port,
               backend.gbp, backend.learning, backend.direct_routing);
  const auto make = [&](bool v6, std::unique_ptr<DataPlane>& plane, std::optional<VtepData>& data) {
    auto spec = vxlan_spec(config, interface, v6);
    mtu_ = *spec.link.mtu;
    auto made = std::make_unique<VxlanPlane>(socket_, std::move(spec));
    data = VtepData{backend.vni, made->mac()};
    plane = std::move(made);
  };
  // IPv6 last: with both, the pods' links have the smaller MTU.
  if (config.v4) make(false, v4_, attributes_.vtep);
  if (config.v6) make(true, v6_, attributes_.vtep_v6);
}

void Backend::make_host_gw(const Config& config, const ExternalInterface& interface) {
  if (interface.public_v4 != interface.v4 || interface.public_v6 != interface.v6)
    throw Error(
        "your PublicIP differs from interface IP, meaning that probably you're on a NAT, which is not supported by "
        "host-gw "
        "backend");
  if (config.v4) v4_ = std::make_unique<GatewayPlane>(socket_, interface.index, *config.v4);
  if (config.v6) v6_ = std::make_unique<GatewayPlane>(socket_, interface.index, *config.v6);
}

void Backend::configure(const LeaseSubnets& own) {
  if (v4_ && own.v4) v4_->configure(*own.v4);
  if (v6_ && own.v6) v6_->configure(*own.v6);
}

bool Backend::is_usable(const Lease& lease) {
  const auto& attributes = lease.attributes;
  const auto name = to_string(lease.subnets);
  if (attributes.backend_type != attributes_.backend_type) {
    complaints_.say(name, fmt::format("ignoring non-{} subnet({}): type={}", attributes_.backend_type, name,
                                      attributes.backend_type));
    return false;
  }
  const bool lacks_vtep = (attributes_.vtep && lease.subnets.v4 && !attributes.vtep) ||
                          (attributes_.vtep_v6 && lease.subnets.v6 && !attributes.vtep_v6);
  if (lacks_vtep)
    complaints_.say(name, fmt::format("error decoding subnet lease JSON: {} has no VtepMAC", name));
  else
    complaints_.forget(name);
  return !lacks_vtep;
}

void Backend::set(std::span<const Lease> leases) {
  if (!v4_ && !v6_) return;
  std::vector<Peer> peers;
  std::vector<Peer> peers_v6;
  for (const auto& lease : leases) {
    if (!is_usable(lease)) {
      remove(lease.subnets);
      continue;
    }
    add_peer(lease.subnets.v4, lease.attributes.public_ip, lease.attributes.vtep, peers);
    add_peer(lease.subnets.v6, lease.attributes.public_ipv6, lease.attributes.vtep_v6, peers_v6);
  }
  if (v4_) v4_->set(peers);
  if (v6_) v6_->set(peers_v6);
}

void Backend::remove(const LeaseSubnets& subnets) {
  if (v4_ && subnets.v4) v4_->remove(*subnets.v4);
  if (v6_ && subnets.v6) v6_->remove(*subnets.v6);
}

void Backend::forget_strangers() {
  if (v4_) v4_->forget_strangers();
  if (v6_) v6_->forget_strangers();
}

void Backend::heed(const std::vector<netlink::Event>& events) {
  if (v4_) v4_->heed(events);
  if (v6_) v6_->heed(events);
}

}  // namespace knetsim::flannel
