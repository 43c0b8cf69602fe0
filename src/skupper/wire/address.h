#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>

namespace knetsim::skupper::wire {

/// One hop only: "amqp:/_local/qdhello".
struct LocalAddress {
  std::string local;  ///< "qdhello"
  bool operator==(const LocalAddress&) const = default;
};
/// At one router, or at all of them ("all"): "amqp:/_topo/0/c1/temp.QDN_GbjpU_GPGc7".
struct TopologicalAddress {
  std::string area;    ///< "0"
  std::string router;  ///< "c1", "all"
  std::string local;   ///< "temp.QDN_GbjpU_GPGc7", "qdrouter", "qdrouter.ma"
  bool operator==(const TopologicalAddress&) const = default;
};
/// Wherever it has consumers: "svc1:8080".
struct MobileAddress {
  std::string name;
  bool operator==(const MobileAddress&) const = default;
};
/// At a router at the network's edge: "amqp:/_edge/e1/temp.QDN_GbjpU_GPGc7".
struct EdgeAddress {
  std::string router;  ///< "e1"
  std::string local;
  bool operator==(const EdgeAddress&) const = default;
};
using Address = std::variant<LocalAddress, TopologicalAddress, EdgeAddress, MobileAddress>;

/// With or without "amqp:/" or "amqp://host/" in front, as skrouterd takes it. Whatever isn't local, topological or
/// edge is mobile.
Address parse_address(std::string_view text);
/// "amqp:/_local/qdhello", "amqp:/_topo/0/c1/qdrouter", "svc1:8080".
std::string to_string(const Address& address);

/// What MAUs name an address by: "Msvc1:8080".
std::string mobile_key(std::string_view name);
/// "He1": all addresses at an edge router are one to the interior.
std::string edge_key(std::string_view router);

inline constexpr std::string_view kHelloAddress = "amqp:/_local/qdhello";
/// What RA is flooded to. A differential MAU goes to kAllMobile.
inline constexpr std::string_view kAllRouters = "amqp:/_topo/0/all/qdrouter";
/// Without the scheme: skrouterd writes this one so.
inline constexpr std::string_view kAllMobile = "_topo/0/all/qdrouter.ma";
std::string router_address(std::string_view router);  ///< "amqp:/_topo/0/<id>/qdrouter": LSR, LSU
std::string mobile_address(std::string_view router);  ///< "amqp:/_topo/0/<id>/qdrouter.ma": MAR, absolute MAU
/// "amqp:/_topo/0/<id>/temp.<discriminator>": the reply-to of a TCP flow.
std::string reply_address(std::string_view router, std::string_view discriminator);

/// A random name of 15 characters of base64, as skrouterd makes them for links, reply addresses and correlators.
/// `random` returns 64 evenly distributed bits a call.
std::string make_discriminator(const std::function<std::uint64_t()>& random);

}  // namespace knetsim::skupper::wire
