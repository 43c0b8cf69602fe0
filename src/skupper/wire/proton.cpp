#include "wire/proton.h"

#include <proton/connection.h>
#include <proton/link.h>
#include <proton/terminus.h>
#include <proton/transport.h>

#include "wire/codec.h"

namespace knetsim::skupper::wire {

namespace {

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
