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
  env.network = parse_network("11.0.0.0/8");
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
  env.ipv6_network = parse_network("fd00:5::/48");
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
  EXPECT_EQ(env.network, std::nullopt);
  EXPECT_EQ(env.ip_masq, std::nullopt);
}

TEST(SubnetEnv, NamesTheLineThatCantBeRead) {
  for (const auto* line : {"FLANNEL_SUBNET=11.13.16.1", "FLANNEL_MTU=big", "FLANNEL_IPMASQ=perhaps"}) {
    try {
      parse_subnet_env(line);
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
