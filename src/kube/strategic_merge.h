#pragma once

#include <nlohmann/json.hpp>

#include "knetsim/kube/schema.h"

namespace knetsim::kube {

/// `original` with a strategic merge patch applied. Throws ApiError 400 for a directive that is none, and for an
/// element without its merge key. Source: k8s.io/apimachinery/pkg/util/strategicpatch.
nlohmann::json strategic_merge(const Schema& schema, nlohmann::json original, const nlohmann::json& patch);

}  // namespace knetsim::kube
