#pragma once

#include <proton/types.h>

#include <optional>

#include "wire/link.h"
#include "wire/open.h"

// The bridge between this folder's values and Qpid Proton's engine. Nothing here does I/O.
namespace knetsim::skupper::wire {

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
