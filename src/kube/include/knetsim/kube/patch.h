#pragma once

#include <nlohmann/json.hpp>

#include "knetsim/kube/kinds.h"

namespace knetsim::kube {

enum class PatchType {
  json,      ///< RFC 6902
  merge,     ///< RFC 7386
  strategic  ///< with the merge keys of the kind's schema, $patch, $setElementOrder, $deleteFromPrimitiveList,
             ///< $retainKeys
};

/// `object` patched; nothing of the result is checked but that it is an object (hand it to read_object()). Throws
/// ApiError: 400 for a patch that is none, 422 for one that doesn't fit.
nlohmann::json patched(const Kind& kind, PatchType type, const nlohmann::json& object, const nlohmann::json& patch);

}  // namespace knetsim::kube
