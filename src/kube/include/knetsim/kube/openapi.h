#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace knetsim::kube {

/// GET /openapi/v3: {"paths": {"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=..."}}}
nlohmann::json openapi_index();
/// GET /openapi/v3/<path>, "api/v1", "apis/apps/v1": every operation's path, and schemas in our own words, so that
/// apply, diff and explain work. Nullopt if nothing is served there. Not cheap: keep the text.
std::optional<nlohmann::json> openapi_document(std::string_view path);

/// GET /openapi/v2, in protobuf, which is the only form that kubectl reads: the same operations and schemas. kubectl
/// asks for it before it sends a List, and before anything if it is older than 1.27. Not cheap.
/// In openapi_v2.cpp.
std::string openapi_v2();
inline constexpr const char* kOpenapiV2Type = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

}  // namespace knetsim::kube
