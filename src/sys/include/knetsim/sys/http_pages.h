#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <map>
#include <string>

namespace knetsim {

/// What a daemon shows over HTTP, by path ("/healthz"); each text is made when it is asked for.
using HttpPages = std::map<std::string, std::function<std::string()>, std::less<>>;

/// Answers one request on the connection, GET or HEAD of one of the pages, within ten seconds, and closes it;
/// `complain` hears why it couldn't, and from whom. `pages` outlives that.
void serve_http(boost::asio::ip::tcp::socket socket, const HttpPages& pages, std::string content_type,
                std::function<void(const std::string&)> complain);

}  // namespace knetsim
