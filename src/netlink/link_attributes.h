#pragma once

#include "message.h"

namespace knetsim::netlink {

/// IFLA_AF_SPEC with the way in which a link gives itself IPv6 addresses.
void put_link_local(Message& message, bool on);

}  // namespace knetsim::netlink
