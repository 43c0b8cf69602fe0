#include "knetsim/netlink/link.h"

#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cerrno>

#include "attributes.h"
#include "decode.h"
#include "knetsim/netlink/channel.h"
#include "knetsim/netlink/error.h"
#include "message.h"

namespace knetsim::netlink {

namespace {

// Counters would be the larger part of every answer, and nothing here reads them.
constexpr std::uint32_t kNoStatistics = RTEXT_FILTER_SKIP_STATS;

Message about(int type, int index, unsigned flags = 0, unsigned mask = 0) {
  Message message(type, 0);
  ifinfomsg header{};
  header.ifi_index = index;
  header.ifi_flags = flags;
  header.ifi_change = mask;
  message.header(header);
  return message;
}

Message change_of(int index, unsigned flags = 0, unsigned mask = 0) { return about(RTM_SETLINK, index, flags, mask); }

std::optional<Link> ask_for(Socket& socket, Message message, const std::string& tried) {
  message.u32(IFLA_EXT_MASK, kNoStatistics);
  const auto answer = socket.channel().ask(message, tried, {ENODEV});
  if (!answer) return std::nullopt;
  return decode_link(reinterpret_cast<const nlmsghdr*>(answer->data()));
}

Error absent(const std::string& tried) { return Error(ENODEV, {.tried = tried}); }

VxlanInfo decode_vxlan(const Attributes& data) {
  VxlanInfo vxlan;
  vxlan.vni = data.u32(IFLA_VXLAN_ID).value_or(0);
  vxlan.parent = static_cast<int>(data.u32(IFLA_VXLAN_LINK).value_or(0));
  vxlan.local = data.has(IFLA_VXLAN_LOCAL6) ? data.address(IFLA_VXLAN_LOCAL6) : data.address(IFLA_VXLAN_LOCAL);
  vxlan.group = data.has(IFLA_VXLAN_GROUP6) ? data.address(IFLA_VXLAN_GROUP6) : data.address(IFLA_VXLAN_GROUP);
  vxlan.port = data.be16(IFLA_VXLAN_PORT).value_or(0);
  vxlan.learning = data.u8(IFLA_VXLAN_LEARNING).value_or(0) != 0;
  vxlan.l2miss = data.u8(IFLA_VXLAN_L2MISS).value_or(0) != 0;
  vxlan.l3miss = data.u8(IFLA_VXLAN_L3MISS).value_or(0) != 0;
  vxlan.gbp = data.has(IFLA_VXLAN_GBP);
  return vxlan;
}

void decode_info(const Attributes& info, Link& link) {
  link.kind = info.string(IFLA_INFO_KIND).value_or("");
  if (link.kind == "vxlan")
    if (const auto data = info.nested(IFLA_INFO_DATA, IFLA_VXLAN_MAX)) link.vxlan = decode_vxlan(*data);
  if (info.string(IFLA_INFO_SLAVE_KIND) == "bridge")
    if (const auto port = info.nested(IFLA_INFO_SLAVE_DATA, IFLA_BRPORT_MAX))
      link.hairpin = port->u8(IFLA_BRPORT_MODE).value_or(0) != 0;
}

}  // namespace

std::vector<Link> list_links(Socket& socket) {
  Message message(RTM_GETLINK, 0);
  message.header(ifinfomsg{}).u32(IFLA_EXT_MASK, kNoStatistics);
  return list(socket, message, "list links", decode_link, [](const Link&) { return true; });
}

std::optional<Link> find_link(Socket& socket, const std::string& name) {
  // The kernel refuses to look for a name that no link can have.
  if (name.empty() || name.size() >= IFNAMSIZ) return std::nullopt;
  Message message(RTM_GETLINK, 0);
  message.header(ifinfomsg{}).string(IFLA_IFNAME, name);
  return ask_for(socket, std::move(message), "look for link " + name);
}

std::optional<Link> find_link(Socket& socket, int index) {
  if (index <= 0) return std::nullopt;
  return ask_for(socket, about(RTM_GETLINK, index), fmt::format("look for link {}", index));
}

Link get_link(Socket& socket, const std::string& name) {
  if (auto link = find_link(socket, name)) return std::move(*link);
  throw absent("find link " + name);
}

Link get_link(Socket& socket, int index) {
  if (auto link = find_link(socket, index)) return std::move(*link);
  throw absent(fmt::format("find link {}", index));
}

void set_up(Socket& socket, int index) {
  socket.channel().change(change_of(index, IFF_UP, IFF_UP), fmt::format("set link {} up", index));
}

void set_down(Socket& socket, int index) {
  socket.channel().change(change_of(index, 0, IFF_UP), fmt::format("set link {} down", index));
}

void set_master(Socket& socket, int index, int master) {
  auto message = change_of(index);
  message.u32(IFLA_MASTER, static_cast<std::uint32_t>(master));
  socket.channel().change(message, fmt::format("set the master of link {} to {}", index, master));
}

void set_mtu(Socket& socket, int index, unsigned mtu) {
  auto message = change_of(index);
  message.u32(IFLA_MTU, mtu);
  socket.channel().change(message, fmt::format("set the MTU of link {} to {}", index, mtu));
}

void set_mac(Socket& socket, int index, const Mac& mac) {
  auto message = change_of(index);
  message.mac(IFLA_ADDRESS, mac);
  socket.channel().change(message, fmt::format("give link {} the address {}", index, to_string(mac)));
}

void set_txqlen(Socket& socket, int index, unsigned length) {
  auto message = change_of(index);
  message.u32(IFLA_TXQLEN, length);
  socket.channel().change(message, fmt::format("set the queue length of link {} to {}", index, length));
}

void rename(Socket& socket, int index, const std::string& name) {
  auto message = change_of(index);
  message.string(IFLA_IFNAME, name);
  socket.channel().change(message, fmt::format("rename link {} to {}", index, name));
}

void set_hairpin(Socket& socket, int index, bool on) {
  Message message(RTM_SETLINK, 0);
  ifinfomsg header{};
  header.ifi_family = AF_BRIDGE;
  header.ifi_index = index;
  message.header(header).nest(IFLA_PROTINFO | NLA_F_NESTED, [&] { message.u8(IFLA_BRPORT_MODE, on ? 1 : 0); });
  socket.channel().change(message, fmt::format("switch hairpin mode of bridge port {} {}", index, on ? "on" : "off"));
}

void move_to(Socket& socket, int index, const NetNs& target) {
  auto message = change_of(index);
  message.u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(target.fd().get()));
  socket.channel().change(message, fmt::format("move link {} to another namespace", index));
}

void delete_link(Socket& socket, int index) {
  socket.channel().change(about(RTM_DELLINK, index), fmt::format("delete link {}", index), {ENODEV});
}

void delete_link(Socket& socket, const std::string& name) {
  Message message(RTM_DELLINK, 0);
  message.header(ifinfomsg{}).string(IFLA_IFNAME, name);
  socket.channel().change(message, "delete link " + name, {ENODEV});
}

std::optional<Link> decode_link(const nlmsghdr* message) {
  const auto& header = header_of<ifinfomsg>(message);
  if (header.ifi_family != AF_UNSPEC) return std::nullopt;
  const Attributes attributes(message, sizeof header, IFLA_MAX);
  Link link;
  link.index = header.ifi_index;
  link.name = attributes.string(IFLA_IFNAME).value_or("");
  link.mac = attributes.mac(IFLA_ADDRESS).value_or(Mac{});
  link.mtu = attributes.u32(IFLA_MTU).value_or(0);
  link.flags = header.ifi_flags;
  link.up = (header.ifi_flags & IFF_UP) != 0;
  link.running = (header.ifi_flags & IFF_RUNNING) != 0;
  link.txqlen = attributes.u32(IFLA_TXQLEN).value_or(0);
  link.master = static_cast<int>(attributes.u32(IFLA_MASTER).value_or(0));
  link.parent = static_cast<int>(attributes.u32(IFLA_LINK).value_or(0));
  if (const auto id = attributes.u32(IFLA_LINK_NETNSID)) link.parent_netns = static_cast<int>(*id);
  if (const auto info = attributes.nested(IFLA_LINKINFO, IFLA_INFO_MAX)) decode_info(*info, link);
  return link;
}

std::string to_string(const Link& link) {
  auto text = fmt::format("{}: {}", link.index, link.name);
  if (!link.kind.empty()) text += " " + link.kind;
  text += link.up ? " up" : " down";
  if (link.running) text += " running";
  text += fmt::format(" mtu {} mac {}", link.mtu, to_string(link.mac));
  if (link.master != 0) text += fmt::format(" master {}", link.master);
  if (link.hairpin) text += " hairpin";
  if (!link.vxlan) return text;
  const auto& vxlan = *link.vxlan;
  text += fmt::format(" vni {} port {}", vxlan.vni, vxlan.port);
  if (vxlan.local) text += " local " + vxlan.local->to_string();
  if (vxlan.group) text += " group " + vxlan.group->to_string();
  if (vxlan.parent != 0) text += fmt::format(" parent {}", vxlan.parent);
  return text + (vxlan.learning ? " learning" : " nolearning");
}

}  // namespace knetsim::netlink
