#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace knetsim::etcd {

// The v3 data model (etcd's api/etcdserverpb/rpc.proto, mvccpb/kv.proto). Keys and values are bytes, never base64 here.

using Revision = std::int64_t;  ///< of the whole store; grows by one with each change
using LeaseId = std::int64_t;   ///< 0: no lease

struct KeyValue {
  std::string key;
  std::string value;
  Revision create_revision = 0;  ///< of the change that created the key
  Revision mod_revision = 0;     ///< of its last change
  std::int64_t version = 0;      ///< 1 after creation, +1 with each put
  LeaseId lease = 0;
  bool operator==(const KeyValue&) const = default;
};

/// What a prefix holds, in the order of the keys, and the store's revision at that moment: watch from revision + 1.
struct Listing {
  std::vector<KeyValue> kvs;
  Revision revision = 0;
};

/// A part of a prefix that is too large for one answer.
struct PageRequest {
  std::string after = {};  ///< only keys behind this one; empty: from the first
  std::int64_t limit = 0;  ///< of keys; 0: all
  Revision revision = 0;   ///< as of this one; 0: the newest
};
struct Page : Listing {
  bool more = false;  ///< keys follow
};

struct Event {
  enum class Type { put, remove };
  Type type = Type::put;
  KeyValue kv;  ///< after a remove only key and mod_revision are set
};

/// The events of one answer of a watch, in order; never empty.
struct WatchEvents {
  std::vector<Event> events;
  Revision revision = 0;  ///< everything up to and including this one has been seen
};

/// A condition of a transaction.
struct Compare {
  enum class Target { version, create_revision, mod_revision, lease, value };
  enum class Relation { equal, not_equal, greater, less };
  std::string key = {};
  Target target = Target::version;
  Relation relation = Relation::equal;
  std::variant<std::int64_t, std::string> operand = std::int64_t{0};  ///< a string for Target::value only
};

/// version == 0
inline Compare absent(std::string key) { return {.key = std::move(key)}; }
inline Compare mod_revision_is(std::string key, Revision revision) {
  return {.key = std::move(key), .target = Compare::Target::mod_revision, .operand = revision};
}

struct Put {
  std::string key;
  std::string value;
  LeaseId lease = 0;
};
struct Get {
  std::string key;
  bool prefix = false;
};
struct Remove {
  std::string key;
  bool prefix = false;
};
using Operation = std::variant<Put, Get, Remove>;

/// If all compares hold, `then` is done, else `otherwise`; all at one revision.
struct Txn {
  std::vector<Compare> compares;
  std::vector<Operation> then;
  std::vector<Operation> otherwise;
};

struct OperationResult {
  std::vector<KeyValue> kvs;  ///< of a Get
  std::int64_t removed = 0;   ///< of a Remove
};

struct TxnResult {
  bool succeeded = false;  ///< the compares held
  Revision revision = 0;
  std::vector<OperationResult> results;  ///< one for each operation that was done
};

struct Lease {
  LeaseId id = 0;
  std::chrono::seconds ttl{0};  ///< what the server granted; it may be more than what was asked for
};

struct LeaseState {
  std::chrono::seconds remaining{0};
  std::chrono::seconds granted{0};
  std::vector<std::string> keys;
};

struct Status {
  std::string version;  ///< "3.4.23"
  std::uint64_t member = 0;
  std::uint64_t leader = 0;  ///< 0: none
  std::uint64_t raft_term = 0;
  Revision revision = 0;
  std::int64_t db_size = 0;
};

struct MemberInfo {
  std::uint64_t id = 0;
  std::string name;  ///< empty until the member has joined
  std::vector<std::string> peer_urls;
  std::vector<std::string> client_urls;
};

}  // namespace knetsim::etcd
