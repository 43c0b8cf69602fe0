#include "strategic_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "knetsim/kube/access.h"
#include "knetsim/kube/status.h"
#include "knetsim/sys/json.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

constexpr std::string_view kOrderPrefix = "$setElementOrder/";
constexpr std::string_view kRemovalPrefix = "$deleteFromPrimitiveList/";

json merged_map(const Schema* schema, json original, json patch, bool retain_keys);

/// By what elements of a list are told apart: the value of their merge key, or their own.
class Identity {
 public:
  explicit Identity(std::string_view merge_key) : merge_key_(merge_key) {}

  std::string of(const json& element) const {
    if (merge_key_.empty() || !element.is_object()) return element.dump(-1, ' ', false, json::error_handler_t::replace);
    const auto& value = member(element, merge_key_);
    if (value.is_null()) {
      throw bad_request(
          fmt::format("map: {} does not contain declared merge key: {}", json_excerpt(element), merge_key_));
    }
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
  }

 private:
  std::string_view merge_key_;
};

/// The place of each in a list, the first where it stands twice.
std::unordered_map<std::string, std::size_t> places_in(const json& list, const Identity& identity) {
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < list.size(); ++i) places.try_emplace(identity.of(list[i]), i);
  return places;
}

/// Those of `all` that `chosen` names come in its order, the others in that of `original`; how they alternate is told
/// by `original` too, as far as it knows them.
json in_order(json all, const json& chosen, const json& original, const Identity& identity) {
  const auto chosen_places = places_in(chosen, identity);
  const auto original_places = places_in(original, identity);
  struct Item {
    std::size_t place;
    std::string id;
    json value;
  };
  std::vector<Item> named;
  std::vector<Item> others;
  for (auto& element : all) {
    auto id = identity.of(element);
    const auto place = chosen_places.find(id);
    const auto old_place = original_places.find(id);
    if (place != chosen_places.end()) {
      named.push_back({place->second, std::move(id), std::move(element)});
    } else {
      others.push_back({old_place == original_places.end() ? original.size() : old_place->second, std::move(id),
                        std::move(element)});
    }
  }
  std::ranges::stable_sort(named, {}, &Item::place);
  std::ranges::stable_sort(others, {}, &Item::place);
  auto result = json::array();
  auto next = others.begin();
  for (auto& item : named) {
    const auto here = original_places.find(item.id);
    while (next != others.end() && here != original_places.end() && next->place < here->second)
      result.push_back(std::move((next++)->value));
    result.push_back(std::move(item.value));
  }
  for (; next != others.end(); ++next) result.push_back(std::move(next->value));
  return result;
}

/// What a list says of the deletion of elements, and whether it replaces the list.
struct ListDirectives {
  std::unordered_set<std::string> removed;
  bool replace = false;
  json rest = json::array();
};

ListDirectives directives_of(const json& patch, const Identity& identity) {
  ListDirectives directives;
  for (const auto& element : patch) {
    const auto& directive = member(element, "$patch");
    if (directive.is_null() || directive == "merge") {
      directives.rest.push_back(element);
      directives.rest.back().erase("$patch");
    } else if (directive == "delete") {
      directives.removed.insert(identity.of(element));
    } else if (directive == "replace") {
      directives.replace = true;
    } else {
      throw bad_request(fmt::format("Unknown patch type found: {}", json_excerpt(directive)));
    }
  }
  return directives;
}

json merged_list(const Field& field, const json& original, const json& patch) {
  const Identity identity(field.merge_key);
  if (field.set) {
    auto all = original;
    auto there = places_in(original, identity);
    for (const auto& element : patch)
      if (there.try_emplace(identity.of(element), all.size()).second) all.push_back(element);
    return in_order(std::move(all), patch, original, identity);
  }
  for (const auto& element : patch) {
    if (!element.is_object())
      throw bad_request(fmt::format("the list {} holds objects, not {}", field.name, json_excerpt(element)));
  }
  auto [removed, replace, rest] = directives_of(patch, identity);
  if (replace) return rest;
  auto all = json::array();
  for (const auto& element : original)
    if (!element.is_object() || !removed.contains(identity.of(element))) all.push_back(element);
  auto places = places_in(all, identity);
  for (const auto& element : rest) {
    const auto [place, added] = places.try_emplace(identity.of(element), all.size());
    if (added) {
      all.push_back(merged_map(field.schema, json::object(), element, field.retain_keys));
    } else {
      all[place->second] = merged_map(field.schema, std::move(all[place->second]), element, field.retain_keys);
    }
  }
  return in_order(std::move(all), rest, original, identity);
}

bool is_merged(const Field* field) {
  return field != nullptr && field->shape == Shape::list && (field->set || !field->merge_key.empty());
}

json merged_value(const Field* field, const json& original, const json& patch) {
  if (patch.is_object()) {
    const auto* const schema = field != nullptr && field->shape == Shape::one ? field->schema : nullptr;
    return merged_map(schema, original.is_object() ? original : json::object(), patch,
                      field != nullptr && field->retain_keys);
  }
  if (patch.is_array() && is_merged(field)) return merged_list(*field, list_in(original), patch);
  return patch;
}

void set_order(const Schema* schema, json& original, json& patch, const std::string& directive) {
  const auto name = directive.substr(kOrderPrefix.size());
  const auto* const field = schema == nullptr ? nullptr : schema->field(name);
  const auto order = patch[directive];
  patch.erase(directive);
  if (!is_merged(field)) return;
  const auto before = list_at(original, name);
  auto all = patch.contains(name) && patch[name].is_array() ? merged_list(*field, before, patch[name]) : before;
  if (patch.contains(name) && !patch[name].is_array()) return;
  patch.erase(name);
  if (all.empty() && !original.contains(name)) return;
  original[name] = in_order(std::move(all), list_in(order), before, Identity(field->merge_key));
}

void remove_scalars(json& original, json& patch, const std::string& directive) {
  const auto name = directive.substr(kRemovalPrefix.size());
  const auto removed = list_in(patch[directive]);
  patch.erase(directive);
  const Identity identity({});
  const auto gone = places_in(removed, identity);
  auto left = json::array();
  for (const auto& element : list_at(original, name))
    if (!gone.contains(identity.of(element))) left.push_back(element);
  if (original.contains(name)) original[name] = std::move(left);
}

void retain(json& original, json& patch) {
  const auto kept = list_in(patch["$retainKeys"]);
  patch.erase("$retainKeys");
  std::unordered_set<std::string> names;
  for (const auto& name : kept) names.insert(text_in(name));
  for (const auto& [key, value] : patch.items()) {
    if (!value.is_null() && !key.starts_with('$') && !names.contains(key)) {
      throw bad_request(fmt::format("error: {} is in the patch but not in $retainKeys", json_excerpt(key)));
    }
  }
  for (auto item = original.begin(); item != original.end();)
    item = names.contains(item.key()) ? std::next(item) : original.erase(item);
}

json merged_map(const Schema* schema, json original, json patch, bool retain_keys) {
  if (const auto directive = patch.find("$patch"); directive != patch.end()) {
    const auto what = *directive;
    patch.erase(directive);
    if (what == "delete") return json::object();
    if (what == "replace") return patch;
    if (what != "merge") throw bad_request(fmt::format("Unknown patch type found: {}", json_excerpt(what)));
  }
  if (patch.contains("$retainKeys")) {
    if (retain_keys) {
      retain(original, patch);
    } else {
      patch.erase("$retainKeys");
    }
  }
  std::vector<std::string> directives;
  for (const auto& [key, value] : patch.items())
    if (key.starts_with(kOrderPrefix) || key.starts_with(kRemovalPrefix)) directives.push_back(key);
  for (const auto& directive : directives) {
    if (directive.starts_with(kOrderPrefix)) {
      set_order(schema, original, patch, directive);
    } else {
      remove_scalars(original, patch, directive);
    }
  }
  for (const auto& [key, value] : patch.items()) {
    if (value.is_null()) {
      original.erase(key);
      continue;
    }
    const auto found = original.find(key);
    original[key] = merged_value(schema == nullptr ? nullptr : schema->field(key),
                                 found == original.end() ? null_json() : json(*found), value);
  }
  return original;
}

}  // namespace

json strategic_merge(const Schema& schema, json original, const json& patch) {
  return merged_map(&schema, std::move(original), patch, false);
}

}  // namespace knetsim::kube
