#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cache.h"
#include "knetsim/etcd/client.h"
#include "knetsim/kube/kinds.h"

namespace knetsim::apiserver {

/// What is to become of an object.
struct Decision {
  enum class Deed { keep, write, remove };
  Deed deed = Deed::keep;
  nlohmann::json object;  ///< to write; of keep and remove: what the client is told
};

/// What a write has come to.
struct Written {
  nlohmann::json object;  ///< with its resourceVersion
  VersionPtr version;     ///< the same as it is served; null: nothing was written, or it is gone
};

/// Writes objects: each change is one transaction of etcd, and is seen by whoever reads the cache afterwards.
class Store {
 public:
  Store(etcd::Client& client, Cache& cache) : client_(&client), cache_(&cache) {}

  /// The object as it is now. Throws ApiError 404, 500 if it can't be served.
  nlohmann::json get(const kube::Kind& kind, const std::string& ns, const std::string& name) const;
  /// Throws ApiError 409 if there is one already.
  boost::asio::awaitable<Written> create(const kube::Kind& kind, std::string ns, std::string name,
                                         nlohmann::json object);
  /// Asks `decide` about the object as it is, again if somebody else was faster, and does it. What it throws comes out.
  /// With `dry` nothing is done. Throws ApiError 404.
  boost::asio::awaitable<Written> change(const kube::Kind& kind, std::string ns, std::string name,
                                         std::function<Decision(const nlohmann::json&)> decide, bool dry = false);

 private:
  struct Commit {
    bool succeeded = false;
    VersionPtr version;
  };
  /// `object` is what the key then is, and gets its resourceVersion; null: gone.
  boost::asio::awaitable<Commit> commit(etcd::Txn txn, std::string key, nlohmann::json* object);
  /// The state of a key that was another than thought; null if it is gone.
  boost::asio::awaitable<VersionPtr> read(std::string key);
  boost::asio::awaitable<void> see(etcd::Revision revision);

  etcd::Client* client_;
  Cache* cache_;
};

}  // namespace knetsim::apiserver
