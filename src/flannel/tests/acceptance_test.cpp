// Which leases of others are followed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "../remote_leases.h"

namespace knetsim::flannel {
namespace {

using testing::HasSubstr;

constexpr const char* kConfig = R"({"Network": "10.0.0.0/8", "SubnetLen": 24, "EnableIPv6": true,
    "IPv6Network": "fd11::/48", "Backend": {"Type": "vxlan"}})";

Lease lease(const std::string& key, const std::string& public_ip = "192.168.0.4",
            const std::string& mac = "0a:00:00:00:00:01") {
  const auto subnets = parse_key_name(key);
  EXPECT_TRUE(subnets) << key;
  return {*subnets,
          parse_lease_attributes(R"({"PublicIP":")" + public_ip +
                                 R"(","PublicIPv6":"fd00::4","BackendType":"vxlan","BackendData":{"VtepMAC":")" + mac +
                                 R"("},"BackendV6Data":{"VtepMAC":"0a:00:00:00:00:02"}})")};
}

/// A node at 10.77.1.3/24 and fd00::3/64 whose pods live in 10.5.1.0/24 and fd11:0:0:1::/64; etcd is 10.77.9.1.
std::string complaint(const Lease& other) {
  const Surroundings surroundings{
      .own = *parse_key_name("10.5.1.0-24&fd11:0:0:1::-64"),
      .links = {parse_network("10.77.1.0/24"), parse_network("fd00::/64")},
      .addresses = {parse_address("10.77.1.3"), parse_address("fd00::3"), parse_address("10.77.9.1")}};
  return why_not_followed(other, parse_config(kConfig), surroundings).value_or("followed");
}

TEST(Acceptance, FollowsTheSubnetsOfTheNetwork) {
  EXPECT_EQ(complaint(lease("10.5.2.0-24")), "followed");
  EXPECT_EQ(complaint(lease("10.77.2.0-24")), "followed") << "beside the underlay's network";
  EXPECT_EQ(complaint(lease("10.5.2.0-24&fd11:0:0:2::-64")), "followed");
  EXPECT_EQ(complaint(lease("0.0.0.0-0&fd11:0:0:2::-64")), "followed");
}

struct Odd {
  const char* name;
  Lease lease;
  const char* reason;
  friend void PrintTo(const Odd& odd, std::ostream* out) { *out << odd.name; }
};

class OddLease : public testing::TestWithParam<Odd> {};

TEST_P(OddLease, IsNotFollowedForAReason) { EXPECT_THAT(complaint(GetParam().lease), HasSubstr(GetParam().reason)); }

INSTANTIATE_TEST_SUITE_P(
    All, OddLease,
    testing::Values(
        Odd{"Outside", lease("11.5.2.0-24"), "outside the network 10.0.0.0/8"},
        Odd{"Everything", lease("0.0.0.0-1"), "outside the network"},
        Odd{"TheWholeNetwork", lease("10.0.0.0-8"), "isn't one of the network's subnets, which are /24"},
        Odd{"ALargerOne", lease("10.5.16.0-20"), "which are /24"}, Odd{"OneAddress", lease("10.5.2.7-32"), "/24"},
        Odd{"OurOwn", lease("10.5.1.0-24"), "overlaps this node's own subnet 10.5.1.0/24"},
        Odd{"OurOwnInIPv6", lease("10.5.2.0-24&fd11:0:0:1::-64"), "overlaps this node's own subnet fd11:0:0:1::/64"},
        Odd{"OutsideInIPv6", lease("10.5.2.0-24&fd12:0:0:1::-64"), "outside the network fd11::/48"},
        Odd{"TheUnderlay", lease("10.77.1.0-24"), "covers the underlay's network 10.77.1.0/24"},
        Odd{"Etcds", lease("10.77.9.0-24"), "covers 10.77.9.1, an address of the underlay"},
        Odd{"OfANodeInside", lease("10.5.2.0-24", "10.5.2.9"), "lies within its own subnet"},
        Odd{"OfLoopback", lease("10.5.2.0-24", "127.0.0.1"), "127.0.0.1 isn't the address of a node"},
        Odd{"OfAGroup", lease("10.5.2.0-24", "239.0.0.1"), "isn't the address of a node"},
        Odd{"OfEverybody", lease("10.5.2.0-24", "255.255.255.255"), "isn't the address of a node"},
        Odd{"NoMac", lease("10.5.2.0-24", "192.168.0.4", "00:00:00:00:00:00"), "isn't the MAC of a link"},
        Odd{"GroupMac", lease("10.5.2.0-24", "192.168.0.4", "01:00:5e:00:00:01"), "isn't the MAC of a link"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Acceptance, NeverLetsTheUnderlayBeCovered) {
  // By a /16 of pods, as large as the network that the node itself is in.
  const auto config = parse_config(R"({"Network": "10.0.0.0/8", "SubnetLen": 16, "Backend": {"Type": "host-gw"}})");
  const Surroundings surroundings{.own = *parse_key_name("10.5.0.0-16"),
                                  .links = {parse_network("10.77.0.0/17")},
                                  .addresses = {parse_address("10.77.1.3")}};
  const Lease other{*parse_key_name("10.77.0.0-16"), parse_lease_attributes(R"({"PublicIP":"192.168.0.4"})")};
  EXPECT_THAT(why_not_followed(other, config, surroundings).value_or("followed"), HasSubstr("covers the underlay"));
}

}  // namespace
}  // namespace knetsim::flannel
