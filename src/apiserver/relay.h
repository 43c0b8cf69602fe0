#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "tls.h"

namespace knetsim::apiserver {

/// Somebody else who answers a request, such as a kubelet.
struct Relay {
  TlsStream backend;    ///< after its handshake
  std::string request;  ///< what he is told first
};

/// Copies both ways, each as fast as its taker, until the backend ends it or the client has gone; then the backend is
/// let go.
boost::asio::awaitable<void> relay(PlainStream& client, Relay& relay);
boost::asio::awaitable<void> relay(TlsStream& client, Relay& relay);

}  // namespace knetsim::apiserver
