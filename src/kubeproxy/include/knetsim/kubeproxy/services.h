#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/kubeproxy/desired.h"
#include "knetsim/sys/network.h"

namespace knetsim::kubeproxy {

/// The table that belongs to whichever kube-proxy runs, one for each family.
inline constexpr const char* kTableName = "kube-proxy";

/// What a worker's rules depend on beside the objects.
struct NodeFacts {
  std::string name;       ///< of its Node
  std::string zone = {};  ///< topology.kubernetes.io/zone; empty: none
  /// Its own addresses: those that reach it whatever the source ranges of a load balancer are.
  std::vector<Address> addresses = {};
  std::vector<Address> node_port_addresses = {};  ///< where NodePorts are served
  /// The pods of this worker or cluster: who is "local". Empty and without a bridge: nobody is.
  std::vector<Network> pod_networks = {};
  std::string pod_bridge = {};                 ///< the same by interface
  std::vector<Network> service_networks = {};  ///< what isn't given to a service in these is dropped
  bool masquerade_all = false;                 ///< whoever speaks to a cluster IP is masqueraded
  bool external_ips = true;                    ///< spec.externalIPs is served
  bool sctp = true;                            ///< the kernel has it
  bool operator==(const NodeFacts&) const = default;
};

struct ServicePort {
  std::string name = {};
  nft::L4Proto protocol = nft::L4Proto::tcp;
  std::uint16_t port = 0;
  std::uint16_t node_port = 0;  ///< 0: none
};

/// What a Service (v1) asks a kube-proxy for.
struct ServiceSpec {
  std::string key;  ///< "shop/web"
  std::vector<Address> cluster_ips = {};
  std::vector<Address> external_ips = {};
  std::vector<Address> load_balancer_ips = {};  ///< without those of ipMode Proxy
  std::vector<Network> source_ranges = {};
  std::uint32_t affinity = 0;  ///< seconds; 0: none
  bool internal_local = false;
  bool external_local = false;
  std::uint16_t health_check_node_port = 0;
  std::vector<ServicePort> ports = {};
};

struct Backend {
  Address address;
  std::uint16_t port = 0;
  bool ready = true;
  bool serving = true;
  bool terminating = false;
  std::string node = {};
  std::vector<std::string> zones = {};  ///< hints
  std::vector<std::string> nodes = {};
};

/// Endpoints of a service by port: the key is the port's name and protocol.
using Backends = std::map<std::pair<std::string, nft::L4Proto>, std::vector<Backend>>;

/// Told of what can't be served: the object's key, and why.
using Complain = std::function<void(const std::string& object, const std::string& why)>;

/// In objects.cpp. Nullopt: nothing for us (headless, ExternalName, another proxy's by its label).
std::optional<ServiceSpec> read_service(const nlohmann::json& service, const Complain& complain);
/// Adds what an EndpointSlice (discovery.k8s.io/v1) holds. An endpoint that two slices hold counts once.
void add_slice(Backends& backends, const nlohmann::json& slice, const Complain& complain);
/// The name of its service, by its label; empty: none.
std::string service_of_slice(const nlohmann::json& slice);

/// Who answers at a port of a service here, of one family.
struct Chosen {
  std::vector<const Backend*> cluster;  ///< for traffic policy Cluster: ready and of the right place, else terminating
  std::vector<const Backend*> local;    ///< for traffic policy Local
};
/// In choose.cpp: as pkg/proxy/topology.go chooses.
Chosen choose(const std::vector<Backend>& backends, bool v6, const NodeFacts& node);

/// How many endpoints of the service on this node are ready; for health checks.
std::size_t local_ready(const Backends& backends, const NodeFacts& node);

/// What one service wants in the table of one family. Pure.
Desired service_entries(const ServiceSpec& service, const Backends& backends, const NodeFacts& node, nft::Family family,
                        const Complain& complain);

/// The table of one family. It depends on the node's facts alone.
Layout services_layout(nft::Family family, const NodeFacts& node);

/// Where flows of UDP to this service may lead now: for each destination, the endpoints that serve it; without any,
/// none may.
using Destination = std::pair<Address, std::uint16_t>;
std::map<Destination, std::set<Destination>> udp_destinations(const ServiceSpec& service, const Backends& backends,
                                                              const NodeFacts& node);

}  // namespace knetsim::kubeproxy
