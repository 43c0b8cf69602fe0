#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "cache.h"
#include "knetsim/etcd/client.h"

namespace knetsim::apiserver {

/// Keeps the cache at what etcd holds: one list, page by page, and one watch from there on.
class Feed {
 public:
  Feed(boost::asio::any_io_executor executor, etcd::Client& client, Cache& cache)
      : executor_(std::move(executor)), client_(&client), cache_(&cache) {}

  /// Fills the cache. Waits for an etcd that isn't there yet, `patience` long; throws etcd::Error then.
  boost::asio::awaitable<void> fill(std::chrono::milliseconds patience);
  /// For ever. Where etcd has forgotten what was missed, fills again.
  boost::asio::awaitable<void> follow();

 private:
  boost::asio::awaitable<void> list();

  boost::asio::any_io_executor executor_;
  etcd::Client* client_;
  Cache* cache_;
  bool told_ = false;  // that etcd is away
};

}  // namespace knetsim::apiserver
