#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace knetsim::kubelet {

/// What the API can have a name for.
bool is_a_name(const std::string& name);

/// "/api/v1/namespaces/shop/pods/web"
std::string path_of(const std::string& ns, const std::string& plural, const std::string& name);

/// The Service that every pod is told of.
inline constexpr const char* kKubernetes = "/api/v1/namespaces/default/services/kubernetes";

/// The objects that a container's environment is made of, as paths: kKubernetes, its namespace's services, ConfigMaps,
/// Secrets.
std::set<std::string> references_of(const nlohmann::json& pod, const nlohmann::json& container);

/// The name of its container in the emulation: a Pod's own, with its namespace if that isn't default.
std::string container_name(const nlohmann::json& pod);

std::string hostname_of(const nlohmann::json& pod);

}  // namespace knetsim::kubelet
