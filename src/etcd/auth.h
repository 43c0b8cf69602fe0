#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "transport.h"

namespace knetsim::etcd {

/// Logs in as the options' user (etcd's AuthService.Authenticate): the token for the header Authorization of later
/// calls. Throws Error if the server refuses, Unavailable.
boost::asio::awaitable<std::string> authenticate(Transport& transport);

/// Whether an answer says that its token isn't known (any more); what was asked for wasn't done.
bool wants_another_token(const Answer& answer);

}  // namespace knetsim::etcd
