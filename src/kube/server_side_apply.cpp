#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/kube/access.h"
#include "knetsim/kube/managed_fields.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"
#include "managers.h"
#include "structured_merge.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr std::size_t kDeepestLastApplied = 200;
constexpr std::size_t kLongestShown = 200;

using Conflicts = std::map<ManagerId, FieldSet>;

std::string shown_manager(const ManagerId& id) {
  auto shown = json(id.manager).dump(-1, ' ', false, json::error_handler_t::replace);
  if (!id.subresource.empty()) shown += fmt::format(" with subresource \"{}\"", id.subresource);
  if (!id.applies) shown += fmt::format(" using {}", id.api_version);
  return shown;
}

ApiError conflict_with(const Conflicts& conflicts) {
  auto causes = json::array();
  std::string lines;
  std::string only;
  for (const auto& [id, fields] : conflicts) {
    const auto manager = shown_manager(id);
    lines += fmt::format("{}conflicts with {}:", lines.empty() ? "" : "\n", manager);
    for (const auto& path : fields.paths()) {
      causes.push_back(
          {{"reason", "FieldManagerConflict"}, {"message", fmt::format("conflict with {}", manager)}, {"field", path}});
      lines += fmt::format("\n- {}", path);
      only = fmt::format("conflict with {}: {}", manager, path);
    }
  }
  const auto message = causes.size() == 1 ? fmt::format("Apply failed with 1 conflict: {}", only)
                                          : fmt::format("Apply failed with {} conflicts: {}", causes.size(), lines);
  return {409, "Conflict", message, {{"causes", std::move(causes)}}};
}

std::string shown_type(const json& config) {
  const auto& version = text_at(config, "apiVersion");
  return fmt::format("{}{}, Kind={}", version.find('/') == std::string::npos ? "/" : "", version,
                     text_at(config, "kind"));
}

[[noreturn]] void does_not_fit_schema(const json& config, std::string_view problem) {
  throw plain_failure(500, fmt::format("failed to create typed patch object ({}/{}; {}): {}", namespace_of(config),
                                       name_of(config), shown_type(config), problem));
}

void check_config(const Kind& kind, const json& config) {
  if (!config.is_object()) throw bad_request("error decoding YAML: what is applied is an object");
  if (text_at(config, "apiVersion") != kind.api_version() || text_at(config, "kind") != kind.kind)
    throw bad_request(fmt::format("invalid object type: {}", shown_type(config).substr(0, kLongestShown)));
  if (!member(config, "metadata", "managedFields").is_null()) throw bad_request("metadata.managedFields must be nil");
  try {
    const auto decoded = decode(kind.schema(), config);
    std::string unknown;
    for (const auto& field : decoded.unknown)
      unknown += fmt::format("{}.{}: field not declared in schema", unknown.empty() ? "" : "\n  ", field);
    if (decoded.unknown.size() > 1) unknown = "errors:\n  " + unknown;
    if (!unknown.empty()) does_not_fit_schema(config, unknown);
  } catch (const InputError& error) {
    does_not_fit_schema(config, error.what());
  }
}

/// `merged` without what the author has named before, unless it is named still: by whom it may be, or by nobody who is
/// known.
json pruned(const Schema& schema, const json& merged, const Managers& managers, const FieldSet& before) {
  if (before.empty()) return merged;
  const auto last = with_structs(schema, before);
  const auto all = with_structs(schema, fields_of_live(schema, merged));
  const auto left_of = [&](const json& object) { return with_structs(schema, fields_of_live(schema, object)); };
  FieldSet owned;
  for (const auto& [id, entry] : managers) owned = united(std::move(owned), entry.fields);
  const auto kept = united(left_of(without_fields(schema, merged, last)), with_structs(schema, std::move(owned)));
  const auto owned_again = without_fields(schema, merged, without(all, kept));
  return without_fields(schema, merged, shared(without(all, left_of(owned_again)), last));
}

struct Outcome {
  json object;  ///< null: nothing has changed
  Managers managers;
  Conflicts conflicts;
};

Outcome apply_once(const Schema& schema, const json& live, const json& config, const FieldSet& named, Managers managers,
                   const ManagerId& id, const std::string& version, bool force) {
  auto merged = structured_merge(schema, live, config);
  auto& own = managers[id];
  const auto before = std::exchange(own.fields, named);
  own.api_version = version;
  merged = pruned(schema, merged, managers, before);

  const auto changes = field_changes(schema, live, merged);
  const auto written = united(changes.modified, changes.added);
  Outcome outcome;
  for (const auto& [other, entry] : managers) {
    auto conflict = other == id ? FieldSet{} : shared(entry.fields, written);
    if (!conflict.empty()) outcome.conflicts.emplace(other, std::move(conflict));
  }
  if (!outcome.conflicts.empty() && !force) return outcome;
  take_away(managers, &id, united(written, changes.removed));
  if (!changes.empty()) outcome.object = std::move(merged);
  outcome.managers = std::move(managers);
  return outcome;
}

/// What `kubectl apply` has applied on the client's side and is as it was left: kubectl may take it over.
FieldSet applied_by_client(const Schema& schema, const json& live) {
  const auto& text = text_at(live, "metadata", "annotations", kLastApplied);
  if (text.empty()) return {};
  try {
    const auto config = parse_json(text, {.depth = kDeepestLastApplied, .remedies = false});
    decode(schema, config);
    const auto changes = field_changes(schema, config, live);
    return without(without(without(fields_of_live(schema, config), changes.modified), changes.added), changes.removed);
  } catch (const InputError&) {
    return {};
  }
}

}  // namespace

json server_side_apply(const Kind& kind, const json& live, const json& config, const Author& author, bool force) {
  check_config(kind, config);
  const auto& schema = kind.schema();
  auto wanted = config;
  if (author.subresource.empty()) {
    if (kind.has_status) wanted.erase("status");
  } else {
    for (auto item = wanted.begin(); item != wanted.end();) {
      const bool kept = item.key() == "apiVersion" || item.key() == "kind" || item.key() == "metadata" ||
                        item.key() == (author.subresource == "scale" ? "spec" : author.subresource);
      item = kept ? std::next(item) : wanted.erase(item);
    }
  }
  FieldSet named;
  try {
    named = fields_of(schema, wanted);
  } catch (const InputError& error) {
    does_not_fit_schema(config, error.what());
  }

  const bool is_new = live.is_null();
  auto before = is_new ? decode(schema, json::object()).value : live;
  auto managers = managers_of(member(before, "metadata", "managedFields"));
  if (!managers)
    throw plain_failure(500, "failed to decode managed fields: an entry of metadata.managedFields can't be read");
  if (managers->empty() && !is_new) {
    // Nobody has kept account by now: what is there belongs to those before.
    auto unowned = before;
    note_authors(kind, nullptr, unowned, {.manager = "before-first-apply", .subresource = {}, .now = author.now});
    managers = managers_of(member(unowned, "metadata", "managedFields"));
  }
  before["metadata"].erase("managedFields");

  const ManagerId id{.manager = author.manager, .applies = true, .api_version = {}, .subresource = author.subresource};
  const auto version = kind.api_version();
  const bool is_kubectl = author.manager == "kubectl";
  auto outcome = apply_once(schema, before, wanted, named, *managers, id, version, force);
  if (!outcome.conflicts.empty() && !force) {
    const auto allowed = is_kubectl ? applied_by_client(schema, before) : FieldSet{};
    Conflicts left;
    for (const auto& [other, fields] : outcome.conflicts)
      if (auto rest = without(fields, allowed); !rest.empty()) left.emplace(other, std::move(rest));
    if (!left.empty()) throw conflict_with(left);
    outcome = apply_once(schema, before, wanted, named, *std::move(managers), id, version, true);
  }

  const auto own = outcome.managers.find(id);
  if (own != outcome.managers.end()) {
    own->second.fields = without_identity(std::move(own->second.fields));
    if (!outcome.object.is_null()) own->second.time = timestamp(author.now);
  }
  auto object = outcome.object.is_null() ? std::move(before) : std::move(outcome.object);
  if (is_kubectl && !text_at(object, "metadata", "annotations", kLastApplied).empty()) {
    auto applied = config;
    if (applied["metadata"].is_object() && applied["metadata"].contains("annotations"))
      applied["metadata"]["annotations"].erase(kLastApplied);
    object["metadata"]["annotations"][kLastApplied] =
        applied.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  }
  set_managers(object, outcome.managers);
  return object;
}

}  // namespace knetsim::kube
