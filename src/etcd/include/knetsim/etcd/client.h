#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/etcd/error.h"
#include "knetsim/etcd/types.h"
#include "knetsim/etcd/watcher.h"

namespace knetsim::etcd {

template <typename T>
using awaitable = boost::asio::awaitable<T>;

/// PEM files for https endpoints.
struct TlsFiles {
  std::filesystem::path ca;  ///< who is trusted; empty: whom the system trusts
  std::filesystem::path certificate;
  std::filesystem::path key;  ///< of the certificate; both or neither
};

struct ClientOptions {
  std::vector<std::string> endpoints;  ///< "http://10.0.0.1:2379", "https://..."; the port may be left out (2379)
  std::chrono::milliseconds connect_timeout{1'000};  ///< for each endpoint
  std::chrono::milliseconds request_timeout{
      10'000};                       ///< for each request that was sent; etcd itself gives up after 7 s
  std::size_t idle_connections = 2;  ///< are kept for the next requests
  TlsFiles tls = {};
  std::string username = {};  ///< empty: nobody logs in
  std::string password = {};
};

/// "http://a:2379,http://b:2379" -> its parts; throws InputError naming the one that can't be used.
std::vector<std::string> parse_endpoints(const std::string& text);
/// "http://[fd00::1]:2379" -> "fd00::1"; throws InputError likewise.
std::string host_of(const std::string& endpoint);

/// Speaks etcd's v3 JSON gateway (etcd's Documentation/dev-guide/api_grpc_gateway.md) over http or https, and the
/// calls of the v2 store that older flanneld need. Coroutines on one executor, which must not run in several threads;
/// calls may overlap, and the client must outlive them. Sockets are opened in the network namespace of the thread that
/// runs the executor.
///
/// An endpoint that can't be reached is passed over for the next one. A read is repeated there also when its answer
/// was lost; a change isn't (Unavailable::maybe_applied). Errors: InputError, Error, Unavailable, Compacted.
class Client {
 public:
  Client(boost::asio::any_io_executor executor, ClientOptions options);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  awaitable<std::optional<KeyValue>> get(std::string key);
  /// All keys that start with `prefix` (empty: all), as of one revision.
  awaitable<Listing> list(std::string prefix);
  /// Some of them. Compacted if the revision is gone.
  awaitable<Page> page(std::string prefix, PageRequest request);
  /// The store's revision after the change, as with every change below.
  awaitable<Revision> put(std::string key, std::string value, LeaseId lease = 0);
  /// Absent is no error.
  awaitable<Revision> remove(std::string key);
  awaitable<Revision> remove_prefix(std::string prefix);
  awaitable<TxnResult> txn(Txn txn);

  awaitable<Lease> grant(std::chrono::seconds ttl);
  /// The renewed time to live; 0 if there is no such lease any more.
  awaitable<std::chrono::seconds> keep_alive(LeaseId id);
  /// nullopt if there is no such lease any more.
  awaitable<std::optional<LeaseState>> time_to_live(LeaseId id);
  /// Its keys go with it. Absent is no error.
  awaitable<void> revoke(LeaseId id);

  /// Forgets what was before `revision`, on all members, physically too. Compacted if that was done before.
  awaitable<void> compact(Revision revision);
  /// Of the member that answers.
  awaitable<Status> status();
  awaitable<std::vector<MemberInfo>> members();
  /// GET /health of the endpoint in use: nullopt if it is healthy, else what it says.
  awaitable<std::optional<std::string>> health();

  /// All changes below `prefix` with a revision >= `from` (0: from now on). On a connection of its own.
  Watcher watch(std::string prefix, Revision from = 0);

  /// The v2 store, in which keys are paths ("/coreos.com/network/config").
  awaitable<void> put_v2(std::string key, std::string value);
  awaitable<std::optional<std::string>> get_v2(std::string key);
  /// The keys directly in a directory, whole paths; none if it is absent.
  awaitable<std::vector<std::string>> keys_v2(std::string directory);

  const ClientOptions& options() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace knetsim::etcd
