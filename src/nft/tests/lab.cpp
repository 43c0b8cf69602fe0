#include "lab.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/route.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sysctl.h"

namespace knetsim::lab {

namespace {

using netlink::Route;

constexpr std::chrono::milliseconds kBudget{5000};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;

  SocketAddress() = default;
  SocketAddress(const Address& address, std::uint16_t port) {
    if (address.is_v4()) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      const auto bytes = address.to_v4().to_bytes();
      std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
      size = sizeof v4;
    } else {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      const auto bytes = address.to_v6().to_bytes();
      std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
      size = sizeof v6;
    }
  }
  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
  Address address() const {
    if (storage.ss_family == AF_INET) {
      boost::asio::ip::address_v4::bytes_type bytes;
      std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, bytes.size());
      return boost::asio::ip::address_v4(bytes);
    }
    boost::asio::ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, bytes.size());
    return boost::asio::ip::address_v6(bytes);
  }
};

Fd open_socket(const NetNs& netns, bool v6, int type, int protocol) {
  Fd fd(netns.run([&] { return ::socket(v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol); }));
  if (!fd) throw SystemError("open a socket");
  const int on = 1;
  if (v6 && type != SOCK_RAW) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  return fd;
}

void bind_any(const Fd& fd, bool v6, std::uint16_t port) {
  SocketAddress any(v6 ? Address(boost::asio::ip::address_v6::any()) : Address(boost::asio::ip::address_v4::any()),
                    port);
  if (::bind(fd.get(), any.raw(), any.size) != 0) throw SystemError("bind a socket");
}

/// The index of the first that is readable; throws when none becomes so.
std::size_t wait_readable(const std::vector<int>& fds, const std::string& what, short events = POLLIN) {
  std::vector<pollfd> polled;
  for (const int fd : fds) polled.push_back({fd, events, 0});
  int ready = 0;
  do {
    ready = ::poll(polled.data(), polled.size(), static_cast<int>(kBudget.count()));
  } while (ready < 0 && errno == EINTR);
  for (std::size_t i = 0; ready > 0 && i < polled.size(); ++i) {
    if (polled[i].revents != 0) return i;
  }
  throw StillMissing(what, kBudget);
}

int error_of(const Fd& fd) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

void connect_to(const Fd& fd, const Address& target, std::uint16_t port) {
  SocketAddress to(target, port);
  if (::connect(fd.get(), to.raw(), to.size) != 0 && errno != EINPROGRESS) throw SystemError("connect");
}

/// A namespace whose links can be used at once: without duplicate address detection of the link-local addresses, which
/// the router needs before it can ask for a neighbour.
NetNs create_host() {
  NetNs host = NetNs::create();
  host.run([] { write_sysctl("net.ipv6.conf.default.accept_dad", "0"); });
  return host;
}

void connect_networks(const NetNs& router, const std::string& name, const NetNs& host, int a, int b) {
  netlink::create_veth({.ns = router, .name = name, .up = true}, {.ns = host, .name = "eth0", .up = true});
  netlink::Socket at_router(router);
  netlink::Socket at_host(host);
  const int outer = netlink::get_link(at_router, name).index;
  const int inner = netlink::get_link(at_host, "eth0").index;
  const std::string v4 = fmt::format("10.{}.{}.", a, b);
  const std::string v6 = fmt::format("fd0{}:{}::", a, b);
  netlink::add_address(at_router, outer, {.address = parse_network(v4 + "1/24")});
  netlink::add_address(at_router, outer, {.address = parse_network(v6 + "1/64")});
  netlink::add_address(at_host, inner, {.address = parse_network(v4 + "2/24")});
  netlink::add_address(at_host, inner, {.address = parse_network(v6 + "2/64")});
  netlink::add_route(at_host, Route{.destination = parse_network("0.0.0.0/0"), .gateway = parse_address(v4 + "1")});
  netlink::add_route(at_host, Route{.destination = parse_network("::/0"), .gateway = parse_address(v6 + "1")});
}

Address numbered(int a, int b, int host, bool v6) {
  return parse_address(v6 ? fmt::format("fd0{}:{}::{}", a, b, host) : fmt::format("10.{}.{}.{}", a, b, host));
}

}  // namespace

Address Lab::server_address(int index, bool v6) { return numbered(2, index, 2, v6); }
Address Lab::client_address(bool v6) { return numbered(1, 0, 2, v6); }
Address Lab::router_address(bool v6) { return numbered(1, 0, 1, v6); }
Address Lab::router_address_at(int server, bool v6) { return numbered(2, server, 1, v6); }

Address Lab::bridged_address(int index, bool v6) { return numbered(2, 0, 2 + index, v6); }

Lab::Lab() : router_(create_host()), client_(create_host()) {
  router_.run([] {
    write_sysctl("net.ipv4.ip_forward", "1");
    write_sysctl("net.ipv6.conf.all.forwarding", "1");
  });
  connect_networks(router_, "client", client_, 1, 0);
  // The router can send to virtual addresses from its own OUTPUT hook only if it has a route for them.
  netlink::Socket at_router(router_);
  const int lo = netlink::get_link(at_router, "lo").index;
  netlink::add_route(at_router, Route{.destination = parse_network("100.64.0.0/10"), .interface = lo});
  netlink::add_route(at_router, Route{.destination = parse_network("fd64::/16"), .interface = lo});
}

Lab::Lab(int servers) : Lab() {
  for (int i = 0; i < servers; ++i) {
    servers_.push_back(create_host());
    connect_networks(router_, fmt::format("server{}", i), servers_.back(), 2, i);
    listen_at(servers_.back());
  }
}

Lab Lab::bridged(int servers) {
  Lab lab;
  netlink::Socket at_router(lab.router_);
  const int bridge = netlink::create_bridge(at_router, {.name = "cni0", .up = true});
  netlink::add_address(at_router, bridge, {.address = parse_network("10.2.0.1/24")});
  netlink::add_address(at_router, bridge, {.address = parse_network("fd02:0::1/64")});
  for (int i = 0; i < servers; ++i) {
    lab.servers_.push_back(create_host());
    const NetNs& server = lab.servers_.back();
    netlink::create_veth({.ns = lab.router_, .name = fmt::format("port{}", i), .up = true, .master = bridge},
                         {.ns = server, .name = "eth0", .up = true});
    netlink::Socket at_server(server);
    const int eth0 = netlink::get_link(at_server, "eth0").index;
    for (const bool v6 : {false, true}) {
      netlink::add_address(at_server, eth0, {.address = make_network(bridged_address(i, v6), v6 ? 64 : 24)});
      netlink::add_route(at_server, Route{.destination = parse_network(v6 ? "::/0" : "0.0.0.0/0"),
                                          .gateway = router_address_at(0, v6)});
    }
    lab.listen_at(server);
  }
  // Where br_netfilter is loaded it would hide that answers don't come through the router.
  lab.router_.run([] {
    if (!std::filesystem::exists("/proc/sys/net/bridge")) return;
    write_sysctl("net.bridge.bridge-nf-call-iptables", "0");
    write_sysctl("net.bridge.bridge-nf-call-ip6tables", "0");
  });
  return lab;
}

void Lab::listen_at(const NetNs& server) {
  Listeners listeners;
  for (const bool v6 : {false, true}) {
    Fd& icmp = listeners.icmp.at(v6);
    icmp = open_socket(server, v6, SOCK_RAW, v6 ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP});
    Fd& udp = listeners.udp.at(v6);
    udp = open_socket(server, v6, SOCK_DGRAM, 0);
    bind_any(udp, v6, kPort);
    Fd& tcp = listeners.tcp.at(v6);
    tcp = open_socket(server, v6, SOCK_STREAM, 0);
    bind_any(tcp, v6, kPort);
    if (::listen(tcp.get(), 16) != 0) throw SystemError("listen");
  }
  listeners_.push_back(std::move(listeners));
}

std::optional<Hit> Lab::flow(const NetNs& from, Protocol protocol, const Address& target, std::uint16_t port) {
  switch (protocol) {
    case Protocol::icmp:
      return icmp_flow(from, target);
    case Protocol::udp:
      return udp_flow(from, target, port);
    case Protocol::tcp:
      return tcp_flow(from, target, port);
  }
  return std::nullopt;
}

std::optional<Hit> Lab::icmp_flow(const NetNs& from, const Address& target) {
  const bool v6 = target.is_v6();
  const Fd fd = open_socket(from, v6, SOCK_RAW, v6 ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP});
  connect_to(fd, target, 0);
  icmphdr echo{};  // the same 8 bytes in both families; the kernel fills ICMPv6's checksum in
  echo.type = v6 ? std::uint8_t{ICMP6_ECHO_REQUEST} : std::uint8_t{ICMP_ECHO};
  const std::uint16_t id = next_id_++;
  echo.un.echo.id = htons(id);
  echo.un.echo.sequence = htons(id);
  if (!v6) {
    const std::uint32_t sum = echo.type + 2U * htons(id);
    echo.checksum = static_cast<std::uint16_t>(~((sum & 0xffff) + (sum >> 16)));
  }
  if (::send(fd.get(), &echo, sizeof echo, 0) < 0) {
    if (errno == ECONNREFUSED || errno == EHOSTUNREACH) return std::nullopt;
    throw SystemError("send an echo request");
  }

  // Raw IPv4 sockets see the IP header too. A NATed flow keeps its sequence number, though not always its id.
  const std::size_t skip = v6 ? 0 : 20;
  const auto receive = [&](const Fd& socket, std::uint8_t type, SocketAddress& source) {
    std::array<std::uint8_t, 256> packet{};
    source.size = sizeof source.storage;
    const ssize_t size = ::recvfrom(socket.get(), packet.data(), packet.size(), 0, source.raw(), &source.size);
    icmphdr seen{};
    if (size < static_cast<ssize_t>(skip + sizeof seen)) return false;
    std::memcpy(&seen, packet.data() + skip, sizeof seen);
    return seen.type == type && ntohs(seen.un.echo.sequence) == id;
  };
  std::vector<int> fds;
  for (const Listeners& listeners : listeners_) fds.push_back(listeners.icmp.at(v6).get());
  Hit hit{-1, {}};
  SocketAddress source;
  while (hit.server < 0) {
    const std::size_t index = wait_readable(fds, fmt::format("an echo request to {} at a server", target.to_string()));
    if (receive(listeners_[index].icmp.at(v6), v6 ? std::uint8_t{ICMP6_ECHO_REQUEST} : std::uint8_t{ICMP_ECHO},
                source)) {
      hit = {static_cast<int>(index), source.address()};
    }
  }
  SocketAddress answerer;
  while (true) {
    wait_readable({fd.get()}, fmt::format("the echo reply of {}", target.to_string()));
    if (receive(fd, v6 ? std::uint8_t{ICMP6_ECHO_REPLY} : std::uint8_t{ICMP_ECHOREPLY}, answerer)) break;
  }
  EXPECT_EQ(answerer.address(), target);
  return hit;
}

std::optional<Hit> Lab::udp_flow(const NetNs& from, const Address& target, std::uint16_t port) {
  const bool v6 = target.is_v6();
  const Fd fd = open_socket(from, v6, SOCK_DGRAM, 0);
  connect_to(fd, target, port);
  if (::send(fd.get(), "?", 1, 0) < 0) {
    if (errno == ECONNREFUSED || errno == EPERM) return std::nullopt;
    throw SystemError("send a datagram");
  }
  std::vector<int> fds{fd.get()};
  for (const Listeners& listeners : listeners_) fds.push_back(listeners.udp.at(v6).get());
  const std::size_t index = wait_readable(fds, fmt::format("a datagram to {} at a server", target.to_string()));
  if (index == 0) {
    EXPECT_EQ(error_of(fd), ECONNREFUSED);
    return std::nullopt;
  }
  char text[8];
  SocketAddress source;
  if (::recvfrom(fds[index], text, sizeof text, 0, source.raw(), &source.size) < 0) throw SystemError("receive");
  if (::sendto(fds[index], "!", 1, 0, source.raw(), source.size) < 0) throw SystemError("answer");
  // A connected socket takes the answer from the target alone.
  wait_readable({fd.get()}, fmt::format("the answer of {}", target.to_string()));
  if (::recv(fd.get(), text, sizeof text, 0) != 1) throw SystemError("receive the answer");
  return Hit{static_cast<int>(index) - 1, source.address()};
}

std::optional<Hit> Lab::tcp_flow(const NetNs& from, const Address& target, std::uint16_t port) {
  const bool v6 = target.is_v6();
  const Fd fd = open_socket(from, v6, SOCK_STREAM, 0);
  connect_to(fd, target, port);
  wait_readable({fd.get()}, fmt::format("a connection to {}", target.to_string()), POLLOUT);
  if (const int error = error_of(fd); error != 0) {
    EXPECT_EQ(error, ECONNREFUSED);
    return std::nullopt;
  }
  std::vector<int> fds;
  for (const Listeners& listeners : listeners_) fds.push_back(listeners.tcp.at(v6).get());
  const std::size_t index = wait_readable(fds, fmt::format("the connection to {} at a server", target.to_string()));
  SocketAddress source;
  const Fd accepted(::accept4(fds[index], source.raw(), &source.size, SOCK_CLOEXEC));
  if (!accepted) throw SystemError("accept");
  return Hit{static_cast<int>(index), source.address()};
}

std::string nft(const NetNs& netns, const std::vector<std::string>& arguments, const std::string& input) {
  Command command{.argv = {require_program("nft").string()}, .netns = &netns};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  const ExecResult result = exec(command, kExecTimeout, input);
  if (!result.ok()) throw Error(fmt::format("nft {}: {}{}", fmt::join(arguments, " "), result.out, result.err));
  return result.out;
}

std::string listing(const NetNs& netns) { return nft(netns, {"list", "ruleset"}); }

std::string listing_of(const std::string& typed) {
  const NetNs scratch = NetNs::create();
  nft(scratch, {"-f", "-"}, typed);
  return listing(scratch);
}

}  // namespace knetsim::lab
