#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <filesystem>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/ready.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::filesystem::path kServerLog = std::filesystem::path(kStateDirectory) / "test.log";

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

TEST(Sockets, AreWaitedFor) {
  const auto ns = NetNs::create();
  auto server = Process::spawn({.argv = {"python3", "-m", "http.server", "8000"}, .netns = &ns}, kServerLog);
  EXPECT_NO_THROW(wait_until_listening(server, ns, {8000}));
  try {
    wait_until_listening(server, ns, {8000, 8001}, std::chrono::milliseconds(10));
    FAIL() << "nobody listens on 8001";
  } catch (const StillMissing& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("still missing: python3 listening on 8001; its log /run/knetsim/test.log ends:"));
  }
}

TEST(Sockets, AreNotWaitedForWhenTheProgramHasEnded) {
  const auto ns = NetNs::create();
  auto server = Process::spawn({.argv = {"bash", "-c", "echo bad config; exit 1"}, .netns = &ns}, kServerLog);
  try {
    wait_until_listening(server, ns, {8000});
    FAIL() << "it has ended";
  } catch (const StillMissing& error) {
    FAIL() << "it waited: " << error.what();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("bash ended before it listened on 8000 (exit code 1)"), HasSubstr("bad config")));
  }
}

}  // namespace
}  // namespace knetsim
