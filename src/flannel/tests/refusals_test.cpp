// Configs and arguments that can't be used are refused, and which member or flag it is about is told. How that is
// worded stands in refusals.txt, for people.

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "knetsim/fixtures/golden.h"
#include "knetsim/flannel/config.h"
#include "knetsim/flannel/options.h"
#include "knetsim/sys/error.h"

namespace knetsim::flannel {
namespace {

using testing::HasSubstr;

std::string with_vxlan_backend(const std::string& rest) { return "{" + rest + R"(, "Backend": {"Type": "vxlan"}})"; }

struct BadConfig {
  std::string description;
  std::string json;
  std::string place;
};

const std::vector<BadConfig>& bad_configs() {
  static const std::vector<BadConfig> rows{
      {"NotJson", "{", "config:1:"},
      {"NotAnObject", "[]", "/: "},
      {"TextInAText", R"("{\"Network\": \"10.0.0.0/8\"}")", "/: "},
      {"ByteOrderMark", "\xef\xbb\xbf{}", "config:1:1:"},
      {"Comment", "{\n# here\n}", "config:2:1:"},
      {"TrailingComma", R"({"Network": "10.0.0.0/8",})", "config:1:26:"},
      {"TwoDocuments", "{} {}", "config:1:4:"},
      {"Deep", R"({"Network":)" + std::string(100'000, '['), "deeper"},
      {"LongText", with_vxlan_backend(R"("Network": ")" + std::string(100'000, '1') + "\""), "Network"},
      {"NoNetwork", "{}", "Network"},
      {"EmptyNetwork", with_vxlan_backend(R"("Network": "")"), "Network"},
      {"NonsenseNetwork", with_vxlan_backend(R"("Network": "10.0.0.0")"), "Network"},
      {"NetworkOfTheOtherFamily", with_vxlan_backend(R"("Network": "fd00::/48")"), "Network"},
      {"NetworkOfEverything", with_vxlan_backend(R"("Network": "0.0.0.0/0")"), "Network"},
      {"NetworkThatIsANumber", with_vxlan_backend(R"("Network": 5)"), "Network"},
      {"SubnetLenThatIsAString", with_vxlan_backend(R"("Network": "10.0.0.0/8", "SubnetLen": "24")"), "SubnetLen"},
      {"NegativeSubnetLen", with_vxlan_backend(R"("Network": "10.0.0.0/8", "SubnetLen": -1)"), "SubnetLen"},
      {"SubnetLen31", with_vxlan_backend(R"("Network": "10.0.0.0/8", "SubnetLen": 31)"), "SubnetLen"},
      {"FewerThanFourSubnets", with_vxlan_backend(R"("Network": "10.0.0.0/8", "SubnetLen": 9)"), "subnets"},
      {"NetworkTooSmall", with_vxlan_backend(R"("Network": "10.0.0.0/29")"), "network"},
      {"SubnetMinOutside", with_vxlan_backend(R"("Network": "10.5.0.0/16", "SubnetMin": "10.6.0.0")"), "SubnetMin"},
      {"SubnetMaxOutside", with_vxlan_backend(R"("Network": "10.5.0.0/16", "SubnetMax": "10.4.0.0")"), "SubnetMax"},
      {"SubnetMinOffBoundary", with_vxlan_backend(R"("Network": "10.5.0.0/16", "SubnetMin": "10.5.1.1")"), "SubnetMin"},
      {"SubnetMaxOffBoundary", with_vxlan_backend(R"("Network": "10.5.0.0/16", "SubnetMax": "10.5.9.128")"),
       "SubnetMax"},
      {"SubnetMinThatIsNoAddress", with_vxlan_backend(R"("Network": "10.5.0.0/16", "SubnetMin": "ten")"), "SubnetMin"},
      {"SubnetMinAboveMax",
       with_vxlan_backend(R"("Network": "10.5.0.0/16", "SubnetMin": "10.5.9.0", "SubnetMax": "10.5.8.0")"),
       "SubnetMin"},
      {"NeitherFamily", with_vxlan_backend(R"("EnableIPv4": false)"), "EnableIPv4"},
      {"NoIPv6Network", with_vxlan_backend(R"("EnableIPv4": false, "EnableIPv6": true)"), "IPv6Network"},
      {"IPv6SubnetLen127", with_vxlan_backend(R"("EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00::/48",
                                           "IPv6SubnetLen": 127)"),
       "SubnetLen"},
      {"FewerThanFourIPv6Subnets",
       with_vxlan_backend(R"("EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00::/48",
                                                   "IPv6SubnetLen": 49)"),
       "subnets"},
      {"IPv6NetworkTooSmall",
       with_vxlan_backend(R"("EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00::/125")"), "network"},
      {"IPv6SubnetMinOutside",
       with_vxlan_backend(R"("EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00::/48",
                                               "IPv6SubnetMin": "fd01::")"),
       "IPv6SubnetMin"},
      {"IPv6SubnetMaxOffBoundary",
       with_vxlan_backend(R"("EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00::/48",
                                                   "IPv6SubnetMax": "fd00:0:0:1::1")"),
       "IPv6SubnetMax"},
      {"NoBackend", R"({"Network": "10.0.0.0/8"})", "Backend"},
      {"BackendThatIsAString", R"({"Network": "10.0.0.0/8", "Backend": "vxlan"})", "Backend"},
      {"BackendWithoutType", R"({"Network": "10.0.0.0/8", "Backend": {}})", "/Backend/Type"},
      {"BackendUdp", R"({"Network": "10.0.0.0/8", "Backend": {"Type": "udp"}})", "/Backend/Type"},
      {"VniTooBig", R"({"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan", "VNI": 16777216}})", "VNI"},
      {"VniTooLongForALinkName", R"({"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan", "VNI": 10000000}})", "VNI"},
      {"PortTooBig", R"({"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan", "Port": 65536}})", "Port"},
      {"DirectRoutingThatIsAString",
       R"({"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan", "DirectRouting": "yes"}})", "DirectRouting"}};
  return rows;
}

struct BadArguments {
  std::string description;
  std::vector<std::string> arguments;  // the first is the one that is refused
};

const std::vector<BadArguments>& bad_arguments() {
  static const std::vector<BadArguments> rows{
      {"Unknown", {"-colour=red"}},
      {"UnknownWithTwoDashes", {"--kube-subnet-manager"}},
      {"Positional", {"eth0"}},
      {"LoneDash", {"-"}},
      {"NoValue", {"-iface"}},
      {"EmptyValue", {"-iface="}},
      {"MarginTooSmall", {"-subnet-lease-renew-margin=0"}},
      {"MarginTooBig", {"-subnet-lease-renew-margin", "1440"}},
      {"MarginNotANumber", {"-subnet-lease-renew-margin=soon"}},
      {"TtlBelowMargin", {"-subnet-lease-ttl=60", "-subnet-lease-renew-margin=1"}},
      {"PortTooBig", {"-healthz-port=65536"}},
      {"BadHealthzIp", {"-healthz-ip=here"}},
      {"BadPublicIp", {"-public-ip=10.0.0"}},
      {"PublicIpOfTheOtherFamily", {"-public-ip=fd00::1"}},
      {"PublicIpv6OfTheOtherFamily", {"-public-ipv6=10.0.0.1"}},
      {"NoBoolean", {"-ip-masq=maybe"}},
      {"EmptyPrefix", {"-etcd-prefix=//"}},
      {"PrefixAbove", {"-etcd-prefix=a/.."}},
      {"NoPattern", {"-iface-regex=eth["}},
      {"EmptyPattern", {"-iface-regex="}},
      {"LongPattern", {"-iface-regex=" + std::string(201, 'a')}},
      {"NoAddressToReach", {"-iface-can-reach=there"}},
      {"NoEndpoints", {"-etcd-endpoints=,"}}};
  return rows;
}

template <typename Parse>
std::string refusal_by(Parse parse) {
  try {
    parse();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

std::string refusal_of(const BadConfig& row) {
  return refusal_by([&] { parse_config(row.json); });
}

std::string refusal_of(const BadArguments& row) {
  return refusal_by([&] { parse_command_line(row.arguments); });
}

class RefusesConfig : public testing::TestWithParam<BadConfig> {};

TEST_P(RefusesConfig, NamingTheMember) { EXPECT_THAT(refusal_of(GetParam()), HasSubstr(GetParam().place)); }

INSTANTIATE_TEST_SUITE_P(Table, RefusesConfig, testing::ValuesIn(bad_configs()),
                         [](const auto& row) { return row.param.description; });

class RefusesArguments : public testing::TestWithParam<BadArguments> {};

TEST_P(RefusesArguments, NamingTheFlag) {
  const auto& first = GetParam().arguments.front();
  const auto flag = first.substr(first.starts_with("--") ? 1 : 0, first.find('=') - (first.starts_with("--") ? 1 : 0));
  EXPECT_THAT(refusal_of(GetParam()), HasSubstr(flag));
}

INSTANTIATE_TEST_SUITE_P(Table, RefusesArguments, testing::ValuesIn(bad_arguments()),
                         [](const auto& row) { return row.param.description; });

TEST(FlannelRefusals, AreWordedAsTheGoldenFileHasThem) {
  std::string all;
  for (const auto& row : bad_configs()) all += row.description + "\n  " + refusal_of(row) + "\n";
  for (const auto& row : bad_arguments()) all += row.description + "\n  " + refusal_of(row) + "\n";
  expect_golden(std::filesystem::path(KNETSIM_SOURCE) / "src/flannel/tests/refusals.txt", all);
}

}  // namespace
}  // namespace knetsim::flannel
