#include "probe.h"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "knetsim/sys/error.h"

namespace knetsim::explain {

namespace {

constexpr std::uint16_t kShortPayload = 32;
constexpr std::uint16_t kTcpSyn = 60;  // of IPv4, with the options that Linux sends

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress socket_address(const Address& address, std::uint16_t port) {
  SocketAddress made;
  if (address.is_v6()) {
    auto* in = reinterpret_cast<sockaddr_in6*>(&made.storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(port);
    const auto octets = address.to_v6().to_bytes();
    std::memcpy(&in->sin6_addr, octets.data(), octets.size());
    made.size = sizeof(sockaddr_in6);
  } else {
    auto* in = reinterpret_cast<sockaddr_in*>(&made.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    const auto octets = address.to_v4().to_bytes();
    std::memcpy(&in->sin_addr, octets.data(), octets.size());
    made.size = sizeof(sockaddr_in);
  }
  return made;
}

Address address_in(const sockaddr* raw) {
  if (raw->sa_family == AF_INET6) {
    boost::asio::ip::address_v6::bytes_type octets;
    std::memcpy(octets.data(), &reinterpret_cast<const sockaddr_in6*>(raw)->sin6_addr, octets.size());
    return boost::asio::ip::address_v6(octets);
  }
  return boost::asio::ip::address_v4(ntohl(reinterpret_cast<const sockaddr_in*>(raw)->sin_addr.s_addr));
}

std::uint16_t port_in(const SocketAddress& address) {
  const auto* raw = &address.storage;
  return ntohs(raw->ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(raw)->sin6_port
                                          : reinterpret_cast<const sockaddr_in*>(raw)->sin_port);
}

void set(const Fd& socket, int level, int option, int value) {
  ::setsockopt(socket.get(), level, option, &value, sizeof value);
}

/// RFC 1071.
std::uint16_t checksum(const std::vector<std::uint8_t>& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>(bytes[i] << 8) + (i + 1 < bytes.size() ? bytes[i + 1] : 0U);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace

Probe::Probe(const NetNs& source, Protocol protocol, const Address& to, std::uint16_t port, std::uint64_t nonce,
             std::optional<std::uint16_t> length)
    : protocol_(protocol), v6_(to.is_v6()), nonce_(nonce), echo_id_(echo_id_of(nonce)) {
  source.run([&] { open(); });
  const std::uint16_t headers = (v6_ ? 40 : 20) + 8;
  const auto payload = protocol != Protocol::tcp && length && *length > headers + 8
                           ? static_cast<std::uint16_t>(*length - headers)
                           : kShortPayload;
  length_ = protocol == Protocol::tcp ? static_cast<std::uint16_t>(kTcpSyn + (v6_ ? 20 : 0))
                                      : static_cast<std::uint16_t>(payload + headers);
  connect(to, port);
  if (outcome_.kind == Outcome::Kind::silent && protocol_ != Protocol::tcp) send(payload);
}

void Probe::open() {
  const int type = protocol_ == Protocol::tcp ? SOCK_STREAM : protocol_ == Protocol::udp ? SOCK_DGRAM : SOCK_RAW;
  const int icmp = v6_ ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP);
  const int protocol = protocol_ == Protocol::icmp ? icmp : 0;
  socket_ = Fd(::socket(v6_ ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!socket_) throw SystemError("open a socket for a probe");
  if (v6_) {
    set(socket_, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    set(socket_, IPPROTO_IPV6, IPV6_RECVERR, 1);
  } else {
    // Not to be fragmented, and without regard to what other packets have learnt of the path.
    set(socket_, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    set(socket_, IPPROTO_IP, IP_RECVERR, 1);
  }
  if (protocol_ == Protocol::tcp) {
    const linger at_once{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
}

void Probe::connect(const Address& to, std::uint16_t port) {
  auto target = socket_address(to, protocol_ == Protocol::icmp ? 0 : port);
  const int result = ::connect(socket_.get(), target.raw(), target.size);
  const int error = errno;
  SocketAddress own;
  ::getsockname(socket_.get(), own.raw(), &own.size);
  sent_ = {address_in(own.raw()), to, protocol_ == Protocol::icmp ? std::uint16_t{0} : port_in(own),
           protocol_ == Protocol::icmp ? std::uint16_t{0} : port};
  if (result != 0 && error != EINPROGRESS)
    settle(error == ECONNREFUSED ? Outcome::Kind::refused : Outcome::Kind::not_sent, error);
}

void Probe::send(std::uint16_t payload) {
  std::vector<std::uint8_t> bytes;
  if (protocol_ == Protocol::icmp)
    bytes = {static_cast<std::uint8_t>(v6_ ? ICMP6_ECHO_REQUEST : ICMP_ECHO),
             0,
             0,
             0,
             static_cast<std::uint8_t>(echo_id_ >> 8),
             static_cast<std::uint8_t>(echo_id_),
             0,
             1};
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(nonce_ >> shift));
  bytes.resize(bytes.size() + payload - 8, 'k');
  if (protocol_ == Protocol::icmp && !v6_) {
    const auto sum = checksum(bytes);
    bytes[2] = static_cast<std::uint8_t>(sum >> 8);
    bytes[3] = static_cast<std::uint8_t>(sum);
  }
  if (::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0 && errno != EAGAIN)
    settle(errno == ECONNREFUSED ? Outcome::Kind::refused : Outcome::Kind::not_sent, errno);
}

void Probe::settle(Outcome::Kind kind, int error) {
  outcome_.kind = kind;
  outcome_.error = error;
}

short Probe::events() const noexcept {
  if (outcome_.kind != Outcome::Kind::silent) return 0;
  return protocol_ == Protocol::tcp ? POLLOUT : POLLIN;
}

/// What ICMP said.
bool Probe::read_errors() {
  std::array<std::uint8_t, 512> data;
  alignas(cmsghdr) std::array<char, 512> control;
  iovec piece{data.data(), data.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(socket_.get(), &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return false;
  for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    const bool ours = (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR) ||
                      (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR);
    if (!ours) continue;
    auto* error = reinterpret_cast<sock_extended_err*>(CMSG_DATA(part));
    settle(error->ee_origin == SO_EE_ORIGIN_LOCAL ? Outcome::Kind::not_sent : Outcome::Kind::refused,
           static_cast<int>(error->ee_errno));
    const auto* offender = SO_EE_OFFENDER(error);
    if (offender->sa_family != AF_UNSPEC) outcome_.by = address_in(offender);
  }
  return true;
}

bool Probe::read_answer() {
  std::array<std::uint8_t, 2048> buffer;
  for (;;) {
    const auto size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == ECONNREFUSED) settle(Outcome::Kind::refused, errno);
      return errno == ECONNREFUSED;
    }
    if (protocol_ == Protocol::udp) {
      settle(Outcome::Kind::answered, 0);
      return true;
    }
    // A raw socket hears of everybody's echoes.
    const packet::Bytes bytes(buffer.data(), static_cast<std::size_t>(size));
    const std::size_t header = v6_ ? 0 : (bytes[0] & 0x0fU) * 4;
    if (bytes.size() < header + 16) continue;
    const auto icmp = bytes.subspan(header);
    std::uint64_t nonce = 0;
    for (std::size_t i = 8; i < 16; ++i) nonce = nonce << 8 | icmp[i];
    if (icmp[0] == (v6_ ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) && nonce == nonce_) {
      settle(Outcome::Kind::answered, 0);
      return true;
    }
  }
}

const Outcome& Probe::look() {
  if (outcome_.kind != Outcome::Kind::silent) return outcome_;
  if (protocol_ != Protocol::tcp) {
    if (!read_answer()) read_errors();
    return outcome_;
  }
  pollfd state{socket_.get(), POLLOUT, 0};
  if (::poll(&state, 1, 0) <= 0) return outcome_;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  settle(error == 0 ? Outcome::Kind::answered : Outcome::Kind::refused, error);
  read_errors();
  if (error == 0) settle(Outcome::Kind::answered, 0);
  return outcome_;
}

}  // namespace knetsim::explain
