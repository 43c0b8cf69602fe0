#include "knetsim/netlink/link.h"

#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cerrno>

#include "decode.h"
#include "knetsim/netlink/channel.h"
#include "knetsim/netlink/error.h"
#include "link_attributes.h"
#include "message.h"

namespace knetsim::netlink {

namespace {

// Counters would be the larger part of every answer, and nothing here reads them.
constexpr std::uint32_t kNoStatistics = RTEXT_FILTER_SKIP_STATS;

Message change_of(int index, unsigned flags = 0, unsigned mask = 0) {
  Message message(RTM_SETLINK, 0);
  ifinfomsg header{};
  header.ifi_index = index;
  header.ifi_flags = flags;
  header.ifi_change = mask;
  message.header(header);
  return message;
}

std::optional<Link> ask_for(Socket& socket, Message message, const std::string& tried) {
  message.u32(IFLA_EXT_MASK, kNoStatistics);
  const auto answer = socket.channel().ask(message, tried, {ENODEV});
  if (!answer) return std::nullopt;
  return decode_link(reinterpret_cast<const nlmsghdr*>(answer->data()));
}

Error absent(const std::string& tried) {
  return Error(ENODEV, Diagnosis{.where = {}, .tried = tried, .answer = {}, .remedy = {}}, {});
}

}  // namespace

std::vector<Link> list_links(Socket& socket) {
  Message message(RTM_GETLINK, 0);
  message.header(ifinfomsg{}).u32(IFLA_EXT_MASK, kNoStatistics);
  std::vector<Link> links;
  socket.channel().dump(
      message, "list links", [&] { links.clear(); },
      [&](const nlmsghdr* reply) {
        if (auto link = decode_link(reply)) links.push_back(std::move(*link));
      });
  return links;
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
  Message message(RTM_GETLINK, 0);
  ifinfomsg header{};
  header.ifi_index = index;
  message.header(header);
  return ask_for(socket, std::move(message), fmt::format("look for link {}", index));
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

void set_promiscuous(Socket& socket, int index, bool on) {
  socket.channel().change(change_of(index, on ? IFF_PROMISC : 0, IFF_PROMISC),
                          fmt::format("switch promiscuity of link {} {}", index, on ? "on" : "off"));
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

void put_link_local(Message& message, bool on) {
  message.nest(IFLA_AF_SPEC, [&] {
    message.nest(AF_INET6,
                 [&] { message.u8(IFLA_INET6_ADDR_GEN_MODE, on ? IN6_ADDR_GEN_MODE_EUI64 : IN6_ADDR_GEN_MODE_NONE); });
  });
}

void set_link_local(Socket& socket, int index, bool on) {
  auto message = change_of(index);
  put_link_local(message, on);
  socket.channel().change(message,
                          fmt::format("switch the link-local address of link {} {}", index, on ? "on" : "off"));
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
  Message message(RTM_DELLINK, 0);
  ifinfomsg header{};
  header.ifi_index = index;
  message.header(header);
  socket.channel().change(message, fmt::format("delete link {}", index), {ENODEV});
}

void delete_link(Socket& socket, const std::string& name) {
  Message message(RTM_DELLINK, 0);
  message.header(ifinfomsg{}).string(IFLA_IFNAME, name);
  socket.channel().change(message, "delete link " + name, {ENODEV});
}

}  // namespace knetsim::netlink
