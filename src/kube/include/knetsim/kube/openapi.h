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

}  // namespace knetsim::kube
