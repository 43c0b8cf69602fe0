// The field numbers are those of gnostic's openapiv2/OpenAPIv2.proto.
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "knetsim/kube/kinds.h"
#include "knetsim/kube/openapi.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

/// A message in protobuf's wire format, as far as this document needs it.
class WireMessage {
 public:
  WireMessage& text(unsigned field, std::string_view value) {
    number((field << 3U) | kLengthDelimited);
    number(value.size());
    bytes_.append(value);
    return *this;
  }
  WireMessage& part(unsigned field, const WireMessage& message) { return text(field, message.bytes_); }
  WireMessage& flag(unsigned field) {
    number(field << 3U);
    number(1);
    return *this;
  }
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  static constexpr unsigned kLengthDelimited = 2;

  void number(std::size_t value) {
    constexpr unsigned kMore = 0x80;
    for (; value >= kMore; value >>= 7U) bytes_.push_back(static_cast<char>(value | kMore));
    bytes_.push_back(static_cast<char>(value));
  }

  std::string bytes_;
};

/// Extensions hold YAML, which JSON is.
WireMessage extension(std::string_view name, const json& value) {
  return WireMessage().text(1, name).part(2, WireMessage().text(2, value.dump()));
}

WireMessage schema_of(const json& schema);

WireMessage reference_of(const json& schema) {
  const auto& target = schema.at("$ref").get_ref<const std::string&>();
  return WireMessage().text(1, fmt::format("#/definitions/{}", target.substr(target.rfind('/') + 1)));
}

/// "oneOf" came with version 3: what may be several things has a format of its own here, and what it can be written as.
std::string type_of(const json& schema) {
  if (schema.contains("oneOf")) return "string";
  return schema.value("type", "");
}

WireMessage schema_of(const json& schema) {
  if (schema.contains("$ref")) return reference_of(schema);
  if (schema.contains("allOf")) return reference_of(schema["allOf"].front());
  WireMessage wire;
  if (schema.contains("format")) wire.text(2, schema["format"].get_ref<const std::string&>());
  if (schema.contains("description")) wire.text(4, schema["description"].get_ref<const std::string&>());
  if (schema.contains("required"))
    for (const auto& field : schema["required"]) wire.text(19, field.get_ref<const std::string&>());
  if (schema.contains("additionalProperties"))
    wire.part(21, WireMessage().part(1, schema_of(schema["additionalProperties"])));
  if (const auto type = type_of(schema); !type.empty()) wire.part(22, WireMessage().text(1, type));
  if (schema.contains("items")) wire.part(23, WireMessage().part(1, schema_of(schema["items"])));
  if (schema.contains("properties")) {
    WireMessage properties;
    for (const auto& [name, property] : schema["properties"].items())
      properties.part(1, WireMessage().text(1, name).part(2, schema_of(property)));
    wire.part(25, properties);
  }
  for (const auto& [name, value] : schema.items())
    if (name.starts_with("x-")) wire.part(31, extension(name, value));
  return wire;
}

WireMessage parameter_of(const json& parameter) {
  const auto query = WireMessage()
                         .text(2, "query")
                         .text(3, parameter.at("description").get_ref<const std::string&>())
                         .text(4, parameter.at("name").get_ref<const std::string&>())
                         .text(6, "string")
                         .flag(20);
  return WireMessage().part(1, WireMessage().part(2, WireMessage().part(3, query)));
}

WireMessage operation_of(const json& operation) {
  WireMessage wire;
  for (const auto* const type : {"application/json", "application/yaml"}) wire.text(6, type);
  if (operation.contains("parameters"))
    for (const auto& parameter : operation["parameters"]) wire.part(8, parameter_of(parameter));
  const auto answer = WireMessage().part(1, WireMessage().text(1, "OK"));
  wire.part(9, WireMessage().part(1, WireMessage().text(1, "200").part(2, answer)));
  for (const auto& [name, value] : operation.items())
    if (name.starts_with("x-")) wire.part(13, extension(name, value));
  return wire;
}

unsigned method_number(std::string_view method) {
  if (method == "get") return 2;
  if (method == "put") return 3;
  if (method == "post") return 4;
  return method == "delete" ? 5 : 8;
}

}  // namespace

std::string openapi_v2() {
  WireMessage paths;
  WireMessage definitions;
  const auto index = openapi_index();
  for (const auto& group : index.at("paths").items()) {
    const auto document = openapi_document(group.key()).value();
    for (const auto& [path, operations] : document["paths"].items()) {
      WireMessage item;
      for (const auto& [method, operation] : operations.items())
        item.part(method_number(method), operation_of(operation));
      paths.part(2, WireMessage().text(1, path).part(2, item));
    }
    for (const auto& [name, schema] : document["components"]["schemas"].items())
      definitions.part(1, WireMessage().text(1, name).part(2, schema_of(schema)));
  }
  return WireMessage()
      .text(1, "2.0")
      .part(2, WireMessage().text(1, "Kubernetes").text(2, "unversioned"))
      .part(8, paths)
      .part(9, definitions)
      .bytes();
}

}  // namespace knetsim::kube
