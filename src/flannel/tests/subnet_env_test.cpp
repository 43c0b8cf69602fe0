#include "knetsim/flannel/subnet_env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::flannel {
namespace {

using testing::HasSubstr;

SubnetEnv example() {
  SubnetEnv env;
  env.networks = {parse_network("11.0.0.0/8")};
  env.subnet = parse_network("11.13.16.1/20");
  env.mtu = 1450;
  env.ip_masq = false;
  return env;
}

TEST(SubnetEnv, HasFlannelsLines) {
  EXPECT_EQ(to_text(example()),
            "FLANNEL_NETWORK=11.0.0.0/8\nFLANNEL_SUBNET=11.13.16.1/20\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n");
}

TEST(SubnetEnv, HasTheLinesOfBothFamilies) {
  auto env = example();
  env.ipv6_networks = {parse_network("fd00:5::/48")};
  env.ipv6_subnet = parse_network("fd00:5:0:1::1/64");
  env.ip_masq = true;
  EXPECT_EQ(to_text(env),
            "FLANNEL_NETWORK=11.0.0.0/8\nFLANNEL_SUBNET=11.13.16.1/20\nFLANNEL_IPV6_NETWORK=fd00:5::/48\n"
            "FLANNEL_IPV6_SUBNET=fd00:5:0:1::1/64\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n");
  EXPECT_EQ(parse_subnet_env(to_text(env)), env);
}

TEST(SubnetEnv, IsReadAlsoWithoutTheLinesOfLaterVersions) {
  const auto env = parse_subnet_env("FLANNEL_SUBNET=11.13.16.1/20\n# a comment\n\nOTHER=x\nFLANNEL_MTU=1450");
  EXPECT_EQ(env.subnet, parse_network("11.13.16.1/20"));
  EXPECT_EQ(env.mtu, 1450U);
  EXPECT_THAT(env.networks, testing::IsEmpty());
  EXPECT_EQ(env.ip_masq, std::nullopt);
}

// What the reader of flannel-io/cni-plugin (flannel.go, loadFlannelSubnetEnv) makes of each.
TEST(SubnetEnv, IsReadAsTheRealPluginReadsIt) {
  struct Case {
    const char* text;
    SubnetEnv read;
  };
  const auto networks = [](const std::vector<const char*>& texts) {
    std::vector<Network> parsed;
    for (const auto* text : texts) parsed.push_back(parse_network(text));
    return parsed;
  };
  const std::vector<Case> cases{
      {"FLANNEL_NETWORK=10.244.0.0/16,192.168.0.0/16\n", {.networks = networks({"10.244.0.0/16", "192.168.0.0/16"})}},
      {"FLANNEL_NETWORK=10.244.0.0/16,10.244.7.1/16,10.244.0.0/17\n",
       {.networks = networks({"10.244.0.0/16", "10.244.0.0/17"})}},
      {"FLANNEL_IPV6_NETWORK=fd00:5::/48,fd00:6::/48\n", {.ipv6_networks = networks({"fd00:5::/48", "fd00:6::/48"})}},
      {"FLANNEL_NETWORK=fd00::/8,10.0.0.0/8\n", {.networks = networks({"fd00::/8", "10.0.0.0/8"})}},
      {"FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_NETWORK=11.0.0.0/8\n", {.networks = networks({"11.0.0.0/8"})}},
      {"FLANNEL_SUBNET=10.244.1.1/24\r\nFLANNEL_MTU=1450\r\n", {.subnet = parse_network("10.244.1.1/24"), .mtu = 1450}},
      {"FLANNEL_MTU=1450", {.mtu = 1450}},
      {"FLANNEL_MTU=01450", {.mtu = 1450}},
      {"FLANNEL_MTU=0", {.mtu = 0}},
      {"FLANNEL_MTU=4294967295", {.mtu = 4294967295}},
      {"FLANNEL_IPMASQ=true", {.ip_masq = true}},
      {"FLANNEL_IPMASQ=True\nFLANNEL_OTHER=7\n", {.ip_masq = false}},
      {"FLANNEL_IPMASQ=", {.ip_masq = false}},
      {"FLANNEL_IPMASQ=true ", {.ip_masq = false}},
      {" FLANNEL_MTU=1450\nFLANNEL_MTU =1450\nexport FLANNEL_MTU=1450\nflannel_mtu=1450\n# FLANNEL_MTU=1450\n", {}},
      {"", {}},
      {"\n\n=\nFLANNEL\n", {}}};
  for (const auto& one : cases) EXPECT_EQ(parse_subnet_env(one.text), one.read) << one.text;
}

TEST(SubnetEnv, NamesTheLineThatCantBeRead) {
  for (const auto* line : {"FLANNEL_SUBNET=11.13.16.1", "FLANNEL_SUBNET=10.0.0.1/24,11.0.0.1/24",
                           "FLANNEL_NETWORK=", "FLANNEL_NETWORK=10.0.0.0/8,", "FLANNEL_NETWORK=10.0.0.0/8, 11.0.0.0/8",
                           "FLANNEL_NETWORK= 10.0.0.0/8", "FLANNEL_NETWORK=\"10.0.0.0/8\"", "FLANNEL_MTU=big",
                           "FLANNEL_MTU=", "FLANNEL_MTU= 1450", "FLANNEL_MTU=-1", "FLANNEL_MTU=+1", "FLANNEL_MTU=0x5aa",
                           "FLANNEL_MTU=4294967296"}) {
    try {
      parse_subnet_env(std::string("FLANNEL_IPMASQ=true\n") + line + "\n");
      ADD_FAILURE() << "accepted " << line;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(line));
    }
  }
}

TEST(SubnetEnv, IsWrittenForEverybodyToReadAndItsDirectoryIsMade) {
  const std::filesystem::path path = std::string(kStateDirectory) + "/w1/flannel/subnet.env";
  write_subnet_env(path, example());
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0644U);
  EXPECT_EQ(read_subnet_env(path), example());
}

TEST(SubnetEnv, TellsAnAbsentFileFromABadOne) {
  const std::filesystem::path path = std::string(kStateDirectory) + "/subnet.env";
  EXPECT_THROW(read_subnet_env(path), SystemError);
  write_file_atomically(path, "FLANNEL_SUBNET=x\n");
  EXPECT_THROW(read_subnet_env(path), InputError);
}

}  // namespace
}  // namespace knetsim::flannel
