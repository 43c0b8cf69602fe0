#include "knetsim/netlink/neighbour.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "knetsim/netlink/error.h"
#include "pair.h"

namespace knetsim::netlink {
namespace {

std::vector<Neighbour> entries_of(Socket& socket, int interface, const Address& address) {
  std::vector<Neighbour> found;
  for (const auto& entry : list_neighbours(socket, family(address), interface))
    if (entry.address == address) found.push_back(entry);
  return found;
}

TEST(Neighbours, OfBothFamiliesArePermanentAndReplaced) {
  Pair pair;
  for (const auto* text : {"11.20.0.0", "fd20::1"}) {
    const auto address = parse_address(text);
    const Mac first = random_mac();
    const Mac second = random_mac();
    replace_neighbour(pair.at_left, pair.left_end, address, first);
    auto found = entries_of(pair.at_left, pair.left_end, address);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_TRUE(found[0].permanent());
    EXPECT_EQ(found[0].mac, first);
    EXPECT_EQ(found[0].interface, pair.left_end);
    replace_neighbour(pair.at_left, pair.left_end, address, second);
    found = entries_of(pair.at_left, pair.left_end, address);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].mac, second);
  }
}

TEST(Neighbours, MayBeOfAnotherState) {
  Pair pair;
  const auto address = parse_address("11.20.0.1");
  replace_neighbour(pair.at_left,
                    {.interface = pair.left_end, .address = address, .mac = random_mac(), .state = NUD_REACHABLE});
  ASSERT_EQ(entries_of(pair.at_left, pair.left_end, address).size(), 1U);
  EXPECT_FALSE(entries_of(pair.at_left, pair.left_end, address)[0].permanent());
}

TEST(Neighbours, AreGoneAfterTheirRemovalAndOfWhatIsAbsentIsNoError) {
  Pair pair;
  for (const auto* text : {"11.20.0.0", "fd20::1"}) {
    const auto address = parse_address(text);
    replace_neighbour(pair.at_left, pair.left_end, address, random_mac());
    delete_neighbour(pair.at_left, pair.left_end, address);
    for (const auto& entry : entries_of(pair.at_left, pair.left_end, address)) EXPECT_FALSE(entry.mac) << text;
    EXPECT_NO_THROW(delete_neighbour(pair.at_left, pair.left_end, parse_address("11.99.0.1")));
    EXPECT_NO_THROW(delete_neighbour(pair.at_left, 4711, address));
  }
}

TEST(Neighbours, OnALinkThatIsAbsentAreAnError) {
  Pair pair;
  EXPECT_EQ(errno_of([&] { replace_neighbour(pair.at_left, 4711, parse_address("10.0.0.1"), random_mac()); }), ENODEV);
}

TEST(Neighbours, TextTellsAddressAndState) {
  EXPECT_EQ(to_string(Neighbour{.interface = 7, .address = parse_address("11.20.0.0"), .mac = Mac{{2, 0, 0, 0, 0, 1}}}),
            "11.20.0.0 dev 7 lladdr 02:00:00:00:00:01 permanent");
}

struct Forwarding : testing::Test, Pair {
  int vxlan = create_vxlan(at_left, {.name = "vx0", .vni = 1, .parent = left_end, .up = true});
  const Mac mac = random_mac();

  std::vector<std::string> destinations(const Mac& of) {
    std::vector<std::string> found;
    for (const auto& entry : list_fdb(at_left, vxlan))
      if (entry.mac == of && entry.destination) found.push_back(entry.destination->to_string());
    return found;
  }
};

TEST_F(Forwarding, AnEntryLeadsToOneVtepAndIsReplaced) {
  replace_fdb(at_left, vxlan, mac, parse_address("10.0.0.4"));
  EXPECT_THAT(destinations(mac), testing::ElementsAre("10.0.0.4"));
  replace_fdb(at_left, vxlan, mac, parse_address("10.0.0.5"));
  EXPECT_THAT(destinations(mac), testing::ElementsAre("10.0.0.5"));
  const auto all = list_fdb(at_left, vxlan);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].interface, vxlan);
  EXPECT_TRUE(all[0].flags & NTF_SELF);
  EXPECT_TRUE(all[0].state & NUD_PERMANENT);
}

TEST_F(Forwarding, ARemovalTakesTheEntryAndOfWhatIsAbsentIsNoError) {
  replace_fdb(at_left, vxlan, mac, parse_address("10.0.0.4"));
  EXPECT_NO_THROW(delete_fdb(at_left, vxlan, mac, parse_address("10.0.0.9")));
  EXPECT_THAT(destinations(mac), testing::ElementsAre("10.0.0.4")) << "it leads elsewhere";
  delete_fdb(at_left, vxlan, mac);
  EXPECT_THAT(destinations(mac), testing::IsEmpty());
  EXPECT_NO_THROW(delete_fdb(at_left, vxlan, mac));
  EXPECT_NO_THROW(delete_fdb(at_left, vxlan, mac, parse_address("10.0.0.4")));
  EXPECT_NO_THROW(delete_fdb(at_left, 4711, mac));
}

TEST_F(Forwarding, VtepsOfIPv6AreReached) {
  const int v6 = create_vxlan(
      at_left, {.name = "vx6", .vni = 6, .parent = left_end, .local = parse_address("fd00::1"), .port = 4789});
  replace_fdb(at_left, v6, mac, parse_address("fd00::4"));
  const auto found = list_fdb(at_left, v6);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].destination, parse_address("fd00::4"));
  EXPECT_EQ(to_string(found[0]), to_string(mac) + " dev " + std::to_string(v6) + " dst fd00::4");
}

TEST_F(Forwarding, APortOfABridgeShowsItsMaster) {
  const int bridge = create_bridge(at_right, {.name = "br0", .up = true});
  set_master(at_right, right_end, bridge);
  bool seen = false;
  for (const auto& entry : list_fdb(at_right, right_end)) seen |= entry.master == bridge;
  EXPECT_TRUE(seen);
}

TEST_F(Forwarding, ALinkWithoutVtepsRefusesThem) {
  EXPECT_NE(errno_of([&] { replace_fdb(at_left, 1, mac, parse_address("10.0.0.4")); }), 0);
  EXPECT_EQ(errno_of([&] { replace_fdb(at_left, 4711, mac, parse_address("10.0.0.4")); }), ENODEV);
}

}  // namespace
}  // namespace knetsim::netlink
