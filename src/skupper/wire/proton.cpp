#include "wire/proton.h"

#include <fmt/format.h>
#include <proton/connection.h>
#include <proton/link.h>
#include <proton/terminus.h>
#include <proton/transport.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "wire/codec.h"

namespace knetsim::skupper::wire {

namespace {

constexpr std::array kCapabilities{
    std::pair{LinkKind::control, std::string_view("qd.router")},
    std::pair{LinkKind::data, std::string_view("qd.router-data")},
    std::pair{LinkKind::edge_downlink, std::string_view("qd.router-edge-downlink")},
    std::pair{LinkKind::inter_edge, std::string_view("qd.router-inter-edge")},
    std::pair{LinkKind::streaming, std::string_view()},
};

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

pn_bytes_t to_pn(std::string_view text) { return pn_bytes(text.size(), text.data()); }

void put(pn_data_t* data, const Value& value) {
  const auto bytes = encode(value);
  pn_data_clear(data);
  if (pn_data_decode(data, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    throw ProtocolError("proton can't take " + to_string(value));
}

/// An array of symbols, as skrouterd writes capabilities of a connection.
void put_capabilities(pn_data_t* data, const std::vector<std::string>& capabilities) {
  Array array;
  for (const auto& capability : capabilities) array.elements.emplace_back(Symbol{capability});
  put(data, array);
}

/// The one value in proton's data; null if there is none.
Value get(pn_data_t* data) {
  const auto size = data ? pn_data_encoded_size(data) : 0;
  if (size <= 0) return {};
  std::string bytes(static_cast<std::size_t>(size), '\0');
  if (pn_data_encode(data, bytes.data(), bytes.size()) != size) throw ProtocolError("proton can't give what it holds");
  return decode(bytes);
}

/// A multiple symbol: none, one, or an array of them (part 1.4 of AMQP).
std::vector<std::string> symbols(pn_data_t* data) {
  std::vector<std::string> result;
  const auto value = get(data);
  if (const auto text = as_text(value)) result.emplace_back(*text);
  if (const auto* array = value.get_if<Array>())
    for (const auto& element : array->elements)
      if (const auto text = as_text(element)) result.emplace_back(*text);
  return result;
}

void configure_terminus(pn_terminus_t* terminus, pn_terminus_type_t type, const LinkDescription& description) {
  pn_terminus_set_type(terminus, type);
  pn_terminus_set_durability(terminus, PN_NONDURABLE);
  pn_terminus_set_timeout(terminus, 0);
  pn_terminus_set_expiry_policy(terminus, description.initiator ? PN_EXPIRE_WITH_LINK : PN_EXPIRE_WITH_SESSION);
  if (const auto name = capability(description.kind); !name.empty())
    pn_data_put_symbol(pn_terminus_capabilities(terminus), to_pn(name));
}

}  // namespace

std::string_view capability(LinkKind kind) {
  for (const auto& [known, name] : kCapabilities)
    if (known == kind) return name;
  return {};
}

std::optional<LinkKind> link_kind(std::string_view capability) {
  for (const auto& [kind, name] : kCapabilities)
    if (name == capability) return kind;
  return std::nullopt;
}

std::string link_name(std::string_view discriminator) { return fmt::format("qdlink.{}", discriminator); }

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

void configure(pn_connection_t* connection, const Open& open) {
  pn_connection_set_container(connection, open.container_id.c_str());
  if (open.hostname) pn_connection_set_hostname(connection, open.hostname->c_str());
  put_capabilities(pn_connection_offered_capabilities(connection), open.offered_capabilities);
  put_capabilities(pn_connection_desired_capabilities(connection), open.desired_capabilities);
  put(pn_connection_properties(connection), properties(open));
}

void configure(pn_transport_t* transport, const Open& open) {
  pn_transport_set_max_frame(transport, open.max_frame_size);
  pn_transport_set_channel_max(transport, open.channel_max);
  // Proton writes half of what it is told.
  pn_transport_set_idle_timeout(transport, 2 * open.idle_timeout_ms);
}

Open remote_open(pn_connection_t* connection, pn_transport_t* transport) {
  auto open = parse_properties(get(pn_connection_remote_properties(connection)));
  if (const auto* id = pn_connection_remote_container(connection)) open.container_id = id;
  if (const auto* host = pn_connection_remote_hostname(connection)) open.hostname = host;
  open.offered_capabilities = symbols(pn_connection_remote_offered_capabilities(connection));
  open.desired_capabilities = symbols(pn_connection_remote_desired_capabilities(connection));
  if (transport) {
    open.max_frame_size = pn_transport_get_remote_max_frame(transport);
    open.channel_max = pn_transport_remote_channel_max(transport);
    open.idle_timeout_ms = pn_transport_get_remote_idle_timeout(transport);
  }
  return open;
}

void configure(pn_link_t* link, const LinkDescription& description) {
  pn_link_set_snd_settle_mode(link, PN_SND_MIXED);
  pn_link_set_rcv_settle_mode(link, PN_RCV_FIRST);
  configure_terminus(pn_link_source(link), PN_SOURCE, description);
  configure_terminus(pn_link_target(link), PN_TARGET, description);
}

std::optional<LinkKind> remote_kind(pn_link_t* link) {
  auto* terminus = pn_link_is_sender(link) ? pn_link_remote_source(link) : pn_link_remote_target(link);
  const auto capabilities = symbols(pn_terminus_capabilities(terminus));
  return capabilities.size() > 1 ? std::nullopt : link_kind(capabilities.empty() ? "" : capabilities.front());
}

}  // namespace knetsim::skupper::wire
