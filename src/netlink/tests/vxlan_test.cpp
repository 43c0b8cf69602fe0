#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/error.h"
#include "knetsim/netlink/link.h"
#include "pair.h"

namespace knetsim::netlink {
namespace {

using testing::HasSubstr;

TEST(Vxlan, TellsBackEverythingThatItWasMadeWith) {
  Pair pair;
  Socket& socket = pair.at_left;
  const Mac mac = random_mac();
  const int index = create_vxlan(socket, {.name = "flannel.100",
                                          .vni = 100,
                                          .parent = pair.left_end,
                                          .local = parse_address("10.0.0.3"),
                                          .port = 8472,
                                          .mac = mac,
                                          .mtu = 1450,
                                          .up = true});
  const Link link = get_link(socket, index);
  EXPECT_EQ(link.name, "flannel.100");
  EXPECT_EQ(link.kind, "vxlan");
  EXPECT_EQ(link.mac, mac);
  EXPECT_EQ(link.mtu, 1450U);
  EXPECT_EQ(link.txqlen, 0U);
  EXPECT_TRUE(link.up);
  ASSERT_TRUE(link.vxlan);
  EXPECT_EQ(*link.vxlan,
            (VxlanInfo{.vni = 100, .parent = pair.left_end, .local = parse_address("10.0.0.3"), .port = 8472}));
}

TEST(Vxlan, LearningGroupAndPolicyAreTakenWhenAsked) {
  Pair pair;
  create_vxlan(pair.at_left, {.name = "vx0",
                              .vni = 0xffffff,
                              .parent = pair.left_end,
                              .group = parse_address("239.1.1.1"),
                              .port = 4789,
                              .learning = true,
                              .gbp = true,
                              .txqlen = 1000});
  const Link link = get_link(pair.at_left, "vx0");
  ASSERT_TRUE(link.vxlan);
  EXPECT_EQ(*link.vxlan, (VxlanInfo{.vni = 0xffffff,
                                    .parent = pair.left_end,
                                    .group = parse_address("239.1.1.1"),
                                    .port = 4789,
                                    .learning = true,
                                    .gbp = true}));
  EXPECT_EQ(link.txqlen, 1000U);
  EXPECT_FALSE(link.up);
}

TEST(Vxlan, RunsOverIPv6) {
  Pair pair;
  create_vxlan(pair.at_left, {.name = "vx6",
                              .vni = 6,
                              .parent = pair.left_end,
                              .local = parse_address("fd00::3"),
                              .group = parse_address("ff05::100")});
  const auto vxlan = get_link(pair.at_left, "vx6").vxlan;
  ASSERT_TRUE(vxlan);
  EXPECT_EQ(vxlan->local, parse_address("fd00::3"));
  EXPECT_EQ(vxlan->group, parse_address("ff05::100"));
}

TEST(Vxlan, ASecondOneOfTheSameNumberAndPortIsRefusedInTheKernelsWords) {
  const NetNs ns = NetNs::create();
  Socket socket(ns, "w1");
  create_vxlan(socket, {.name = "first", .vni = 7});
  try {
    create_vxlan(socket, {.name = "second", .vni = 7});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.error(), EEXIST);
    EXPECT_THAT(error.what(), HasSubstr("w1: can't create vxlan second"));
    EXPECT_THAT(error.extack(), HasSubstr("VNI"));
  }
  EXPECT_FALSE(find_link(socket, "second"));
}

TEST(Vxlan, ANumberOfMoreThan24BitsIsRefused) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  EXPECT_EQ(errno_of([&] { create_vxlan(socket, {.name = "vx", .vni = 0x1000000}); }), ERANGE);
}

}  // namespace
}  // namespace knetsim::netlink
