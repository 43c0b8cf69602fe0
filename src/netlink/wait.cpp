#include <fmt/format.h>

#include "knetsim/netlink/monitor.h"

namespace knetsim::netlink {

using std::chrono::ceil;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

/// Calls `look` after every notification until it returns something; `look` puts what is missing into its argument.
template <typename Look>
auto wait_until(const NetNs& ns, Groups groups, milliseconds budget, Look&& look) {
  const auto deadline = steady_clock::now() + budget;
  // Subscribed before the first look, so that no change falls between the two.
  Monitor monitor(ns, groups);
  Socket socket(ns);
  std::string missing;
  for (;;) {
    if (auto found = look(socket, missing)) return *found;
    const auto left = ceil<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0 || monitor.wait(left).empty()) throw StillMissing(missing, budget);
  }
}

std::string names_of(Socket& socket) {
  std::string names;
  for (const auto& link : list_links(socket)) names += (names.empty() ? "" : ", ") + link.name;
  return names;
}

template <typename Object>
std::string joined(const std::vector<Object>& objects) {
  std::string text;
  for (const auto& object : objects) text += (text.empty() ? "" : ", ") + to_string(object);
  return text.empty() ? "nothing" : text;
}

}  // namespace

Link wait_for_link(const NetNs& ns, const std::string& name, const LinkPredicate& predicate, milliseconds budget) {
  return wait_until(ns, Groups::links, budget, [&](Socket& socket, std::string& missing) {
    auto link = find_link(socket, name);
    if (!link) {
      missing = fmt::format("link {}; there are {}", name, names_of(socket));
    } else if (predicate && !predicate(*link)) {
      missing = fmt::format("link {} as wanted; it is: {}", name, to_string(*link));
      link.reset();
    }
    return link;
  });
}

void wait_for_link_gone(const NetNs& ns, const std::string& name, milliseconds budget) {
  wait_until(ns, Groups::links, budget, [&](Socket& socket, std::string& missing) {
    const auto link = find_link(socket, name);
    if (link) missing = fmt::format("the end of link {}; it is still there: {}", name, to_string(*link));
    return link ? std::optional<bool>() : std::optional(true);
  });
}

InterfaceAddress wait_for_address(const NetNs& ns, const std::string& interface, const Address& address,
                                  milliseconds budget) {
  const auto groups = Groups::links | Groups::addresses;
  return wait_until(ns, groups, budget, [&](Socket& socket, std::string& missing) -> std::optional<InterfaceAddress> {
    const auto link = find_link(socket, interface);
    if (!link) {
      missing = fmt::format("link {} to have {}; there are {}", interface, address.to_string(), names_of(socket));
      return std::nullopt;
    }
    const auto addresses = list_addresses(socket, link->index);
    for (const auto& one : addresses)
      if (address_of(one.address) == address && !one.tentative()) return one;
    missing = fmt::format("{} on {}, ready for use; it has {}", address.to_string(), interface, joined(addresses));
    return std::nullopt;
  });
}

Route wait_for_route(const NetNs& ns, const Network& destination, const RoutePredicate& predicate,
                     milliseconds budget) {
  // Of links too: when one goes down, the kernel takes its IPv4 routes away without a word.
  const auto groups = Groups::links | Groups::routes;
  const auto wanted = canonical(destination);
  return wait_until(ns, groups, budget, [&](Socket& socket, std::string& missing) -> std::optional<Route> {
    const auto routes = list_routes(socket, family(wanted));
    std::vector<Route> close;
    for (const auto& route : routes) {
      if (route.destination != wanted) continue;
      if (!predicate || predicate(route)) return route;
      close.push_back(route);
    }
    missing = close.empty() ? fmt::format("a route to {}; there are: {}", to_string(wanted), joined(routes))
                            : fmt::format("a route to {} as wanted; it is: {}", to_string(wanted), joined(close));
    return std::nullopt;
  });
}

}  // namespace knetsim::netlink
