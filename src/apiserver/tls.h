#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <optional>

#include "knetsim/apiserver/options.h"

namespace knetsim::apiserver {

using PlainStream = boost::beast::tcp_stream;
using TlsStream = boost::beast::ssl_stream<boost::beast::tcp_stream>;

/// TLS 1.2 and later with the options' certificate, for clients with or without one; nullopt if they name none. Throws
/// InputError naming flag and file.
std::optional<boost::asio::ssl::context> tls_context(const ServerOptions& options);

/// For connections to kubelets: whom they are shown, and whom they must be. Throws InputError naming flag and file.
boost::asio::ssl::context kubelet_client_context(const ServerOptions& options);

/// After a handshake: whether the client has shown a certificate, and whether it is one of --client-ca-file.
enum class Shown { nothing, good, bad };
Shown certificate_of(TlsStream& stream);

}  // namespace knetsim::apiserver
