#include "knetsim/sys/sockets.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include "knetsim/sys/fd.h"

namespace knetsim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

template <typename SocketAddress>
Fd bound_socket(int family, int type, SocketAddress address) {
  Fd socket(::socket(family, type | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return socket;
}

Fd socket_v4(int type, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  return bound_socket(AF_INET, type, address);
}

Fd socket_v6(std::uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  return bound_socket(AF_INET6, SOCK_STREAM, address);
}

TEST(Sockets, OnlyThoseThatListenCount) {
  const auto ns = NetNs::create();
  EXPECT_THAT(listening_tcp_ports(ns), IsEmpty());
  const auto v4 = ns.run([] { return socket_v4(SOCK_STREAM, 80); });
  const auto v6 = ns.run([] { return socket_v6(55'671); });
  const auto udp = ns.run([] { return socket_v4(SOCK_DGRAM, 53); });
  EXPECT_THAT(listening_tcp_ports(ns), IsEmpty());
  ::listen(v4.get(), 1);
  ::listen(v6.get(), 1);
  EXPECT_THAT(listening_tcp_ports(ns), ElementsAre(80, 55'671));
}

TEST(Sockets, OtherNamespacesDoNotCount) {
  const auto one = NetNs::create();
  const auto other = NetNs::create();
  const auto socket = one.run([] { return socket_v4(SOCK_STREAM, 80); });
  ::listen(socket.get(), 1);
  EXPECT_THAT(listening_tcp_ports(other), IsEmpty());
}

}  // namespace
}  // namespace knetsim
