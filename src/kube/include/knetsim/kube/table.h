#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "knetsim/kube/kinds.h"

namespace knetsim::kube {

enum class IncludeObject { none, metadata, object };

/// Query word includeObject. Throws ApiError 400.
IncludeObject include_object(std::string_view word);

struct TableOptions {
  Time now = {};
  IncludeObject include = IncludeObject::metadata;
  bool with_columns = true;         ///< later events of a watch have null there
  std::string_view version = "v1";  ///< of meta.k8s.io: v1, v1beta1
};

/// {columnDefinitions, rows, metadata}: of the objects of a list whose metadata (resourceVersion, continue) is given.
nlohmann::json table(const Kind& kind, std::span<const nlohmann::json> objects, const nlohmann::json& list_metadata,
                     const TableOptions& options);

/// One row {cells, object}: for servers that write a big list piece by piece.
nlohmann::json table_row(const Kind& kind, const nlohmann::json& object, const TableOptions& options);
nlohmann::json column_definitions(const Kind& kind);

/// {kind PartialObjectMetadata, apiVersion meta.k8s.io/v1, metadata}
nlohmann::json partial_metadata(const nlohmann::json& object, std::string_view version = "v1");

}  // namespace knetsim::kube
