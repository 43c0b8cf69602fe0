#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "attributes.h"
#include "decode.h"

namespace knetsim::netlink {

namespace {

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
