#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "knetsim/etcd/client.h"

namespace knetsim::etcd {

/// What connections to https endpoints are made with; null if there are none. Throws InputError naming the file that
/// can't be used.
std::shared_ptr<boost::asio::ssl::context> make_tls_context(const ClientOptions& options);

}  // namespace knetsim::etcd
