#include "knetsim/netlink/address.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/route/rtnl.h>

#include <array>
#include <cerrno>

#include "attributes.h"
#include "decode.h"
#include "knetsim/netlink/channel.h"
#include "message.h"

namespace knetsim::netlink {

namespace {

Message request(int type, int flags, int interface, const Network& address, unsigned scope) {
  Message message(type, flags);
  ifaddrmsg header{};
  header.ifa_family = static_cast<std::uint8_t>(family(address));
  header.ifa_prefixlen = static_cast<std::uint8_t>(prefix_length(address));
  header.ifa_scope = static_cast<std::uint8_t>(scope);
  header.ifa_index = static_cast<std::uint32_t>(interface);
  message.header(header);
  // Without a peer, both are the address (IPv6 knows only the second).
  message.address(IFA_LOCAL, address_of(address)).address(IFA_ADDRESS, address_of(address));
  return message;
}

void put(Socket& socket, int flags, int interface, const AddressSpec& spec) {
  const auto address = address_of(spec.address);
  const unsigned scope = spec.scope.value_or(address.is_loopback() ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE);
  auto message = request(RTM_NEWADDR, NLM_F_CREATE | flags, interface, spec.address, scope);
  if (spec.broadcast) message.address(IFA_BROADCAST, *spec.broadcast);
  std::uint32_t address_flags = 0;
  if (spec.nodad && address.is_v6()) address_flags |= IFA_F_NODAD;
  if (!spec.prefix_route) address_flags |= IFA_F_NOPREFIXROUTE;
  if (address_flags != 0) message.u32(IFA_FLAGS, address_flags);
  socket.channel().change(message, fmt::format("add {} to link {}", to_string(spec.address), interface));
}

}  // namespace

void add_address(Socket& socket, int interface, const AddressSpec& spec) { put(socket, NLM_F_EXCL, interface, spec); }

void replace_address(Socket& socket, int interface, const AddressSpec& spec) {
  put(socket, NLM_F_REPLACE, interface, spec);
}

void delete_address(Socket& socket, int interface, const Network& address) {
  socket.channel().change(request(RTM_DELADDR, 0, interface, address, 0),
                          fmt::format("delete {} from link {}", to_string(address), interface),
                          {EADDRNOTAVAIL, ENODEV, ENXIO});
}

std::vector<InterfaceAddress> list_addresses(Socket& socket, int interface, int family) {
  Message message(RTM_GETADDR, 0);
  ifaddrmsg header{};
  header.ifa_family = static_cast<std::uint8_t>(family);
  message.header(header);
  return list(socket, message, "list addresses", decode_address,
              [&](const InterfaceAddress& address) { return interface == 0 || address.interface == interface; });
}

std::optional<InterfaceAddress> decode_address(const nlmsghdr* message) {
  const auto& header = header_of<ifaddrmsg>(message);
  if (header.ifa_family != AF_INET && header.ifa_family != AF_INET6) return std::nullopt;
  const Attributes attributes(message, sizeof header, IFA_MAX);
  const auto local = attributes.address(IFA_LOCAL);
  const auto other = attributes.address(IFA_ADDRESS);
  const auto own = local ? local : other;
  if (!own) return std::nullopt;
  if (family(*own) != header.ifa_family || header.ifa_prefixlen > (own->is_v6() ? 128 : 32))
    throw_malformed("an address that isn't of its family");
  InterfaceAddress address;
  address.interface = static_cast<int>(header.ifa_index);
  address.address = make_network(*own, header.ifa_prefixlen);
  address.broadcast = attributes.address(IFA_BROADCAST);
  if (local && other && *local != *other) address.peer = other;
  address.scope = header.ifa_scope;
  address.flags = attributes.u32(IFA_FLAGS).value_or(header.ifa_flags);
  address.label = attributes.string(IFA_LABEL).value_or("");
  return address;
}

bool InterfaceAddress::tentative() const { return (flags & IFA_F_TENTATIVE) != 0 && (flags & IFA_F_OPTIMISTIC) == 0; }

std::string to_string(const InterfaceAddress& address) {
  std::array<char, 32> scope;
  return fmt::format("{} on {} scope {}{}", to_string(address.address), address.interface,
                     rtnl_scope2str(static_cast<int>(address.scope), scope.data(), scope.size()),
                     address.tentative() ? " tentative" : "");
}

}  // namespace knetsim::netlink
