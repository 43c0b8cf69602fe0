#include "knetsim/netlink/route.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <netlink/route/route.h>
#include <netlink/route/rtnl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "attributes.h"
#include "decode.h"
#include "knetsim/netlink/channel.h"
#include "message.h"

namespace knetsim::netlink {

namespace {

unsigned default_scope(const Route& route) {
  if (is_v6(route.destination)) return RT_SCOPE_UNIVERSE;
  switch (route.type) {
    case RTN_LOCAL:
    case RTN_NAT:
      return RT_SCOPE_HOST;
    case RTN_BROADCAST:
    case RTN_MULTICAST:
    case RTN_ANYCAST:
      return RT_SCOPE_LINK;
    case RTN_UNICAST:
      return route.gateway || !route.hops.empty() ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    default:
      return RT_SCOPE_UNIVERSE;
  }
}

void put_gateway(Message& message, const Address& gateway, const Route& route) {
  if (gateway.is_v6() == is_v6(route.destination)) {
    message.address(RTA_GATEWAY, gateway);
    return;
  }
  // An IPv4 route through an IPv6 router (RFC 5549): struct rtvia.
  std::vector<char> via(sizeof(std::uint16_t));
  const auto address_family = static_cast<std::uint16_t>(family(gateway));
  std::memcpy(via.data(), &address_family, sizeof address_family);
  const auto append = [&](const auto& octets) { via.insert(via.end(), octets.begin(), octets.end()); };
  gateway.is_v6() ? append(gateway.to_v6().to_bytes()) : append(gateway.to_v4().to_bytes());
  message.bytes(RTA_VIA, via.data(), via.size());
}

void put_hops(Message& message, const Route& route) {
  message.nest(RTA_MULTIPATH, [&] {
    for (const auto& hop : route.hops) {
      const auto start = message.raw()->nlmsg_len;
      rtnexthop header{};
      header.rtnh_flags = hop.onlink ? RTNH_F_ONLINK : 0;
      header.rtnh_hops = static_cast<std::uint8_t>(hop.weight - 1);
      header.rtnh_ifindex = hop.interface;
      message.header(header);
      if (hop.gateway) put_gateway(message, *hop.gateway, route);
      // Known only now; the buffer doesn't move while a message is built.
      auto* placed = reinterpret_cast<rtnexthop*>(reinterpret_cast<char*>(message.raw()) + start);
      placed->rtnh_len = static_cast<std::uint16_t>(message.raw()->nlmsg_len - start);
    }
  });
}

Message request(int type, int flags, const Route& route, unsigned scope, unsigned protocol) {
  const auto destination = canonical(route.destination);
  Message message(type, flags);
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(family(destination));
  header.rtm_dst_len = static_cast<std::uint8_t>(prefix_length(destination));
  header.rtm_table = static_cast<std::uint8_t>(route.table < 256 ? route.table : RT_TABLE_UNSPEC);
  header.rtm_protocol = static_cast<std::uint8_t>(protocol);
  header.rtm_scope = static_cast<std::uint8_t>(scope);
  header.rtm_type = static_cast<std::uint8_t>(route.type);
  header.rtm_flags = route.onlink ? RTNH_F_ONLINK : 0;
  message.header(header).u32(RTA_TABLE, route.table);
  if (prefix_length(destination) != 0) message.address(RTA_DST, address_of(destination));
  if (route.gateway) put_gateway(message, *route.gateway, route);
  if (route.interface != 0) message.u32(RTA_OIF, static_cast<std::uint32_t>(route.interface));
  if (route.source) message.address(RTA_PREFSRC, *route.source);
  if (route.metric != 0) message.u32(RTA_PRIORITY, route.metric);
  if (!route.hops.empty()) put_hops(message, route);
  return message;
}

void put(Socket& socket, int flags, const Route& route) {
  const auto scope = route.scope.value_or(default_scope(route));
  socket.channel().change(request(RTM_NEWROUTE, NLM_F_CREATE | flags, route, scope, route.protocol),
                          "add route " + to_string(route));
}

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

void add_route(Socket& socket, const Route& route) { put(socket, NLM_F_EXCL, route); }

void replace_route(Socket& socket, const Route& route) { put(socket, NLM_F_REPLACE, route); }

void delete_route(Socket& socket, const Route& route) {
  const unsigned any_scope = is_v6(route.destination) ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE;
  const unsigned protocol = route.protocol == RTPROT_BOOT ? RTPROT_UNSPEC : route.protocol;
  socket.channel().change(request(RTM_DELROUTE, 0, route, route.scope.value_or(any_scope), protocol),
                          "delete route " + to_string(route), {ESRCH, ENOENT, ENODEV});
}

std::vector<Route> list_routes(Socket& socket, int family, unsigned table) {
  Message message(RTM_GETROUTE, 0);
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(family);
  message.header(header);
  return list(socket, message, "list routes", decode_route,
              [&](const Route& route) { return table == RT_TABLE_UNSPEC || route.table == table; });
}

std::optional<Route> lookup_route(Socket& socket, const Address& to) {
  Message message(RTM_GETROUTE, 0);
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(family(to));
  header.rtm_dst_len = to.is_v6() ? 128 : 32;
  header.rtm_flags = RTM_F_LOOKUP_TABLE;
  message.header(header).address(RTA_DST, to);
  // The last three are what a blackhole, a prohibit and an unreachable route answer.
  const auto answer = socket.channel().ask(message, "look up the route to " + to.to_string(),
                                           {ENETUNREACH, ESRCH, EINVAL, EACCES, EHOSTUNREACH});
  if (!answer) return std::nullopt;
  auto* reply = reinterpret_cast<nlmsghdr*>(const_cast<char*>(answer->data()));
  // The kernel calls the answer a cached route; it is the one thing asked for here.
  if (nlmsg_valid_hdr(reply, sizeof(rtmsg))) static_cast<rtmsg*>(nlmsg_data(reply))->rtm_flags &= ~RTM_F_CLONED;
  return decode_route(reply);
}

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
