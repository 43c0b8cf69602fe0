#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/etcd/types.h"
#include "knetsim/sys/json_place.h"

namespace knetsim::etcd::wire {

// The proto3 JSON mapping as the gateway speaks it: int64 as strings, bytes in base64, fields of value zero left out.
// Readers throw InputError on anything else.

/// An answer, which is an object.
JsonDocument parse(std::string_view text);

std::int64_t int64_at(const JsonPlace& object, std::string_view field);
std::uint64_t uint64_at(const JsonPlace& object, std::string_view field);
bool bool_at(const JsonPlace& object, std::string_view field);
std::string string_at(const JsonPlace& object, std::string_view field);
std::string bytes_at(const JsonPlace& object, std::string_view field);
/// One element of an array.
std::string bytes(const JsonPlace& at);

/// For a line of a message: cut, without control characters.
std::string message_at(const JsonPlace& object, std::string_view field);
/// From 0 to 2^62.
Revision revision_at(const JsonPlace& object, std::string_view field);
/// The store's, which every answer names.
Revision header_revision(const JsonPlace& response);
/// From -1, which is that of no lease, to etcd's longest.
std::chrono::seconds ttl_at(const JsonPlace& object);
Lease granted_lease(const JsonPlace& response);
KeyValue key_value(const JsonPlace& kv);
/// What a range answer holds of the key, or prefix, that was asked for.
std::vector<KeyValue> key_values(const JsonPlace& response, const std::string& key, bool prefix);
Event event(const JsonPlace& event);
/// One result for each operation of the branch that was taken, of its kind.
TxnResult txn_result(const JsonPlace& response, const Txn& txn);

/// Of a range, and of what is to be removed.
nlohmann::json key_request(const std::string& key, bool prefix);
nlohmann::json page_request(const std::string& prefix, const PageRequest& page);
nlohmann::json put_request(const Put& put);
nlohmann::json txn_request(const Txn& txn);
nlohmann::json grant_request(std::chrono::seconds ttl);
nlohmann::json lease_request(LeaseId id);
nlohmann::json time_to_live_request(LeaseId id);
nlohmann::json compact_request(Revision revision);
/// {"key": ..., "range_end": ...}: the keys that start with `prefix`; all keys if it is empty.
nlohmann::json prefix_range(const std::string& prefix);

/// What an error answer says, of a unary call or within a stream; nullopt if it isn't the gateway's.
struct Refusal {
  int code = 0;  ///< google.rpc.Code
  std::string message;
};
std::optional<Refusal> refusal(const JsonPlace& answer);

}  // namespace knetsim::etcd::wire
