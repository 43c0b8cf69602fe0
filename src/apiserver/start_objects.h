#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>

#include "knetsim/sys/network.h"
#include "store.h"
#include "writer.h"

namespace knetsim::apiserver {

struct OwnAddress {
  std::optional<Address> address;  ///< at which the server can be reached from within the cluster; nullopt: nowhere
  std::uint16_t port = 6443;
};

/// Makes, where they aren't there, the namespaces of every cluster and the Service `kubernetes`, and lets the latter's
/// Endpoints and EndpointSlice name this server alone.
boost::asio::awaitable<void> make_start_objects(Writer& writer, Store& store, const kube::ServiceRanges& ranges,
                                                OwnAddress own);

}  // namespace knetsim::apiserver
