#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace knetsim::kube {

struct Field;
struct Schema;

/// A field of a message: the number that it has on the wire. Some Go types are embedded: their fields stand in the
/// message below the embedded one's number.
struct WireField {
  const Field* field = nullptr;
  std::uint32_t below = 0;  ///< of such a field: its number in the embedded message; 0: it stands in the message itself
};

/// Whether messages of this type can be read.
bool has_wire_fields(const Schema& schema);
/// Nullopt if none of that number is known.
std::optional<WireField> wire_field(const Schema& schema, std::uint32_t number);

/// "ObjectMeta name=1 ...", a line for each type. Source: k8s.io/api's and apimachinery's generated.proto.
extern const std::string_view kWireFields;

}  // namespace knetsim::kube
