#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "knetsim/netlink/monitor.h"
#include "pair.h"

namespace knetsim::netlink {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr milliseconds kShort{20};

/// What is still missing when the budget ends.
template <typename Wait>
std::string missing_of(Wait&& wait) {
  try {
    wait();
    return "nothing";
  } catch (const StillMissing& error) {
    return error.missing();
  }
}

/// Starts `wait` in another thread, then makes `change` while it most likely waits; true if the wait then ends.
template <typename Wait, typename Change>
bool ends_with(Wait&& wait, Change&& change) {
  auto waiting = std::async(std::launch::async, wait);
  EXPECT_EQ(waiting.wait_for(kShort), std::future_status::timeout) << "it didn't wait for the change";
  change();
  waiting.get();
  return true;
}

TEST(Waiting, WhatIsThereAlreadyIsReturnedAtOnce) {
  Pair pair;
  add_address(pair.at_left, pair.left_end, {.address = parse_network("10.0.0.3/8")});
  EXPECT_EQ(wait_for_link(pair.left, "eth0").index, pair.left_end);
  EXPECT_EQ(wait_for_address(pair.left, "eth0", parse_address("10.0.0.3")).address, parse_network("10.0.0.3/8"));
  EXPECT_EQ(wait_for_route(pair.left, parse_network("10.0.0.0/8")).interface, pair.left_end);
  EXPECT_NO_THROW(wait_for_link_gone(pair.left, "nosuch"));
}

TEST(Waiting, ForALinkEndsWhenItComesAndWhenItIsAsWanted) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  EXPECT_TRUE(ends_with([&] { wait_for_link(ns, "t0"); }, [&] { create_bridge(socket, {.name = "t0"}); }));
  EXPECT_TRUE(ends_with([&] { wait_for_link(ns, "t0", [](const Link& link) { return link.up; }); },
                        [&] { set_up(socket, get_link(socket, "t0").index); }));
  EXPECT_TRUE(ends_with([&] { wait_for_link_gone(ns, "t0"); }, [&] { delete_link(socket, "t0"); }));
}

TEST(Waiting, ForAnAddressEndsWhenItIsUsable) {
  Pair pair;
  EXPECT_TRUE(ends_with([&] { wait_for_address(pair.left, "eth0", parse_address("10.0.0.3")); },
                        [&] { add_address(pair.at_left, pair.left_end, {.address = parse_network("10.0.0.3/8")}); }));
  add_address(pair.at_left, pair.left_end, {.address = parse_network("fd00::3/64"), .nodad = false});
  const auto address = wait_for_address(pair.left, "eth0", parse_address("fd00::3"));
  EXPECT_FALSE(address.tentative());
}

TEST(Waiting, ForARouteEndsWhenItComesAndWhenItIsAsWanted) {
  Pair pair;
  const auto network = parse_network("11.20.0.0/20");
  const Route plain{.destination = network, .interface = pair.left_end};
  EXPECT_TRUE(ends_with([&] { wait_for_route(pair.left, network); }, [&] { add_route(pair.at_left, plain); }));
  Route onlink = plain;
  onlink.gateway = parse_address("11.20.0.0");
  onlink.onlink = true;
  EXPECT_TRUE(ends_with([&] { wait_for_route(pair.left, network, [](const Route& route) { return route.onlink; }); },
                        [&] { replace_route(pair.at_left, onlink); }));
}

TEST(Waiting, InVainTellsWhatIsThereInstead) {
  Pair pair;
  add_address(pair.at_left, pair.left_end, {.address = parse_network("10.0.0.3/8")});
  const auto never = [](const auto&) { return false; };
  EXPECT_EQ(missing_of([&] { wait_for_link(pair.left, "eth7", {}, kShort); }), "link eth7; there are lo, eth0");
  EXPECT_THAT(missing_of([&] { wait_for_link(pair.left, "eth0", never, kShort); }),
              HasSubstr("link eth0 as wanted; it is: " + std::to_string(pair.left_end) + ": eth0 veth up"));
  EXPECT_THAT(missing_of([&] { wait_for_link_gone(pair.left, "eth0", kShort); }),
              HasSubstr("the end of link eth0; it is still there"));
  EXPECT_THAT(missing_of([&] { wait_for_address(pair.left, "eth0", parse_address("10.0.0.4"), kShort); }),
              HasSubstr("10.0.0.4 on eth0, ready for use; it has 10.0.0.3/8"));
  EXPECT_THAT(missing_of([&] { wait_for_address(pair.left, "eth7", parse_address("10.0.0.4"), kShort); }),
              HasSubstr("link eth7 to have 10.0.0.4"));
  EXPECT_THAT(missing_of([&] { wait_for_route(pair.left, parse_network("11.0.0.0/8"), {}, kShort); }),
              HasSubstr("a route to 11.0.0.0/8; there are: 10.0.0.0/8 dev"));
  EXPECT_THAT(missing_of([&] { wait_for_route(pair.left, parse_network("10.0.0.0/8"), never, kShort); }),
              HasSubstr("a route to 10.0.0.0/8 as wanted; it is: 10.0.0.0/8 dev"));
}

}  // namespace
}  // namespace knetsim::netlink
