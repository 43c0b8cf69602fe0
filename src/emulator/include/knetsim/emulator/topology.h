#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/parts/flavour.h"
#include "knetsim/sys/json_source.h"
#include "knetsim/sys/network.h"

namespace knetsim {

/// A bridge of the underlay. `uplink` names the switch that it is plugged into; empty: none.
struct SwitchSpec {
  std::string name;
  std::string uplink = {};
};

/// The network that all nodes of all clusters share.
struct UnderlaySpec {
  std::vector<Network> networks;  ///< of either family; nodes' addresses get its prefix length
  unsigned mtu = 1500;
  std::vector<SwitchSpec> switches;
  /// Every node gets a permanent neighbour entry for every other one: for meshes that wouldn't fit into the kernel's
  /// neighbour table, which holds 1,024 learned entries for all namespaces together.
  bool permanent_neighbours = false;
};

/// An etcd node or a worker: a name of at most 15 characters and its underlay addresses, the first of them the main
/// one.
struct NodeSpec {
  std::string name;
  std::vector<Address> addresses;
  std::string switch_name = {};  ///< empty: its cluster's
  std::vector<Network>
      pod_subnets{};  ///< workers of clusters without flannel: where its containers' addresses are from
};

struct ContainerSpec {
  std::string name;
  std::string worker;
  std::vector<std::string> command = {};  ///< a program that runs in it for as long as it is there
  /// JSON text of CNI's runtimeConfig, by capability: {"portMappings": [{"hostPort": 8080, "containerPort": 80}]};
  /// empty: nothing. For what no plugin of the cluster's configuration takes, no container is made.
  std::string runtime_config = {};
};

/// A virtual address that is translated to containers in turn.
struct VipSpec {
  Address address;
  std::vector<std::string> containers;
};

/// flannel on every worker of a cluster.
struct FlannelSpec {
  parts::Flavour flavour = parts::Flavour::automatic;  ///< automatic: as KNETSIM_FLANNEL says, else what is found
  std::string config;                                  ///< the network config as JSON text, as it will stand in etcd
  std::string prefix = "/coreos.com/network";          ///< of its keys
};

/// A service that a cluster offers to those that it is linked with, directly or by way of others.
struct ExposedServiceSpec {
  std::string name;
  std::string container;          ///< several containers may serve one name: connections are balanced over them
  std::uint16_t port = 0;         ///< where the container serves it, over TCP
  std::uint16_t listen_port = 0;  ///< where the first worker of every other cluster offers it
};

/// A router's connection to the router of another cluster.
struct RouterLinkSpec {
  std::string cluster;
  unsigned cost = 1;
};

/// A router on a cluster's first worker.
struct SkupperSpec {
  parts::Flavour flavour = parts::Flavour::automatic;  ///< automatic: as KNETSIM_SKUPPER says, else what is found
  std::vector<RouterLinkSpec> links = {};
  std::vector<ExposedServiceSpec> services = {};
};

struct ClusterSpec {
  std::string name;
  std::string switch_name;
  std::vector<NodeSpec> etcd = {};
  std::vector<NodeSpec> workers = {};
  std::optional<FlannelSpec> flannel = {};
  parts::Flavour cni = parts::Flavour::automatic;  ///< automatic: as KNETSIM_CNI says, else what is found
  std::string cni_conf = {};  ///< JSON text of a CNI network configuration, which then decides; empty: none
  /// On each worker; automatic: as KNETSIM_KUBE_PROXY says, else ours.
  parts::Flavour kube_proxy = parts::Flavour::automatic;
  std::vector<ContainerSpec> containers = {};
  std::vector<Network> service_ranges = {};  ///< the workers have a route for each
  std::vector<VipSpec> vips = {};
  std::optional<SkupperSpec> skupper = {};
  bool api = true;  ///< a cluster with etcd answers kubectl
  /// Files of Kubernetes objects, which are there when the boot is done. In JSON relative to the topology's file.
  std::vector<std::filesystem::path> manifests = {};
};

/// Whether the cluster answers kubectl.
bool offers_api(const ClusterSpec& cluster);

/// Where a node is plugged in: its own switch, else its cluster's.
const std::string& switch_of(const NodeSpec& node, const ClusterSpec& cluster);

/// Everything that an emulation is made of. A plain value: read it from a file or fill it in code. docs/topology.md
/// describes the JSON form.
struct Topology {
  UnderlaySpec underlay;
  std::vector<ClusterSpec> clusters;
  JsonSource source = {};                 ///< what it was read from; complaints name the place in it
  std::vector<std::string> remarks = {};  ///< what was read and has no effect, each with its place

  /// All three throw InputError naming file and line, JSON pointer, value and remedy. (topology_json.cpp)
  static Topology from_file(const std::filesystem::path& path);
  static Topology from_json(std::string_view text, const std::string& file);
  /// Checks what no single value shows: doubled names, clashing addresses, references to what isn't there.
  /// Emulation::boot calls it. (topology_validate.cpp)
  void validate() const;
  /// Checks that the programs that containers are to run are there; InputError names the package of one that isn't.
  /// Emulation::boot calls it, before anything is started.
  void require_programs() const;
  /// Checks that the manifests can be read, and hold nothing but objects that are known; InputError names file, line,
  /// document and field. Emulation::boot calls it, before anything is started.
  void require_manifests() const;
};

/// "demo" or "demo.json" -> where it is: in $KNETSIM_TOPOLOGIES, else in ../share/knetsim/topologies, seen from
/// $KNETSIM_BINDIR or from the program's directory, as built and as installed. Throws InputError if it isn't there.
std::filesystem::path find_topology(const std::string& name);

}  // namespace knetsim
