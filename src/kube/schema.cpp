#include "knetsim/kube/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "knetsim/sys/error.h"
#include "schema_text.h"

namespace knetsim::kube {
namespace {

using Schemas = std::map<std::string_view, Schema>;

std::string_view take_until(std::string_view& text, std::string_view end) {
  const auto at = text.find(end);
  const auto taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + end.size());
  return taken;
}

std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return take_until(text, " ");
}

/// Our own table: what is wrong in it is a programming error.
[[noreturn]] void bad_table(std::string_view line) {
  throw Error(fmt::format("the schemas have no such line: {}", line));
}

Type scalar_type(std::string_view name) {
  static const std::map<std::string_view, Type> types{{"string", Type::string}, {"bool", Type::boolean},
                                                      {"int32", Type::int32},   {"int64", Type::int64},
                                                      {"number", Type::number}, {"quantity", Type::quantity},
                                                      {"any", Type::any},       {"IntOrString", Type::int_or_string},
                                                      {"time", Type::time},     {"microTime", Type::micro_time},
                                                      {"bytes", Type::bytes}};
  const auto found = types.find(name);
  return found == types.end() ? Type::object : found->second;
}

void read_flags(std::string_view flags, Field& field, std::string_view line) {
  for (auto flag = take_word(flags); !flag.empty(); flag = take_word(flags)) {
    if (flag == "*") {
      field.kept_empty = true;
    } else if (flag == "always") {
      field.always = true;
    } else if (flag == "required") {
      field.required = true;
    } else if (flag == "set") {
      field.set = true;
    } else if (flag == "atomic") {
      field.atomic = true;
    } else if (flag == "retain") {
      field.retain_keys = true;
    } else if (flag.starts_with("merge=")) {
      field.merge_key = flag.substr(6);
    } else if (flag.starts_with("default=")) {
      field.fallback = flag.substr(8);
    } else if (flag.starts_with("keys=")) {
      for (auto keys = flag.substr(5); !keys.empty();) field.apply_keys.push_back(take_until(keys, ","));
    } else {
      bad_table(line);
    }
  }
}

/// Schemas are found by name when all have been read: the name of a field's type is kept until then.
Field read_field(std::string_view line,
                 std::map<std::pair<std::string_view, std::string_view>, std::string_view>& named,
                 std::string_view owner) {
  auto rest = line;
  auto head = take_until(rest, " -- ");
  Field field;
  field.description = rest;
  field.name = take_word(head);
  auto type = take_word(head);
  if (type.starts_with("[]")) {
    field.shape = Shape::list;
    type.remove_prefix(2);
  } else if (type.starts_with("map[string]")) {
    field.shape = Shape::map;
    type.remove_prefix(11);
  }
  if (type.empty()) bad_table(line);
  field.type = scalar_type(type);
  if (field.type == Type::object) named[{owner, field.name}] = type;
  read_flags(head, field, line);
  return field;
}

Schemas read_schemas() {
  Schemas all;
  std::map<std::pair<std::string_view, std::string_view>, std::string_view> named;
  for (auto text : {schema_text_of_meta, schema_text_of_pod, schema_text_of_volumes, schema_text_of_core,
                    schema_text_of_apps, schema_text_of_batch, schema_text_of_networking}) {
    Schema* current = nullptr;
    while (!text.empty()) {
      const auto line = take_until(text, "\n");
      if (line.empty()) continue;
      if (line.front() == ' ') {
        if (current == nullptr) bad_table(line);
        current->fields.push_back(read_field(line, named, current->name));
        continue;
      }
      auto rest = line;
      auto head = take_until(rest, ": ");
      const auto name = take_word(head);
      if (!head.empty() && head != "atomic") bad_table(line);
      const auto [place, added] = all.try_emplace(name, Schema{name, rest, {}, !head.empty()});
      if (!added) bad_table(line);
      current = &place->second;
    }
  }
  for (auto& [name, schema] : all) {
    std::ranges::sort(schema.fields, {}, &Field::name);
    for (auto& field : schema.fields) {
      if (field.type != Type::object) continue;
      const auto found = all.find(named.at({name, field.name}));
      if (found == all.end()) bad_table(field.name);
      field.schema = &found->second;
    }
  }
  return all;
}

const Schemas& all_schemas() {
  static const auto all = read_schemas();
  return all;
}

}  // namespace

const Field* Schema::field(std::string_view wanted) const {
  const auto found = std::ranges::lower_bound(fields, wanted, {}, &Field::name);
  return found == fields.end() || found->name != wanted ? nullptr : &*found;
}

const Schema* find_schema(std::string_view name) {
  const auto found = all_schemas().find(name);
  return found == all_schemas().end() ? nullptr : &found->second;
}

std::vector<const Schema*> schemas() {
  std::vector<const Schema*> all;
  for (const auto& [name, schema] : all_schemas()) all.push_back(&schema);
  return all;
}

}  // namespace knetsim::kube
