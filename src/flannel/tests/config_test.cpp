#include "knetsim/flannel/config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "knetsim/sys/error.h"

namespace knetsim::flannel {
namespace {

constexpr const char* kVxlan = R"("Backend": {"Type": "vxlan"})";

std::string with_vxlan(const std::string& rest) { return "{" + rest + ", " + kVxlan + "}"; }

struct Range {
  std::string description;
  std::string json;
  unsigned length;
  std::string min;
  std::string max;
};

class DerivesRange : public testing::TestWithParam<Range> {};

TEST_P(DerivesRange, AsFlannelDoes) {
  const auto config = parse_config(GetParam().json);
  const auto& range = config.v4 ? *config.v4 : *config.v6;
  EXPECT_EQ(range.subnet_length, GetParam().length);
  EXPECT_EQ(range.min.to_string(), GetParam().min);
  EXPECT_EQ(range.max.to_string(), GetParam().max);
}

INSTANTIATE_TEST_SUITE_P(
    Table, DerivesRange,
    testing::ValuesIn(std::vector<Range>{
        {"DefaultLengthIs24", with_vxlan(R"("Network": "10.5.0.0/16")"), 24, "10.5.1.0", "10.5.255.0"},
        {"UpTo22", with_vxlan(R"("Network": "10.5.0.0/22")"), 24, "10.5.1.0", "10.5.3.0"},
        {"FourSubnetsOfASmallerOne", with_vxlan(R"("Network": "10.5.0.0/23")"), 25, "10.5.0.128", "10.5.1.128"},
        {"SmallestNetwork", with_vxlan(R"("Network": "10.5.0.0/28")"), 30, "10.5.0.4", "10.5.0.12"},
        {"HostBitsDontCount", with_vxlan(R"("Network": "10.5.6.7/16")"), 24, "10.5.1.0", "10.5.255.0"},
        {"TheOriginalDemo",
         with_vxlan(R"("Network": "11.0.0.0/8", "SubnetLen": 20, "SubnetMin": "11.10.0.0", "SubnetMax": "11.99.0.0")"),
         20, "11.10.0.0", "11.99.0.0"},
        {"UnspecifiedBoundsAreDefaults",
         with_vxlan(R"("Network": "10.5.0.0/16", "SubnetMin": "0.0.0.0", "SubnetMax": "0.0.0.0")"), 24, "10.5.1.0",
         "10.5.255.0"},
        {"LastNetworkOfAll", with_vxlan(R"("Network": "255.255.0.0/16")"), 24, "255.255.1.0", "255.255.255.0"},
        {"IPv6DefaultLengthIs64",
         with_vxlan(R"("EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00:5::/48")"), 64,
         "fd00:5:0:1::", "fd00:5:0:ffff::"},
        {"FourSubnetsOfASmallerIPv6One",
         with_vxlan(R"("EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00:5::/112")"), 114, "fd00:5::4000",
         "fd00:5::c000"},
        {"LastIPv6NetworkOfAll",
         with_vxlan(R"("EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "ffff:ffff:ffff::/48")"), 64,
         "ffff:ffff:ffff:1::", "ffff:ffff:ffff:ffff::"},
    }),
    [](const auto& row) { return row.param.description; });

TEST(Config, ReadsEveryFieldOfTheVxlanBackend) {
  const auto backend = parse_config(R"({"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan", "VNI": 100, "Port": 4789,
      "MTU": 9000, "GBP": true, "Learning": true, "DirectRouting": true}})")
                           .backend;
  EXPECT_EQ(backend.type, BackendType::vxlan);
  EXPECT_EQ(backend.vni, 100U);
  EXPECT_EQ(backend.port, 4789);
  EXPECT_EQ(backend.mtu, 9000U);
  EXPECT_TRUE(backend.gbp);
  EXPECT_TRUE(backend.learning);
  EXPECT_TRUE(backend.direct_routing);
}

TEST(Config, HasFlannelsDefaultsForTheVxlanBackend) {
  const auto config = parse_config(with_vxlan(R"("Network": "10.5.0.0/16")"));
  EXPECT_EQ(config.backend.vni, 1U);
  EXPECT_EQ(config.backend.port, 0);
  EXPECT_FALSE(config.backend.learning);
  EXPECT_FALSE(config.backend.direct_routing);
  EXPECT_FALSE(config.v6.has_value());
}

TEST(Config, EnablesBothFamilies) {
  const auto config =
      parse_config(with_vxlan(R"("Network": "10.5.0.0/16", "EnableIPv6": true, "IPv6Network": "fd00:5::/48")"));
  EXPECT_TRUE(config.v4.has_value());
  EXPECT_TRUE(config.v6.has_value());
}

TEST(Config, TakesKeysInAnyCaseAndIgnoresUnknownOnesLikeFlannel) {
  const auto config = parse_config(R"({"network": "10.5.0.0/16", "subnetlen": 26, "Comment": "x", "backend":
      {"type": "host-gw", "Colour": "red"}})");
  EXPECT_EQ(config.v4->subnet_length, 26U);
  EXPECT_EQ(config.backend.type, BackendType::host_gw);
}

TEST(Config, TakesTheBackendsTypeInAnyCaseLikeFlannel) {
  for (const auto& [text, type] :
       {std::pair{"VXLAN", BackendType::vxlan}, {"Host-GW", BackendType::host_gw}, {"ALLOC", BackendType::alloc}})
    EXPECT_EQ(
        parse_config(fmt::format(R"({{"Network": "10.0.0.0/8", "Backend": {{"Type": "{}"}}}})", text)).backend.type,
        type);
}

TEST(Config, NamesTheMembersThatFlannelIgnores) {
  const auto config =
      parse_config(R"({"network": "10.0.0.0/8", "Netwrok": 1, "Backend": {"Type": "vxlan", "vni": 3, "Vnii": 4}})");
  ASSERT_THAT(config.remarks, testing::SizeIs(2));
  EXPECT_EQ(config.remarks[0].pointer, "/Netwrok");
  EXPECT_EQ(config.remarks[1].pointer, "/Backend/Vnii");
}

TEST(Config, TellsWhatADaemonEndsWithFromWhatItWaitsFor) {
  for (const auto* final :
       {R"({"Network": "10.0.0.0/8", "Backend": {"Type": "wireguard"}})", R"({"Network": "10.0.0.0/8"})",
        R"({"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan", "VNI": "1"}})", R"({"EnableIPv4": false})"})
    EXPECT_THROW(parse_config(final), BackendError) << final;
  for (const auto* waits : {"{", R"({"Network": "10.0.0.0/8", "SubnetLen": 31, "Backend": {"Type": "vxlan"}})",
                            R"({"Network": "10.0.0.0/8", "Backend": "vxlan"})"}) {
    try {
      parse_config(waits);
      ADD_FAILURE() << "accepted " << waits;
    } catch (const BackendError& error) {
      ADD_FAILURE() << error.what();
    } catch (const InputError&) {
      // To be mended.
    }
  }
}

TEST(Config, NamesVxlanLinksLikeFlannel) {
  EXPECT_EQ(vxlan_link_name(100, false), "flannel.100");
  EXPECT_EQ(vxlan_link_name(100, true), "flannel-v6.100");
}

}  // namespace
}  // namespace knetsim::flannel
