#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "knetsim/sys/network.h"

namespace knetsim::flannel {

/// Binds; throws Error naming address and remedy.
boost::asio::ip::tcp::acceptor listen_healthz(boost::asio::any_io_executor executor, const Address& address,
                                              std::uint16_t port);
/// Answers GET /healthz with 200 "flanneld is running", all else with 404 or 405, for ever.
boost::asio::awaitable<void> serve_healthz(boost::asio::ip::tcp::acceptor acceptor);

}  // namespace knetsim::flannel
