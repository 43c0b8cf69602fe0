// What no single value of a topology shows: doubled names, clashing addresses, references to what isn't there.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "knetsim/emulator/topology.h"
#include "knetsim/flannel/config.h"
#include "knetsim/sys/error.h"
#include "site_plan.h"

namespace knetsim {

namespace {

class Validation {
 public:
  Validation(const Topology& topology, std::string file) : topology_(topology), file_(std::move(file)) {}

  void run() {
    underlay();
    for (std::size_t i = 0; i < topology_.clusters.size(); ++i)
      cluster(topology_.clusters[i], fmt::format("/clusters/{}", i));
    validate_sites(site_plans(topology_), file_);
  }

 private:
  void complain(const std::string& pointer, const std::string& value, const std::string& problem,
                const std::string& remedy) const {
    refuse_topology(file_, pointer, value, problem, remedy);
  }

  void check_name(const std::string& name, const std::string& pointer) const {
    // A node's name becomes the name of its switch port, which holds 15 characters (IFNAMSIZ - 1).
    if (name.empty() || name.size() > 15)
      complain(pointer, name, "a name has 1 to 15 characters", "choose another one");
    for (const unsigned char c : name)
      if (std::isalnum(c) == 0 && c != '-' && c != '_' && c != '.')
        complain(pointer, name, "a name is made of letters, digits, '-', '_' and '.'", "choose another one");
    if (name == "." || name == ".." || name == "lo" || name == "etcdctl")
      complain(pointer, name, "this name is taken", "choose another one");
  }

  /// Names of switches, nodes and clusters share one space: `w1` at a prompt must mean one thing.
  void claim_name(const std::string& name, const std::string& pointer) {
    check_name(name, pointer);
    const auto [before, fresh] = names_.emplace(name, pointer);
    if (!fresh) complain(pointer, name, "the name is used at " + before->second + " already", "choose another one");
  }

  void underlay() {
    const auto& spec = topology_.underlay;
    if (spec.networks.empty())
      complain("/underlay/network", "[]", "the underlay needs a network", "add one: 10.0.0.0/8");
    for (std::size_t i = 0; i < spec.switches.size(); ++i) {
      const auto pointer = fmt::format("/underlay/switches/{}", i);
      const auto& one = spec.switches[i];
      claim_name(one.name, pointer + "/name");
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
    claim_name(spec.name, pointer + "/name");
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
    }
  }

  void containers(const ClusterSpec& spec, const std::string& pointer) {
    std::set<std::string> names;
    for (std::size_t i = 0; i < spec.containers.size(); ++i) {
      const auto& one = spec.containers[i];
      const auto place = fmt::format("{}/containers/{}", pointer, i);
      check_name(one.name, place + "/name");
      if (!names.insert(one.name).second)
        complain(place + "/name", one.name, "the cluster has a container of that name already", "choose another one");
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
      for (std::size_t j = 0; j < vip.containers.size(); ++j)
        if (std::none_of(spec.containers.begin(), spec.containers.end(),
                         [&](const ContainerSpec& container) { return container.name == vip.containers[j]; }))
          complain(fmt::format("{}/containers/{}", place, j), vip.containers[j],
                   "the cluster has no container of that name", "name one of " + pointer + "/containers");
    }
  }

  void cluster(const ClusterSpec& spec, const std::string& pointer) {
    claim_name(spec.name, pointer + "/name");
    expect_switch(spec.switch_name, pointer + "/switch");
    for (std::size_t i = 0; i < spec.etcd.size(); ++i) node(spec.etcd[i], fmt::format("{}/etcd/{}", pointer, i));
    for (std::size_t i = 0; i < spec.workers.size(); ++i)
      node(spec.workers[i], fmt::format("{}/workers/{}", pointer, i));
    if (spec.flannel) {
      if (spec.etcd.empty())
        complain(pointer + "/flannel", spec.name, "flannel needs etcd", "add nodes to " + pointer + "/etcd");
      try {
        flannel::parse_config(spec.flannel->config);
      } catch (const InputError& error) {
        complain(pointer + "/flannel/config", spec.flannel->config, error.what(), "see docs/topology.md");
      }
    }
    containers(spec, pointer);
    vips(spec, pointer);
  }

  const Topology& topology_;
  std::string file_;
  std::map<std::string, std::string> names_;
  std::map<Address, std::string> addresses_;
};

}  // namespace

void Topology::validate(const std::string& file) const { Validation(*this, file).run(); }

}  // namespace knetsim
