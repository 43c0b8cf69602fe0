#include "knetsim/netlink/link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/error.h"
#include "knetsim/sys/process.h"
#include "pair.h"

namespace knetsim::netlink {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

std::vector<std::string> names(Socket& socket) {
  std::vector<std::string> result;
  for (const auto& link : list_links(socket)) result.push_back(link.name);
  return result;
}

TEST(Links, AFreshNamespaceHasLoAndNothingElse) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  EXPECT_THAT(names(socket), UnorderedElementsAre("lo"));
  const Link lo = get_link(socket, "lo");
  EXPECT_TRUE(lo.up);
  EXPECT_EQ(lo.kind, "");
  EXPECT_EQ(lo.mtu, 65536U);
}

TEST(Links, ASocketStaysInItsNamespaceWhicheverItsCallerIsIn) {
  const NetNs a = NetNs::create();
  const NetNs b = NetNs::create();
  Socket socket(a);
  create_bridge(socket, {.name = "t0"});
  b.run([&] {
    EXPECT_TRUE(find_link(socket, "t0"));
    Socket here = Socket::here();
    EXPECT_FALSE(find_link(here, "t0"));
  });
}

TEST(Links, AMovedSocketGoesOnAndItsSourceCanBeAssignedAgain) {
  const NetNs ns = NetNs::create();
  Socket first(ns);
  Socket second = std::move(first);
  EXPECT_TRUE(find_link(second, "lo"));
  first = std::move(second);
  EXPECT_TRUE(find_link(first, "lo"));
}

TEST(Links, WhatIsAbsentIsNotFoundAndGettingItSaysWhichOne) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  EXPECT_FALSE(find_link(socket, "nosuch"));
  EXPECT_FALSE(find_link(socket, ""));
  EXPECT_FALSE(find_link(socket, "a-name-of-more-than-15-characters"));
  EXPECT_FALSE(find_link(socket, 4711));
  EXPECT_FALSE(find_link(socket, 0));
  EXPECT_EQ(errno_of([&] { get_link(socket, 4711); }), ENODEV);
  try {
    get_link(socket, "nosuch");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.error(), ENODEV);
    EXPECT_THAT(error.what(), HasSubstr("find link nosuch"));
  }
}

TEST(Veth, BothEndsComeUpStraightInTheirNamespacesWithAllThatWasAsked) {
  const NetNs here = NetNs::create();
  const NetNs a = NetNs::create();
  const NetNs b = NetNs::create();
  Socket socket(here);
  Socket at_a(a);
  Socket at_b(b);
  const Mac mac_a = random_mac();
  const Mac mac_b = random_mac();
  create_veth(socket, {.ns = a, .name = "eth0", .mtu = 1400, .mac = mac_a, .up = true},
              {.ns = b, .name = "eth1", .mtu = 1300, .mac = mac_b});

  EXPECT_THAT(names(socket), UnorderedElementsAre("lo"));
  EXPECT_THAT(names(at_a), UnorderedElementsAre("lo", "eth0"));
  EXPECT_THAT(names(at_b), UnorderedElementsAre("lo", "eth1"));
  const Link end_a = get_link(at_a, "eth0");
  const Link end_b = get_link(at_b, "eth1");
  EXPECT_EQ(end_a.kind, "veth");
  EXPECT_EQ(end_a.mac, mac_a);
  EXPECT_EQ(end_a.mtu, 1400U);
  EXPECT_TRUE(end_a.up);
  EXPECT_FALSE(end_a.running) << "its peer is down";
  EXPECT_EQ(end_a.parent, end_b.index);
  EXPECT_TRUE(end_a.parent_netns);
  EXPECT_EQ(end_b.mac, mac_b);
  EXPECT_EQ(end_b.mtu, 1300U);
  EXPECT_FALSE(end_b.up);
  EXPECT_EQ(end_b.parent, end_a.index);
}

TEST(Veth, EitherEndOrBothBecomePortsOfBridgesOnTheWay) {
  const NetNs a = NetNs::create();
  const NetNs b = NetNs::create();
  Socket at_a(a);
  Socket at_b(b);
  const int bridge_a = create_bridge(at_a, {.name = "br0", .up = true});
  const int bridge_b = create_bridge(at_b, {.name = "br0", .up = true});

  create_veth({.ns = a, .name = "first", .master = bridge_a}, {.ns = b, .name = "first"});
  EXPECT_EQ(get_link(at_a, "first").master, bridge_a);
  EXPECT_EQ(get_link(at_b, "first").master, 0);

  create_veth({.ns = a, .name = "second"}, {.ns = b, .name = "second", .master = bridge_b});
  EXPECT_EQ(get_link(at_a, "second").master, 0);
  EXPECT_EQ(get_link(at_b, "second").master, bridge_b);

  create_veth({.ns = a, .name = "both", .up = true, .master = bridge_a},
              {.ns = b, .name = "both", .up = true, .master = bridge_b});
  EXPECT_EQ(get_link(at_a, "both").master, bridge_a);
  EXPECT_EQ(get_link(at_b, "both").master, bridge_b);
  EXPECT_TRUE(get_link(at_b, "both").running);
}

TEST(Veth, IndicesChosenByTheCallerAreHeededAtBothEnds) {
  const NetNs a = NetNs::create();
  const NetNs b = NetNs::create();
  create_veth({.ns = a, .name = "eth0", .index = 100}, {.ns = b, .name = "eth0", .index = 200});
  Socket at_a(a);
  Socket at_b(b);
  EXPECT_EQ(get_link(at_a, "eth0").index, 100);
  EXPECT_EQ(get_link(at_b, "eth0").index, 200);
}

TEST(Veth, ANameThatIsTakenIsRefusedAndNothingOfThePairStays) {
  const NetNs a = NetNs::create();
  const NetNs b = NetNs::create();
  Socket at_a(a, "node-a");
  create_bridge(at_a, {.name = "taken"});
  try {
    create_veth(at_a, {.ns = a, .name = "taken"}, {.ns = b, .name = "eth0"});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.error(), EEXIST);
    EXPECT_THAT(error.what(), HasSubstr("node-a: can't create veth pair taken and eth0: File exists (EEXIST)"));
  }
  EXPECT_EQ(errno_of([&] { create_veth(at_a, {.ns = b, .name = "eth0"}, {.ns = a, .name = "taken"}); }), EEXIST);
  Socket at_b(b);
  EXPECT_FALSE(find_link(at_b, "eth0"));
}

TEST(Veth, ThatCannotJoinItsBridgeIsTakenAwayAgain) {
  const NetNs a = NetNs::create();
  const NetNs b = NetNs::create();
  Socket at_a(a);
  const int bridge = create_bridge(at_a, {.name = "br0"});
  EXPECT_NE(errno_of([&] {
              create_veth({.ns = a, .name = "port", .master = bridge}, {.ns = b, .name = "port", .master = 4711});
            }),
            0);
  Socket at_b(b);
  EXPECT_FALSE(find_link(at_a, "port"));
  EXPECT_FALSE(find_link(at_b, "port"));
}

TEST(Veth, EitherEndOrBothComeUpWhicheverIsNamedFirst) {
  const NetNs a = NetNs::create();
  const NetNs b = NetNs::create();
  Socket at_a(a);
  Socket at_b(b);
  for (const bool up_a : {false, true})
    for (const bool up_b : {false, true}) {
      create_veth(at_a, {.ns = a, .name = "eth0", .up = up_a}, {.ns = b, .name = "eth0", .up = up_b, .socket = &at_b});
      EXPECT_EQ(get_link(at_a, "eth0").up, up_a);
      EXPECT_EQ(get_link(at_b, "eth0").up, up_b);
      EXPECT_EQ(get_link(at_b, "eth0").running, up_a && up_b);
      delete_link(at_a, "eth0");
    }
}

bool has_link_local(const NetNs& ns, const std::string& name) {
  Socket socket(ns);
  const int index = get_link(socket, name).index;
  for (const auto& address : list_addresses(socket, index, AF_INET6))
    if (address_of(address.address).to_v6().is_link_local()) return true;
  return false;
}

TEST(Veth, AnEndWithoutLinkLocalAddressGetsNone) {
  const NetNs a = NetNs::create();
  const NetNs b = NetNs::create();
  for (const bool at_a : {false, true})
    for (const bool at_b : {false, true}) {
      create_veth({.ns = a, .name = "eth0", .up = true, .link_local = at_a},
                  {.ns = b, .name = "eth0", .up = true, .link_local = at_b});
      EXPECT_EQ(has_link_local(a, "eth0"), at_a);
      EXPECT_EQ(has_link_local(b, "eth0"), at_b);
      Socket socket(a);
      EXPECT_TRUE(get_link(socket, "eth0").running);
      delete_link(socket, "eth0");
    }
}

TEST(Bridge, HasTheAddressTheMtuAndTheStateThatWereAsked) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  const Mac mac = random_mac();
  const int index = create_bridge(socket, {.name = "t0", .mac = mac, .mtu = 1450, .up = true});
  const Link bridge = get_link(socket, index);
  EXPECT_EQ(bridge.name, "t0");
  EXPECT_EQ(bridge.kind, "bridge");
  EXPECT_EQ(bridge.mac, mac);
  EXPECT_EQ(bridge.mtu, 1450U);
  EXPECT_TRUE(bridge.up);
  EXPECT_EQ(create_bridge(socket, {.name = "t1", .index = 77}), 77);
  EXPECT_FALSE(get_link(socket, 77).up);
}

TEST(Bridge, SnoopingOfMulticastIsOnUnlessItIsSwitchedOff) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  create_bridge(socket, {.name = "on"});
  create_bridge(socket, {.name = "off", .multicast_snooping = false});
  const auto snooping = [&](const std::string& bridge) {
    const auto result =
        exec({.argv = {"ip", "-d", "link", "show", bridge}, .netns = &ns, .directory = {}, .environment = {}});
    return result.out.substr(result.out.find("mcast_snooping"), 16);
  };
  EXPECT_EQ(snooping("on"), "mcast_snooping 1");
  EXPECT_EQ(snooping("off"), "mcast_snooping 0");
}

TEST(Bridge, APortIsLetGoWithMasterZero) {
  Pair pair;
  const int bridge = create_bridge(pair.at_left, {.name = "br0"});
  set_master(pair.at_left, pair.left_end, bridge);
  EXPECT_EQ(get_link(pair.at_left, "eth0").master, bridge);
  set_master(pair.at_left, pair.left_end, 0);
  EXPECT_EQ(get_link(pair.at_left, "eth0").master, 0);
}

TEST(Bridge, HairpinIsAStateOfAPortAndRefusedElsewhere) {
  Pair pair;
  const int bridge = create_bridge(pair.at_left, {.name = "br0"});
  set_master(pair.at_left, pair.left_end, bridge);
  EXPECT_FALSE(get_link(pair.at_left, "eth0").hairpin);
  set_hairpin(pair.at_left, pair.left_end, true);
  EXPECT_TRUE(get_link(pair.at_left, "eth0").hairpin);
  set_hairpin(pair.at_left, pair.left_end, false);
  EXPECT_FALSE(get_link(pair.at_left, "eth0").hairpin);
  EXPECT_NE(errno_of([&] { set_hairpin(pair.at_right, pair.right_end, true); }), 0);
}

TEST(LinkChange, EachOneChangesWhatItNamesAndNothingElse) {
  Pair pair;
  Socket& socket = pair.at_left;
  const int index = pair.left_end;
  const Mac mac = random_mac();

  set_mtu(socket, index, 1234);
  EXPECT_EQ(get_link(socket, index).mtu, 1234U);
  set_mac(socket, index, mac);
  EXPECT_EQ(get_link(socket, index).mac, mac);
  set_txqlen(socket, index, 77);
  EXPECT_EQ(get_link(socket, index).txqlen, 77U);
  EXPECT_TRUE(get_link(socket, index).up);
  set_down(socket, index);
  EXPECT_FALSE(get_link(socket, index).up);
  rename(socket, index, "renamed");
  const Link link = get_link(socket, "renamed");
  EXPECT_EQ(link.index, index);
  EXPECT_FALSE(find_link(socket, "eth0"));
  set_up(socket, index);
  EXPECT_TRUE(get_link(socket, index).up);
  EXPECT_EQ(link.mtu, 1234U);
  EXPECT_EQ(link.mac, mac);
  EXPECT_EQ(link.txqlen, 77U);
}

TEST(LinkChange, ALinkMovesToAnotherNamespace) {
  Pair pair;
  const NetNs third = NetNs::create();
  move_to(pair.at_left, pair.left_end, third);
  EXPECT_FALSE(find_link(pair.at_left, "eth0"));
  Socket at_third(third);
  EXPECT_TRUE(find_link(at_third, "eth0"));
}

TEST(LinkChange, OfALinkThatIsAbsentIsAnError) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  EXPECT_EQ(errno_of([&] { set_up(socket, 4711); }), ENODEV);
  EXPECT_EQ(errno_of([&] { set_down(socket, 4711); }), ENODEV);
  EXPECT_EQ(errno_of([&] { set_mtu(socket, 4711, 1500); }), ENODEV);
  EXPECT_EQ(errno_of([&] { set_hairpin(socket, 4711, true); }), ENODEV);
}

TEST(LinkRemoval, TakesBothEndsOfAVethAndOfWhatIsAbsentIsNoError) {
  Pair pair;
  delete_link(pair.at_left, pair.left_end);
  EXPECT_FALSE(find_link(pair.at_left, "eth0"));
  EXPECT_FALSE(find_link(pair.at_right, "eth0"));
  EXPECT_NO_THROW(delete_link(pair.at_left, pair.left_end));
  EXPECT_NO_THROW(delete_link(pair.at_left, "eth0"));
  create_bridge(pair.at_left, {.name = "t0"});
  delete_link(pair.at_left, "t0");
  EXPECT_FALSE(find_link(pair.at_left, "t0"));
}

TEST(LinkRemoval, OfLoIsRefused) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  EXPECT_EQ(errno_of([&] { delete_link(socket, "lo"); }), EOPNOTSUPP);
}

TEST(LinkError, CarriesTheKernelsOwnWords) {
  Pair pair;
  try {
    set_mtu(pair.at_left, pair.left_end, 10);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.error(), EINVAL);
    EXPECT_EQ(error.extack(), "mtu less than device minimum");
    EXPECT_THAT(error.what(), HasSubstr("left: can't set the MTU of link"));
    EXPECT_THAT(error.what(), HasSubstr("Invalid argument (EINVAL): mtu less than device minimum"));
  }
}

TEST(LinkError, ANameOfSixteenCharactersIsRefusedAndOneOfFifteenTaken) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  create_bridge(socket, {.name = "exactly-15-char"});
  EXPECT_TRUE(find_link(socket, "exactly-15-char"));
  EXPECT_NE(errno_of([&] { create_bridge(socket, {.name = "this-is-16-chars"}); }), 0);
}

TEST(LinkText, TellsWhatAReaderNeeds) {
  Pair pair;
  set_mac(pair.at_left, pair.left_end, parse_mac("02:00:00:00:00:01"));
  EXPECT_EQ(to_string(get_link(pair.at_left, "eth0")),
            std::to_string(pair.left_end) + ": eth0 veth up running mtu 1500 mac 02:00:00:00:00:01");
}

}  // namespace
}  // namespace knetsim::netlink
