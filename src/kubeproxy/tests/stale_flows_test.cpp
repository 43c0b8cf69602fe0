// A flow goes where the rules of now send it, whatever was translated before: UDP and ping, from both hooks.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <cerrno>
#include <cstring>
#include <map>

#include "knetsim/fixtures/packet_lab.h"
#include "knetsim/kubeproxy/vips.h"
#include "knetsim/netlink/conntrack.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/route.h"
#include "knetsim/sys/error.h"

namespace knetsim::kubeproxy {
namespace {

using boost::asio::ip::udp;
using lab::Lab;
using lab::Protocol;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint16_t kTalkPort = 9000;
constexpr int kBudgetMilliseconds = 5000;

Fd open_in(const NetNs& ns, bool v6, int type, int protocol) {
  Fd fd(ns.run([&] { return ::socket(v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol); }));
  if (!fd) throw SystemError("open a socket");
  return fd;
}

Fd open_talker(const NetNs& ns, bool v6, Protocol protocol) {
  if (protocol == Protocol::icmp) return open_in(ns, v6, SOCK_RAW, v6 ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP});
  return open_in(ns, v6, SOCK_DGRAM, 0);
}

/// Has what nobody translates leave the router, as it does on a worker: through its lo, IPv6 isn't even tracked.
void route_vips_outside(const Lab& lab) {
  netlink::Socket socket(lab.router());
  const int outside = netlink::get_link(socket, "server0").index;
  for (const auto* range : {"100.64.0.0/16", "fd64::/64"})
    netlink::add_route(socket, {.destination = parse_network(range), .interface = outside});
}

/// A client that keeps its socket and its id.
struct Talker {
  Fd fd;
  std::uint16_t id;
};

struct Case {
  bool v6;
  Protocol protocol;
  bool from_router;  ///< by the OUTPUT hook
};

class StaleFlows : public testing::TestWithParam<Case> {
 protected:
  StaleFlows() {
    route_vips_outside(lab);
    for (int i = 0; i < 3; ++i) {
      servers_.push_back(open_talker(lab.server(i), v6, GetParam().protocol));
      const udp::endpoint any(v6 ? udp::v6() : udp::v4(), kTalkPort);
      if (GetParam().protocol == Protocol::udp &&
          ::bind(servers_.back().get(), any.data(), static_cast<socklen_t>(any.size())) != 0)
        throw SystemError("bind a socket");
    }
  }

  Address address(int index) const {
    return parse_address(v6 ? fmt::format("fd64::{}", index) : fmt::format("100.64.10.{}", index));
  }
  Vip served_by(const std::vector<int>& servers, const std::vector<int>& gone = {}) const {
    Vip made{.address = vip, .endpoints = {}};
    for (const int server : servers)
      made.endpoints.push_back({.address = Lab::server_address(server, v6),
                                .gone = std::find(gone.begin(), gone.end(), server) != gone.end()});
    return made;
  }
  const NetNs& home() const { return GetParam().from_router ? lab.router() : lab.client(); }
  Talker talker() { return {open_talker(home(), v6, GetParam().protocol), ++last_id_}; }

  /// The server that the talker's next packet to the VIP reaches.
  int reached(const Talker& talker) {
    const auto number = send(talker, vip);
    while (true) {
      if (const auto [server, got] = receive(); got == number) return server;
    }
  }
  /// Whether the talker's next packet reaches nobody: what is sent to each server later comes, and nothing came before.
  bool lost(const Talker& talker) {
    const auto number = send(talker, vip);
    std::map<std::uint16_t, int> later;
    for (int i = 0; i < 3; ++i) later[send(direct_, Lab::server_address(i, v6))] = i;
    while (!later.empty()) {
      const auto [server, got] = receive();
      if (got == number) return false;
      later.erase(got);
    }
    return true;
  }
  std::vector<netlink::Flow> tracked() { return netlink::Conntrack(lab.router()).list({.original_destination = vip}); }

  bool v6 = GetParam().v6;
  Lab lab{3};
  VipProxy proxy{lab.router()};
  Address vip = address(1);

 private:
  std::uint16_t send(const Talker& talker, const Address& target) {
    icmphdr packet{};
    packet.un.echo.id = htons(talker.id);
    packet.un.echo.sequence = htons(++last_number_);
    const udp::endpoint to(target, GetParam().protocol == Protocol::udp ? kTalkPort : std::uint16_t{0});
    packet.type = v6 ? std::uint8_t{ICMP6_ECHO_REQUEST} : std::uint8_t{ICMP_ECHO};
    std::uint32_t sum = packet.type;
    sum += packet.un.echo.id + packet.un.echo.sequence;
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    packet.checksum = static_cast<std::uint16_t>(~sum);
    // A drop in the OUTPUT hook's way is told to the sender.
    if (::sendto(talker.fd.get(), &packet, sizeof packet, 0, to.data(), static_cast<socklen_t>(to.size())) < 0 &&
        errno != EPERM)
      throw SystemError("send");
    return last_number_;
  }

  /// The next packet at a server: which, and its number.
  std::pair<int, std::uint16_t> receive() {
    while (true) {
      std::array<pollfd, 3> polled;
      for (std::size_t i = 0; i < 3; ++i) polled[i] = {servers_[i].get(), POLLIN, 0};
      if (::poll(polled.data(), polled.size(), kBudgetMilliseconds) <= 0) throw Error("no packet reaches a server");
      for (std::size_t i = 0; i < 3; ++i) {
        if (polled[i].revents == 0) continue;
        std::array<char, 256> bytes{};
        const auto size = ::recv(servers_[i].get(), bytes.data(), bytes.size(), 0);
        // Raw IPv4 sockets see the IP header too.
        const std::size_t skip = GetParam().protocol == Protocol::icmp && !v6 ? 20 : 0;
        icmphdr seen{};
        if (size < static_cast<ssize_t>(skip + sizeof seen)) continue;
        std::memcpy(&seen, bytes.data() + skip, sizeof seen);
        if (seen.type != (v6 ? std::uint8_t{ICMP6_ECHO_REQUEST} : std::uint8_t{ICMP_ECHO})) continue;
        return {static_cast<int>(i), ntohs(seen.un.echo.sequence)};
      }
    }
  }

  std::vector<Fd> servers_;
  std::uint16_t last_number_ = 0;
  std::uint16_t last_id_ = 100;
  Talker direct_{open_talker(lab.client(), v6, GetParam().protocol), 99};
};

TEST_P(StaleFlows, MoveToTheEndpointThatReplacesTheirs) {
  proxy.apply({served_by({0})});
  const auto flow = talker();
  EXPECT_EQ(reached(flow), 0);
  EXPECT_EQ(reached(flow), 0);
  proxy.apply({served_by({1})});
  EXPECT_EQ(reached(flow), 1);
}

TEST_P(StaleFlows, StayWithAnEndpointThatStillServes) {
  proxy.apply({served_by({0, 1})});
  const auto first = talker();
  const auto second = talker();
  EXPECT_EQ(reached(first), 0);
  EXPECT_EQ(reached(second), 1);
  proxy.apply({served_by({2, 1})});
  EXPECT_EQ(reached(second), 1);
  EXPECT_EQ(reached(first), 2);
}

TEST_P(StaleFlows, ReachNobodyOnceTheirVipIsRemoved) {
  proxy.apply({served_by({0})});
  const auto flow = talker();
  EXPECT_EQ(reached(flow), 0);
  proxy.apply({});
  EXPECT_TRUE(lost(flow));
}

TEST_P(StaleFlows, OlderThanTheirVipAreServed) {
  proxy.apply({Vip{.address = address(2), .endpoints = {{Lab::server_address(0, v6)}}}});
  const auto flow = talker();
  EXPECT_TRUE(lost(flow));
  ASSERT_THAT(tracked(), SizeIs(1)) << "the kernel remembers that it is translated to nothing";
  proxy.apply({Vip{.address = address(2), .endpoints = {{Lab::server_address(0, v6)}}}, served_by({1})});
  EXPECT_EQ(reached(flow), 1);
}

TEST_P(StaleFlows, AreFoundWhenTheWholeTableIsWrittenAnew) {
  proxy.apply({served_by({0})});
  const auto flow = talker();
  EXPECT_EQ(reached(flow), 0);
  VipProxy restarted(lab.router());
  restarted.apply({served_by({1})});
  EXPECT_EQ(reached(flow), 1);
}

TEST_P(StaleFlows, ThatBeganWhileTheTableWasMissingAreServed) {
  // Without anybody who asks for it the kernel would track no flow.
  const std::string family = v6 ? "ip6" : "ip";
  lab::nft(
      lab.router(), {"-f", "-"},
      "table " + family + " another { chain c { type filter hook prerouting priority 0; ct state new counter; }; }");
  const auto other = Vip{.address = address(2), .endpoints = {{Lab::server_address(2, v6)}}};
  proxy.apply({served_by({0})});
  const auto taken = [&] { lab::nft(lab.router(), {"delete", "table", family, "knetsim-vips"}); };
  taken();
  const auto first = talker();
  EXPECT_TRUE(lost(first));
  ASSERT_THAT(tracked(), SizeIs(1));
  proxy.restore();
  EXPECT_EQ(reached(first), 0);
  taken();
  const auto second = talker();
  EXPECT_TRUE(lost(second));
  proxy.apply({served_by({0}), other});
  EXPECT_EQ(reached(second), 0) << "nothing of its VIP has changed";
}

TEST_P(StaleFlows, OfAnEndpointThatIsGoneMoveOnAndItsTurnStays) {
  proxy.apply({served_by({0, 1})});
  const auto first = talker();
  const auto second = talker();
  EXPECT_EQ(reached(first), 0);
  EXPECT_EQ(reached(second), 1);
  proxy.apply({served_by({0, 1}, {0})});
  EXPECT_EQ(reached(second), 1);
  EXPECT_TRUE(lost(first)) << "the turns have gone on: this one is that of the endpoint that is gone";
  EXPECT_EQ(reached(first), 1);
  EXPECT_EQ(reached(first), 1);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(lost(talker()));
    EXPECT_EQ(reached(talker()), 1);
  }
  proxy.apply({served_by({0, 1})});
  EXPECT_EQ(reached(talker()), 0);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const bool v6 : {false, true})
    for (const auto protocol : {Protocol::udp, Protocol::icmp})
      for (const bool from_router : {false, true}) all.push_back({v6, protocol, from_router});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Ways, StaleFlows, testing::ValuesIn(cases()), [](const auto& one) {
  return fmt::format("{}_{}_{}", one.param.v6 ? "ip6" : "ip", one.param.protocol == Protocol::udp ? "udp" : "ping",
                     one.param.from_router ? "output" : "prerouting");
});

class TcpFlows : public testing::TestWithParam<bool> {};

TEST_P(TcpFlows, StayWithTheServerThatTheyHaveAndOnesWithoutAnAnswerAreForgotten) {
  const bool v6 = GetParam();
  Lab lab{2};
  route_vips_outside(lab);
  VipProxy proxy{lab.router()};
  const auto vip = parse_address(v6 ? "fd64::1" : "100.64.10.1");
  const auto early_vip = parse_address(v6 ? "fd64::2" : "100.64.10.2");
  const auto served = [&](const Address& address, int server) {
    return Vip{.address = address, .endpoints = {{Lab::server_address(server, v6)}}};
  };
  proxy.apply({served(vip, 0)});
  const auto connect = [&](const Address& target) {
    auto fd = open_in(lab.client(), v6, SOCK_STREAM, 0);
    const udp::endpoint to(target, Lab::kPort);
    if (::connect(fd.get(), to.data(), static_cast<socklen_t>(to.size())) != 0 && errno != EINPROGRESS)
      throw SystemError("connect");
    return fd;
  };
  const auto connection = connect(vip);
  pollfd writable{connection.get(), POLLOUT, 0};
  ASSERT_EQ(::poll(&writable, 1, kBudgetMilliseconds), 1);
  const auto early = connect(early_vip);
  netlink::Conntrack conntrack(lab.router());
  ASSERT_THAT(conntrack.list({.protocol = IPPROTO_TCP, .original_destination = early_vip}), SizeIs(1));

  proxy.apply({served(vip, 1), served(early_vip, 1)});
  EXPECT_THAT(conntrack.list({.protocol = IPPROTO_TCP, .original_destination = early_vip}), IsEmpty());
  const auto kept = conntrack.list({.protocol = IPPROTO_TCP, .original_destination = vip});
  ASSERT_THAT(kept, SizeIs(1));
  EXPECT_EQ(kept[0].reply.source, Lab::server_address(0, v6));
}

INSTANTIATE_TEST_SUITE_P(Families, TcpFlows, testing::Values(false, true),
                         [](const auto& one) { return one.param ? "ip6" : "ip"; });

}  // namespace
}  // namespace knetsim::kubeproxy
