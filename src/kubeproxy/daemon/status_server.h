#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/sys/netns.h"

namespace knetsim::kubeproxy {

struct StatusAnswer {
  unsigned status = 200;
  std::string type = "text/plain";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
};

/// Answers GET on one port of a namespace, in plain HTTP, for as long as it stands. Everything happens in the thread
/// that runs the context, which must outlive it.
class StatusServer {
 public:
  using Answer = std::function<StatusAnswer(const std::string& path)>;

  /// Throws Error if the port is taken.
  StatusServer(boost::asio::io_context& context, const NetNs& netns, const boost::asio::ip::tcp::endpoint& where,
               Answer answer);
  StatusServer(StatusServer&&) noexcept;
  StatusServer& operator=(StatusServer&&) noexcept;
  ~StatusServer();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace knetsim::kubeproxy
