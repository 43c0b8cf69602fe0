#include "data_plane.h"

#include <spdlog/spdlog.h>

#include "knetsim/sys/error.h"

namespace knetsim::flannel {

void forget_plain_routes(netlink::Socket& socket, int interface, const SubnetRange& range,
                         const std::function<bool(const netlink::Route&)>& wanted) {
  for (const auto& route : netlink::list_routes(socket, family(range.network))) {
    const auto& subnet = route.destination;
    const bool like_ours = route.interface == interface && route.gateway && route.protocol == RTPROT_BOOT &&
                           prefix_length(subnet) == range.subnet_length && contains(range.network, subnet);
    if (!like_ours || wanted(route)) continue;
    spdlog::info("removing the old route {}", netlink::to_string(route));
    try {
      netlink::delete_route(socket, route);
    } catch (const Error& error) {
      spdlog::error("failed to remove an old route: {}", error.what());
    }
  }
}

}  // namespace knetsim::flannel
