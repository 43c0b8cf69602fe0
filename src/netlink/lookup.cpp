#include "knetsim/netlink/lookup.h"

#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <cerrno>

#include "decode.h"
#include "knetsim/netlink/channel.h"
#include "knetsim/netlink/error.h"
#include "message.h"

namespace knetsim::netlink {

namespace {

Message route_request(const RouteQuestion& question, unsigned flags) {
  const unsigned bits = question.to.is_v6() ? 128 : 32;
  Message message(RTM_GETROUTE, 0);
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(family(question.to));
  header.rtm_dst_len = static_cast<std::uint8_t>(bits);
  header.rtm_src_len = static_cast<std::uint8_t>(question.from ? bits : 0);
  header.rtm_flags = RTM_F_LOOKUP_TABLE | flags;
  message.header(header).address(RTA_DST, question.to);
  if (question.from) message.address(RTA_SRC, *question.from);
  if (question.in != 0) message.u32(RTA_IIF, static_cast<std::uint32_t>(question.in));
  if (question.mark != 0) message.u32(RTA_MARK, question.mark);
  if (question.protocol == IPPROTO_TCP || question.protocol == IPPROTO_UDP) {
    message.u8(RTA_IP_PROTO, question.protocol);
    if (question.source_port != 0) message.be16(RTA_SPORT, question.source_port);
    if (question.destination_port != 0) message.be16(RTA_DPORT, question.destination_port);
  }
  return message;
}

std::optional<Route> answered_route(Socket& socket, const RouteQuestion& question, unsigned flags) {
  const auto answer =
      socket.channel().ask(route_request(question, flags), "look up the route to " + question.to.to_string(), {});
  if (!answer) return std::nullopt;
  auto* reply = reinterpret_cast<nlmsghdr*>(const_cast<char*>(answer->data()));
  // The kernel calls the answer a cached route; it is the one thing asked for here.
  if (nlmsg_valid_hdr(reply, sizeof(rtmsg))) static_cast<rtmsg*>(nlmsg_data(reply))->rtm_flags &= ~RTM_F_CLONED;
  return decode_route(reply);
}

}  // namespace

RouteAnswer ask_route(Socket& socket, const RouteQuestion& question) {
  RouteAnswer answer;
  try {
    answer.way = answered_route(socket, question, 0);
  } catch (const Error& refused) {
    answer.error = refused.error();
    return answer;
  }
  try {
    answer.matched = answered_route(socket, question, RTM_F_FIB_MATCH);
  } catch (const Error&) {
    // A kernel without FIB match: the way says enough.
  }
  return answer;
}

}  // namespace knetsim::netlink
