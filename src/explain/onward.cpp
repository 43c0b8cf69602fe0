#include "onward.h"

#include <algorithm>

namespace knetsim::explain {

namespace {

bool is_watched(const std::vector<Place>& watched, const std::string& name) {
  return std::any_of(watched.begin(), watched.end(), [&](const Place& place) { return place.name == name; });
}

bool has_mac(const Node& node, const std::array<std::uint8_t, 6>& mac) {
  auto socket = node.netlink();
  const auto links = netlink::list_links(socket);
  return std::any_of(links.begin(), links.end(), [&](const netlink::Link& link) { return link.mac.bytes == mac; });
}

/// Whether a cable or a veth pair may lead to the node: a switch's ports are called as the nodes that hang on them.
bool may_lead_to(const Sighting& left, const std::string& node) {
  return left.place == kWires ? node == left.link : node.starts_with(left.place + "/");
}

}  // namespace

std::vector<Place> taken_elsewhere(Emulation& emulation, const Journey& journey, const std::vector<Place>& watched) {
  std::vector<Place> found;
  const auto add = [&](const Node& node) {
    if (!is_watched(watched, node.name()) && !is_watched(found, node.name()))
      found.push_back({node.name(), &node.netns()});
  };
  for (const auto* left : journey.unfollowed)
    for (auto* node : emulation.nodes()) {
      if (!may_lead_to(*left, node->name()) || is_watched(watched, node->name())) continue;
      if (has_mac(*node, left->frame.destination)) add(*node);
    }
  return found;
}

}  // namespace knetsim::explain
