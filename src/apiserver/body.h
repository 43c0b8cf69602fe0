#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "knetsim/kube/patch.h"
#include "knetsim/kube/reader.h"
#include "message.h"

namespace knetsim::apiserver {

// What a request carries, by its Content-Type. Without one it is JSON: kubectl 1.20 sends none.

/// An object of the kind, in JSON, YAML or protobuf. Throws ApiError 400, 413, 415.
kube::ReadObject read_body(const kube::Kind& kind, const Request& request, kube::FieldValidation validation);
/// Something else, in JSON or YAML. Throws ApiError 400, 413, 415.
nlohmann::json read_json(const Request& request, std::string_view what);
/// Whether a patch is what somebody applies: application/apply-patch+yaml.
bool is_apply(const Request& request);
/// Throws ApiError 415.
kube::PatchType patch_type(const Request& request);

/// A TokenRequest (authentication.k8s.io/v1); of no body: an empty one. Throws ApiError 400, 415.
nlohmann::json read_token_request(const Request& request);

/// The node that a Binding names. Throws ApiError 400, 415.
std::string bound_node(const Request& request);

struct SentDeleteOptions {
  std::optional<std::int64_t> grace_seconds;
  std::string propagation;
  std::string uid;  ///< preconditions
  std::string resource_version;
  bool dry = false;
};
/// Throws ApiError 400, 415.
SentDeleteOptions delete_options(const Request& request);

struct SentEviction {
  std::string name;
  std::string ns;
  std::optional<SentDeleteOptions> options;
};
/// An Eviction (policy/v1). Throws ApiError 400, 415.
SentEviction eviction_of(const Request& request);

}  // namespace knetsim::apiserver
