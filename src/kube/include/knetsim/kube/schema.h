#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace knetsim::kube {

struct Schema;

/// What a field may hold.
enum class Type {
  string,
  boolean,
  int32,
  int64,
  number,
  quantity,       ///< "100m", 2, "1Gi"
  int_or_string,  ///< 80, "http"
  time,           ///< RFC 3339; whole seconds
  micro_time,
  bytes,   ///< base64
  object,  ///< of `schema`
  any,     ///< not looked into
};

enum class Shape { one, list, map };  ///< map: of strings to `type`

struct Field {
  std::string_view name;
  Type type = Type::any;
  Shape shape = Shape::one;
  const Schema* schema = nullptr;  ///< where type is object
  bool kept_empty = false;         ///< a zero, "", false, [] or {} says something else than an absent field
  bool always = false;             ///< shown as {} or [] where it isn't given
  bool required = false;           ///< as `kubectl explain` has it
  std::string_view
      merge_key;        ///< of a list that strategic merge patches merge element by element; "" of scalars with `set`
  bool set = false;     ///< a list of scalars that is merged as a set
  bool atomic = false;  ///< owned whole in server-side apply
  bool retain_keys = false;                  ///< strategic merge knows $retainKeys of it
  std::vector<std::string_view> apply_keys;  ///< of the elements in server-side apply
  std::string_view fallback;                 ///< of a key that isn't given
  std::string_view description;
};

/// The fields of one type of Kubernetes' API ("ServicePort").
struct Schema {
  std::string_view name;
  std::string_view description;
  std::vector<Field> fields;  ///< by name
  bool atomic = false;        ///< owned whole in server-side apply, wherever it stands

  const Field* field(std::string_view wanted) const;
};

/// Null if there is none.
const Schema* find_schema(std::string_view name);
/// All, by name.
std::vector<const Schema*> schemas();

/// What has been read of a value by a schema.
struct Decoded {
  nlohmann::json value;  ///< only known fields of the right types; without nulls and what Go's encoder leaves out
  std::vector<std::string> unknown;  ///< "spec.nope", "spec.ports[0].prot"
};

/// In decode.cpp. Throws InputError whose text ends as Go's decoder would put it: "json: cannot unmarshal string into
/// Go struct field ServicePort.spec.ports.port of type int32".
Decoded decode(const Schema& schema, const nlohmann::json& value);

}  // namespace knetsim::kube
