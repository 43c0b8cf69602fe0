#pragma once

// Topologies that are right; tests change one thing in them.

#include <nlohmann/json.hpp>

namespace knetsim {

// Small and complete.
inline const nlohmann::json kGood = nlohmann::json::parse(R"({
  "underlay": {"network": "10.0.0.0/8", "switches": [{"name": "t0"}, {"name": "s0", "uplink": "t0"}]},
  "clusters": [{
    "name": "C0", "switch": "s0",
    "etcd": [{"name": "C0e1", "address": "10.0.0.1"}],
    "workers": [{"name": "C0w1", "address": "10.0.0.3"}, {"name": "C0w2", "address": "10.0.0.4"}],
    "flannel": {"config": {"Network": "11.0.0.0/8", "Backend": {"Type": "vxlan"}}},
    "containers": [{"name": "c1", "worker": "C0w1"}, {"name": "c2", "worker": "C0w2"}],
    "services": {"range": "100.64.0.0/16", "vips": [{"address": "100.64.10.1", "containers": ["c1", "c2"]}]}
  }]
})");

// With workers that have their pods' subnets from the topology itself.
inline const nlohmann::json kStatic = nlohmann::json::parse(R"({
  "underlay": {"network": ["10.0.0.0/8", "fd00::/64"], "switches": [{"name": "s0"}]},
  "clusters": [{
    "name": "C0", "switch": "s0",
    "workers": [{"name": "w1", "address": "10.0.0.3", "podSubnet": ["11.1.0.0/24", "fd11:0:0:1::/64"]},
                {"name": "w2", "address": "10.0.0.4", "podSubnet": "11.2.0.0/24"}],
    "containers": [{"name": "c1", "worker": "w1"}, {"name": "c2", "worker": "w2"}],
    "services": {"range": ["100.64.0.0/16", "fd64::/64"], "vips": [{"address": "fd64::1", "containers": ["c1"]}]}
  }]
})");

// With routers: three clusters in line, C2 -> C1 -> C0, and one apart.
inline const nlohmann::json kGoodSites = nlohmann::json::parse(R"({
  "underlay": {"network": "10.0.0.0/8", "switches": [{"name": "t0"}]},
  "clusters": [
    {"name": "C0", "switch": "t0",
     "workers": [{"name": "C0w1", "address": "10.0.0.3", "podSubnet": "11.13.0.0/20"}],
     "containers": [{"name": "c1", "worker": "C0w1", "command": ["python3", "-m", "http.server", "80"]},
                    {"name": "c2", "worker": "C0w1"}],
     "skupper": {"flavour": "builtin", "services": [
       {"name": "svc1", "container": "c1", "port": 80, "listenPort": 1028},
       {"name": "svc1", "container": "c2", "port": 8080, "listenPort": 1028}]}},
    {"name": "C1", "switch": "t0", "workers": [{"name": "C1w1", "address": "10.0.0.8"}],
     "skupper": {"links": [{"cluster": "C0", "cost": 3}]}},
    {"name": "C2", "switch": "t0",
     "workers": [{"name": "C2w1", "address": "10.0.0.9", "podSubnet": "11.14.0.0/20"}],
     "containers": [{"name": "c1", "worker": "C2w1"}],
     "skupper": {"links": [{"cluster": "C1"}],
                 "services": [{"name": "svc2", "container": "c1", "port": 81, "listenPort": 1029}]}},
    {"name": "C3", "switch": "t0", "workers": [{"name": "C3w1", "address": "10.0.0.10"}], "skupper": {}},
    {"name": "C4", "switch": "t0", "workers": [{"name": "C4w1", "address": "10.0.0.11"}]}
  ]
})");

}  // namespace knetsim
