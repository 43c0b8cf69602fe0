#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "knetsim/sys/network.h"

namespace knetsim {

/// What Kubernetes calls a node or a container of ours: "C0w1" -> "c0w1", "c_1" -> "c-1". A real API server refuses
/// capitals and underscores (RFC 1123).
std::string kube_name(const std::string& name);

/// What the one container in the pod of that name is called: containers' names have no dots.
std::string container_label(const std::string& pod);

/// A worker, as far as its Node tells of it.
struct NodeFacts {
  std::string name;  ///< "C0w1"
  std::vector<Address> addresses;
  std::vector<Network> pod_subnets;  ///< may be empty: no lease yet
  std::string kernel;                ///< its release: "6.18.0"
  std::uint16_t kubelet_port = 0;    ///< where exec and logs of its pods are answered
};

/// A container, as far as its Pod tells of it.
struct PodFacts {
  std::string name;  ///< "c1"
  std::string node;  ///< "C0w1"
  std::vector<Address> addresses;
  Address node_address;
  std::vector<std::string> command = {};  ///< empty: it only waits
  bool running = true;                    ///< its command, if it has one
};

/// A Node (v1) with its status, as a kubelet of that name would have registered it; `now` is when it turned ready.
nlohmann::json node_object(const NodeFacts& facts, std::chrono::sys_seconds now);

/// A Pod (v1) in namespace default with its status, bound to its node. It tolerates everything, so that nobody's
/// scheduler moves it.
nlohmann::json pod_object(const PodFacts& facts, std::chrono::sys_seconds now);

}  // namespace knetsim
