#include "knetsim/netlink/conntrack.h"

#include <fmt/format.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

#include "attributes.h"
#include "decode.h"
#include "knetsim/netlink/channel.h"
#include "knetsim/netlink/error.h"
#include "message.h"

namespace knetsim::netlink {

namespace {

// Of one round of remove(): some 15 MB.
constexpr std::size_t kRemovedAtOnce = 65536;
// No table is larger than this many rounds: whoever adds matching entries faster than they go is told so.
constexpr int kRemoveRounds = 1024;

// Not in the UAPI header: the bits of CTA_FILTER_ORIG_FLAGS and CTA_FILTER_REPLY_FLAGS (net/netfilter/nf_internals.h).
enum FilterAttribute { kOriginalFlags = 1, kReplyFlags = 2 };
enum FilterFlag : std::uint32_t {
  kIpSource = 1U << 0,
  kIpDestination = 1U << 1,
  kProtocolNumber = 1U << 3,
  kSourcePort = 1U << 4,
  kDestinationPort = 1U << 5
};

Message ctnetlink_request(int type, int address_family) {
  Message message((NFNL_SUBSYS_CTNETLINK << 8) | type, 0);
  nfgenmsg header{};
  header.nfgen_family = static_cast<std::uint8_t>(address_family);
  header.version = NFNETLINK_V0;
  message.header(header);
  return message;
}

/// What a filter says of one direction.
struct FilterSide {
  std::optional<Address> source;
  std::optional<Address> destination;
  std::optional<std::uint8_t> protocol;
  std::optional<std::uint16_t> source_port;
  std::optional<std::uint16_t> destination_port;

  std::uint32_t flags() const {
    return (source ? kIpSource : 0U) | (destination ? kIpDestination : 0U) | (protocol ? kProtocolNumber : 0U) |
           (source_port ? kSourcePort : 0U) | (destination_port ? kDestinationPort : 0U);
  }
};

// The kernel looks at ports only where it knows the protocol.
FilterSide original_side(const FlowFilter& filter) {
  return {.source = filter.original_source,
          .destination = filter.original_destination,
          .protocol = filter.protocol,
          .source_port = {},
          .destination_port = filter.protocol ? filter.original_destination_port : std::nullopt};
}

FilterSide reply_side(const FlowFilter& filter) {
  const bool port = filter.protocol && filter.reply_source_port;
  return {.source = filter.reply_source,
          .destination = {},
          .protocol = port ? filter.protocol : std::nullopt,
          .source_port = port ? filter.reply_source_port : std::nullopt,
          .destination_port = {}};
}

void put_side(Message& message, int type, const FilterSide& side) {
  if (side.flags() == 0) return;
  message.nest(type, [&] {
    if (side.source || side.destination)
      message.nest(CTA_TUPLE_IP, [&] {
        if (side.source) message.address(side.source->is_v6() ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, *side.source);
        if (side.destination)
          message.address(side.destination->is_v6() ? CTA_IP_V6_DST : CTA_IP_V4_DST, *side.destination);
      });
    if (!side.protocol) return;
    message.nest(CTA_TUPLE_PROTO, [&] {
      message.u8(CTA_PROTO_NUM, *side.protocol);
      if (side.source_port) message.be16(CTA_PROTO_SRC_PORT, *side.source_port);
      if (side.destination_port) message.be16(CTA_PROTO_DST_PORT, *side.destination_port);
    });
  });
}

void put_tuple(Message& message, int type, const FlowTuple& tuple) {
  const bool v6 = tuple.source.is_v6();
  message.nest(type, [&] {
    message.nest(CTA_TUPLE_IP, [&] {
      message.address(v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, tuple.source);
      message.address(v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, tuple.destination);
    });
    message.nest(CTA_TUPLE_PROTO, [&] {
      message.u8(CTA_PROTO_NUM, tuple.protocol);
      if (tuple.protocol == IPPROTO_ICMPV6) {
        message.be16(CTA_PROTO_ICMPV6_ID, tuple.echo_id)
            .u8(CTA_PROTO_ICMPV6_TYPE, tuple.icmp_type)
            .u8(CTA_PROTO_ICMPV6_CODE, tuple.icmp_code);
      } else if (tuple.protocol == IPPROTO_ICMP) {
        message.be16(CTA_PROTO_ICMP_ID, tuple.echo_id)
            .u8(CTA_PROTO_ICMP_TYPE, tuple.icmp_type)
            .u8(CTA_PROTO_ICMP_CODE, tuple.icmp_code);
      } else {
        message.be16(CTA_PROTO_SRC_PORT, tuple.source_port).be16(CTA_PROTO_DST_PORT, tuple.destination_port);
      }
    });
  });
}

std::optional<FlowTuple> read_tuple(const Attributes& flow, int type) {
  const auto tuple = flow.nested(type, CTA_TUPLE_MAX);
  if (!tuple) return std::nullopt;
  const auto ip = tuple->nested(CTA_TUPLE_IP, CTA_IP_MAX);
  const auto protocol = tuple->nested(CTA_TUPLE_PROTO, CTA_PROTO_MAX);
  if (!ip || !protocol) return std::nullopt;
  const auto either = [&](int v4, int v6) { return ip->has(v4) ? ip->address(v4) : ip->address(v6); };
  const auto source = either(CTA_IP_V4_SRC, CTA_IP_V6_SRC);
  const auto destination = either(CTA_IP_V4_DST, CTA_IP_V6_DST);
  if (!source || !destination) return std::nullopt;
  FlowTuple read{.source = *source, .destination = *destination};
  read.protocol = protocol->u8(CTA_PROTO_NUM).value_or(0);
  read.source_port = protocol->be16(CTA_PROTO_SRC_PORT).value_or(0);
  read.destination_port = protocol->be16(CTA_PROTO_DST_PORT).value_or(0);
  const bool v6 = protocol->has(CTA_PROTO_ICMPV6_ID);
  read.echo_id = protocol->be16(v6 ? CTA_PROTO_ICMPV6_ID : CTA_PROTO_ICMP_ID).value_or(0);
  read.icmp_type = protocol->u8(v6 ? CTA_PROTO_ICMPV6_TYPE : CTA_PROTO_ICMP_TYPE).value_or(0);
  read.icmp_code = protocol->u8(v6 ? CTA_PROTO_ICMPV6_CODE : CTA_PROTO_ICMP_CODE).value_or(0);
  return read;
}

template <typename T>
bool fits(const std::optional<T>& wanted, const T& there) {
  return !wanted || *wanted == there;
}

std::string end_text(const Address& address, std::uint16_t port) {
  if (port == 0) return address.to_string();
  if (address.is_v6()) return fmt::format("[{}]:{}", address.to_string(), port);
  return fmt::format("{}:{}", address.to_string(), port);
}

std::string protocol_text(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_ICMP:
      return "icmp";
    case IPPROTO_ICMPV6:
      return "icmpv6";
    default:
      return fmt::format("protocol {}", protocol);
  }
}

}  // namespace

std::optional<Flow> decode_flow(const nlmsghdr* message) {
  if (message->nlmsg_type != ((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW)) return std::nullopt;
  const Attributes flow(message, sizeof(nfgenmsg), CTA_MAX);
  const auto original = read_tuple(flow, CTA_TUPLE_ORIG);
  const auto reply = read_tuple(flow, CTA_TUPLE_REPLY);
  if (!original || !reply) return std::nullopt;
  const auto be32 = [&](int type) { return ntohl(flow.u32(type).value_or(0)); };
  return Flow{.original = *original,
              .reply = *reply,
              .status = be32(CTA_STATUS),
              .mark = be32(CTA_MARK),
              .zone = flow.be16(CTA_ZONE).value_or(0),
              .id = be32(CTA_ID)};
}

bool Flow::answered() const { return (status & IPS_SEEN_REPLY) != 0; }

std::string to_string(const Flow& flow) {
  return fmt::format("{} {} -> {}, answered by {}", protocol_text(flow.original.protocol),
                     end_text(flow.original.source, flow.original.source_port),
                     end_text(flow.original.destination, flow.original.destination_port),
                     end_text(flow.reply.source, flow.reply.source_port));
}

bool matches(const FlowFilter& filter, const Flow& flow) {
  return fits(filter.protocol, flow.original.protocol) && fits(filter.original_source, flow.original.source) &&
         fits(filter.original_destination, flow.original.destination) &&
         fits(filter.original_destination_port, flow.original.destination_port) &&
         fits(filter.reply_source, flow.reply.source) && fits(filter.reply_source_port, flow.reply.source_port) &&
         fits(filter.zone, flow.zone) &&
         (!filter.mark || (*filter.mark & filter.mark_mask) == (flow.mark & filter.mark_mask));
}

Conntrack::Conntrack(const NetNs& ns, std::string where) : socket_(Socket::netfilter(ns, std::move(where))) {}

std::size_t Conntrack::count() {
  // EINVAL is nfnetlink's answer for a subsystem that it hasn't got.
  const auto answer =
      socket_.channel().ask(ctnetlink_request(IPCTNL_MSG_CT_GET_STATS, AF_UNSPEC), "count the tracked flows", {EINVAL});
  if (!answer)
    throw Error(EOPNOTSUPP, {.tried = "count the tracked flows",
                             .answer = "this kernel doesn't tell of them",
                             .remedy = "modprobe nf_conntrack_netlink (as root, on the host)"});
  const auto* reply = reinterpret_cast<const nlmsghdr*>(answer->data());
  return ntohl(Attributes(reply, sizeof(nfgenmsg), CTA_STATS_GLOBAL_MAX).u32(CTA_STATS_GLOBAL_ENTRIES).value_or(0));
}

void Conntrack::read(const FlowFilter& filter, const std::function<void()>& restart,
                     const std::function<void(Flow)>& each) {
  auto original = original_side(filter);
  auto reply = reply_side(filter);
  std::optional<int> address_family;
  for (const auto& address : {original.source, original.destination, reply.source}) {
    if (!address) continue;
    if (address_family && *address_family != family(*address)) return restart();
    address_family = family(*address);
  }
  if (address_family == AF_INET6) {
    // Linux 6.18 tells those whose IPv6 address isn't the filter's (ctnetlink_filter_match_tuple compares the wrong
    // way).
    original.source = original.destination = reply.source = std::nullopt;
  }
  // The kernel reads a filter by the family of the request.
  auto message = ctnetlink_request(IPCTNL_MSG_CT_GET, address_family.value_or(AF_UNSPEC));
  if (address_family && original.flags() + reply.flags() != 0) {
    put_side(message, CTA_TUPLE_ORIG, original);
    put_side(message, CTA_TUPLE_REPLY, reply);
    message.nest(CTA_FILTER, [&] { message.u32(kOriginalFlags, original.flags()).u32(kReplyFlags, reply.flags()); });
  }
  socket_.channel().dump(message, "list the tracked flows", restart, [&](const nlmsghdr* one) {
    // An older kernel ignores the filter and tells all.
    if (auto flow = decode_flow(one); flow && matches(filter, *flow)) each(std::move(*flow));
  });
}

std::vector<Flow> Conntrack::list(const FlowFilter& filter) {
  std::vector<Flow> flows;
  read(
      filter, [&] { flows.clear(); }, [&](Flow flow) { flows.push_back(std::move(flow)); });
  return flows;
}

std::optional<Flow> Conntrack::find(const FlowTuple& original) {
  auto message = ctnetlink_request(IPCTNL_MSG_CT_GET, family(original.source));
  put_tuple(message, CTA_TUPLE_ORIG, original);
  const auto answer = socket_.channel().ask(message, "look a tracked flow up", {ENOENT});
  return answer ? decode_flow(reinterpret_cast<const nlmsghdr*>(answer->data())) : std::nullopt;
}

void Conntrack::forget(const Flow& flow) {
  auto message = ctnetlink_request(IPCTNL_MSG_CT_DELETE, family(flow.original.source));
  put_tuple(message, CTA_TUPLE_ORIG, flow.original);
  message.be16(CTA_ZONE, flow.zone).u32(CTA_ID, htonl(flow.id));
  socket_.channel().change(message, "stop tracking " + to_string(flow), {ENOENT});
}

std::size_t Conntrack::remove(const FlowFilter& filter, const FlowPredicate& predicate) {
  std::size_t removed = 0;
  for (int round = 0; round < kRemoveRounds; ++round) {
    std::vector<Flow> chosen;
    read(
        filter, [&] { chosen.clear(); },
        [&](Flow flow) {
          if (chosen.size() < kRemovedAtOnce && (!predicate || predicate(flow))) chosen.push_back(std::move(flow));
        });
    Batch batch(socket_);
    for (const auto& flow : chosen) forget(flow);
    batch.commit();
    removed += chosen.size();
    if (chosen.size() < kRemovedAtOnce) return removed;
  }
  throw Error(EAGAIN, {.tried = "remove tracked flows",
                       .answer = fmt::format("after {} of them there still are more that match", removed),
                       .remedy = "stop whatever opens them"});
}

}  // namespace knetsim::netlink
