#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "knetsim/etcd/types.h"
#include "knetsim/kube/kinds.h"

namespace knetsim::apiserver {

/// One state of an object, as it is served. Kept as text: parsed JSON takes several times the memory.
struct Version {
  etcd::Revision revision = 0;
  /// With metadata.resourceVersion, without apiVersion and kind: an item of a list. Empty if the value is no object.
  std::string text;
  std::string problem;  ///< why it can't be served
};
using VersionPtr = std::shared_ptr<const Version>;

/// Of what etcd holds. Never throws: a value that isn't ours to read becomes a version with a problem.
VersionPtr version_of(const etcd::KeyValue& kv);
/// Of an object, which gets the revision as its resourceVersion.
VersionPtr version_of(nlohmann::json& object, etcd::Revision revision);

/// With apiVersion and kind. Throws ApiError 500 if the value can't be served.
nlohmann::json object_of(const kube::Kind& kind, const Version& version);
std::string text_of(const kube::Kind& kind, const Version& version);

/// What is put into etcd. The object loses its resourceVersion, which is the revision that etcd gives it.
std::string stored_text(nlohmann::json& object);

}  // namespace knetsim::apiserver
