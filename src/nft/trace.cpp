#include "knetsim/nft/trace.h"

#include <libnftnl/trace.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "encode.h"
#include "knetsim/netlink/channel.h"
#include "knetsim/sys/error.h"
#include "nodes.h"

namespace knetsim::nft {

namespace {

constexpr int kTraceQueue = 4 << 20;  // bytes the kernel may hold for us while the reader is busy

// nftnl_trace_free() takes a const pointer, which Handle can't be made of.
struct FreeTrace {
  void operator()(nftnl_trace* trace) const noexcept { nftnl_trace_free(trace); }
};

std::vector<std::uint8_t> header_in(const nftnl_trace& trace, std::uint16_t attribute) {
  std::uint32_t size = 0;
  const auto* bytes = static_cast<const std::uint8_t*>(nftnl_trace_get_data(&trace, attribute, &size));
  if (bytes == nullptr) return {};
  return {bytes, bytes + size};
}

std::string text_in(const nftnl_trace& trace, std::uint16_t attribute) {
  const char* text = nftnl_trace_get_str(&trace, attribute);
  return text != nullptr ? text : "";
}

/// The kernel tells of a chain's end as of a rule, without a handle.
TraceEvent::Kind kind_of(std::uint32_t type, std::uint64_t handle) {
  if (type == NFT_TRACETYPE_POLICY) return TraceEvent::Kind::policy;
  return type == NFT_TRACETYPE_RULE && handle != 0 ? TraceEvent::Kind::rule : TraceEvent::Kind::end;
}

std::optional<TraceEvent> decode_trace(const nlmsghdr* message) {
  if (message->nlmsg_type != ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_TRACE)) return std::nullopt;
  const std::unique_ptr<nftnl_trace, FreeTrace> trace(nftnl_trace_alloc());
  if (!trace) throw std::bad_alloc();
  if (nftnl_trace_nlmsg_parse(message, trace.get()) < 0) return std::nullopt;
  TraceEvent event{
      .kind = kind_of(nftnl_trace_get_u32(trace.get(), NFTNL_TRACE_TYPE),
                      nftnl_trace_get_u64(trace.get(), NFTNL_TRACE_RULE_HANDLE)),
      .chain = {{static_cast<Family>(nftnl_trace_get_u32(trace.get(), NFTNL_TRACE_FAMILY)),
                 text_in(*trace, NFTNL_TRACE_TABLE)},
                text_in(*trace, NFTNL_TRACE_CHAIN)},
      .handle = nftnl_trace_get_u64(trace.get(), NFTNL_TRACE_RULE_HANDLE),
      .verdict = {},
      .id = nftnl_trace_get_u32(trace.get(), NFTNL_TRACE_ID),
      .in = static_cast<int>(nftnl_trace_get_u32(trace.get(), NFTNL_TRACE_IIF)),
      .out = static_cast<int>(nftnl_trace_get_u32(trace.get(), NFTNL_TRACE_OIF)),
      .network = header_in(*trace, NFTNL_TRACE_NETWORK_HEADER),
      .transport = header_in(*trace, NFTNL_TRACE_TRANSPORT_HEADER),
  };
  const auto attribute = event.kind == TraceEvent::Kind::policy ? NFTNL_TRACE_POLICY : NFTNL_TRACE_VERDICT;
  event.verdict = {static_cast<Verdict::Kind>(nftnl_trace_get_u32(trace.get(), attribute)),
                   text_in(*trace, NFTNL_TRACE_JUMP_TARGET)};
  return event;
}

std::uint32_t number_of(const Data& data) {
  std::uint32_t number = 0;
  std::memcpy(&number, data.bytes().data(), sizeof number);
  return number;
}

}  // namespace

Statement set_nftrace() { return Statement(std::make_shared<const StatementNode>(StatementNode{SetTrace{}})); }

namespace th {
Value word(std::uint32_t offset) {
  return Value(std::make_shared<const ValueNode>(ValueNode{{Type::integer},
                                                           PayloadField{.base = NFT_PAYLOAD_TRANSPORT_HEADER,
                                                                        .offset = offset,
                                                                        .length = 4,
                                                                        .header = 0,
                                                                        .field = 0,
                                                                        .network = {},
                                                                        .protocol = {}}}));
}
}  // namespace th

Data word(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  const std::array bytes{a, b, c, d};
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data(), sizeof number);
  return Data::integer(number);
}

Statement any_bits(const Value& word, const Data& mask) {
  return Statement(std::make_shared<const StatementNode>(StatementNode{AnyBits{word, number_of(mask)}}));
}

TraceMonitor::TraceMonitor(const NetNs& ns) : buffer_(netlink::kDatagram) {
  fd_ = ns.run([] { return netlink::open_netlink(NETLINK_NETFILTER, SOCK_NONBLOCK); });
  if (::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kTraceQueue, sizeof kTraceQueue) != 0)
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &kTraceQueue, sizeof kTraceQueue);
  // Without an address of its own the socket would be taken for the kernel's, which doesn't talk to itself.
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw SystemError("listen to traced packets");
  const int group = NFNLGRP_NFTRACE;
  if (::setsockopt(fd_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
    throw SystemError("listen to traced packets");
}

std::vector<TraceEvent> TraceMonitor::read() {
  std::vector<TraceEvent> events;
  for (;;) {
    const auto received = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (received < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return events;
      if (errno != ENOBUFS) throw SystemError("read what the kernel tells of traced packets");
      lost_ = true;
      continue;
    }
    auto left = static_cast<int>(received);
    for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data());
         left >= static_cast<int>(sizeof(nlmsghdr)) && message->nlmsg_len >= sizeof(nlmsghdr) &&
         static_cast<int>(message->nlmsg_len) <= left;) {
      if (auto event = decode_trace(message)) events.push_back(std::move(*event));
      const auto step = static_cast<int>(NLMSG_ALIGN(message->nlmsg_len));
      left -= step;
      message = reinterpret_cast<const nlmsghdr*>(reinterpret_cast<const char*>(message) + step);
    }
  }
}

}  // namespace knetsim::nft
