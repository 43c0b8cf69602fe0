#include "knetsim/netlink/neighbour.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <netlink/route/neighbour.h>

#include <array>
#include <cerrno>

#include "attributes.h"
#include "decode.h"
#include "knetsim/netlink/channel.h"
#include "message.h"

namespace knetsim::netlink {

namespace {

Message request(int type, int flags, const ndmsg& header) {
  Message message(type, flags);
  message.header(header);
  return message;
}

ndmsg header_for(int address_family, int interface, std::uint16_t state, std::uint8_t flags) {
  ndmsg header{};
  header.ndm_family = static_cast<std::uint8_t>(address_family);
  header.ndm_ifindex = interface;
  header.ndm_state = state;
  header.ndm_flags = flags;
  return header;
}

}  // namespace

void replace_neighbour(Socket& socket, int interface, const Address& address, const Mac& mac) {
  replace_neighbour(socket, {.interface = interface, .address = address, .mac = mac});
}

void replace_neighbour(Socket& socket, const Neighbour& neighbour) {
  auto message = request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
                         header_for(family(neighbour.address), neighbour.interface, neighbour.state, neighbour.flags));
  message.address(NDA_DST, neighbour.address);
  if (neighbour.mac) message.mac(NDA_LLADDR, *neighbour.mac);
  socket.channel().change(message, "add neighbour " + to_string(neighbour));
}

void delete_neighbour(Socket& socket, int interface, const Address& address) {
  auto message = request(RTM_DELNEIGH, 0, header_for(family(address), interface, 0, 0));
  message.address(NDA_DST, address);
  socket.channel().change(message, fmt::format("delete neighbour {} dev {}", address.to_string(), interface),
                          {ENOENT, ENODEV});
}

std::vector<Neighbour> list_neighbours(Socket& socket, int address_family, int interface) {
  const auto message = request(RTM_GETNEIGH, 0, header_for(address_family, 0, 0, 0));
  return list(socket, message, "list neighbours", decode_neighbour,
              [&](const Neighbour& neighbour) { return interface == 0 || neighbour.interface == interface; });
}

std::optional<Neighbour> decode_neighbour(const nlmsghdr* message) {
  const auto& header = header_of<ndmsg>(message);
  if (header.ndm_family != AF_INET && header.ndm_family != AF_INET6) return std::nullopt;
  const Attributes attributes(message, sizeof header, NDA_MAX);
  const auto address = attributes.address(NDA_DST);
  if (!address) return std::nullopt;
  return Neighbour{.interface = header.ndm_ifindex,
                   .address = *address,
                   .mac = attributes.mac(NDA_LLADDR),
                   .state = header.ndm_state,
                   .flags = header.ndm_flags};
}

std::string to_string(const Neighbour& neighbour) {
  std::array<char, 64> state;
  auto text = fmt::format("{} dev {}", neighbour.address.to_string(), neighbour.interface);
  if (neighbour.mac) text += " lladdr " + to_string(*neighbour.mac);
  return text + " " + rtnl_neigh_state2str(neighbour.state, state.data(), state.size());
}

void replace_fdb(Socket& socket, int interface, const Mac& mac, const Address& destination) {
  auto message =
      request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header_for(AF_BRIDGE, interface, NUD_PERMANENT, NTF_SELF));
  message.mac(NDA_LLADDR, mac).address(NDA_DST, destination);
  socket.channel().change(message, fmt::format("add forwarding entry {} dev {} dst {}", to_string(mac), interface,
                                               destination.to_string()));
}

void delete_fdb(Socket& socket, int interface, const Mac& mac, const std::optional<Address>& destination) {
  auto message = request(RTM_DELNEIGH, 0, header_for(AF_BRIDGE, interface, 0, NTF_SELF));
  message.mac(NDA_LLADDR, mac);
  if (destination) message.address(NDA_DST, *destination);
  socket.channel().change(message, fmt::format("delete forwarding entry {} dev {}", to_string(mac), interface),
                          {ENOENT, ENODEV});
}

std::vector<FdbEntry> list_fdb(Socket& socket, int interface) {
  const auto message = request(RTM_GETNEIGH, 0, header_for(AF_BRIDGE, 0, 0, 0));
  return list(socket, message, "list forwarding entries", decode_fdb,
              [&](const FdbEntry& entry) { return interface == 0 || entry.interface == interface; });
}

std::optional<FdbEntry> decode_fdb(const nlmsghdr* message) {
  const auto& header = header_of<ndmsg>(message);
  if (header.ndm_family != AF_BRIDGE) return std::nullopt;
  const Attributes attributes(message, sizeof header, NDA_MAX);
  const auto mac = attributes.mac(NDA_LLADDR);
  if (!mac) return std::nullopt;
  return FdbEntry{.interface = header.ndm_ifindex,
                  .mac = *mac,
                  .destination = attributes.address(NDA_DST),
                  .master = static_cast<int>(attributes.u32(NDA_MASTER).value_or(0)),
                  .vlan = attributes.u16(NDA_VLAN).value_or(0),
                  .state = header.ndm_state,
                  .flags = header.ndm_flags};
}

std::string to_string(const FdbEntry& entry) {
  auto text = fmt::format("{} dev {}", to_string(entry.mac), entry.interface);
  if (entry.destination) text += " dst " + entry.destination->to_string();
  if (entry.master != 0) text += fmt::format(" master {}", entry.master);
  if (entry.vlan != 0) text += fmt::format(" vlan {}", entry.vlan);
  return text;
}

}  // namespace knetsim::netlink
