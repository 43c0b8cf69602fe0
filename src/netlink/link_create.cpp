#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include "knetsim/netlink/channel.h"
#include "knetsim/netlink/error.h"
#include "knetsim/netlink/link.h"
#include "message.h"

namespace knetsim::netlink {

namespace {

/// What every kind of new link has in common.
struct Common {
  const std::string& name;
  const std::optional<unsigned>& mtu;
  const std::optional<Mac>& mac;
  bool up;
  int index;
};

void put_common(Message& message, const Common& link) {
  ifinfomsg header{};
  header.ifi_index = link.index;
  if (link.up) header.ifi_flags = header.ifi_change = IFF_UP;
  message.header(header).string(IFLA_IFNAME, link.name);
  if (link.mtu) message.u32(IFLA_MTU, *link.mtu);
  if (link.mac) message.mac(IFLA_ADDRESS, *link.mac);
}

void put_end(Message& message, const VethEnd& end, bool up) {
  put_common(message, {end.name, end.mtu, end.mac, up, end.index});
  message.u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(end.ns.fd().get()));
}

Message creation() { return {RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL}; }

template <typename Fill>
void put_kind(Message& message, std::string_view kind, Fill&& fill) {
  message.nest(IFLA_LINKINFO, [&] {
    message.string(IFLA_INFO_KIND, kind);
    message.nest(IFLA_INFO_DATA, fill);
  });
}

/// Sends it; the index that the caller chose, or that the kernel did.
int create(Socket& socket, Message message, const std::string& kind, const std::string& name, int index) {
  auto& channel = socket.channel();
  channel.change(message, fmt::format("create {} {}", kind, name));
  return index != 0 || channel.batching() ? index : get_link(socket, name).index;
}

bool comes_up_when_created(const VethEnd& end) {
  // Its addresses are made when it comes up: whoever wants none must say so before.
  return end.up && end.link_local;
}

/// What the request that created the pair couldn't do for `end`.
void put_rest(Socket& socket, const VethEnd& end, bool up, int master) {
  auto& channel = socket.channel();
  if (!end.link_local) {
    Message message(RTM_SETLINK, 0);
    message.header(ifinfomsg{}).string(IFLA_IFNAME, end.name);
    message.nest(IFLA_AF_SPEC, [&] {
      message.nest(AF_INET6, [&] { message.u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE); });
    });
    channel.change(message, "switch off the link-local address of veth end " + end.name);
  }
  if (!up && master == 0) return;
  Message message(RTM_SETLINK, 0);
  ifinfomsg header{};
  if (up) header.ifi_flags = header.ifi_change = IFF_UP;
  message.header(header).string(IFLA_IFNAME, end.name);
  if (master != 0) message.u32(IFLA_MASTER, static_cast<std::uint32_t>(master));
  auto tried = "set up veth end " + end.name;
  if (master != 0) tried = fmt::format("make veth end {} a port of link {}", end.name, master);
  channel.change(message, std::move(tried));
}

void finish(const VethEnd& end, bool up, int master) {
  if (end.link_local && !up && master == 0) return;
  if (end.socket && end.socket->channel().batching()) return put_rest(*end.socket, end, up, master);
  std::optional<Socket> opened;
  if (!end.socket) opened.emplace(end.ns);
  Socket& there = end.socket ? *end.socket : *opened;
  try {
    Batch batch(there);
    put_rest(there, end, up, master);
    batch.commit();
  } catch (const Error&) {
    delete_link(there, end.name);
    throw;
  }
}

}  // namespace

void create_veth(Socket& socket, const VethEnd& a, const VethEnd& b) {
  // The kernel sets the master of the outer end only, and refuses to set the inner one up before they are joined.
  const bool swap = b.master != 0 ? a.master == 0 : b.up && !a.up && a.master == 0;
  const VethEnd& outer = swap ? b : a;
  const VethEnd& peer = swap ? a : b;
  auto message = creation();
  put_end(message, outer, comes_up_when_created(outer));
  if (outer.master != 0) message.u32(IFLA_MASTER, static_cast<std::uint32_t>(outer.master));
  put_kind(message, "veth", [&] { message.nest(VETH_INFO_PEER, [&] { put_end(message, peer, false); }); });
  auto& channel = socket.channel();
  channel.change(message, fmt::format("create veth pair {} and {}", a.name, b.name));
  const bool more = !outer.link_local || !peer.link_local || peer.up || peer.master != 0;
  if (more && channel.batching()) channel.commit_batch();
  finish(outer, outer.up && !comes_up_when_created(outer), 0);
  finish(peer, peer.up, peer.master);
}

void create_veth(const VethEnd& a, const VethEnd& b) {
  Socket socket = Socket::here();
  create_veth(socket, a, b);
}

int create_bridge(Socket& socket, const BridgeSpec& spec) {
  auto message = creation();
  put_common(message, {spec.name, spec.mtu, spec.mac, spec.up, spec.index});
  put_kind(message, "bridge", [&] {
    // Said only when it is to be off: a kernel without snooping refuses the attribute.
    if (!spec.multicast_snooping) message.u8(IFLA_BR_MCAST_SNOOPING, 0);
  });
  return create(socket, std::move(message), "bridge", spec.name, spec.index);
}

int create_vxlan(Socket& socket, const VxlanSpec& spec) {
  auto message = creation();
  put_common(message, {spec.name, spec.mtu, spec.mac, spec.up, spec.index});
  if (spec.txqlen) message.u32(IFLA_TXQLEN, *spec.txqlen);
  put_kind(message, "vxlan", [&] {
    message.u32(IFLA_VXLAN_ID, spec.vni);
    if (spec.parent != 0) message.u32(IFLA_VXLAN_LINK, static_cast<std::uint32_t>(spec.parent));
    if (spec.local) message.address(spec.local->is_v6() ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL, *spec.local);
    if (spec.group) message.address(spec.group->is_v6() ? IFLA_VXLAN_GROUP6 : IFLA_VXLAN_GROUP, *spec.group);
    message.be16(IFLA_VXLAN_PORT, spec.port).u8(IFLA_VXLAN_LEARNING, spec.learning ? 1 : 0);
    if (spec.gbp) message.flag(IFLA_VXLAN_GBP);
  });
  return create(socket, std::move(message), "vxlan", spec.name, spec.index);
}

}  // namespace knetsim::netlink
