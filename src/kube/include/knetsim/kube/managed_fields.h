#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "knetsim/kube/kinds.h"

namespace knetsim::kube {

/// Who writes an object, and through what: an entry of metadata.managedFields.
struct Author {
  std::string manager;      ///< "kubectl"
  std::string subresource;  ///< "status"; empty: the object itself
  Time now = {};
};

/// The manager of a request: query word fieldManager, else the first word of the User-Agent, else "unknown".
std::string manager_name(std::string_view field_manager, std::string_view user_agent);
/// Query word fieldManager of a create or an update: "CreateOptions". Throws ApiError 422.
void check_manager(std::string_view field_manager, std::string_view options);
/// The same of a patch: server-side apply can't be without one, and nothing else can be forced.
void check_patch_options(std::string_view field_manager, bool has_force, bool applies);

/// Notes in `object`, which is to replace `old` (null: there is none), what the author has changed of it: others lose
/// what isn't as they left it. An object without owners gets none when it is changed, as upstream. Where `object`
/// carries managedFields that can be read, and it isn't a subresource that is written to, these count instead of those
/// of `old`; `[{}]` takes all away. Source: k8s.io/apimachinery/pkg/util/managedfields.
void note_authors(const Kind& kind, const nlohmann::json& old, nlohmann::json& object, const Author& author);
/// If nothing but the times of managedFields is another, those of `old`: then nothing is to be written.
void keep_idle_times(const nlohmann::json& old, nlohmann::json& object);

/// Server-side apply: `live` (null: it isn't there) with what `config` says, without what its author said before and
/// nobody says any more, with managedFields. To be read and prepared as what a client has sent. Throws ApiError: 400
/// for what isn't to be applied here, 409 where others own what would change, unless `force` takes it from them; 500
/// for a config that doesn't fit its schema, as upstream. In server_side_apply.cpp.
nlohmann::json server_side_apply(const Kind& kind, const nlohmann::json& live, const nlohmann::json& config,
                                 const Author& author, bool force);

}  // namespace knetsim::kube
