#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <vector>

#include "allocations.h"
#include "api.h"
#include "authentication.h"
#include "cache.h"
#include "feed.h"
#include "http_server.h"
#include "knetsim/apiserver/options.h"
#include "knetsim/etcd/client.h"
#include "store.h"
#include "tls.h"
#include "writer.h"

namespace knetsim::apiserver {

/// The server: its parts, put together, on one executor.
class Server {
 public:
  /// Throws Error if it can't listen.
  explicit Server(ServerOptions options);

  /// Serves until SIGINT or SIGTERM; the exit code.
  int run();

 private:
  boost::asio::awaitable<void> start();
  void spawn(boost::asio::awaitable<void> coroutine);
  void stop(int code);

  ServerOptions options_;
  boost::asio::io_context context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::optional<boost::asio::ssl::context> tls_;
  std::vector<boost::asio::ip::tcp::acceptor> secure_acceptors_;
  boost::asio::ssl::context kubelets_;
  etcd::Client client_;
  Cache cache_;
  Feed feed_;
  Store store_;
  Allocations allocations_;
  Writer writer_;
  Authentication authentication_;
  Api api_;
  HttpServer http_;
  std::optional<int> exit_code_;
};

}  // namespace knetsim::apiserver
