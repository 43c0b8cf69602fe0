#include "structured_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "knetsim/kube/access.h"
#include "knetsim/sys/error.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

/// What a value is made of.
class Form {
 public:
  enum class Is { leaf, record, map, list, free };

  static Form of(const Schema& schema) { return {schema.atomic ? Is::leaf : Is::record, &schema, nullptr}; }
  static Form of(const Field& field) {
    if (field.atomic) return leaf();
    if (field.shape == Shape::list)
      return field.set || !field.apply_keys.empty() ? Form{Is::list, nullptr, &field} : leaf();
    if (field.shape == Shape::map) return {Is::map, nullptr, &field};
    return of_one(field);
  }
  static Form leaf() { return {Is::leaf, nullptr, nullptr}; }

  bool is_map() const noexcept { return is_ == Is::record || is_ == Is::map || is_ == Is::free; }
  bool is_list() const noexcept { return is_ == Is::list; }
  bool is_record() const noexcept { return is_ == Is::record; }
  const Field& list() const noexcept { return *field_; }
  /// Whether the member is one of a struct, rather than an entry of a map.
  bool names(std::string_view member) const { return is_record() && schema_->field(member) != nullptr; }

  Form member(const std::string& name) const {
    if (is_ == Is::map) return of_one(*field_);
    if (is_ == Is::free) return *this;
    const auto* const field = schema_->field(name);
    return field == nullptr ? leaf() : of(*field);
  }
  Form element() const { return of_one(*field_); }

 private:
  Form(Is is, const Schema* schema, const Field* field) : is_(is), schema_(schema), field_(field) {}
  static Form of_one(const Field& field) {
    if (field.type == Type::object) return of(*field.schema);
    return field.type == Type::any ? Form{Is::free, nullptr, nullptr} : leaf();
  }

  Is is_;
  const Schema* schema_;
  const Field* field_;
};

/// Whether a value can be looked into; what has another shape than its type counts as a whole.
bool is_open_map(const Form& form, const json& value) {
  return form.is_map() && (value.is_object() || (value.is_null() && form.is_record()));
}
bool is_open_list(const Form& form, const json& value) {
  return form.is_list() && (value.is_array() || value.is_null());
}

std::string shown_element(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

/// The step to an element of a list. Throws InputError if a key is missing.
std::string step_to(const Field& list, const json& element) {
  if (list.set) return "v:" + shown_element(element);
  json keys = json::object();
  for (const auto key : list.apply_keys) {
    const auto& value = member(element, key);
    if (!value.is_null()) {
      keys[key] = value;
      continue;
    }
    const auto* const field = list.schema->field(key);
    if (field == nullptr || field->fallback.empty()) {
      throw InputError(fmt::format(
          "associative list with keys has an element that omits key field \"{}\" (and doesn't have default value)",
          key));
    }
    keys[key] = field->fallback;
  }
  return "k:" + shown_element(keys);
}

/// The steps to the elements of a list that is there: one that lacks a key is told by its place.
std::vector<std::string> steps_to(const Field& list, const json& value) {
  std::vector<std::string> steps;
  for (const auto& element : list_in(value)) {
    try {
      steps.push_back(step_to(list, element));
    } catch (const InputError&) {
      steps.push_back(fmt::format("i:{}", steps.size()));
    }
  }
  return steps;
}

std::string member_step(const std::string& name) { return "f:" + name; }

// ---- the fields of a value

/// With `strict` a list that can't be told apart is refused; `path` is for that.
class FieldsOf {
 public:
  explicit FieldsOf(bool strict) : strict_(strict) {}

  FieldSet value(const Form& form, const json& value, const std::string& path) const {
    if (is_open_map(form, value)) return map(form, value, path);
    if (is_open_list(form, value)) return list(form, value, path);
    return {.self = true};
  }

 private:
  FieldSet map(const Form& form, const json& value, const std::string& path) const {
    FieldSet set;
    if (value.is_null()) return set;
    for (const auto& [name, inner] : value.items()) {
      auto fields = this->value(form.member(name), inner, strict_ ? fmt::format("{}.{}", path, name) : path);
      fields.self = fields.self || inner.is_null() || (inner.is_object() && inner.empty()) || !form.names(name);
      set.put(member_step(name), std::move(fields));
    }
    return set;
  }

  FieldSet list(const Form& form, const json& value, const std::string& path) const {
    FieldSet set;
    const auto& elements = list_in(value);
    const auto steps = strict_ ? std::vector<std::string>() : steps_to(form.list(), elements);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const auto step = strict_ ? strict_step(form.list(), elements, i, path) : steps[i];
      if (strict_ && set.inside.contains(step))
        throw InputError(fmt::format("{}: duplicate entries for key {}", path, shown(step)));
      auto fields = this->value(form.element(), elements[i], strict_ ? path + shown(step) : path);
      fields.self = true;
      set.put(step, std::move(fields));
    }
    return set;
  }

  static std::string shown(const std::string& step) {
    return FieldSet{.inside = {{step, {.self = true}}}}.paths().at(0);
  }
  static std::string strict_step(const Field& list, const json& elements, std::size_t place, const std::string& path) {
    try {
      return step_to(list, elements[place]);
    } catch (const InputError& error) {
      throw InputError(fmt::format("{}: element {}: {}", path, place, error.what()));
    }
  }

  bool strict_;
};

// ---- the difference of two values

FieldChanges changes(const Form& form, const json* before, const json* after);

void put_changes(FieldChanges& into, const std::string& step, FieldChanges inner) {
  into.added.put(step, std::move(inner.added));
  into.removed.put(step, std::move(inner.removed));
  into.modified.put(step, std::move(inner.modified));
}

FieldChanges changes_of_leaf(const json* before, const json* after) {
  FieldChanges result;
  (before == nullptr ? result.added : after == nullptr ? result.removed : result.modified).self = true;
  return result;
}

FieldChanges changes_of_maps(const Form& form, const json& before, const json& after) {
  FieldChanges result;
  const auto look = [&](const json& map, const std::string& name) -> const json* {
    if (!map.is_object()) return nullptr;
    const auto found = map.find(name);
    return found == map.end() ? nullptr : &*found;
  };
  if (before.is_object()) {
    for (const auto& [name, value] : before.items())
      put_changes(result, member_step(name), changes(form.member(name), &value, look(after, name)));
  }
  if (after.is_object()) {
    for (const auto& [name, value] : after.items())
      if (look(before, name) == nullptr)
        put_changes(result, member_step(name), changes(form.member(name), nullptr, &value));
  }
  return result;
}

using Elements = std::unordered_map<std::string, std::vector<const json*>>;

Elements elements_by_step(const Field& list, const json& value, std::vector<std::string>& order) {
  Elements elements;
  const auto steps = steps_to(list, value);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    auto& same = elements[steps[i]];
    if (same.empty()) order.push_back(steps[i]);
    same.push_back(&value[i]);
  }
  return elements;
}

/// Elements that stand twice are compared as one value that can't be looked into.
FieldChanges changes_of_elements(const Form& form, const std::vector<const json*>& before,
                                 const std::vector<const json*>& after) {
  const auto only = [](const std::vector<const json*>& all) { return all.empty() ? nullptr : all.front(); };
  if (before.size() <= 1 && after.size() <= 1) return changes(form, only(before), only(after));
  const bool equal = std::ranges::equal(before, after, [](const json* a, const json* b) { return *a == *b; });
  if (equal) return {};
  FieldChanges result;
  if (before.size() > 1 && after.size() > 1) {
    result.modified.self = true;
  } else if (before.size() > 1) {
    if (!after.empty()) result = changes(form, nullptr, after.front());
    result.removed.self = true;
  } else {
    if (!before.empty()) result = changes(form, before.front(), nullptr);
    result.added.self = true;
  }
  return result;
}

FieldChanges changes_of_lists(const Form& form, const json& before, const json& after) {
  FieldChanges result;
  std::vector<std::string> order;
  auto old = elements_by_step(form.list(), list_in(before), order);
  std::vector<std::string> new_order;
  auto now = elements_by_step(form.list(), list_in(after), new_order);
  for (auto& step : new_order)
    if (!old.contains(step)) order.push_back(std::move(step));
  for (const auto& step : order) put_changes(result, step, changes_of_elements(form.element(), old[step], now[step]));
  return result;
}

bool has_parts(const json* value) { return value != nullptr && value->is_structured() && !value->empty(); }

FieldChanges changes(const Form& form, const json* before, const json* after) {
  if (before != nullptr && after != nullptr && *before == *after) return {};
  // Nothing to look into tells an empty one from none.
  if (!has_parts(before) && !has_parts(after)) return changes_of_leaf(before, after);
  const auto& old = before == nullptr ? null_json() : *before;
  const auto& now = after == nullptr ? null_json() : *after;
  FieldChanges result;
  if (form.is_map() && (old.is_object() || old.is_null()) && (now.is_object() || now.is_null())) {
    result = changes_of_maps(form, old, now);
  } else if (is_open_list(form, old) && is_open_list(form, now)) {
    result = changes_of_lists(form, old, now);
  } else {
    return changes_of_leaf(before, after);
  }
  if (before == nullptr) result.added.self = true;
  if (after == nullptr) result.removed.self = true;
  return result;
}

// ---- two values in one

json merged(const Form& form, const json& live, const json& config);

json merged_maps(const Form& form, json live, const json& config) {
  for (const auto& [name, value] : config.items()) {
    const auto found = live.find(name);
    live[name] = merged(form.member(name), found == live.end() ? null_json() : json(*found), value);
  }
  return live;
}

/// Those that both have come in the order of `config`; those of one alone stay before what they stood before.
json merged_lists(const Form& form, const json& live, const json& config) {
  const auto live_steps = steps_to(form.list(), live);
  const auto config_steps = steps_to(form.list(), config);
  std::unordered_map<std::string, std::vector<std::size_t>> places;
  for (std::size_t i = 0; i < live_steps.size(); ++i) places[live_steps[i]].push_back(i);
  const std::unordered_set<std::string> named(config_steps.begin(), config_steps.end());

  json all = json::array();
  std::size_t next = 0;
  const auto take = [&] {
    const auto found = places.find(config_steps[next]);
    const bool both = found != places.end() && found->second.size() == 1;
    all.push_back(merged(form.element(), both ? live[found->second.front()] : null_json(), config[next]));
    ++next;
  };
  const auto next_of_both = [&] {
    auto at = next;
    while (at < config_steps.size() && !places.contains(config_steps[at])) ++at;
    return at;
  };
  auto both = next_of_both();
  for (std::size_t i = 0; i < live_steps.size(); ++i) {
    if (!named.contains(live_steps[i])) {
      all.push_back(live[i]);
    } else if (both < config_steps.size() && config_steps[both] == live_steps[i]) {
      while (next <= both) take();
      both = next_of_both();
    }
  }
  while (next < config_steps.size()) take();
  return all;
}

json merged(const Form& form, const json& live, const json& config) {
  if (config.is_null() && form.is_map() && live.is_object()) return live;
  if (config.is_null() && form.is_list() && live.is_array()) return live;
  if (form.is_map() && config.is_object() && live.is_object()) return merged_maps(form, live, config);
  if (form.is_list() && config.is_array() && live.is_array()) return merged_lists(form, live, config);
  return config;
}

// ---- a value without some of its fields

/// Nothing (null) if nothing is left of it.
json remaining(const Form& form, const json& value, const FieldSet& gone) {
  if (!value.is_structured() || value.empty()) return value.is_structured() ? null_json() : value;
  if (form.is_map() && value.is_object()) {
    json left = json::object();
    for (const auto& [name, inner] : value.items()) {
      const auto found = gone.inside.find(member_step(name));
      if (found == gone.inside.end()) {
        left[name] = inner;
      } else if (!found->second.self) {
        auto rest = remaining(form.member(name), inner, found->second);
        if (!rest.is_null()) left[name] = std::move(rest);
      }
    }
    return left.empty() ? null_json() : left;
  }
  if (!form.is_list() || !value.is_array()) return nullptr;
  json left = json::array();
  const auto steps = steps_to(form.list(), value);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto found = gone.inside.find(steps[i]);
    if (found == gone.inside.end()) {
      left.push_back(value[i]);
    } else if (!found->second.self) {
      left.push_back(remaining(form.element(), value[i], found->second));
    }
  }
  return left.empty() ? null_json() : left;
}

FieldSet with_structs_of(const Form& form, FieldSet fields) {
  for (auto& [step, inner] : fields.inside) {
    if (inner.inside.empty()) continue;
    const auto name = step.substr(2);
    const bool is_member = step.starts_with("f:");
    if (is_member && form.names(name)) inner.self = true;
    if (is_member && form.is_map()) inner = with_structs_of(form.member(name), std::move(inner));
    if (!is_member && form.is_list()) inner = with_structs_of(form.element(), std::move(inner));
  }
  return fields;
}

}  // namespace

FieldChanges field_changes(const Schema& schema, const json& before, const json& after) {
  return changes(Form::of(schema), &before, &after);
}

FieldSet fields_of(const Schema& schema, const json& config) {
  return FieldsOf(true).value(Form::of(schema), config, {});
}

FieldSet fields_of_live(const Schema& schema, const json& object) {
  return FieldsOf(false).value(Form::of(schema), object, {});
}

json structured_merge(const Schema& schema, const json& live, const json& config) {
  return merged(Form::of(schema), live, config);
}

json without_fields(const Schema& schema, const json& object, const FieldSet& fields) {
  auto left = remaining(Form::of(schema), object, fields);
  return left.is_null() ? json::object() : left;
}

FieldSet with_structs(const Schema& schema, FieldSet fields) {
  return with_structs_of(Form::of(schema), std::move(fields));
}

}  // namespace knetsim::kube
