#include "knetsim/flannel/lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "knetsim/sys/error.h"

namespace knetsim::flannel {
namespace {

using testing::HasSubstr;

LeaseSubnets subnets(const std::string& v4, const std::string& v6) {
  LeaseSubnets result;
  if (!v4.empty()) result.v4 = parse_network(v4);
  if (!v6.empty()) result.v6 = parse_network(v6);
  return result;
}

TEST(LeaseKey, IsTheSubnetWithADashForTheSlash) { EXPECT_EQ(key_name(subnets("10.5.52.0/24", "")), "10.5.52.0-24"); }

TEST(LeaseKey, AppendsTheIPv6SubnetOfADualStackLease) {
  EXPECT_EQ(key_name(subnets("10.12.13.0/24", "fd00:12:13::/56")), "10.12.13.0-24&fd00:12:13::-56");
}

TEST(LeaseKey, BeginsWithZeroesWhereThereIsNoIPv4) {
  EXPECT_EQ(key_name(subnets("", "fd00:12:13::/56")), "0.0.0.0-0&fd00:12:13::-56");
}

TEST(LeaseKey, IsReadBack) {
  for (const auto& lease : {subnets("10.5.52.0/24", ""), subnets("10.12.13.0/24", "fd00:12:13::/56"),
                            subnets("", "fd00:12:13::/56"), subnets("11.16.0.0/20", "fd00:0:0:1::/64")})
    EXPECT_EQ(parse_key_name(key_name(lease)), lease) << key_name(lease);
}

TEST(LeaseKey, MayHaveDashesForTheColons) {
  EXPECT_EQ(parse_key_name("10.12.13.0-24&fd00-12-13---56"), subnets("10.12.13.0/24", "fd00:12:13::/56"));
}

TEST(LeaseKey, IsRefusedWhenItIsNone) {
  for (const auto* name : {"",
                           "10",
                           "10.12.13.0",
                           "10.12.13-24",
                           "10.12.13.300-24",
                           "10.12.13.0-24hi",
                           "10.12.13.0-33",
                           "10.12.13.0-",
                           "-24",
                           "&2001::-56",
                           "10.12.13.0-24&:12:13:-56",
                           "10.12.13.0-24&20011::-56",
                           "10.12.13.0-24&2001-56",
                           "10.12.13.0-24&2001::",
                           "10.12.13.0-24&2001::-56hi",
                           "0.0.0.0-0",
                           "10.12.13.1-24",
                           "fd00::-64",
                           "10.12.13.0-24&fd00::1%eth0-64",
                           "10.12.13.0-99999999999999"})
    EXPECT_EQ(parse_key_name(name), std::nullopt) << name;
}

TEST(LeaseValue, HasTheBytesThatFlanneldWrites) {
  LeaseAttributes attributes;
  attributes.public_ip = parse_address("192.168.64.3");
  attributes.backend_type = "vxlan";
  attributes.vtep = VtepData{1, netlink::parse_mac("c6:d2:32:6f:8f:44")};
  EXPECT_EQ(to_json(attributes), R"({"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan",)"
                                 R"("BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}})");
}

TEST(LeaseValue, HasBothFamiliesWhenDualStack) {
  LeaseAttributes attributes;
  attributes.public_ip = parse_address("192.168.64.3");
  attributes.public_ipv6 = parse_address("fd00::3");
  attributes.backend_type = "vxlan";
  attributes.vtep = VtepData{1, netlink::parse_mac("c6:d2:32:6f:8f:44")};
  attributes.vtep_v6 = VtepData{1, netlink::parse_mac("c6:d2:32:6f:8f:45")};
  EXPECT_EQ(to_json(attributes), R"({"PublicIP":"192.168.64.3","PublicIPv6":"fd00::3","BackendType":"vxlan",)"
                                 R"("BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"},)"
                                 R"("BackendV6Data":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:45"}})");
  EXPECT_EQ(parse_lease_attributes(to_json(attributes)), attributes);
}

TEST(LeaseValue, HasTheUnspecifiedAddressWhereThereIsNoIPv4) {
  LeaseAttributes attributes;
  attributes.public_ipv6 = parse_address("fd00::3");
  attributes.backend_type = "host-gw";
  EXPECT_EQ(to_json(attributes), R"({"PublicIP":"0.0.0.0","PublicIPv6":"fd00::3","BackendType":"host-gw"})");
  EXPECT_EQ(parse_lease_attributes(to_json(attributes)), attributes);
}

TEST(LeaseValue, OfOtherDaemonsIsUnderstood) {
  const auto of_0_6 = parse_lease_attributes(
      R"({"PublicIP":"10.0.0.3","BackendType":"vxlan","BackendData":{"VtepMAC":"c6:d2:32:6f:8f:44"}})");
  EXPECT_EQ(of_0_6.vtep->mac, netlink::parse_mac("c6:d2:32:6f:8f:44"));
  const auto of_host_gw = parse_lease_attributes(R"({"PublicIP":"10.0.0.3","PublicIPv6":null,"BackendType":"host-gw",
      "BackendData":null,"Something":"new"})");
  EXPECT_EQ(of_host_gw.backend_type, "host-gw");
  EXPECT_EQ(parse_lease_attributes(R"({"PublicIP":"10.0.0.3","BackendType":"wireguard","BackendData":"key"})").vtep,
            std::nullopt);
}

TEST(LeaseValue, IsRefusedWithTheReason) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"garbage", "line 1, column 1: syntax error"},
      {"[1]", "must be an object"},
      {"{}", "has no PublicIP"},
      {R"({"PublicIP":7})", "/PublicIP: 7: is a number, must be a string"},
      {R"({"PublicIP":"seven"})", "\"seven\" isn't an IP address"},
      {R"({"PublicIP":"fd00::1"})", "of the other family"},
      {R"({"PublicIP":"10.0.0.3","BackendType":5})", "/BackendType: 5: is a number, must be a string"},
      {R"({"PublicIP":"10.0.0.3","BackendType":"vxlan","BackendData":{}})",
       "/BackendData/VtepMAC: the key \"VtepMAC\" is missing"},
      {R"({"PublicIP":"10.0.0.3","BackendType":"vxlan","BackendData":{"VtepMAC":"zz"}})", "zz"},
  };
  for (const auto& [value, reason] : cases) {
    try {
      parse_lease_attributes(value);
      ADD_FAILURE() << "accepted " << value;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(reason)) << value;
    }
  }
}

}  // namespace
}  // namespace knetsim::flannel
