#include "knetsim/netlink/queue.h"

#include <gtest/gtest.h>

#include "knetsim/netlink/address.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sysctl.h"
#include "pair.h"

namespace knetsim::netlink {
namespace {

struct Queues : testing::Test, Pair {
  Queues() {
    // Of IPv6 the kernel itself has something to send when a link comes up.
    left.run([] { write_sysctl("net.ipv6.conf.eth0.disable_ipv6", "1"); });
    add_address(at_left, left_end, {.address = parse_network("10.0.0.3/8")});
  }
  void run_left(std::vector<std::string> argv) {
    exec({.argv = std::move(argv), .netns = &left}, std::chrono::seconds(10));
  }
};

TEST_F(Queues, TellWhatTheyHaveDropped) {
  run_left({"tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "8kbit", "burst", "50", "limit", "50"});
  EXPECT_EQ(packets_dropped_by_queues(at_left)[left_end], 0U);
  replace_neighbour(at_left, left_end, parse_address("10.0.0.4"), get_link(at_right, "eth0").mac);
  run_left({"ping", "-c", "1", "-W", "1", "10.0.0.4"});
  EXPECT_GE(packets_dropped_by_queues(at_left)[left_end], 1U);
}

}  // namespace
}  // namespace knetsim::netlink
