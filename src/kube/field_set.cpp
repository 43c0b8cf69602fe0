#include "knetsim/kube/field_set.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"
#include "knetsim/sys/text.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kDeepestKey = 8;  // keys are flat; what isn't is nobody's key

std::string shown_scalar(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

[[noreturn]] void bad_step(const std::string& step) {
  throw InputError(fmt::format("a set of fields has no step \"{}\"", excerpt(step, 100)));
}

json parsed_step(const std::string& step) {
  try {
    return parse_json(std::string_view(step).substr(2), {.depth = kDeepestKey, .remedies = false});
  } catch (const InputError&) {
    bad_step(step);
  }
}

/// The same step always in the same letters, so that equal steps are equal texts.
std::string canonical_step(const std::string& step) {
  if (step.starts_with("f:")) return step;
  if (step.starts_with("k:")) {
    const auto keys = parsed_step(step);
    if (!keys.is_object() || keys.empty()) bad_step(step);
    return "k:" + shown_scalar(keys);
  }
  if (step.starts_with("v:")) return "v:" + shown_scalar(parsed_step(step));
  if (!step.starts_with("i:") || !parsed_step(step).is_number_integer()) bad_step(step);
  return step;
}

std::string shown_step(const std::string& step) {
  if (step.starts_with("f:")) return "." + step.substr(2);
  if (step.starts_with("v:")) return fmt::format("[={}]", step.substr(2));
  if (step.starts_with("i:")) return fmt::format("[{}]", step.substr(2));
  std::string shown;
  const auto keys = json::parse(step.substr(2));
  for (const auto& [key, value] : keys.items())
    shown += fmt::format("{}{}={}", shown.empty() ? "" : ",", key, shown_scalar(value));
  return fmt::format("[{}]", shown);
}

void collect_paths(const FieldSet& set, const std::string& path, std::vector<std::string>& paths) {
  for (const auto& [step, fields] : set.inside)
    if (fields.self) paths.push_back(path + shown_step(step));
  for (const auto& [step, fields] : set.inside)
    if (!fields.inside.empty()) collect_paths(fields, path + shown_step(step), paths);
}

}  // namespace

std::vector<std::string> FieldSet::paths() const {
  std::vector<std::string> all;
  collect_paths(*this, {}, all);
  return all;
}

void FieldSet::put(const std::string& step, FieldSet fields) {
  if (!fields.empty()) inside[step] = std::move(fields);
}

json FieldSet::to_json() const {
  json fields = json::object();
  if (self && !inside.empty()) fields["."] = json::object();
  for (const auto& [step, set] : inside) fields[step] = set.to_json();
  return fields;
}

FieldSet FieldSet::parse(const json& fields) {
  if (!fields.is_object()) throw InputError(fmt::format("a set of fields is an object, not {}", json_excerpt(fields)));
  FieldSet set;
  for (const auto& [step, value] : fields.items()) {
    if (step == ".") {
      set.self = true;
      continue;
    }
    auto parsed = parse(value);
    if (parsed.empty()) parsed.self = true;
    auto& place = set.inside[canonical_step(step)];
    place = united(std::move(place), parsed);
  }
  return set;
}

FieldSet united(FieldSet one, const FieldSet& other) {
  one.self = one.self || other.self;
  for (const auto& [step, fields] : other.inside) {
    auto& place = one.inside[step];
    place = united(std::move(place), fields);
  }
  return one;
}

FieldSet without(FieldSet all, const FieldSet& removed) {
  all.self = all.self && !removed.self;
  for (auto item = all.inside.begin(); item != all.inside.end();) {
    const auto gone = removed.inside.find(item->first);
    if (gone != removed.inside.end()) item->second = without(std::move(item->second), gone->second);
    item = item->second.empty() ? all.inside.erase(item) : std::next(item);
  }
  return all;
}

FieldSet shared(const FieldSet& one, const FieldSet& other) {
  FieldSet both{.self = one.self && other.self};
  for (const auto& [step, fields] : one.inside) {
    const auto found = other.inside.find(step);
    if (found != other.inside.end()) both.put(step, shared(fields, found->second));
  }
  return both;
}

}  // namespace knetsim::kube
