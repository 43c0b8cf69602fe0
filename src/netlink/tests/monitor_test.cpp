#include "knetsim/netlink/monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "knetsim/netlink/error.h"
#include "knetsim/sys/process.h"
#include "pair.h"

namespace knetsim::netlink {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kBudget = seconds(10);

/// Waits until an event of that type is one of which `predicate` holds.
template <typename Object, typename Predicate>
std::optional<Event> await(Monitor& monitor, Predicate&& predicate) {
  for (;;) {
    const auto events = monitor.wait(kBudget);
    if (events.empty()) return std::nullopt;
    for (const auto& event : events)
      if (const auto* object = std::get_if<Object>(&event.object); object && predicate(event.removed, *object))
        return event;
  }
}

TEST(Monitors, TellOfLinksThatComeChangeAndGo) {
  const NetNs ns = NetNs::create();
  Monitor monitor(ns, Groups::links);
  Socket socket(ns);
  const int index = create_bridge(socket, {.name = "t0"});
  EXPECT_TRUE(await<Link>(monitor, [](bool removed, const Link& link) { return !removed && link.name == "t0"; }));
  set_up(socket, index);
  EXPECT_TRUE(await<Link>(monitor, [&](bool removed, const Link& link) { return !removed && link.up; }));
  delete_link(socket, index);
  EXPECT_TRUE(await<Link>(monitor, [&](bool removed, const Link& link) { return removed && link.index == index; }));
}

TEST(Monitors, TellOfAddressesOfBothFamilies) {
  Pair pair;
  Monitor monitor(pair.left, Groups::addresses);
  for (const auto* text : {"10.0.0.3/8", "fd00::3/64"}) {
    const auto network = parse_network(text);
    add_address(pair.at_left, pair.left_end, {.address = network});
    EXPECT_TRUE(await<InterfaceAddress>(
        monitor, [&](bool removed, const auto& address) { return !removed && address.address == network; }));
    delete_address(pair.at_left, pair.left_end, network);
    EXPECT_TRUE(await<InterfaceAddress>(
        monitor, [&](bool removed, const auto& address) { return removed && address.address == network; }));
  }
}

TEST(Monitors, TellOfRoutesOfBothFamilies) {
  Pair pair;
  Monitor monitor(pair.left, Groups::routes);
  for (const auto* text : {"11.20.0.0/20", "fd20::/64"}) {
    const Route route{.destination = parse_network(text), .interface = pair.left_end};
    add_route(pair.at_left, route);
    EXPECT_TRUE(await<Route>(
        monitor, [&](bool removed, const auto& seen) { return !removed && seen.destination == route.destination; }));
    delete_route(pair.at_left, route);
    EXPECT_TRUE(await<Route>(
        monitor, [&](bool removed, const auto& seen) { return removed && seen.destination == route.destination; }));
  }
}

TEST(Monitors, TellOfNeighboursAndForwardingEntries) {
  Pair pair;
  const int vxlan = create_vxlan(pair.at_left, {.name = "vx0", .vni = 1, .up = true});
  Monitor monitor(pair.left, Groups::neighbours);
  const Mac mac = random_mac();
  replace_neighbour(pair.at_left, pair.left_end, parse_address("10.0.0.4"), mac);
  EXPECT_TRUE(await<Neighbour>(monitor, [&](bool removed, const auto& seen) { return !removed && seen.mac == mac; }));
  replace_fdb(pair.at_left, vxlan, mac, parse_address("10.0.0.4"));
  EXPECT_TRUE(await<FdbEntry>(monitor, [&](bool removed, const auto& seen) { return !removed && seen.mac == mac; }));
  delete_fdb(pair.at_left, vxlan, mac);
  EXPECT_TRUE(await<FdbEntry>(monitor, [&](bool removed, const auto& seen) { return removed && seen.mac == mac; }));
}

TEST(Monitors, TellOnlyOfWhatWasAskedAndOfTheirOwnNamespace) {
  Pair pair;
  Monitor monitor(pair.left, Groups::routes);
  create_bridge(pair.at_left, {.name = "t0"});
  replace_neighbour(pair.at_left, pair.left_end, parse_address("10.0.0.4"), random_mac());
  add_route(pair.at_right, {.destination = parse_network("11.0.0.0/8"), .interface = pair.right_end});
  add_route(pair.at_left, {.destination = parse_network("12.0.0.0/8"), .interface = pair.left_end});
  for (const auto& event : monitor.wait(kBudget)) {
    const auto* route = std::get_if<Route>(&event.object);
    ASSERT_TRUE(route);
    EXPECT_NE(route->destination, parse_network("11.0.0.0/8"));
  }
}

TEST(Monitors, APortThatLeavesItsBridgeIsNotALinkThatGoes) {
  Pair pair;
  const int bridge = create_bridge(pair.at_left, {.name = "br0"});
  set_master(pair.at_left, pair.left_end, bridge);
  Monitor monitor(pair.left, Groups::links);
  set_master(pair.at_left, pair.left_end, 0);
  bool left = false;
  for (const auto& event : monitor.wait(kBudget)) {
    EXPECT_FALSE(event.removed);
    if (const auto* link = std::get_if<Link>(&event.object)) left |= link->name == "eth0" && link->master == 0;
  }
  EXPECT_TRUE(left);
}

TEST(Monitors, ReadNeverBlocksAndTheDescriptorBecomesReadable) {
  const NetNs ns = NetNs::create();
  Monitor monitor(ns, Groups::links);
  EXPECT_TRUE(monitor.read().empty());
  pollfd readable{monitor.fd().get(), POLLIN, 0};
  EXPECT_EQ(::poll(&readable, 1, 0), 0);
  Socket socket(ns);
  create_bridge(socket, {.name = "t0"});
  EXPECT_EQ(::poll(&readable, 1, 10'000), 1);
  EXPECT_FALSE(monitor.read().empty());
}

TEST(Monitors, AMovedOneGoesOnWithWhatHasCome) {
  const NetNs ns = NetNs::create();
  Monitor first(ns, Groups::links);
  Socket socket(ns);
  create_bridge(socket, {.name = "t0"});
  Monitor second = std::move(first);
  EXPECT_FALSE(second.wait(kBudget).empty());
}

TEST(Monitors, ADroppedNotificationIsReportedAsResyncAndLaterOnesArrive) {
  Pair pair;
  Monitor monitor(pair.left, Groups::routes, 4096);
  Batch batch(pair.at_left);
  for (unsigned i = 0; i < 200; ++i)
    add_route(pair.at_left,
              {.destination = host_network(advance(parse_address("20.0.0.0"), i)), .interface = pair.left_end});
  batch.commit();
  EXPECT_TRUE(await<Resync>(monitor, [](bool, const Resync&) { return true; }));
  monitor.read();
  Socket other(pair.left);
  add_route(other, {.destination = parse_network("12.0.0.0/8"), .interface = pair.left_end});
  EXPECT_TRUE(
      await<Route>(monitor, [](bool, const Route& route) { return route.destination == parse_network("12.0.0.0/8"); }));
}

TEST(Monitors, WaitReturnsNothingWhenTheTimeIsOver) {
  const NetNs ns = NetNs::create();
  Monitor monitor(ns, Groups::links);
  EXPECT_TRUE(monitor.wait(milliseconds(5)).empty());
}

TEST(RulesetMonitors, TellOfWhatIsTakenAwayInTheirNamespaceAlone) {
  const NetNs ns = NetNs::create();
  const NetNs elsewhere = NetNs::create();
  RulesetMonitor monitor(ns);
  const auto nft = [](const NetNs& in, const std::vector<std::string>& words) {
    std::vector<std::string> argv{"nft"};
    argv.insert(argv.end(), words.begin(), words.end());
    const auto ran = exec({.argv = argv, .netns = &in});
    EXPECT_TRUE(ran.ok()) << ran.err;
  };
  for (const NetNs* in : {&ns, &elsewhere}) {
    nft(*in, {"add", "table", "ip", "t"});
    nft(*in, {"add", "set", "ip", "t", "s", "{ type ipv4_addr; }"});
    nft(*in, {"add", "element", "ip", "t", "s", "{ 10.0.0.1, 10.0.0.2 }"});
    nft(*in, {"add", "chain", "ip", "t", "c"});
    nft(*in, {"add", "rule", "ip", "t", "c", "accept"});
  }
  EXPECT_FALSE(monitor.read()) << "nothing was taken away";
  const std::vector<std::vector<std::string>> takings{{"delete", "element", "ip", "t", "s", "{ 10.0.0.1 }"},
                                                      {"flush", "set", "ip", "t", "s"},
                                                      {"delete", "set", "ip", "t", "s"},
                                                      {"flush", "chain", "ip", "t", "c"},
                                                      {"delete", "chain", "ip", "t", "c"},
                                                      {"flush", "ruleset"}};
  for (const auto& taking : takings) {
    nft(elsewhere, taking);
    EXPECT_FALSE(monitor.read()) << taking.at(0) << taking.at(1);
    nft(ns, taking);
    EXPECT_TRUE(monitor.read()) << taking.at(0) << taking.at(1);
    EXPECT_FALSE(monitor.read()) << "it was told already";
  }
}

}  // namespace
}  // namespace knetsim::netlink
