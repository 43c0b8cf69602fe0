#pragma once

#include <optional>
#include <string>
#include <string_view>

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

}  // namespace knetsim::skupper::wire
