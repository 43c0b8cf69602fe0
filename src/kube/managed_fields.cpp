#include "knetsim/kube/managed_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "knetsim/kube/access.h"
#include "knetsim/sys/error.h"
#include "managers.h"
#include "structured_merge.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestManager = 128;
constexpr std::size_t kMostUpdaters = 10;
constexpr const char* kUpdate = "Update";
constexpr const char* kApply = "Apply";

/// False if it can't be read.
bool read_entry(const json& entry, Managers& managers) {
  const auto& operation = text_at(entry, "operation");
  const bool applies = operation == kApply;
  if ((operation != kUpdate && !applies) || text_at(entry, "fieldsType") != "FieldsV1") return false;
  const auto& version = text_at(entry, "apiVersion");
  auto& read = managers[{.manager = text_at(entry, "manager"),
                         .applies = applies,
                         .api_version = applies ? std::string() : version,
                         .subresource = text_at(entry, "subresource")}];
  read.api_version = version;
  read.time = text_at(entry, "time");
  const auto& fields = member(entry, "fieldsV1");
  try {
    read.fields = fields.is_null() ? FieldSet() : FieldSet::parse(fields);
  } catch (const InputError&) {
    return false;
  }
  return true;
}

bool takes_all_away(const json& managed_fields) {
  return managed_fields.is_array() && managed_fields.size() == 1 &&
         (managed_fields[0].is_null() || (managed_fields[0].is_object() && managed_fields[0].empty()));
}

/// The oldest of those who update are put together, so that an object's history doesn't grow without end.
void limit_updaters(Managers& managers) {
  std::vector<std::pair<std::string, ManagerId>> updaters;
  for (const auto& [id, entry] : managers)
    if (!id.applies) updaters.emplace_back(entry.time, id);
  std::ranges::sort(updaters);
  auto count = updaters.size();
  std::map<std::string, ManagerId> first_of_version;
  for (const auto& [time, id] : updaters) {
    if (count <= kMostUpdaters) return;
    const auto [first, added] = first_of_version.try_emplace(id.api_version, id);
    if (added) continue;
    const ManagerId bucket{
        .manager = "ancient-changes", .applies = false, .api_version = id.api_version, .subresource = {}};
    auto merged = std::move(managers.at(id));
    managers.erase(id);
    if (first->second != bucket) {
      auto oldest = std::move(managers.at(first->second));
      managers.erase(first->second);
      if (const auto there = managers.find(bucket); there != managers.end())
        oldest.fields = united(std::move(oldest.fields), there->second.fields);
      managers[bucket] = std::move(oldest);
      first->second = bucket;
    }
    auto& place = managers.at(bucket);
    place.fields = united(std::move(place.fields), merged.fields);
    place.time = time;
    --count;
  }
}

[[noreturn]] void refuse_options(std::string_view options, const FieldErrors& errors) {
  auto causes = json::array();
  std::string text;
  for (const auto& [reason, field, message] : errors.all()) {
    causes.push_back({{"reason", reason}, {"message", message}, {"field", field}});
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", field, message);
  }
  if (causes.size() > 1) text = fmt::format("[{}]", text);
  throw ApiError(422, "Invalid", fmt::format("{}.meta.k8s.io \"\" is invalid: {}", options, text),
                 {{"group", "meta.k8s.io"}, {"kind", options}, {"causes", std::move(causes)}});
}

bool is_printable(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return value >= 0x20 && value != 0x7f;
}

void validate_manager(std::string_view manager, FieldErrors& errors) {
  if (manager.size() > kLongestManager) errors.too_long("fieldManager", kLongestManager);
  if (!std::ranges::all_of(manager, is_printable))
    errors.invalid("fieldManager", std::string(manager), "should only contain printable characters");
}

json without_times(json managed_fields) {
  for (auto& entry : managed_fields)
    if (entry.is_object()) entry.erase("time");
  return managed_fields;
}

}  // namespace

std::optional<Managers> managers_of(const json& managed_fields) {
  Managers managers;
  for (const auto& entry : list_in(managed_fields)) {
    if (!read_entry(entry, managers)) return std::nullopt;
  }
  return managers;
}

json managed_fields_of(const Managers& managers) {
  std::vector<const Managers::value_type*> order;
  for (const auto& manager : managers)
    if (!manager.second.fields.empty()) order.push_back(&manager);
  if (order.empty()) return nullptr;
  std::ranges::sort(order, {}, [](const Managers::value_type* manager) {
    const auto& [id, entry] = *manager;
    return std::tuple(!id.applies, std::string_view(entry.time), std::string_view(id.manager),
                      std::string_view(entry.api_version), std::string_view(id.subresource));
  });
  auto all = json::array();
  for (const auto* const manager : order) {
    const auto& [id, entry] = *manager;
    json shown{{"manager", id.manager},
               {"operation", id.applies ? kApply : kUpdate},
               {"apiVersion", entry.api_version},
               {"fieldsType", "FieldsV1"},
               {"fieldsV1", entry.fields.to_json()}};
    if (!entry.time.empty()) shown["time"] = entry.time;
    if (!id.subresource.empty()) shown["subresource"] = id.subresource;
    all.push_back(std::move(shown));
  }
  return all;
}

void set_managers(json& object, const Managers& managers) {
  auto fields = managed_fields_of(managers);
  if (fields.is_null())
    object["metadata"].erase("managedFields");
  else
    object["metadata"]["managedFields"] = std::move(fields);
}

FieldSet without_identity(FieldSet fields) {
  static const auto identity = FieldSet::parse(json::parse(R"({"f:apiVersion":{},"f:kind":{},"f:metadata":{".":{},
      "f:name":{},"f:namespace":{},"f:creationTimestamp":{},"f:selfLink":{},"f:uid":{},"f:clusterName":{},
      "f:generation":{},"f:managedFields":{},"f:resourceVersion":{}}})"));
  return without(std::move(fields), identity);
}

void take_away(Managers& managers, const ManagerId* author, const FieldSet& fields) {
  for (auto each = managers.begin(); each != managers.end();) {
    if (author == nullptr || each->first != *author)
      each->second.fields = without(std::move(each->second.fields), fields);
    each = each->second.fields.empty() ? managers.erase(each) : std::next(each);
  }
}

std::string manager_name(std::string_view field_manager, std::string_view user_agent) {
  if (!field_manager.empty()) return std::string(field_manager);
  std::string name;
  for (const char byte : user_agent.substr(0, user_agent.find('/')))
    if (is_printable(byte)) name += byte;
  if (name.size() > kLongestManager) {
    auto end = kLongestManager;  // not in the middle of a letter
    while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
    name.resize(end);
  }
  return name.empty() ? "unknown" : name;
}

void check_manager(std::string_view field_manager, std::string_view options) {
  FieldErrors errors;
  validate_manager(field_manager, errors);
  if (!errors.empty()) refuse_options(options, errors);
}

void check_patch_options(std::string_view field_manager, bool has_force, bool applies) {
  FieldErrors errors;
  if (has_force && !applies) errors.forbidden("force", "may not be specified for non-apply patch");
  if (applies && field_manager.empty()) errors.required("fieldManager", "is required for apply patch");
  validate_manager(field_manager, errors);
  if (!errors.empty()) refuse_options("PatchOptions", errors);
}
void note_authors(const Kind& kind, const json& old, json& object, const Author& author) {
  const bool is_new = old.is_null();
  const auto& sent = member(object, "metadata", "managedFields");
  std::optional<Managers> managers;
  if (author.subresource.empty()) {
    if (takes_all_away(sent))
      managers.emplace();
    else if (auto theirs = managers_of(sent); theirs && !theirs->empty())
      managers = std::move(theirs);
  }
  if (!managers) managers = managers_of(member(old, "metadata", "managedFields"));
  if (!managers) managers.emplace();
  object["metadata"].erase("managedFields");
  if (managers->empty() && !is_new) return;

  const auto& schema = kind.schema();
  auto changes = field_changes(schema, is_new ? decode(schema, json::object()).value : old, object);
  if (kind.has_status && author.subresource.empty()) {
    for (auto* const set : {&changes.added, &changes.modified, &changes.removed}) set->inside.erase("f:status");
  }
  auto own = united(std::move(changes.modified), changes.added);
  take_away(*managers, nullptr, united(changes.removed, own));
  own = without_identity(std::move(own));
  if (!own.empty()) {
    const auto version = kind.api_version();
    auto& entry = (*managers)[{
        .manager = author.manager, .applies = false, .api_version = version, .subresource = author.subresource}];
    entry = {.fields = united(std::move(entry.fields), own), .api_version = version, .time = timestamp(author.now)};
  }
  limit_updaters(*managers);
  set_managers(object, *managers);
}

void keep_idle_times(const json& old, json& object) {
  const auto& before = member(old, "metadata", "managedFields");
  const auto& after = member(object, "metadata", "managedFields");
  if (before == after || without_times(before) != without_times(after)) return;
  auto same_fields = object;
  same_fields["metadata"]["managedFields"] = before;
  if (same_fields == old) object = old;
}

}  // namespace knetsim::kube
