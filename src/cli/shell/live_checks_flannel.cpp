// What the topology says of flannel, against what each worker's kernel has.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "knetsim/flannel/config.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/route.h"
#include "live_checks.h"
#include "ping_matrix.h"

namespace knetsim::cli::shell {

namespace {

using flannel::BackendType;

// RFC 7348: outer IP, UDP 8, VXLAN 8, inner Ethernet 14.
constexpr unsigned kVxlanOverV4 = 20 + 8 + 8 + 14;
constexpr unsigned kVxlanOverV6 = 40 + 8 + 8 + 14;

/// A worker's subnet of one family, by its subnet.env.
std::optional<Network> subnet_of(const Worker& worker, bool v6) {
  const auto env = flannel::read_subnet_env(worker.subnet_file());
  const auto& subnet = v6 ? env.ipv6_subnet : env.subnet;
  return subnet ? std::optional(canonical(*subnet)) : std::nullopt;
}

/// One worker of a cluster with flannel, judged by the cluster's own config.
class FlannelCheck {
 public:
  FlannelCheck(const flannel::Config& config, unsigned underlay_mtu, Worker& worker)
      : config_(config),
        underlay_mtu_(config.backend.mtu != 0 ? config.backend.mtu : underlay_mtu),
        worker_(worker),
        socket_(worker.netlink()) {}

  std::vector<std::string> run(const std::vector<Worker*>& workers) {
    if (!worker_.flanneld().process().running())
      complain(fmt::format("flanneld doesn't run ({})", worker_.flanneld().process().status()->describe()));
    for (const bool v6 : {false, true}) {
      const auto& range = v6 ? config_.v6 : config_.v4;
      if (!range) continue;
      const auto own = subnet_of(worker_, v6);
      if (!own || !contains(range->network, *own)) {
        complain("has no lease of " + to_string(range->network));
        continue;
      }
      int interface = 0;
      if (config_.backend.type == BackendType::vxlan) interface = tunnel(v6, *own);
      if (config_.backend.type != BackendType::alloc) routes(v6, interface, workers);
    }
    return std::move(wrong_);
  }

 private:
  void complain(const std::string& what) { wrong_.push_back(worker_.name() + ": " + what); }

  /// Its index, 0 if there is none.
  int tunnel(bool v6, const Network& own) {
    const auto name = flannel::vxlan_link_name(config_.backend.vni, v6);
    const auto link = netlink::find_link(socket_, name);
    if (!link || link->kind != "vxlan") {
      complain("there is no tunnel interface " + name);
      return 0;
    }
    if (!link->up || !link->running) complain(name + " isn't up");
    if (const auto mtu = underlay_mtu_ - (v6 ? kVxlanOverV6 : kVxlanOverV4); link->mtu != mtu)
      complain(fmt::format("{} has MTU {}, but over the underlay's {} it is {}", name, link->mtu, underlay_mtu_, mtu));
    const auto addresses = netlink::list_addresses(socket_, link->index);
    if (std::none_of(addresses.begin(), addresses.end(), [&](const netlink::InterfaceAddress& one) {
          return knetsim::address_of(one.address) == knetsim::address_of(own);
        }))
      complain(fmt::format("{} hasn't its address {}", name, knetsim::address_of(own).to_string()));
    return link->index;
  }

  void routes(bool v6, int tunnel, const std::vector<Worker*>& workers) {
    const auto there = netlink::list_routes(socket_);
    for (const auto* other : workers) {
      if (other == &worker_) continue;
      const auto subnet = subnet_of(*other, v6);
      if (!subnet) continue;  // it says so itself
      const auto hop = first_of_family(*other, v6);
      const bool fits = std::any_of(there.begin(), there.end(), [&](const netlink::Route& route) {
        if (route.destination != *subnet) return false;
        const bool direct = hop && route.gateway == *hop;
        if (config_.backend.type == BackendType::host_gw) return direct;
        return route.interface == tunnel || (config_.backend.direct_routing && direct);
      });
      if (!fits) complain(fmt::format("has no route to {} of {}", to_string(*subnet), other->name()));
    }
  }

  const flannel::Config& config_;
  unsigned underlay_mtu_;
  Worker& worker_;
  netlink::Socket socket_;
  std::vector<std::string> wrong_;
};

}  // namespace

Finding check_flannel(Session& session) {
  Finding finding;
  for (auto* cluster : session.emulation.clusters()) {
    if (!cluster->spec().flannel) continue;
    const auto config = flannel::parse_config(cluster->spec().flannel->config);
    const auto workers = cluster->workers();
    for (auto* worker : workers) {
      ++finding.looked_at;
      try {
        for (auto& wrong : FlannelCheck(config, session.emulation.topology().underlay.mtu, *worker).run(workers))
          finding.wrong.push_back(std::move(wrong));
      } catch (const Error& error) {
        finding.wrong.push_back(worker->name() + ": " + error.what());
      }
    }
  }
  return finding;
}

}  // namespace knetsim::cli::shell
