#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <optional>
#include <string>

#include "knetsim/apiserver/pki.h"
#include "knetsim/emulator/credentials.h"
#include "knetsim/kube/status.h"

namespace knetsim {

using KubeletStream = boost::beast::ssl_stream<boost::beast::tcp_stream>;

/// TLS 1.2 and later with that certificate; whoever comes is asked for his. Throws boost::system::system_error.
boost::asio::ssl::context kubelet_tls(const KubeletIdentity& identity);

/// After a handshake: why its client isn't answered; nullopt: it may ask for everything. As a kubelet does it, who has
/// no certificate of the authority is unknown (401), and of those who have one only the cluster's masters, of whom an
/// API server is one, are heard (403).
std::optional<kube::ApiError> refusal_of(KubeletStream& stream);

}  // namespace knetsim
