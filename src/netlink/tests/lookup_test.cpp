#include "knetsim/netlink/lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "knetsim/netlink/address.h"
#include "knetsim/sys/sysctl.h"
#include "pair.h"

namespace knetsim::netlink {
namespace {

struct RouteLookups : testing::Test, Pair {
  RouteLookups() {
    add_address(at_left, left_end, {.address = parse_network("10.0.0.3/8")});
    add_route(
        at_left,
        {.destination = parse_network("11.20.0.0/16"), .gateway = parse_address("10.0.0.4"), .interface = left_end});
    for (const auto& [network, type] :
         {std::pair{"12.1.0.0/16", RTN_UNREACHABLE}, {"12.2.0.0/16", RTN_PROHIBIT}, {"12.3.0.0/16", RTN_BLACKHOLE}})
      add_route(at_left, {.destination = parse_network(network), .type = static_cast<unsigned>(type)});
  }

  RouteAnswer ask(const char* to, const char* from = nullptr, int in = 0) {
    RouteQuestion question{.to = parse_address(to), .in = in};
    if (from != nullptr) question.from = parse_address(from);
    return ask_route(at_left, question);
  }
};

TEST_F(RouteLookups, NameTheWayAndTheEntryThatMatched) {
  const auto answer = ask("11.20.1.1");
  EXPECT_EQ(answer.error, 0);
  ASSERT_TRUE(answer.way);
  EXPECT_EQ(answer.way->gateway, parse_address("10.0.0.4"));
  EXPECT_EQ(answer.way->source, parse_address("10.0.0.3"));
  ASSERT_TRUE(answer.matched);
  EXPECT_EQ(answer.matched->destination, parse_network("11.20.0.0/16"));
}

TEST_F(RouteLookups, TellWhyThereIsNone) {
  EXPECT_EQ(ask("99.0.0.1").error, ENETUNREACH);
  EXPECT_EQ(ask("12.1.0.1").error, EHOSTUNREACH);
  EXPECT_EQ(ask("12.2.0.1").error, EACCES);
  EXPECT_EQ(ask("12.3.0.1").error, EINVAL);
}

TEST_F(RouteLookups, OfWhatComesByALinkHeedForwardingAndReversePaths) {
  left.run([] { write_sysctl("net.ipv4.ip_forward", "0"); });
  EXPECT_EQ(ask("11.20.1.1", "10.0.0.9", left_end).error, EHOSTUNREACH) << "it isn't to be forwarded";
  left.run([] { write_sysctl("net.ipv4.ip_forward", "1"); });
  EXPECT_EQ(ask("11.20.1.1", "10.0.0.9", left_end).error, 0);
  const auto name = get_link(at_left, left_end).name;
  left.run([&] {
    write_sysctl("net.ipv4.conf.all.rp_filter", "1");
    write_sysctl("net.ipv4.conf." + name + ".rp_filter", "1");
  });
  EXPECT_EQ(ask("11.20.1.1", "99.0.0.1", left_end).error, EINVAL) << "there is no way back to the source";
}

}  // namespace
}  // namespace knetsim::netlink
