#include "knetsim/kube/table.h"

#include <fmt/format.h>

#include "knetsim/kube/access.h"

namespace knetsim::kube {

using nlohmann::json;

IncludeObject include_object(std::string_view word) {
  if (word.empty() || word == "Metadata") return IncludeObject::metadata;
  if (word == "None") return IncludeObject::none;
  if (word == "Object") return IncludeObject::object;
  throw bad_request(fmt::format("unrecognized includeObject value: \"{}\"", word.substr(0, 100)));
}

json column_definitions(const Kind& kind) {
  auto columns = json::array();
  for (const auto& column : kind.columns) {
    columns.push_back({{"name", column.name},
                       {"type", column.type},
                       {"format", column.format},
                       {"description", column.description},
                       {"priority", column.priority}});
  }
  return columns;
}

json partial_metadata(const json& object, std::string_view version) {
  return {{"kind", "PartialObjectMetadata"},
          {"apiVersion", fmt::format("meta.k8s.io/{}", version)},
          {"metadata", member(object, "metadata")}};
}

json table_row(const Kind& kind, const json& object, const TableOptions& options) {
  json row{{"cells", kind.row(object, options.now)}};
  switch (options.include) {
    case IncludeObject::none:
      row["object"] = nullptr;
      break;
    case IncludeObject::metadata:
      row["object"] = partial_metadata(object, options.version);
      break;
    case IncludeObject::object:
      row["object"] = object;
      row["object"]["kind"] = kind.kind;
      row["object"]["apiVersion"] = kind.api_version();
      break;
  }
  return row;
}

json table(const Kind& kind, std::span<const json> objects, const json& list_metadata, const TableOptions& options) {
  auto rows = json::array();
  for (const auto& object : objects) rows.push_back(table_row(kind, object, options));
  return {{"kind", "Table"},
          {"apiVersion", fmt::format("meta.k8s.io/{}", options.version)},
          {"metadata", list_metadata},
          {"columnDefinitions", options.with_columns ? column_definitions(kind) : json()},
          {"rows", std::move(rows)}};
}

}  // namespace knetsim::kube
