// Addresses and networks of both families, by tables.
#include "knetsim/sys/network.h"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include "knetsim/sys/error.h"

namespace knetsim {
namespace {

using testing::HasSubstr;
using testing::Values;

template <typename F>
std::string message_of(F f) {
  try {
    f();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no InputError";
}

class GoodNetwork : public testing::TestWithParam<const char*> {};
TEST_P(GoodNetwork, IsPrintedAsItWasWritten) { EXPECT_EQ(to_string(parse_network(GetParam())), GetParam()); }
INSTANTIATE_TEST_SUITE_P(Table, GoodNetwork,
                         Values("0.0.0.0/0", "10.0.0.0/8", "11.13.0.1/20", "255.255.255.255/32", "::/0", "fd00::/64",
                                "fd00::1/127", "::1/128"));

class BadNetwork : public testing::TestWithParam<std::pair<std::string, const char*>> {};
TEST_P(BadNetwork, IsRefusedWithItsTextAndTheReason) {
  const auto& [text, reason] = GetParam();
  const auto message = message_of([] { parse_network(GetParam().first); });
  EXPECT_THAT(message, HasSubstr("\"" + text + "\""));
  EXPECT_THAT(message, HasSubstr(reason));
}
INSTANTIATE_TEST_SUITE_P(Table, BadNetwork,
                         Values(std::pair("", "no prefix length"), std::pair("10.0.0.0", "no prefix length"),
                                std::pair("/8", "no IP address"), std::pair("10.0.0/8", "no IP address"),
                                std::pair("10.0.0.256/8", "no IP address"), std::pair(" 10.0.0.0/8", "no IP address"),
                                std::pair("fd00:::/64", "no IP address"), std::pair("10.0.0.0/", "isn't a number"),
                                std::pair("10.0.0.0/x", "isn't a number"), std::pair("10.0.0.0/8 ", "isn't a number"),
                                std::pair("10.0.0.0/-1", "isn't a number"), std::pair("10.0.0.0/+8", "isn't a number"),
                                std::pair("10.0.0.0/8/8", "isn't a number"),
                                std::pair("10.0.0.0/99999999999", "isn't a number"),
                                std::pair("10.0.0.0/33", "longer than the address"),
                                std::pair("fd00::/129", "longer than the address")));

class BadAddress : public testing::TestWithParam<std::string> {};
TEST_P(BadAddress, IsRefusedWithItsText) {
  EXPECT_THAT(message_of([] { parse_address(GetParam()); }), HasSubstr("\"" + GetParam() + "\""));
}
INSTANTIATE_TEST_SUITE_P(Table, BadAddress,
                         Values("", "10", "10.0.0.1.2", "10.0.0.1/8", "localhost", "fd00::g", "1:2:3:4:5:6:7:8:9"));

TEST(Address, DoesNotEndAtAZeroByte) {
  EXPECT_THROW(parse_address(std::string_view("10.0.0.1\0junk", 13)), InputError);
  EXPECT_THROW(parse_network(std::string_view("10.0.0.1\0junk/8", 15)), InputError);
}

TEST(Address, IsReadInEitherFamily) {
  EXPECT_TRUE(parse_address("10.0.0.1").is_v4());
  EXPECT_TRUE(parse_address("fd00::1").is_v6());
  EXPECT_EQ(family(parse_address("10.0.0.1")), AF_INET);
  EXPECT_EQ(family(parse_address("fd00::1")), AF_INET6);
}

TEST(Network, KeepsItsHostBitsUntilAskedForTheNetworkAlone) {
  const auto network = parse_network("11.13.0.1/20");
  EXPECT_EQ(address_of(network), parse_address("11.13.0.1"));
  EXPECT_EQ(prefix_length(network), 20U);
  EXPECT_EQ(to_string(canonical(network)), "11.13.0.0/20");
  EXPECT_EQ(to_string(canonical(parse_network("fd00:1:2:3::9/33"))), "fd00:1::/33");
  EXPECT_EQ(to_string(canonical(parse_network("11.13.0.1/0"))), "0.0.0.0/0");
}

TEST(Network, OfOneHostIsAsLongAsTheAddress) {
  EXPECT_EQ(to_string(host_network(parse_address("10.0.0.1"))), "10.0.0.1/32");
  EXPECT_EQ(to_string(host_network(parse_address("fd00::1"))), "fd00::1/128");
}

TEST(Network, TellsItsFamily) {
  EXPECT_EQ(family(parse_network("10.0.0.0/8")), AF_INET);
  EXPECT_EQ(family(parse_network("fd00::/8")), AF_INET6);
  EXPECT_FALSE(is_v6(parse_network("10.0.0.0/8")));
  EXPECT_TRUE(is_v6(parse_network("fd00::/8")));
}

struct Containment {
  const char* network;
  const char* address;
  bool contained;
};
class AddressInNetwork : public testing::TestWithParam<Containment> {};
TEST_P(AddressInNetwork, IsFoundByItsPrefix) {
  const auto& [network, address, contained] = GetParam();
  EXPECT_EQ(contains(parse_network(network), parse_address(address)), contained) << network << " and " << address;
}
INSTANTIATE_TEST_SUITE_P(
    Table, AddressInNetwork,
    Values(Containment{"10.0.0.0/8", "10.255.255.255", true}, Containment{"10.0.0.0/8", "11.0.0.0", false},
           Containment{"11.13.0.1/20", "11.13.15.255", true}, Containment{"11.13.0.1/20", "11.13.16.0", false},
           Containment{"0.0.0.0/0", "192.0.2.1", true}, Containment{"10.0.0.1/32", "10.0.0.1", true},
           Containment{"10.0.0.1/32", "10.0.0.2", false}, Containment{"0.0.0.0/0", "::1", false},
           Containment{"::/0", "10.0.0.1", false}, Containment{"fd00::/64", "fd00::ffff:1", true},
           Containment{"fd00::/64", "fd00:0:0:1::1", false}, Containment{"fd00::/65", "fd00::8000:0:0:1", false}));

struct Relation {
  const char* a;
  const char* b;
  bool a_holds_b;
  bool overlap;
};
class TwoNetworks : public testing::TestWithParam<Relation> {};
TEST_P(TwoNetworks, HoldOneAnotherOrAreApart) {
  const auto a = parse_network(GetParam().a);
  const auto b = parse_network(GetParam().b);
  EXPECT_EQ(contains(a, b), GetParam().a_holds_b);
  EXPECT_EQ(overlaps(a, b), GetParam().overlap);
  EXPECT_EQ(overlaps(b, a), GetParam().overlap);
}
INSTANTIATE_TEST_SUITE_P(
    Table, TwoNetworks,
    Values(Relation{"10.0.0.0/8", "10.1.0.0/16", true, true}, Relation{"10.1.0.0/16", "10.0.0.0/8", false, true},
           Relation{"10.0.0.0/8", "10.9.9.9/8", true, true}, Relation{"10.0.0.0/16", "10.1.0.0/16", false, false},
           Relation{"0.0.0.0/0", "::/0", false, false}, Relation{"fd00::/48", "fd00:0:0:5::/64", true, true},
           Relation{"fd00::/64", "fd01::/64", false, false}));

struct Step {
  const char* base;
  std::uint64_t offset;
  const char* result;
};
TEST(Gateway, IsTheFirstAddressOfTheSubnetWithItsPrefix) {
  EXPECT_EQ(gateway_of(parse_network("11.13.0.0/20")), parse_network("11.13.0.1/20"));
  EXPECT_EQ(gateway_of(parse_network("11.13.7.9/20")), parse_network("11.13.0.1/20"));
  EXPECT_EQ(gateway_of(parse_network("fd00:0:0:1::/64")), parse_network("fd00:0:0:1::1/64"));
  EXPECT_THROW(gateway_of(parse_network("255.255.255.255/32")), InputError);
}

class Advance : public testing::TestWithParam<Step> {};
TEST_P(Advance, CarriesOverByteBorders) {
  EXPECT_EQ(advance(parse_address(GetParam().base), GetParam().offset), parse_address(GetParam().result));
}
INSTANTIATE_TEST_SUITE_P(
    Table, Advance,
    Values(Step{"10.0.0.1", 0, "10.0.0.1"}, Step{"10.0.0.255", 1, "10.0.1.0"}, Step{"10.255.255.255", 1, "11.0.0.0"},
           Step{"0.0.0.0", UINT32_MAX, "255.255.255.255"}, Step{"255.255.255.254", 1, "255.255.255.255"},
           Step{"fd00::", 0x1'0001, "fd00::1:1"}, Step{"fd00::ffff:ffff:ffff:ffff", 1, "fd00:0:0:1::"},
           Step{"fd00::1", UINT64_MAX, "fd00:0:0:1::"},
           Step{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 1, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}));

class AdvanceTooFar : public testing::TestWithParam<std::pair<const char*, std::uint64_t>> {};
TEST_P(AdvanceTooFar, IsRefused) {
  const auto& [base, offset] = GetParam();
  EXPECT_THROW(advance(parse_address(base), offset), InputError);
}
INSTANTIATE_TEST_SUITE_P(Table, AdvanceTooFar,
                         Values(std::pair("255.255.255.255", 1), std::pair("10.0.0.0", UINT32_MAX),
                                std::pair("0.0.0.0", std::uint64_t{1} << 32), std::pair("255.0.0.0", UINT64_MAX),
                                std::pair("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1),
                                std::pair("ffff:ffff:ffff:ffff::1", UINT64_MAX)));

}  // namespace
}  // namespace knetsim
