#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace knetsim::kube {

/// GET /api: `server_address` "192.0.2.1:6443"
nlohmann::json api_versions(std::string_view server_address);
/// GET /apis
nlohmann::json api_group_list();
/// GET /apis/<group>
std::optional<nlohmann::json> api_group(std::string_view group);
/// GET /api/v1, /apis/<group>/<version>
std::optional<nlohmann::json> api_resource_list(std::string_view group, std::string_view version);

/// GET /api (core) or /apis, as APIGroupDiscoveryList of apidiscovery.k8s.io/v2 or v2beta1.
nlohmann::json aggregated_discovery(bool core, std::string_view version);
/// The Content-Type that goes with it: with the parameters, else clients don't take it for aggregated.
std::string aggregated_discovery_type(std::string_view version);

/// 32 hexadecimal digits that change with the text.
std::string text_hash(std::string_view text);
/// A quoted ETag that depends on nothing but the text.
std::string etag(std::string_view text);

}  // namespace knetsim::kube
