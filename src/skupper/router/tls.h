#pragma once

#include <proton/ssl.h>

#include <memory>
#include <string>

#include "knetsim/skupper/config.h"

namespace knetsim::skupper::router {

/// Credentials and rules for the TLS of AMQP connections, from an sslProfile. Both throw InputError naming the profile
/// and the file that can't be used.
using TlsDomain = std::shared_ptr<pn_ssl_domain_t>;
TlsDomain client_domain(const SslProfile& profile, bool verify_hostname);
/// `authenticate_peer`: clients must have a certificate of the profile's CA. `require`: none without TLS.
TlsDomain server_domain(const SslProfile& profile, bool authenticate_peer, bool require);

/// Before the first byte. `hostname` is what a client verifies; empty for servers.
void secure(pn_transport_t* transport, const TlsDomain& domain, const std::string& hostname);

}  // namespace knetsim::skupper::router
