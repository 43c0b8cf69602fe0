#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <string>

#include "router/log.h"

namespace knetsim::skupper::router {

/// What a listener with `http` serves: GET and HEAD of /healthz and /metrics, each if it is to.
struct HttpPages {
  std::function<std::string()> healthz;  ///< empty: 404
  std::function<std::string()> metrics;  ///< empty: 404; Prometheus's text format 0.0.4
};

/// Answers one request on the connection, within ten seconds, and closes it; says in the log why it couldn't. `pages`
/// and `log` outlive that.
void serve_http(boost::asio::ip::tcp::socket socket, const HttpPages& pages, const Log& log);

}  // namespace knetsim::skupper::router
