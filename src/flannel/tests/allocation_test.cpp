#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "knetsim/flannel/config.h"

namespace knetsim::flannel {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

SubnetRange range(const std::string& network, unsigned length, const std::string& min, const std::string& max) {
  return {parse_network(network), length, parse_address(min), parse_address(max)};
}

std::vector<std::string> free_of(const SubnetRange& from, const std::vector<std::string>& taken,
                                 std::size_t limit = 100) {
  std::vector<Network> networks;
  for (const auto& text : taken) networks.push_back(parse_network(text));
  std::vector<std::string> result;
  for (const auto& subnet : free_subnets(from, networks, limit)) result.push_back(to_string(subnet));
  return result;
}

const SubnetRange kFour = range("10.5.0.0/16", 24, "10.5.1.0", "10.5.4.0");

TEST(Allocation, OffersTheSubnetsFromMinToMax) {
  EXPECT_THAT(free_of(kFour, {}), ElementsAre("10.5.1.0/24", "10.5.2.0/24", "10.5.3.0/24", "10.5.4.0/24"));
}

TEST(Allocation, LeavesOutWhatIsTaken) {
  EXPECT_THAT(free_of(kFour, {"10.5.3.0/24", "10.5.1.0/24"}), ElementsAre("10.5.2.0/24", "10.5.4.0/24"));
}

TEST(Allocation, LeavesOutWhatOverlapsALeaseOfAnotherLength) {
  EXPECT_THAT(free_of(kFour, {"10.5.2.128/25"}), ElementsAre("10.5.1.0/24", "10.5.3.0/24", "10.5.4.0/24"));
  EXPECT_THAT(free_of(kFour, {"10.5.2.0/23"}), ElementsAre("10.5.1.0/24", "10.5.4.0/24"));
  EXPECT_THAT(free_of(kFour, {"10.5.0.0/22", "10.5.1.64/26"}), ElementsAre("10.5.4.0/24"));
}

TEST(Allocation, FindsNothingWhenAllAreTaken) {
  EXPECT_THAT(free_of(kFour, {"10.5.0.0/16"}), IsEmpty());
  EXPECT_THAT(free_of(kFour, {"10.5.1.0/24", "10.5.2.0/24", "10.5.3.0/24", "10.5.4.0/24"}), IsEmpty());
}

TEST(Allocation, StopsAtTheLimit) {
  EXPECT_EQ(free_of(range("11.0.0.0/8", 20, "11.10.0.0", "11.99.0.0"), {}).size(), 100U);
  EXPECT_THAT(free_of(kFour, {"10.5.1.0/24"}, 2), ElementsAre("10.5.2.0/24", "10.5.3.0/24"));
}

TEST(Allocation, ReachesTheEndOfTheAddressSpace) {
  EXPECT_THAT(free_of(range("255.255.255.0/24", 26, "255.255.255.64", "255.255.255.192"), {"255.255.255.64/26"}),
              ElementsAre("255.255.255.128/26", "255.255.255.192/26"));
}

TEST(Allocation, WorksForIPv6) {
  const auto v6 = range("fd00:5::/48", 64, "fd00:5:0:1::", "fd00:5:0:3::");
  EXPECT_THAT(free_of(v6, {"fd00:5:0:2::/64", "10.0.0.0/8"}), ElementsAre("fd00:5:0:1::/64", "fd00:5:0:3::/64"));
}

TEST(Allocation, FitsOnlySubnetsOfTheRange) {
  EXPECT_TRUE(fits(kFour, parse_network("10.5.1.0/24")));
  EXPECT_TRUE(fits(kFour, parse_network("10.5.4.0/24")));
  for (const auto* text : {"10.5.0.0/24", "10.5.5.0/24", "10.5.1.0/25", "10.5.1.0/23", "10.5.1.1/24", "fd00::/64"})
    EXPECT_FALSE(fits(kFour, parse_network(text))) << text;
}

TEST(Allocation, CountsSubnetsFromMin) {
  EXPECT_EQ(ordinal(kFour, parse_network("10.5.1.0/24")), 0U);
  EXPECT_EQ(ordinal(kFour, parse_network("10.5.4.0/24")), 3U);
}

}  // namespace
}  // namespace knetsim::flannel
