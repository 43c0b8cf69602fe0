#pragma once

#include <proton/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/value.h"

// The bridge between this folder's values and Qpid Proton's engine. Nothing here does I/O.

namespace knetsim::skupper::wire {

/// What a link between routers carries. Known by the capability that both its termini have.
enum class LinkKind {
  control,        ///< "qd.router": the routing protocol. One each way, on the control connection.
  data,           ///< "qd.router-data": messages of a priority. Ten each way, on the control connection.
  edge_downlink,  ///< "qd.router-edge-downlink": from the interior to an edge router.
  inter_edge,     ///< "qd.router-inter-edge": between edge routers.
  streaming,      ///< none, and no address: TCP flows. Made when one is needed, on data connections.
};
std::string_view capability(LinkKind kind);
/// The reverse; nullopt for a capability that none has.
std::optional<LinkKind> link_kind(std::string_view capability);

/// An ATTACH as routers write it: no address, durability none, timeout 0, settle modes mixed and first.
struct LinkDescription {
  std::string name;  ///< "qdlink.g1AVA27dzU1lqRt"
  bool receiver = false;
  LinkKind kind = LinkKind::streaming;
  /// The side that attaches first has its termini expire with the link; the one that answers says nothing
  /// (session-end).
  bool initiator = true;
  bool operator==(const LinkDescription&) const = default;
};

/// "qdlink." and a discriminator.
std::string link_name(std::string_view discriminator);

inline constexpr std::int64_t kAnnotationsVersion = 2;

/// What a router says of itself and of the connection in its OPEN performative.
struct Open {
  std::string container_id;             ///< the router's id
  std::optional<std::string> hostname;  ///< of the peer, by the side that connects
  std::uint32_t max_frame_size = 16384;
  std::uint16_t channel_max = 32767;
  std::uint32_t idle_timeout_ms = 8000;  ///< as written: half of the time after which silence is fatal
  std::vector<std::string> offered_capabilities;
  std::vector<std::string> desired_capabilities;

  // In the properties map.
  std::string product;
  std::string version;
  std::int64_t connection_id = 0;                   ///< qd.conn-id
  std::int64_t cost = 1;                            ///< qd.inter-router-cost, written if above 1
  bool data = false;                                ///< qd.inter-router-role = 4: one of a connector's data connections
  std::optional<std::string> group_correlator;      ///< what a connector's control and data connections have in common
  std::optional<std::string> access_id;             ///< qd.access-id, by the side that listens
  std::optional<std::int64_t> annotations_version;  ///< absent: not a router of this protocol

  bool operator==(const Open&) const = default;
};

/// An Open with capabilities, product, version and annotations version as skrouterd 3.5.1 has them.
Open router_open(std::string router_id, std::int64_t connection_id);

/// The properties map, in skrouterd's order and types.
Map properties(const Open& open);
/// Takes the properties' part of an Open from a peer's map (null: no properties). Entries that it doesn't know are
/// passed over; those of a wrong type are a ProtocolError.
Open parse_properties(const Value& properties);

/// Why a connection with this peer can't work, if it can't: no router, an annotations version that isn't ours, a
/// release of skrouterd before 3, an empty or overlong id, our own id.
std::optional<std::string> refusal(const Open& peer, std::string_view own_id);

/// Before the transport is bound: container, hostname, capabilities and properties.
void configure(pn_connection_t* connection, const Open& open);
/// Before the first byte: frame size, channels, idle timeout.
void configure(pn_transport_t* transport, const Open& open);
/// What the peer's OPEN said, once it has come. `transport` may be null: its limits are then left at their defaults.
/// Throws ProtocolError if its properties are malformed.
Open remote_open(pn_connection_t* connection, pn_transport_t* transport);

/// Before pn_link_open: settle modes, termini.
void configure(pn_link_t* link, const LinkDescription& description);
/// What kind of link the peer has attached; nullopt if it is none of a router's.
std::optional<LinkKind> remote_kind(pn_link_t* link);

}  // namespace knetsim::skupper::wire
