#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <string>
#include <string_view>
#include <variant>

namespace knetsim {

using Address = boost::asio::ip::address;

/// An address with a prefix length, of either family. The host bits are kept: "11.13.0.1/20" is an interface's
/// address and its network at once. Free functions below, so that no caller has to ask for the family.
using Network = std::variant<boost::asio::ip::network_v4, boost::asio::ip::network_v6>;

/// Parses "10.0.0.1" or "fd00::1"; throws InputError naming the text.
Address parse_address(std::string_view text);
/// Parses "10.0.0.0/8" or "fd00::/64"; throws InputError naming the text.
Network parse_network(std::string_view text);

Network make_network(const Address& address, unsigned prefix_length);
/// The address as a network of one: /32 or /128.
Network host_network(const Address& address);

Address address_of(const Network& network);
unsigned prefix_length(const Network& network);
/// The same network with its host bits cleared.
Network canonical(const Network& network);
/// The subnet's first address, which is its gateway's in every part of the emulation, with the subnet's prefix length.
/// Throws InputError if there is none.
Network gateway_of(const Network& subnet);
bool contains(const Network& network, const Address& address);
bool contains(const Network& outer, const Network& inner);
bool overlaps(const Network& a, const Network& b);
bool is_v6(const Network& network);
/// AF_INET or AF_INET6.
int family(const Address& address);
int family(const Network& network);
/// The address `offset` after `base`; throws InputError past the end of the family.
Address advance(const Address& base, std::uint64_t offset);

std::string to_string(const Network& network);

}  // namespace knetsim
