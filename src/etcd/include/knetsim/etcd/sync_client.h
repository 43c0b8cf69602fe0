#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

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

  auto get(std::string key) { return finish(&Client::get, std::move(key)); }
  auto list(std::string prefix) { return finish(&Client::list, std::move(prefix)); }
  auto page(std::string prefix, PageRequest request) {
    return finish(&Client::page, std::move(prefix), std::move(request));
  }
  auto put(std::string key, std::string value, LeaseId lease = 0) {
    return finish(&Client::put, std::move(key), std::move(value), lease);
  }
  auto remove(std::string key) { return finish(&Client::remove, std::move(key)); }
  auto remove_prefix(std::string prefix) { return finish(&Client::remove_prefix, std::move(prefix)); }
  auto txn(Txn txn) { return finish(&Client::txn, std::move(txn)); }
  auto grant(std::chrono::seconds ttl) { return finish(&Client::grant, ttl); }
  auto keep_alive(LeaseId id) { return finish(&Client::keep_alive, id); }
  auto time_to_live(LeaseId id) { return finish(&Client::time_to_live, id); }
  void revoke(LeaseId id) { finish(&Client::revoke, id); }
  void compact(Revision revision) { finish(&Client::compact, revision); }
  auto status() { return finish(&Client::status); }
  auto members() { return finish(&Client::members); }
  auto health() { return finish(&Client::health); }
  void put_v2(std::string key, std::string value) { finish(&Client::put_v2, std::move(key), std::move(value)); }
  auto get_v2(std::string key) { return finish(&Client::get_v2, std::move(key)); }
  auto keys_v2(std::string directory) { return finish(&Client::keys_v2, std::move(directory)); }

  /// Established when this returns: later changes are seen. Throws StillMissing if no server accepts it in `budget`.
  SyncWatcher watch(std::string prefix, Revision from = 0,
                    std::chrono::milliseconds budget = std::chrono::milliseconds{10'000});
  SyncWatcher watch(WatchOptions options, std::chrono::milliseconds budget);

 private:
  template <typename T, typename... Parameters, typename... Arguments>
  T finish(awaitable<T> (Client::*call)(Parameters...), Arguments... arguments) {
    auto under_way = (client().*call)(std::move(arguments)...);
    if constexpr (std::is_void_v<T>) {
      run(std::move(under_way));
    } else {
      std::optional<T> result;
      run(keep(std::move(under_way), result));
      return *std::move(result);
    }
  }
  template <typename T>
  static awaitable<void> keep(awaitable<T> call, std::optional<T>& result) {
    result.emplace(co_await std::move(call));
  }
  Client& client();
  void run(awaitable<void> call);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace knetsim::etcd
