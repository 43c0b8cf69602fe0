#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "knetsim/kube/quantity.h"
#include "knetsim/kube/schema.h"
#include "knetsim/kube/time.h"
#include "knetsim/sys/error.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

/// Upstream's decoder stops to list them after as many.
constexpr std::size_t kMostUnknownFields = 100;

std::string_view go_kind(const json& value) {
  switch (value.type()) {
    case json::value_t::object:
      return "object";
    case json::value_t::array:
      return "array";
    case json::value_t::string:
      return "string";
    case json::value_t::boolean:
      return "bool";
    default:
      return "number";
  }
}

std::string go_type(const Field& field, bool element) {
  std::string name;
  switch (field.type) {
    case Type::boolean:
      name = "bool";
      break;
    case Type::int32:
      name = "int32";
      break;
    case Type::int64:
      name = "int64";
      break;
    case Type::number:
      name = "float64";
      break;
    case Type::object:
      name = fmt::format("v1.{}", field.schema->name);
      break;
    case Type::bytes:
      name = "[]uint8";
      break;
    default:
      name = "string";
      break;
  }
  if (element || field.shape == Shape::one) return name;
  return (field.shape == Shape::list ? "[]" : "map[string]") + name;
}

class Decoder {
 public:
  json object(const Schema& schema, const json& value);
  std::vector<std::string> take_unknown() { return std::move(unknown_); }

 private:
  /// A step of the path, which unknown fields and complaints are named by. Complaints go without indices, as Go's.
  struct Step {
    std::string_view name;
    std::size_t index;
    bool is_index;
  };
  class Inside {
   public:
    Inside(Decoder& decoder, std::string_view name) : decoder_(decoder) { decoder.path_.push_back({name, 0, false}); }
    Inside(Decoder& decoder, std::size_t index) : decoder_(decoder) { decoder.path_.push_back({{}, index, true}); }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() { decoder_.path_.pop_back(); }

   private:
    Decoder& decoder_;
  };

  std::string path(bool with_indices) const;
  [[noreturn]] void refuse(const Schema& owner, const json& value, const std::string& wanted) const;
  void note_unknown(std::string_view name);
  void field(const Schema& owner, const Field& field, const json& value, json& into);
  json one(const Schema& owner, const Field& field, const json& value, bool element);
  template <typename Integer>
  json integer(const Schema& owner, const json& value, const std::string& type) const;

  std::vector<Step> path_;
  std::vector<std::string> unknown_;
};

std::string Decoder::path(bool with_indices) const {
  std::string text;
  for (const auto& step : path_) {
    if (!step.is_index) {
      if (!text.empty()) text += '.';
      text += step.name;
    } else if (with_indices) {
      text += fmt::format("[{}]", step.index);
    }
  }
  return text;
}

void Decoder::refuse(const Schema& owner, const json& value, const std::string& wanted) const {
  if (path_.empty())
    throw InputError(fmt::format("json: cannot unmarshal {} into Go value of type {}", go_kind(value), wanted));
  std::string shown(go_kind(value));
  if (value.is_number() && wanted != "string") shown += " " + value.dump();
  throw InputError(fmt::format("json: cannot unmarshal {} into Go struct field {}.{} of type {}", shown, owner.name,
                               path(false), wanted));
}

void Decoder::note_unknown(std::string_view name) {
  if (unknown_.size() >= kMostUnknownFields) return;
  const Inside inside(*this, name);
  unknown_.push_back(path(true));
}

template <typename Integer>
json Decoder::integer(const Schema& owner, const json& value, const std::string& type) const {
  if (value.is_number_unsigned()) {
    if (std::cmp_less_equal(value.get<std::uint64_t>(), std::numeric_limits<Integer>::max())) return value;
  } else if (value.is_number_integer() && std::in_range<Integer>(value.get<std::int64_t>())) {
    return value;
  }
  refuse(owner, value, type);
}

json Decoder::one(const Schema& owner, const Field& field, const json& value, bool element) {
  const auto wanted = [&] { return go_type(field, element); };
  switch (field.type) {
    case Type::any:
      return value;
    case Type::object:
      if (!value.is_object()) refuse(owner, value, wanted());
      return object(*field.schema, value);
    case Type::boolean:
      if (!value.is_boolean()) refuse(owner, value, wanted());
      return value;
    case Type::int32:
      return integer<std::int32_t>(owner, value, wanted());
    case Type::int64:
      return integer<std::int64_t>(owner, value, wanted());
    case Type::number:
      if (!value.is_number()) refuse(owner, value, wanted());
      return value;
    case Type::int_or_string:
      if (value.is_string()) return value;
      return integer<std::int32_t>(owner, value, "int32");
    case Type::quantity: {
      if (!value.is_string() && !value.is_number()) refuse(owner, value, "resource.Quantity");
      const auto quantity = canonical_quantity(value.is_string() ? value.get_ref<const std::string&>() : value.dump());
      if (!quantity)
        throw InputError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
      return *quantity;
    }
    case Type::time: {
      if (!value.is_string()) refuse(owner, value, wanted());
      const auto time = parse_timestamp(value.get_ref<const std::string&>());
      if (!time) {
        throw InputError(
            fmt::format("parsing time {} as \"2006-01-02T15:04:05Z07:00\": cannot parse it", value.dump()));
      }
      return timestamp(*time);
    }
    case Type::micro_time:
      if (!value.is_string()) refuse(owner, value, wanted());
      if (!parse_timestamp(value.get_ref<const std::string&>())) {
        throw InputError(
            fmt::format("parsing time {} as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse it", value.dump()));
      }
      return value;
    case Type::bytes: {
      if (!value.is_string()) refuse(owner, value, wanted());
      const auto bad = base64_error(value.get_ref<const std::string&>());
      if (bad) throw InputError(fmt::format("illegal base64 data at input byte {}", *bad));
      return value;
    }
    case Type::string:
      break;
  }
  if (!value.is_string()) refuse(owner, value, wanted());
  return value;
}

bool is_empty_value(const json& value) {
  switch (value.type()) {
    case json::value_t::string:
      return value.get_ref<const std::string&>().empty();
    case json::value_t::boolean:
      return !value.get<bool>();
    case json::value_t::array:
      return value.empty();
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      return value == 0;
    default:
      return value.is_null();
  }
}

void Decoder::field(const Schema& owner, const Field& field, const json& value, json& into) {
  const Inside inside(*this, field.name);
  json result;
  if (field.shape == Shape::list) {
    if (!value.is_array()) refuse(owner, value, go_type(field, false));
    result = json::array();
    for (std::size_t i = 0; i < value.size(); ++i) {
      const Inside element(*this, i);
      // Go's decoder makes an empty element of a null.
      if (!value[i].is_null()) {
        result.push_back(one(owner, field, value[i], true));
      } else if (field.type == Type::object) {
        result.push_back(object(*field.schema, json::object()));
      } else if (field.type == Type::string) {
        result.push_back("");
      }
    }
  } else if (field.shape == Shape::map) {
    if (!value.is_object()) refuse(owner, value, go_type(field, false));
    result = json::object();
    for (const auto& [key, member] : value.items()) {
      const Inside element(*this, key);
      if (!member.is_null()) {
        result[key] = one(owner, field, member, true);
      } else if (field.type == Type::string) {
        result[key] = "";
      }
    }
    if (result.empty() && !field.kept_empty && !field.always) return;
  } else {
    result = one(owner, field, value, false);
    if (field.type == Type::int_or_string || field.type == Type::quantity) {
      into[field.name] = std::move(result);
      return;
    }
  }
  if (!field.kept_empty && !field.always && is_empty_value(result)) return;
  into[field.name] = std::move(result);
}

/// What Go's encoder shows of a field that has no value.
json shown_empty(const Field& field) {
  if (field.shape == Shape::list) return json::array();
  if (field.shape == Shape::map) return json::object();
  switch (field.type) {
    case Type::string:
    case Type::bytes:
      return "";
    case Type::boolean:
      return false;
    case Type::int32:
    case Type::int64:
    case Type::number:
    case Type::int_or_string:
      return 0;
    case Type::quantity:
      return "0";
    default:
      return nullptr;  // a time
  }
}

json Decoder::object(const Schema& schema, const json& value) {
  json result = json::object();
  const bool top = path_.empty();
  for (const auto& [name, member] : value.items()) {
    const auto* known = schema.field(name);
    if (known != nullptr) {
      if (!member.is_null()) field(schema, *known, member, result);
    } else if (top && (name == "kind" || name == "apiVersion")) {
      if (!member.is_string()) {
        const Inside inside(*this, name);
        refuse(schema, member, "string");
      }
      result[name] = member;
    } else {
      note_unknown(name);
    }
  }
  for (const auto& field : schema.fields) {
    if (!field.always || field.kept_empty || result.contains(field.name)) continue;
    result[field.name] = field.type == Type::object && field.shape == Shape::one ? object(*field.schema, json::object())
                                                                                 : shown_empty(field);
  }
  return result;
}

}  // namespace

Decoded decode(const Schema& schema, const json& value) {
  if (!value.is_object()) {
    throw InputError(fmt::format("json: cannot unmarshal {} into Go value of type v1.{}", go_kind(value), schema.name));
  }
  Decoder decoder;
  Decoded decoded;
  decoded.value = decoder.object(schema, value);
  decoded.unknown = decoder.take_unknown();
  return decoded;
}

}  // namespace knetsim::kube
