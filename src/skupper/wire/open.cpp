#include "wire/open.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "wire/codec.h"

namespace knetsim::skupper::wire {

namespace {

// What skrouterd 3.5.1 says of itself.
constexpr const char* kProduct = "skupper-router";
constexpr const char* kProductVersion = "3.5.1";
constexpr std::int64_t kDataRole = 4;  // QDR_ROLE_INTER_ROUTER_DATA
constexpr std::size_t kMaxRouterId = 127;
constexpr int kFirstRelease = 3;  // whose flows are two streams of bytes

const std::vector<std::string> kPeerCapabilities{"ANONYMOUS-RELAY", "qd.streaming-links", "qd.connection_trunking"};

Value key(const char* name) { return Symbol{name}; }
Value number(std::int64_t value) { return static_cast<std::int32_t>(value); }

[[noreturn]] void wrong(std::string_view name, const Value& value, std::string_view expected) {
  throw ProtocolError(fmt::format("the connection property {} is {}, not {}", name, to_string(value), expected));
}

std::optional<std::string> text(const Map& map, std::string_view name) {
  const auto* value = find(map, name);
  if (!value || value->is_null()) return std::nullopt;
  const auto held = as_text(*value);
  if (!held) wrong(name, *value, "a string");
  return std::string(*held);
}

std::optional<std::int64_t> integer(const Map& map, std::string_view name) {
  const auto* value = find(map, name);
  if (!value || value->is_null()) return std::nullopt;
  const auto held = as_integer(*value);
  if (!held) wrong(name, *value, "a number");
  return held;
}

/// Of skrouterd's; nullopt if it's another product, or says nothing that begins with a number.
std::optional<int> release_of(const Open& peer) {
  if (peer.product != kProduct) return std::nullopt;
  int release = 0;
  const auto [end, code] = std::from_chars(peer.version.data(), peer.version.data() + peer.version.size(), release);
  return code == std::errc{} ? std::optional(release) : std::nullopt;
}

}  // namespace

Open router_open(std::string router_id, std::int64_t connection_id) {
  Open open;
  open.container_id = std::move(router_id);
  open.offered_capabilities = kPeerCapabilities;
  open.desired_capabilities = kPeerCapabilities;
  open.product = kProduct;
  open.version = kProductVersion;
  open.connection_id = connection_id;
  open.annotations_version = kAnnotationsVersion;
  return open;
}

Map properties(const Open& open) {
  Map map{
      {key("product"), open.product}, {key("version"), open.version}, {key("qd.conn-id"), number(open.connection_id)}};
  if (open.cost > 1) map.emplace_back(key("qd.inter-router-cost"), number(open.cost));
  if (open.data) map.emplace_back(key("qd.inter-router-role"), number(kDataRole));
  if (open.group_correlator) map.emplace_back(key("qd.group-correlator"), *open.group_correlator);
  if (open.access_id) map.emplace_back(key("qd.access-id"), *open.access_id);
  if (open.annotations_version) map.emplace_back(key("qd.annotations-version"), number(*open.annotations_version));
  return map;
}

Open parse_properties(const Value& properties) {
  Open open;
  if (properties.is_null()) return open;
  const auto* map = properties.get_if<Map>();
  if (!map) throw ProtocolError(fmt::format("the connection properties are {}, not a map", to_string(properties)));
  open.product = text(*map, "product").value_or("");
  open.version = text(*map, "version").value_or("");
  open.connection_id = integer(*map, "qd.conn-id").value_or(0);
  open.cost = std::max<std::int64_t>(integer(*map, "qd.inter-router-cost").value_or(1), 1);
  open.data = integer(*map, "qd.inter-router-role") == kDataRole;
  open.group_correlator = text(*map, "qd.group-correlator");
  open.access_id = text(*map, "qd.access-id");
  open.annotations_version = integer(*map, "qd.annotations-version");
  return open;
}

std::optional<std::string> refusal(const Open& peer, std::string_view own_id) {
  if (peer.container_id.empty()) return "the peer has no container id";
  if (peer.container_id.size() > kMaxRouterId)
    return fmt::format("the peer's container id has {} bytes, more than {}", peer.container_id.size(), kMaxRouterId);
  if (peer.annotations_version != kAnnotationsVersion)
    return peer.annotations_version
               ? fmt::format("incompatible router annotations: {} speaks version {}, this router version {}",
                             peer.container_id, *peer.annotations_version, kAnnotationsVersion)
               : fmt::format("{} is not a router of this protocol: it has no qd.annotations-version",
                             peer.container_id);
  if (const auto release = release_of(peer); release && *release < kFirstRelease)
    return fmt::format(
        "{} is {} {}: before release {} skrouterd carries TCP in another way, and each connection would break; let it "
        "be "
        "release {} or later",
        peer.container_id, peer.product, peer.version, kFirstRelease, kFirstRelease);
  if (peer.container_id == own_id) return fmt::format("the peer has this router's own id, {}", own_id);
  return std::nullopt;
}

}  // namespace knetsim::skupper::wire
