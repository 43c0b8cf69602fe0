// What is wrong with the host that a packet is for, or that tracks its connection.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "case.h"

namespace knetsim::explain {

namespace {

std::string where_it_listens(const std::vector<Listener>& listeners) {
  std::string text;
  for (const auto& one : listeners)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", one.address.to_string(), one.port);
  return text;
}

/// Who took the packet has its address, and so has another, whose it is.
MaybeCause by_second_holder(const Case& lost, const Address& to) {
  const auto owner = lost.owners.find(to);
  if (owner == lost.owners.end() || owner->second == lost.place() || !has_address(lost.here(), to)) return std::nullopt;
  std::string remedy;
  for (const auto& one : lost.here().addresses)
    if (address_of(one.address) == to)
      if (const auto* link = link_of_index(lost.here(), one.interface))
        remedy = fmt::format("{} ip address del {} dev {}", lost.place(), knetsim::to_string(one.address), link->name);
  return lost.found(Disposition::wrong_mac,
                    fmt::format("{} is {}'s, and it has it, too", to.to_string(), owner->second),
                    "its MAC address was the answer to who has that address, and it took the packet", {}, remedy);
}

}  // namespace

Cause nobody_listens(const Case& lost) {
  const auto& here = lost.here();
  const auto ends = lost.way == Way::there ? lost.last.packet.ends : lost.last.packet.ends.reversed();
  if (auto cause = by_second_holder(lost, ends.destination)) return *cause;
  std::vector<Listener> at_port;
  std::vector<Listener> others;
  for (const auto& one : here.listeners) {
    if (one.protocol != lost.attempt.protocol) continue;
    (one.port == ends.destination_port ? at_port : others).push_back(one);
  }
  const auto protocol = name_of(lost.attempt.protocol);
  if (at_port.empty())
    return lost.found(Disposition::no_listener,
                      fmt::format("nobody listens on {} port {}", protocol, ends.destination_port),
                      others.empty() ? fmt::format("{} has no {} socket that listens", lost.place(), protocol)
                                     : fmt::format("{} listens on {} alone", lost.place(), where_it_listens(others)),
                      {},
                      lost.attempt.protocol == Protocol::tcp
                          ? fmt::format("{} python3 -m http.server {} &", lost.place(), ends.destination_port)
                          : "");
  const bool fits = std::any_of(at_port.begin(), at_port.end(),
                                [&](const Listener& one) { return hears_of(one.address, ends.destination); });
  if (!fits)
    return lost.found(
        Disposition::wrong_bind,
        fmt::format("what listens on {} port {} is bound to {}", protocol, ends.destination_port,
                    at_port.front().address.to_string()),
        fmt::format("it listens on {}, and was asked at {}", where_it_listens(at_port), ends.destination.to_string()));
  if (lost.counted("TcpExt.ListenOverflows") > 0)
    return lost.found(Disposition::refused, "the program doesn't accept its connections: its queue is full",
                      fmt::format("ListenOverflows rose by {}; {} connections wait",
                                  lost.counted("TcpExt.ListenOverflows"), at_port.front().waiting));
  // That nobody listens is the stack's own word, or that of ICMP.
  if (!lost.journey.complaints.empty() || lost.way == Way::back)
    return lost.found(Disposition::disagreement,
                      fmt::format("its stack answers that nobody listens on {} port {}, and its socket table has one "
                                  "that does",
                                  protocol, ends.destination_port),
                      fmt::format("{} listens", where_it_listens(at_port)));
  return lost.found(Disposition::unexplained, "it got to a socket that listens, and no answer came",
                    fmt::format("{} listens", where_it_listens(at_port)));
}

MaybeCause at_input(const Case& lost) {
  const auto& here = lost.here();
  if (lost.last.wrapped) {
    const auto* outer = lost.last.passed != nullptr ? nullptr : &*lost.last.seen->frame.outer;
    const auto port = lost.ends().destination_port;
    const netlink::Link* tunnel = nullptr;
    for (const auto& link : here.links)
      if (link.vxlan && link.vxlan->port == port && (outer == nullptr || link.vxlan->vni == outer->vni)) tunnel = &link;
    if (tunnel == nullptr)
      return lost.found(Disposition::link_down, fmt::format("it has no VXLAN link for UDP port {}", port),
                        "the packet came to the node, and no link takes it out of VXLAN",
                        flannel_object(lost, lost.place()), flannel_remedy(lost));
    return by_link_itself(lost, lost.place(), *tunnel);
  }
  if (!has_address(here, lost.ends().destination)) return std::nullopt;
  if (lost.attempt.protocol == Protocol::icmp) {
    const auto to = lost.ends().destination;
    const auto sysctl = ignored_echo_sysctl(to.is_v6());
    if (lost.way == Way::there && here.of_family(to).ignores_echo)
      return lost.found(Disposition::refused, "it ignores echo requests", fmt::format("{} is 1", sysctl), {},
                        fmt::format("{} sysctl -w {}=0", lost.place(), sysctl));
    return std::nullopt;
  }
  if (lost.way == Way::there) return nobody_listens(lost);
  return std::nullopt;
}

MaybeCause by_checksum(const Case& lost) {
  for (const auto* counter : {"IpExt.InCsumErrors", "Udp.InCsumErrors", "Tcp.InCsumErrors", "Icmp.InCsumErrors"})
    if (lost.counted(counter) > 0)
      return lost.found(Disposition::bad_checksum, "its checksum is wrong",
                        fmt::format("{} rose by {}", counter, lost.counted(counter)));
  return std::nullopt;
}

MaybeCause by_conntrack(const Case& lost) {
  for (const auto* counter : {"conntrack.drop", "conntrack.early_drop", "conntrack.insert_failed"})
    if (lost.counted(counter) > 0)
      return lost.found(Disposition::conntrack_full, "connection tracking has no room for it",
                        fmt::format("{} rose by {}: the packet got to connection tracking and no further", counter,
                                    lost.counted(counter)),
                        {}, fmt::format("{} sysctl -w net.netfilter.nf_conntrack_max=262144", lost.place()));
  return std::nullopt;
}

}  // namespace knetsim::explain
