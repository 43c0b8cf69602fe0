#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>

namespace knetsim::skupper::router {

/// No delay for small segments (TCP_NODELAY), no blocking.
void make_prompt(boost::asio::ip::tcp::socket& socket);
/// Closes with a RST instead of a FIN.
void reset(boost::asio::ip::tcp::socket& socket);
/// "10.9.0.2:48912", "[fd00::2]:48912"; "unknown" if it isn't connected.
std::string peer_name(const boost::asio::ip::tcp::socket& socket);
std::string to_string(const boost::asio::ip::tcp::endpoint& endpoint);

}  // namespace knetsim::skupper::router
