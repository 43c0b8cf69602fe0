#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "knetsim/etcd/error.h"
#include "knetsim/etcd/types.h"

namespace knetsim::etcd {

struct ClientOptions;

struct WatchOptions {
  std::string prefix = {};
  Revision from = 0;  ///< 0: from the moment at which the first endpoint accepts the watch
  std::chrono::milliseconds min_backoff{100};
  std::chrono::milliseconds max_backoff{5'000};
  /// After a silence of this length the endpoint is asked whether it still lives: a frozen process keeps its
  /// connections.
  std::chrono::milliseconds probe_after{10'000};
  /// Told of every interruption and of the delay before the next attempt, for logs.
  std::function<void(const std::string& reason, std::chrono::milliseconds delay)> on_interruption = {};
};

/// A watch of a prefix that outlives its connections: when the stream ends, its endpoint is lost or its member has no
/// leader any more, it goes on at the next endpoint from the last seen revision + 1. No event is lost and none comes
/// twice. Events of one revision (a transaction) always come in one WatchEvents.
class Watcher {
 public:
  Watcher(boost::asio::any_io_executor executor, const ClientOptions& client, WatchOptions options);
  Watcher(Watcher&&) noexcept;
  Watcher& operator=(Watcher&&) noexcept;
  ~Watcher();  ///< as close(): a pending next() throws

  /// The next events. One call at a time. Throws Compacted if the wanted revisions are
  /// gone (then watching is over: list, and make a new watcher), boost::system::system_error with operation_aborted
  /// after close(), Error if a server refuses to watch for good (the request is wrong or not permitted). Never ends for
  /// want of a connection. May be cancelled and called again; but not raced with operator||, which may drop its result.
  boost::asio::awaitable<WatchEvents> next();
  /// Returns once a server has accepted the watch, so that a change made afterwards is seen even with from = 0.
  /// Events that arrive meanwhile are kept for next().
  boost::asio::awaitable<void> established();

  /// Everything up to here has been delivered or doesn't concern the prefix.
  Revision revision() const noexcept;
  /// Ends the stream; a pending next() throws.
  void close();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace knetsim::etcd
