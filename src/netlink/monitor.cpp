#include "knetsim/netlink/monitor.h"

#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "attributes.h"
#include "decode.h"
#include "knetsim/netlink/channel.h"

namespace knetsim::netlink {

using std::chrono::ceil;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

void join(FdView fd, int group) {
  if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
    throw SystemError("subscribe to netlink notifications");
}

// The kernel skips sockets without a port id when it notifies; binding gives one.
void bind_for_notifications(FdView fd) {
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
    throw SystemError("bind a netlink socket");
}

bool tells_of_a_removal(unsigned type) {
  if (NFNL_SUBSYS_ID(type) != NFNL_SUBSYS_NFTABLES) return false;
  switch (NFNL_MSG_TYPE(type)) {
    case NFT_MSG_DELTABLE:
    case NFT_MSG_DELCHAIN:
    case NFT_MSG_DELRULE:
    case NFT_MSG_DELSET:
    case NFT_MSG_DELSETELEM:
      return true;
    default:
      return false;
  }
}

/// Of a message of nfnetlink.
Attributes filter_attributes(const nlmsghdr& message) { return {&message, sizeof(nfgenmsg), NFTA_TABLE_MAX}; }

template <typename Object>
void add(std::vector<Event>& events, bool removed, std::optional<Object> object) {
  if (object) events.push_back({.removed = removed, .object = std::move(*object)});
}

void decode(const nlmsghdr* message, std::vector<Event>& events) {
  switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return add(events, message->nlmsg_type == RTM_DELLINK, decode_link(message));
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return add(events, message->nlmsg_type == RTM_DELADDR, decode_address(message));
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return add(events, message->nlmsg_type == RTM_DELROUTE, decode_route(message));
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      add(events, message->nlmsg_type == RTM_DELNEIGH, decode_neighbour(message));
      return add(events, message->nlmsg_type == RTM_DELNEIGH, decode_fdb(message));
    default:
      return;
  }
}

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

Monitor::Monitor(const NetNs& ns, Groups groups, int receive_buffer)
    : fd_(ns.run([] { return open_netlink(NETLINK_ROUTE, SOCK_NONBLOCK); })), buffer_(kDatagram) {
  // The first needs CAP_NET_ADMIN on the host and passes over rmem_max; the second does as well as it may.
  if (::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer) != 0)
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  bind_for_notifications(fd_);
  if (groups & Groups::links) join(fd_, RTNLGRP_LINK);
  if (groups & Groups::addresses) {
    join(fd_, RTNLGRP_IPV4_IFADDR);
    join(fd_, RTNLGRP_IPV6_IFADDR);
  }
  if (groups & Groups::routes) {
    join(fd_, RTNLGRP_IPV4_ROUTE);
    join(fd_, RTNLGRP_IPV6_ROUTE);
  }
  if (groups & Groups::neighbours) join(fd_, RTNLGRP_NEIGH);
}

std::vector<Event> Monitor::read() {
  std::vector<Event> events;
  for (;;) {
    sockaddr_nl sender{};
    iovec piece{buffer_.data(), buffer_.size()};
    msghdr envelope{};
    envelope.msg_name = &sender;
    envelope.msg_namelen = sizeof sender;
    envelope.msg_iov = &piece;
    envelope.msg_iovlen = 1;
    const auto received = ::recvmsg(fd_.get(), &envelope, 0);
    if (received < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return events;
      if (errno != ENOBUFS) throw SystemError("read netlink notifications");
      events.push_back({.object = Resync{}});
      continue;
    }
    if (sender.nl_pid != 0) continue;  // another process; only the kernel is believed
    if (envelope.msg_flags & MSG_TRUNC) events.push_back({.object = Resync{}});
    int left = static_cast<int>(received);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer_.data()); nlmsg_ok(message, left);
         message = nlmsg_next(message, &left))
      decode(message, events);
  }
}

RulesetMonitor::RulesetMonitor(const NetNs& ns, std::string table, std::string except)
    : fd_(ns.run([] { return open_netlink(NETLINK_NETFILTER, SOCK_NONBLOCK); })),
      table_(std::move(table)),
      except_(std::move(except)),
      buffer_(kDatagram) {
  bind_for_notifications(fd_);
  join(fd_, NFNLGRP_NFTABLES);
}

bool RulesetMonitor::concerns_us(const nlmsghdr& message) const {
  if (!tells_of_a_removal(message.nlmsg_type)) return false;
  // The table's name is the same attribute of all objects.
  return table_.empty() || filter_attributes(message).string(NFTA_TABLE_NAME) == table_;
}

bool RulesetMonitor::read() {
  bool taken = false;
  for (;;) {
    const auto received = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (received < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return taken;
      if (errno != ENOBUFS) throw SystemError("read the packet filter's notifications");
      taken = true;
      continue;
    }
    int left = static_cast<int>(received);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer_.data()); nlmsg_ok(message, left);
         message = nlmsg_next(message, &left)) {
      taken_ = taken_ || concerns_us(*message);
      if (message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN)) continue;
      // What a change consists of is told before its end, and that tells whose it was.
      const bool counts =
          except_.empty() || filter_attributes(*message).string(NFTA_GEN_PROC_NAME).value_or("") != except_;
      taken = taken || (std::exchange(taken_, false) && counts);
    }
  }
}

std::vector<Event> Monitor::wait(milliseconds budget) {
  const auto deadline = steady_clock::now() + budget;
  for (;;) {
    if (auto events = read(); !events.empty()) return events;
    const auto left = ceil<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) return {};
    pollfd readable{fd_.get(), POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(left.count())) < 0 && errno != EINTR)
      throw SystemError("wait for netlink notifications");
  }
}

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
