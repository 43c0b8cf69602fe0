#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/kube/kinds.h"

namespace knetsim::apiserver {

/// The words of a path, decoded; nullopt if one of them can't be.
std::optional<std::vector<std::string>> path_words(std::string_view path);

/// What a path below /api/v1 or /apis/<group>/<version> means.
struct Target {
  const kube::Kind* kind = nullptr;
  std::string ns;           ///< empty: of all, or the kind has none
  std::string name;         ///< empty: the collection
  std::string subresource;  ///< "status"
  bool watch = false;       ///< the old form, .../watch/...
};

/// `words`: those behind the version. Throws ApiError 404 for a resource that isn't.
Target target_of(std::string_view group, std::string_view version, std::vector<std::string> words);

}  // namespace knetsim::apiserver
