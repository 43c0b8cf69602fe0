// What no single value of a topology shows: doubled names, clashing addresses, references to what isn't there.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "knetsim/emulator/names.h"
#include "knetsim/emulator/topology.h"
#include "knetsim/flannel/config.h"
#include "knetsim/flannel/options.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/json_place.h"
#include "site_plan.h"

namespace knetsim {

namespace {

/// Networks that mustn't share an address.
class Claims {
 public:
  /// Who has a part of it already; nullopt: from now on it is `owner`'s.
  std::optional<std::string> claim(const Network& network, const std::string& owner) {
    // None of those before overlap: only the neighbours can.
    const auto base = address_of(canonical(network));
    const auto next = claims_.upper_bound(base);
    if (next != claims_.end() && overlaps(next->second.first, network)) return next->second.second;
    if (next != claims_.begin() && overlaps(std::prev(next)->second.first, network))
      return std::prev(next)->second.second;
    claims_.emplace(base, std::pair(network, owner));
    return std::nullopt;
  }

 private:
  std::map<Address, std::pair<Network, std::string>> claims_;
};

class Validation {
 public:
  explicit Validation(const Topology& topology) : topology_(topology) {}

  void run() {
    underlay();
    if (topology_.clusters.empty())
      complain("/clusters", "[]", "a topology without a cluster has nothing to stand up", "add one");
    for (std::size_t i = 0; i < topology_.clusters.size(); ++i)
      cluster(topology_.clusters[i], fmt::format("/clusters/{}", i));
    validate_sites(site_plans(topology_), &topology_.source);
  }

 private:
  [[noreturn]] void complain(const std::string& pointer, const std::string& value, const std::string& problem,
                             const std::string& remedy) const {
    throw JsonError(topology_.source, {pointer, json_excerpt(value, 80), problem, remedy});
  }

  void check_name(const std::string& name, Named named, const std::string& pointer) const {
    if (const auto fault = name_fault(name, named)) complain(pointer, name, fault->problem, fault->remedy);
  }

  /// Names of switches, nodes and clusters share one space: `w1` at a prompt must mean one thing.
  void claim_name(const std::string& name, Named named, const std::string& pointer) {
    check_name(name, named, pointer);
    const auto [before, fresh] = names_.emplace(Names::folded(name), pointer);
    if (!fresh)
      complain(pointer, name, "the name is used at " + before->second + " already (resolvers don't look at case)",
               "choose another one");
  }

  /// Of a node or a container, whose names programs look up without regard to case.
  void claim_host(const std::string& name, const std::string& pointer) {
    const auto [before, fresh] = hosts_.emplace(Names::folded(name), pointer);
    if (!fresh)
      complain(pointer, name, fmt::format("as the name of a host it is the same as the one at {}", before->second),
               "choose one that differs in more than upper and lower case");
  }

  void claim(Claims& claims, const Network& network, const std::string& owner, const std::string& pointer) const {
    if (const auto other = claims.claim(network, owner))
      complain(pointer, to_string(network), "shares addresses with " + *other, "choose networks that lie side by side");
  }

  void underlay() {
    const auto& spec = topology_.underlay;
    if (spec.networks.empty())
      complain("/underlay/network", "[]", "the underlay needs a network", "add one: 10.0.0.0/8");
    for (const auto& network : spec.networks)
      claim(networks_, network, "the underlay's network " + to_string(network), "/underlay/network");
    // IPv6 needs 1280 (RFC 8200 section 5).
    if (spec.mtu < 1280 || spec.mtu > 65535)
      complain("/underlay/mtu", std::to_string(spec.mtu), "out of range", "a number from 1280 to 65535");
    for (std::size_t i = 0; i < spec.switches.size(); ++i) {
      const auto pointer = fmt::format("/underlay/switches/{}", i);
      const auto& one = spec.switches[i];
      claim_name(one.name, Named::link, pointer + "/name");
      const auto above = std::find_if(spec.switches.begin(), spec.switches.begin() + static_cast<long>(i),
                                      [&](const SwitchSpec& other) { return other.name == one.uplink; });
      // Listed before: so there is no loop that would melt the network.
      if (!one.uplink.empty() && above == spec.switches.begin() + static_cast<long>(i))
        complain(pointer + "/uplink", one.uplink, "no switch of that name is listed before this one",
                 "name one that stands above it");
    }
  }

  void expect_switch(const std::string& name, const std::string& pointer) const {
    const auto& switches = topology_.underlay.switches;
    if (std::none_of(switches.begin(), switches.end(), [&](const SwitchSpec& one) { return one.name == name; }))
      complain(pointer, name, "there is no switch of that name", "name one of /underlay/switches");
  }

  void node(const NodeSpec& spec, const std::string& pointer) {
    claim_name(spec.name, Named::link, pointer + "/name");
    claim_host(spec.name, pointer + "/name");
    if (!spec.switch_name.empty()) expect_switch(spec.switch_name, pointer + "/switch");
    if (spec.addresses.empty()) complain(pointer + "/address", "[]", "a node needs an address", "add one");
    for (const auto& address : spec.addresses) {
      const auto [before, fresh] = addresses_.emplace(address, spec.name);
      if (!fresh)
        complain(pointer + "/address", address.to_string(), "the address is " + before->second + "'s already",
                 "choose another one");
      const auto& networks = topology_.underlay.networks;
      const auto home = std::find_if(networks.begin(), networks.end(),
                                     [&](const Network& network) { return contains(network, address); });
      if (home == networks.end())
        complain(pointer + "/address", address.to_string(), "lies in no network of the underlay",
                 "choose one of /underlay/network, or add a network there");
      if (address == address_of(canonical(*home)))
        complain(pointer + "/address", address.to_string(), "is the network's own address", "choose another one");
      const auto* v4 = std::get_if<boost::asio::ip::network_v4>(&*home);
      if (v4 != nullptr && v4->prefix_length() < 31 && address == v4->broadcast())
        complain(pointer + "/address", address.to_string(), "is the network's broadcast address", "choose another one");
      if (address.is_multicast() || address.is_loopback())
        complain(pointer + "/address", address.to_string(), "isn't an address that a node can have",
                 "choose a unicast address");
    }
  }

  /// The networks of one cluster's pods and services; another cluster's may be the same.
  void networks(const ClusterSpec& spec, const std::string& pointer) const {
    auto claims = networks_;
    if (spec.flannel) {
      const auto config = flannel::parse_config(spec.flannel->config);
      for (const auto& range : {config.v4, config.v6})
        if (range)
          claim(claims, range->network, "flannel's network " + to_string(range->network), pointer + "/flannel/config");
    }
    for (std::size_t i = 0; i < spec.workers.size(); ++i) {
      const auto& worker = spec.workers[i];
      const auto place = fmt::format("{}/workers/{}/podSubnet", pointer, i);
      for (const auto& subnet : worker.pod_subnets) {
        const auto text = to_string(subnet);
        if (spec.flannel) complain(place, text, "flannel gives the worker its subnet", "leave one of the two out");
        if (prefix_length(subnet) > (is_v6(subnet) ? 126U : 30U))
          complain(place, text, "has no room for a gateway and a container", "choose a shorter prefix: /24, /64");
        claim(claims, subnet, worker.name + "'s podSubnet " + text, place);
      }
      for (const bool v6 : {false, true})
        if (std::count_if(worker.pod_subnets.begin(), worker.pod_subnets.end(),
                          [v6](const Network& subnet) { return is_v6(subnet) == v6; }) > 1)
          complain(place, to_string(worker.pod_subnets.back()), "a worker has one subnet of each address family",
                   "keep one of them");
    }
    for (const auto& range : spec.service_ranges)
      claim(claims, range, "the range of services " + to_string(range), pointer + "/services/range");
  }

  static bool has_pods_of_family(const ClusterSpec& spec, const std::string& worker, bool v6) {
    if (spec.flannel) {
      const auto config = flannel::parse_config(spec.flannel->config);
      return (v6 ? config.v6 : config.v4).has_value();
    }
    const auto found = std::find_if(spec.workers.begin(), spec.workers.end(),
                                    [&](const NodeSpec& node) { return node.name == worker; });
    return std::any_of(found->pod_subnets.begin(), found->pod_subnets.end(),
                       [v6](const Network& subnet) { return is_v6(subnet) == v6; });
  }

  void containers(const ClusterSpec& spec, const std::string& pointer) {
    std::set<std::string> names;
    for (std::size_t i = 0; i < spec.containers.size(); ++i) {
      const auto& one = spec.containers[i];
      const auto place = fmt::format("{}/containers/{}", pointer, i);
      check_name(one.name, Named::container, place + "/name");
      if (!names.insert(Names::folded(one.name)).second)
        complain(place + "/name", one.name, "the cluster has a container of that name already", "choose another one");
      // As it is looked up from other nodes.
      claim_host(one.name + "." + spec.name, place + "/name");
      claim_host(one.name + "." + one.worker, place + "/name");
      const auto worker = std::find_if(spec.workers.begin(), spec.workers.end(),
                                       [&](const NodeSpec& node) { return node.name == one.worker; });
      if (!one.command.empty() && one.command.front().empty())
        complain(place + "/command", "", "a program needs a name", "name it first, then its arguments");
      if (worker == spec.workers.end())
        complain(place + "/worker", one.worker, "the cluster has no worker of that name",
                 "name one of " + pointer + "/workers");
      if (!spec.flannel && worker->pod_subnets.empty())
        complain(place + "/worker", one.worker, "its containers would get no address",
                 "give the worker a \"podSubnet\", or the cluster \"flannel\"");
    }
  }

  void vips(const ClusterSpec& spec, const std::string& pointer) const {
    std::set<Address> seen;
    for (std::size_t i = 0; i < spec.vips.size(); ++i) {
      const auto& vip = spec.vips[i];
      const auto place = fmt::format("{}/services/vips/{}", pointer, i);
      const auto text = vip.address.to_string();
      if (!seen.insert(vip.address).second) complain(place + "/address", text, "stands twice", "keep one of them");
      if (std::none_of(spec.service_ranges.begin(), spec.service_ranges.end(),
                       [&](const Network& range) { return contains(range, vip.address); }))
        complain(place + "/address", text, "lies outside the range of services",
                 "choose one of " + pointer + "/services/range");
      if (vip.containers.empty())
        complain(place + "/containers", "[]", "a VIP needs containers behind it", "name at least one");
      if (vip.address.is_multicast() || vip.address.is_loopback() || vip.address.is_unspecified())
        complain(place + "/address", text, "can't be translated", "choose a unicast address");
      for (std::size_t j = 0; j < vip.containers.size(); ++j) {
        const auto where = fmt::format("{}/containers/{}", place, j);
        const auto container = std::find_if(spec.containers.begin(), spec.containers.end(),
                                            [&](const ContainerSpec& one) { return one.name == vip.containers[j]; });
        if (container == spec.containers.end())
          complain(where, vip.containers[j], "the cluster has no container of that name",
                   "name one of " + pointer + "/containers");
        if (std::count(vip.containers.begin(), vip.containers.end(), vip.containers[j]) > 1)
          complain(where, vip.containers[j], "stands twice", "keep one of them");
        if (!has_pods_of_family(spec, container->worker, vip.address.is_v6()))
          complain(where, vip.containers[j], "it has no address of the family of " + text,
                   "choose a VIP of the containers' own address family");
      }
    }
  }

  void flannel_of(const ClusterSpec& spec, const std::string& pointer) const {
    if (spec.etcd.empty())
      complain(pointer + "/flannel", spec.name, "flannel needs etcd", "add nodes to " + pointer + "/etcd");
    const bool mixed = parts::is_mixed(spec.flannel->flavour);
    if (spec.workers.size() < (mixed ? 2 : 1))
      complain(pointer + "/workers", std::to_string(spec.workers.size()),
               mixed ? "mixed flannel needs two: one with the real daemon, one with the built-in one"
                     : "flannel needs a worker to run on",
               "add some, or leave \"flannel\" out");
    try {
      flannel::parse_config(spec.flannel->config);
    } catch (const JsonError& error) {
      auto complaint = error.complaint();
      complaint.pointer.insert(0, pointer + "/flannel/config");
      if (complaint.remedy.empty()) complaint.remedy = "docs/topology.md lists flannel's members";
      throw JsonError(topology_.source, std::move(complaint));
    } catch (const JsonShapeError& error) {
      throw JsonError(topology_.source, {pointer + "/flannel/config" + error.pointer(), "", error.problem(),
                                         "docs/topology.md lists flannel's members"});
    } catch (const InputError& error) {
      complain(pointer + "/flannel/config", spec.flannel->config, error.what(), "");
    }
    try {
      flannel::parse_prefix(spec.flannel->prefix);
    } catch (const InputError& error) {
      complain(pointer + "/flannel/prefix", spec.flannel->prefix, error.what(), "");
    }
  }

  void cluster(const ClusterSpec& spec, const std::string& pointer) {
    claim_name(spec.name, Named::cluster, pointer + "/name");
    if (spec.etcd.empty() && spec.workers.empty() && !spec.skupper)
      complain(pointer, spec.name, "a cluster without a node has nothing to stand up", "give it workers");
    expect_switch(spec.switch_name, pointer + "/switch");
    for (std::size_t i = 0; i < spec.etcd.size(); ++i) node(spec.etcd[i], fmt::format("{}/etcd/{}", pointer, i));
    for (std::size_t i = 0; i < spec.workers.size(); ++i)
      node(spec.workers[i], fmt::format("{}/workers/{}", pointer, i));
    if (spec.flannel) flannel_of(spec, pointer);
    networks(spec, pointer);
    containers(spec, pointer);
    vips(spec, pointer);
    if (!spec.manifests.empty() && !offers_api(spec))
      complain(pointer + "/manifests/0", spec.manifests.front().string(),
               "the cluster has no Kubernetes API that it could be applied to",
               "give it \"etcd\", and leave \"api\": false out");
  }

  const Topology& topology_;
  std::map<std::string, std::string> names_;
  std::map<std::string, std::string> hosts_;
  std::map<Address, std::string> addresses_;
  Claims networks_;
};

}  // namespace

bool offers_api(const ClusterSpec& cluster) { return cluster.api && !cluster.etcd.empty(); }

const std::string& switch_of(const NodeSpec& node, const ClusterSpec& cluster) {
  return node.switch_name.empty() ? cluster.switch_name : node.switch_name;
}

void Topology::validate() const { Validation(*this).run(); }

}  // namespace knetsim
