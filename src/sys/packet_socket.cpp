#include "knetsim/sys/packet_socket.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "knetsim/sys/error.h"

namespace knetsim {

namespace {

constexpr std::size_t kEthernetHeader = 14;
constexpr int kQueue = 4 << 20;  // bytes the kernel may hold for us while the reader is busy

template <typename T>
int set_option(const Fd& socket, int level, int option, const T& value) {
  return ::setsockopt(socket.get(), level, option, &value, sizeof value);
}

std::chrono::nanoseconds time_of(msghdr& message) {
  for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec time{};
    std::memcpy(&time, CMSG_DATA(part), sizeof time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
  return std::chrono::system_clock::now().time_since_epoch();
}

}  // namespace

PacketSocket::PacketSocket(const NetNs& ns, const std::string& interface, std::uint32_t snap_length)
    : buffer_(kEthernetHeader + snap_length) {
  // Without a protocol it hears nothing until it is bound: no packet of another interface gets in between.
  socket_ = Fd(ns.run([] { return ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }));
  if (!socket_) throw SystemError("open a packet socket");
  // Only the host's root may exceed net.core.rmem_max.
  if (set_option(socket_, SOL_SOCKET, SO_RCVBUFFORCE, kQueue) != 0) set_option(socket_, SOL_SOCKET, SO_RCVBUF, kQueue);
  if (set_option(socket_, SOL_SOCKET, SO_TIMESTAMPNS, 1) != 0) throw SystemError("ask for time stamps of packets");

  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  if (!interface.empty()) {
    address.sll_ifindex = static_cast<int>(ns.run([&] { return ::if_nametoindex(interface.c_str()); }));
    if (address.sll_ifindex == 0) throw SystemError("capture on " + interface);
  }
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw SystemError("capture on " + (interface.empty() ? "all interfaces" : interface));
}

std::optional<ReceivedPacket> PacketSocket::receive() {
  for (;;) {
    sockaddr_ll from{};
    // Room before the packet: an interface without link layer (tun) gets an Ethernet header of ours, because libpcap
    // doesn't read files of several link types.
    iovec data{buffer_.data() + kEthernetHeader, buffer_.size() - kEthernetHeader};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(timespec))> control;
    msghdr message{.msg_name = &from,
                   .msg_namelen = sizeof from,
                   .msg_iov = &data,
                   .msg_iovlen = 1,
                   .msg_control = control.data(),
                   .msg_controllen = control.size(),
                   .msg_flags = 0};
    const auto length = ::recvmsg(socket_.get(), &message, MSG_TRUNC);
    if (length < 0) {
      // An interface that goes down leaves ENETDOWN behind, once; others go on.
      if (errno == EINTR || errno == ENETDOWN) continue;
      if (errno == EAGAIN) return std::nullopt;
      throw SystemError("read a packet");
    }
    // lo shows each packet twice.
    if (from.sll_hatype == ARPHRD_LOOPBACK && from.sll_pkttype == PACKET_OUTGOING) continue;

    auto begin = kEthernetHeader;
    auto original = static_cast<std::size_t>(length);
    const auto kept = std::min(original, data.iov_len);
    if (from.sll_hatype != ARPHRD_ETHER && from.sll_hatype != ARPHRD_LOOPBACK) {
      std::fill_n(buffer_.begin(), kEthernetHeader, std::uint8_t{0});
      std::memcpy(buffer_.data() + kEthernetHeader - 2, &from.sll_protocol, 2);
      begin = 0;
      original += kEthernetHeader;
    }
    const auto end = std::min(kEthernetHeader + kept, begin + data.iov_len);
    return ReceivedPacket{.time = time_of(message),
                          .interface = from.sll_ifindex,
                          .kind = from.sll_pkttype,
                          .original_length = static_cast<std::uint32_t>(original),
                          .bytes = packet::Bytes(buffer_).subspan(begin, end - begin)};
  }
}

std::uint64_t PacketSocket::dropped() {
  tpacket_stats counts{};
  socklen_t size = sizeof counts;
  // The kernel starts from zero again each time it is asked.
  if (socket_ && ::getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &counts, &size) == 0)
    dropped_ += counts.tp_drops;
  return dropped_;
}

std::string PacketSocket::interface_name(int index) const {
  ifreq request{};
  request.ifr_ifindex = index;
  // Answered for the socket's namespace, whichever the thread is in.
  if (::ioctl(socket_.get(), SIOCGIFNAME, &request) != 0) return "#" + std::to_string(index);
  return request.ifr_name;
}

}  // namespace knetsim
