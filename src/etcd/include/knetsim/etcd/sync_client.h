#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/etcd/client.h"
#include "knetsim/sys/netns.h"

namespace knetsim::etcd {

/// A Watcher for callers without coroutines. Not thread-safe.
class SyncWatcher {
 public:
  SyncWatcher(SyncWatcher&&) noexcept;
  SyncWatcher& operator=(SyncWatcher&&) noexcept;
  ~SyncWatcher();
  /// The next events, or nullopt if none came within `budget` (nothing is lost by that). Else as Watcher::next().
  std::optional<WatchEvents> next(std::chrono::milliseconds budget);
  Revision revision() const noexcept;

 private:
  friend class SyncClient;
  struct State;
  explicit SyncWatcher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Client, blocking; for tests and for the emulator. Not thread-safe. Contracts as in client.h.
class SyncClient {
 public:
  /// Sockets are opened where the caller is: use it inside NetNs::run.
  explicit SyncClient(ClientOptions options);
  /// Every call runs inside `netns`, which must outlive the client and its watchers.
  SyncClient(const NetNs& netns, ClientOptions options);
  SyncClient(SyncClient&&) noexcept;
  SyncClient& operator=(SyncClient&&) noexcept;
  ~SyncClient();

  std::optional<KeyValue> get(std::string key);
  Listing list(std::string prefix);
  Revision put(std::string key, std::string value, LeaseId lease = 0);
  Revision remove(std::string key);
  Revision remove_prefix(std::string prefix);
  TxnResult txn(Txn txn);
  Lease grant(std::chrono::seconds ttl);
  std::chrono::seconds keep_alive(LeaseId id);
  std::optional<LeaseState> time_to_live(LeaseId id);
  void revoke(LeaseId id);
  void compact(Revision revision);
  Status status();
  std::vector<MemberInfo> members();
  std::optional<std::string> health();
  void put_v2(std::string key, std::string value);
  std::optional<std::string> get_v2(std::string key);
  std::vector<std::string> keys_v2(std::string directory);

  /// Established when this returns: later changes are seen. Throws StillMissing if no server accepts it in `budget`.
  SyncWatcher watch(std::string prefix, Revision from = 0,
                    std::chrono::milliseconds budget = std::chrono::milliseconds{10'000});
  SyncWatcher watch(WatchOptions options, std::chrono::milliseconds budget);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace knetsim::etcd
