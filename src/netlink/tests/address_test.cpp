#include "knetsim/netlink/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "knetsim/netlink/error.h"
#include "knetsim/netlink/route.h"
#include "pair.h"

namespace knetsim::netlink {
namespace {

using testing::HasSubstr;

TEST(Address, OfIPv4IsThereWithItsPrefixBroadcastAndRoute) {
  Pair pair;
  add_address(pair.at_left, pair.left_end,
              {.address = parse_network("10.0.0.3/8"), .broadcast = parse_address("10.255.255.255")});
  const auto addresses = list_addresses(pair.at_left, pair.left_end, AF_INET);
  ASSERT_EQ(addresses.size(), 1U);
  EXPECT_EQ(addresses[0].address, parse_network("10.0.0.3/8"));
  EXPECT_EQ(addresses[0].broadcast, parse_address("10.255.255.255"));
  EXPECT_EQ(addresses[0].scope, RT_SCOPE_UNIVERSE);
  EXPECT_EQ(addresses[0].label, "eth0");
  EXPECT_FALSE(addresses[0].peer);
  EXPECT_FALSE(addresses[0].tentative());
  EXPECT_EQ(list_routes(pair.at_left, AF_INET).size(), 1U);
}

TEST(Address, OfIPv6IsUsableAtOnceUnlessDetectionIsWanted) {
  Pair pair;
  add_address(pair.at_left, pair.left_end, {.address = parse_network("fd00::3/64")});
  add_address(pair.at_left, pair.left_end, {.address = parse_network("fd00::4/64"), .nodad = false});
  int seen = 0;
  for (const auto& address : list_addresses(pair.at_left, pair.left_end, AF_INET6)) {
    if (address.address == parse_network("fd00::3/64")) {
      ++seen;
      EXPECT_FALSE(address.tentative());
      EXPECT_TRUE(address.flags & IFA_F_NODAD);
    } else if (address.address == parse_network("fd00::4/64")) {
      ++seen;
      EXPECT_TRUE(address.tentative());
    }
  }
  EXPECT_EQ(seen, 2);
}

TEST(Address, ScopeAndConnectedRouteAreAsAsked) {
  Pair pair;
  add_address(pair.at_left, pair.left_end,
              {.address = parse_network("10.1.0.1/16"), .scope = RT_SCOPE_LINK, .prefix_route = false});
  const auto addresses = list_addresses(pair.at_left, pair.left_end, AF_INET);
  ASSERT_EQ(addresses.size(), 1U);
  EXPECT_EQ(addresses[0].scope, RT_SCOPE_LINK);
  EXPECT_TRUE(list_routes(pair.at_left, AF_INET).empty());
}

TEST(Address, OfALoopbackNetworkHasHostScopeUnlessToldOtherwise) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  add_address(socket, 1, {.address = parse_network("127.1.2.3/32")});
  for (const auto& address : list_addresses(socket, 1, AF_INET)) EXPECT_EQ(address.scope, RT_SCOPE_HOST);
}

TEST(Address, ThereAlreadyIsAnErrorForAddAndNoneForReplace) {
  Pair pair;
  for (const auto* text : {"10.0.0.3/8", "fd00::3/64"}) {
    const AddressSpec spec{.address = parse_network(text)};
    replace_address(pair.at_left, pair.left_end, spec);
    EXPECT_EQ(errno_of([&] { add_address(pair.at_left, pair.left_end, spec); }), EEXIST) << text;
    EXPECT_NO_THROW(replace_address(pair.at_left, pair.left_end, spec)) << text;
  }
}

TEST(Address, IsGoneAfterItsRemovalAndOfWhatIsAbsentIsNoError) {
  Pair pair;
  for (const auto* text : {"10.0.0.3/8", "fd00::3/64"}) {
    const auto network = parse_network(text);
    add_address(pair.at_left, pair.left_end, {.address = network});
    delete_address(pair.at_left, pair.left_end, network);
    for (const auto& address : list_addresses(pair.at_left)) EXPECT_NE(address.address, network);
    EXPECT_NO_THROW(delete_address(pair.at_left, pair.left_end, network)) << text;
    EXPECT_NO_THROW(delete_address(pair.at_left, 4711, network)) << text;
  }
}

TEST(Address, ListsAreOfOneInterfaceOrFamilyWhenAsked) {
  Pair pair;
  add_address(pair.at_left, pair.left_end, {.address = parse_network("10.0.0.3/8")});
  for (const auto& address : list_addresses(pair.at_left, pair.left_end)) EXPECT_EQ(address.interface, pair.left_end);
  for (const auto& address : list_addresses(pair.at_left, 0, AF_INET6)) EXPECT_TRUE(is_v6(address.address));
  bool lo = false;
  bool eth0 = false;
  for (const auto& address : list_addresses(pair.at_left)) {
    lo |= address.interface == 1;
    eth0 |= address.interface == pair.left_end;
  }
  EXPECT_TRUE(lo && eth0);
}

TEST(Address, OnALinkThatIsAbsentIsAnErrorNamingBoth) {
  const NetNs ns = NetNs::create();
  Socket socket(ns, "w1");
  try {
    add_address(socket, 4711, {.address = parse_network("10.0.0.3/8")});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.error(), ENODEV);
    EXPECT_THAT(error.what(), HasSubstr("w1: can't add 10.0.0.3/8 to link 4711: No such device (ENODEV)"));
  }
}

TEST(Address, TextTellsScopeAndDetection) {
  InterfaceAddress address{.interface = 7, .address = parse_network("fd00::3/64"), .flags = IFA_F_TENTATIVE};
  EXPECT_EQ(to_string(address), "fd00::3/64 on 7 scope global tentative");
  address.flags |= IFA_F_OPTIMISTIC;
  EXPECT_EQ(to_string(address), "fd00::3/64 on 7 scope global") << "an optimistic address may be used";
}

}  // namespace
}  // namespace knetsim::netlink
