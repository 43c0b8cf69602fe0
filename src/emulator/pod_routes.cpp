#include "pod_routes.h"

#include <linux/rtnetlink.h>

#include <algorithm>

#include "knetsim/netlink/link.h"
#include "knetsim/sys/sysctl.h"

namespace knetsim {

namespace {

// What the kernel gives the route that an IPv6 address brings along (IP6_RT_PRIO_ADDRCONF).
constexpr unsigned kConnectedMetric = 256;

}  // namespace

std::vector<netlink::Route> routes_to_neighbours(const cni::Result& network, const std::string& bridge) {
  std::vector<netlink::Route> routes;
  if (network.interfaces.empty() || network.interfaces.front().name != bridge) return routes;
  for (const auto& ip : network.ips) {
    if (!ip.gateway) continue;
    const unsigned metric = is_v6(ip.address) ? kConnectedMetric : 0;
    routes.push_back({.destination = host_network(*ip.gateway), .scope = RT_SCOPE_LINK, .metric = metric});
    routes.push_back({.destination = canonical(ip.address), .gateway = ip.gateway, .metric = metric});
  }
  return routes;
}

void route_to_neighbours(const NetNs& pod, const std::string& interface, const std::vector<netlink::Route>& routes) {
  if (routes.empty()) return;
  netlink::Socket socket(pod);
  const int index = netlink::get_link(socket, interface).index;
  for (auto route : routes) {
    route.interface = index;
    netlink::replace_route(socket, route);
  }
  // Nothing keeps an IPv6 router from telling of the shorter way: then nobody shall listen.
  if (std::ranges::any_of(routes, [](const auto& route) { return is_v6(route.destination); }))
    pod.run([&] { write_sysctl("net/ipv6/conf/" + interface + "/accept_redirects", "0"); });
}

void send_no_redirects(const NetNs& worker) {
  worker.run([] {
    for (const char* name : {"net.ipv4.conf.all.send_redirects", "net.ipv4.conf.default.send_redirects"})
      write_sysctl(name, "0");
  });
}

}  // namespace knetsim
