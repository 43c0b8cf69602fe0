#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "router/shard.h"

namespace knetsim::skupper::router {

/// Listens on one port, on each address that a host has (empty: all addresses, of both families). Closed with its
/// owner.
class Acceptor {
 public:
  using Accepted = std::function<void(boost::asio::ip::tcp::socket)>;

  /// Throws SystemError if it can't listen. `backlog` 0: as much as the kernel allows.
  Acceptor(Shard& shard, const std::string& host, std::uint16_t port, int backlog, Accepted accepted);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  /// With the port that the kernel chose, if it was to.
  std::vector<boost::asio::ip::tcp::endpoint> endpoints() const;

 private:
  struct Port;

  std::vector<std::shared_ptr<Port>> ports_;
};

}  // namespace knetsim::skupper::router
