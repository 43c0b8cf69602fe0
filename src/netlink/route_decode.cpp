#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <netlink/route/route.h>
#include <netlink/route/rtnl.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "attributes.h"
#include "decode.h"

namespace knetsim::netlink {

namespace {

std::optional<Address> gateway_of(const Attributes& attributes) {
  if (auto gateway = attributes.address(RTA_GATEWAY)) return gateway;
  const auto via = attributes.bytes(RTA_VIA);
  if (!via) return std::nullopt;
  if (via->size() < sizeof(std::uint16_t)) throw_malformed("a gateway without a family");
  return read_address(via->subspan(sizeof(std::uint16_t)));
}

std::vector<NextHop> decode_hops(std::span<const char> bytes) {
  std::vector<NextHop> hops;
  while (!bytes.empty()) {
    rtnexthop header;
    if (bytes.size() < sizeof header) throw_malformed("a next hop is cut off");
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.rtnh_len < sizeof header || header.rtnh_len > bytes.size()) throw_malformed("a next hop is cut off");
    const Attributes attributes(bytes.subspan(sizeof header, header.rtnh_len - sizeof header), RTA_MAX);
    hops.push_back({.gateway = gateway_of(attributes),
                    .interface = header.rtnh_ifindex,
                    .onlink = (header.rtnh_flags & RTNH_F_ONLINK) != 0,
                    .weight = header.rtnh_hops + 1U});
    bytes = bytes.subspan(std::min<std::size_t>(bytes.size(), RTNH_ALIGN(header.rtnh_len)));
  }
  return hops;
}

Address any_address(int address_family) {
  namespace ip = boost::asio::ip;
  return address_family == AF_INET6 ? Address(ip::address_v6::any()) : Address(ip::address_v4::any());
}

}  // namespace

std::optional<Route> decode_route(const nlmsghdr* message) {
  const auto& header = header_of<rtmsg>(message);
  if (header.rtm_family != AF_INET && header.rtm_family != AF_INET6) return std::nullopt;
  if ((header.rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  const Attributes attributes(message, sizeof header, RTA_MAX);
  const auto address = attributes.address(RTA_DST).value_or(any_address(header.rtm_family));
  if (family(address) != header.rtm_family || header.rtm_dst_len > (address.is_v6() ? 128 : 32))
    throw_malformed("a route's destination isn't of its family");
  Route route{.destination = make_network(address, header.rtm_dst_len)};
  route.gateway = gateway_of(attributes);
  route.interface = static_cast<int>(attributes.u32(RTA_OIF).value_or(0));
  route.onlink = (header.rtm_flags & RTNH_F_ONLINK) != 0;
  route.source = attributes.address(RTA_PREFSRC);
  route.table = attributes.u32(RTA_TABLE).value_or(header.rtm_table);
  route.protocol = header.rtm_protocol;
  route.scope = header.rtm_scope;
  route.metric = attributes.u32(RTA_PRIORITY).value_or(0);
  route.type = header.rtm_type;
  if (const auto hops = attributes.bytes(RTA_MULTIPATH)) route.hops = decode_hops(*hops);
  return route;
}

std::string to_string(const Route& route) {
  std::array<char, 64> name;
  std::string text;
  if (route.type != RTN_UNICAST)
    text = std::string(nl_rtntype2str(static_cast<int>(route.type), name.data(), name.size())) + " ";
  text += prefix_length(route.destination) == 0 ? "default" : to_string(route.destination);
  const auto hop = [&](const std::optional<Address>& gateway, int interface, bool onlink) {
    if (gateway) text += " via " + gateway->to_string();
    if (interface != 0) text += fmt::format(" dev {}", interface);
    if (onlink) text += " onlink";
  };
  hop(route.gateway, route.interface, route.onlink);
  for (const auto& one : route.hops) {
    text += " nexthop";
    hop(one.gateway, one.interface, one.onlink);
    text += fmt::format(" weight {}", one.weight);
  }
  if (route.source) text += " src " + route.source->to_string();
  if (route.metric != 0) text += fmt::format(" metric {}", route.metric);
  if (route.table != RT_TABLE_MAIN) text += fmt::format(" table {}", route.table);
  return text;
}

}  // namespace knetsim::netlink
