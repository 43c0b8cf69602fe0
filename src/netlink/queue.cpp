#include "knetsim/netlink/queue.h"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <optional>
#include <utility>

#include "attributes.h"
#include "decode.h"
#include "message.h"

namespace knetsim::netlink {

namespace {

std::optional<std::pair<int, std::uint64_t>> decode_queue(const nlmsghdr* message) {
  const auto& header = header_of<tcmsg>(message);
  // What hangs below a root is counted there.
  if (header.tcm_parent != TC_H_ROOT) return std::nullopt;
  const Attributes attributes(message, sizeof header, TCA_MAX);
  const auto bytes = attributes.bytes(TCA_STATS);
  tc_stats statistics{};
  if (!bytes || bytes->size() < sizeof statistics) return std::nullopt;
  std::memcpy(&statistics, bytes->data(), sizeof statistics);
  return std::pair(header.tcm_ifindex, std::uint64_t{statistics.drops});
}

}  // namespace

std::map<int, std::uint64_t> packets_dropped_by_queues(Socket& socket) {
  Message message(RTM_GETQDISC, 0);
  message.header(tcmsg{});
  std::map<int, std::uint64_t> dropped;
  for (const auto& [link, drops] : list(socket, message, "list queueing disciplines", decode_queue,
                                        [](const std::pair<int, std::uint64_t>&) { return true; }))
    dropped[link] += drops;
  return dropped;
}

}  // namespace knetsim::netlink
