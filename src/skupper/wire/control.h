#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "wire/message.h"

namespace knetsim::skupper::wire {

/// `pv` of HELLO, RA, LSR and LSU; of MAR and MAU. A router ignores messages of later versions; earlier ones, down to
/// none at all (0), it takes.
inline constexpr std::int64_t kLinkStateVersion = 1;
inline constexpr std::int64_t kMobileVersion = 2;

/// To neighbours, each second: a router is a two-way neighbour when each is in the other's `seen`.
struct Hello {
  std::string id;
  std::int64_t version = kLinkStateVersion;
  std::int64_t instance = 0;  ///< seconds since the epoch when the router started; 0: not said
  std::vector<std::string> seen;
  bool operator==(const Hello&) const = default;
};

/// RA, to all routers, on change and every 30 s: how far the sender's link state and addresses have got.
struct RouterAdvertisement {
  std::string id;
  std::int64_t version = kLinkStateVersion;
  std::int64_t instance = 0;
  std::int64_t ls_seq = 0;
  std::int64_t mobile_seq = 0;
  bool operator==(const RouterAdvertisement&) const = default;
};

/// LSR, to one router: send me your link state.
struct LinkStateRequest {
  std::string id;
  std::int64_t version = kLinkStateVersion;
  bool operator==(const LinkStateRequest&) const = default;
};

struct LinkState {
  std::string id;
  std::int64_t ls_seq = 0;
  std::map<std::string, std::int64_t> peers;  ///< neighbour -> cost
  bool operator==(const LinkState&) const = default;
};

/// LSU, the answer.
struct LinkStateUpdate {
  std::string id;
  std::int64_t version = kLinkStateVersion;
  std::int64_t instance = 0;
  std::int64_t ls_seq = 0;
  LinkState link_state;
  bool operator==(const LinkStateUpdate&) const = default;
};

/// MAR, to one router: send me your addresses if you are past have_seq.
struct MobileAddressRequest {
  std::string id;
  std::int64_t version = kMobileVersion;
  std::int64_t have_seq = 0;
  bool operator==(const MobileAddressRequest&) const = default;
};

/// How an address with several consumers is served.
enum class Treatment : std::int32_t { multicast_flood = 0, multicast_once = 1, closest = 2, balanced = 3 };

struct AddressEntry {
  std::string key;  ///< "M" and the address: "Msvc1:8080"
  std::int32_t treatment = static_cast<std::int32_t>(Treatment::balanced);
  std::int32_t inlinks = 0;
  bool operator==(const AddressEntry&) const = default;
};

/// All that the sender has consumers for.
struct AbsoluteAddresses {
  std::vector<AddressEntry> exist;
  bool operator==(const AbsoluteAddresses&) const = default;
};
/// What changed since mobile_seq - 1.
struct AddressChanges {
  std::vector<AddressEntry> add;
  std::vector<std::string> del;  ///< keys
  bool operator==(const AddressChanges&) const = default;
};

/// MAU: the answer to a MAR (absolute), or sent to all routers on change (differential).
struct MobileAddressUpdate {
  std::string id;
  std::int64_t version = kMobileVersion;
  std::int64_t mobile_seq = 0;
  std::variant<AbsoluteAddresses, AddressChanges> addresses;
  bool operator==(const MobileAddressUpdate&) const = default;
};

using ControlBody = std::variant<Hello, RouterAdvertisement, LinkStateRequest, LinkStateUpdate, MobileAddressRequest,
                                 MobileAddressUpdate>;

/// A message of the routing protocol.
struct ControlMessage {
  RouterAnnotations annotations;
  std::string to;
  ControlBody body;
  bool operator==(const ControlMessage&) const = default;
};

/// "HELLO", "RA", "LSR", "LSU", "MAR", "MAU"
std::string_view opcode(const ControlBody& body);
/// Who sent it, and its `pv`.
const std::string& sender(const ControlBody& body);
std::int64_t version(const ControlBody& body);
/// For logs: RA(id=c0 pv=1 area=0 inst=1795385884 ls_seq=1 mobile_seq=1), as skrouterd prints them.
std::string to_string(const ControlBody& body);

/// The bytes of the message's delivery, annotations included, as skrouterd writes them.
std::string encode(const ControlMessage& message);

/// The body of a message with this opcode. Fields that a later minor version may add are passed over. Throws
/// ProtocolError naming opcode and field; an unknown opcode is one.
ControlBody parse_body(std::string_view opcode, const Value& body);
/// Of a whole delivery. (control_parse.cpp)
ControlMessage parse_control(std::string_view message);

}  // namespace knetsim::skupper::wire
