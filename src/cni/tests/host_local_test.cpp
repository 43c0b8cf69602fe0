// The built-in allocator and Debian's host-local work on the same files.

#include "../host_local.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>
#include <thread>

#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"
#include "world.h"

namespace knetsim::cni {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::filesystem::path kDirectory = "/tmp/knetsim/allocations";

std::string next(const HostLocal& ipam, const std::string& id, const std::string& subnet = "11.13.0.0/29") {
  return ipam.reserve(id, "eth0", {parse_network(subnet)}).front().to_string();
}

std::string next_by_plugin(const std::string& id) {
  const json config{{"cniVersion", "1.0.0"},
                    {"name", "net"},
                    {"ipam",
                     {{"type", "host-local"},
                      {"dataDir", kDirectory.string()},
                      {"ranges", json::parse(R"([[{"subnet":"11.13.0.0/29"}]])")}}}};
  const auto result = exec({.argv = {"/usr/lib/cni/host-local"},
                            .environment = {{"CNI_COMMAND", "ADD"},
                                            {"CNI_CONTAINERID", id},
                                            {"CNI_NETNS", "/x"},
                                            {"CNI_IFNAME", "eth0"},
                                            {"CNI_PATH", "/usr/lib/cni"}}},
                           kExecTimeout, config.dump());
  const auto answer = json::parse(result.out);
  return answer.contains("msg") ? answer["msg"].get<std::string>() : answer["ips"][0]["address"].get<std::string>();
}

TEST(HostLocal, GoesRoundTheSubnetAndLeavesOutTheGateway) {
  const HostLocal ipam(kDirectory, "net");
  for (int i = 2; i <= 6; ++i) EXPECT_EQ(next(ipam, "c" + std::to_string(i)), "11.13.0." + std::to_string(i));
  ipam.release("c3", "eth0");
  ipam.release("c2", "eth0");
  EXPECT_EQ(next(ipam, "d"), "11.13.0.2") << "the address handed out longest ago comes next";
  ipam.release("c6", "eth0");
  EXPECT_EQ(next(ipam, "e"), "11.13.0.3");
}

TEST(HostLocal, SaysThatNoAddressIsLeft) {
  const HostLocal ipam(kDirectory, "net");
  EXPECT_EQ(next(ipam, "a", "11.13.0.0/30"), "11.13.0.2");
  EXPECT_THAT(thrown<knetsim::Error>([&] { next(ipam, "b", "11.13.0.0/30"); }).what(),
              HasSubstr("no IP addresses available in range set: 11.13.0.1-11.13.0.2"));
  EXPECT_THAT(thrown<knetsim::Error>([&] { next(ipam, "b", "11.13.0.0/31"); }).what(), HasSubstr("too small"));
}

TEST(HostLocal, KeepsNothingWhenOneOfTwoFamiliesIsExhausted) {
  const HostLocal ipam(kDirectory, "net");
  const std::vector<Network> ranges{parse_network("11.13.0.0/29"), parse_network("fd00::/126")};
  EXPECT_THAT(ipam.reserve("a", "eth0", ranges), ElementsAre(parse_address("11.13.0.2"), parse_address("fd00::2")));
  EXPECT_EQ(ipam.reserve("b", "eth0", ranges).back(), parse_address("fd00::3"));
  EXPECT_THROW(ipam.reserve("c", "eth0", ranges), knetsim::Error);
  EXPECT_THAT(ipam.held("c", "eth0"), IsEmpty());
}

TEST(HostLocal, TellsTwoInterfacesOfAContainerApart) {
  const HostLocal ipam(kDirectory, "net");
  const std::vector<Network> range{parse_network("11.13.0.0/29")};
  ipam.reserve("a", "eth0", range);
  ipam.reserve("a", "eth1", range);
  EXPECT_THAT(thrown<knetsim::Error>([&] { ipam.reserve("a", "eth0", range); }).what(),
              HasSubstr("11.13.0.2 has been allocated to a, duplicate allocation is not allowed"));
  ipam.release("a", "eth0");
  EXPECT_THAT(ipam.held("a", "eth0"), IsEmpty());
  EXPECT_THAT(ipam.held("a", "eth1"), ElementsAre(parse_address("11.13.0.3")));
}

TEST(HostLocal, StartsAnewBehindAGarbledNoteOfTheLastAddress) {
  const HostLocal ipam(kDirectory, "net");
  next(ipam, "a");
  for (const auto* garbage : {"", "nonsense", "99.0.0.1", "11.13.0.7", "fd00::1"}) {
    write_file_atomically(kDirectory / "net/last_reserved_ip.0", garbage);
    EXPECT_EQ(next(ipam, "b"), "11.13.0.3") << garbage;
    ipam.release("b", "eth0");
  }
}

TEST(HostLocal, HandsOutEachAddressOnceToThreadsThatAskAtOnce) {
  std::vector<std::vector<std::string>> taken(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < taken.size(); ++i)
    threads.emplace_back([&, i] {
      const HostLocal ipam(kDirectory, "net");
      for (int n = 0; n < 50; ++n) taken[i].push_back(next(ipam, fmt::format("c{}-{}", i, n), "11.13.0.0/24"));
    });
  for (auto& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& some : taken) all.insert(some.begin(), some.end());
  EXPECT_EQ(all.size(), 200U);
  EXPECT_EQ(read_file(kDirectory / "net/last_reserved_ip.0"), "11.13.0.201") << "in turn, none left out";
}

TEST(HostLocal, TakesTurnsWithDebiansPlugin) {
  const HostLocal ipam(kDirectory, "net");
  EXPECT_EQ(next(ipam, "a"), "11.13.0.2");
  EXPECT_EQ(next_by_plugin("b"), "11.13.0.3/29");
  EXPECT_EQ(next(ipam, "c"), "11.13.0.4");
  EXPECT_EQ(next_by_plugin("d"), "11.13.0.5/29");
  EXPECT_THAT(next_by_plugin("a"), HasSubstr("11.13.0.2 has been allocated to a"));
  EXPECT_THAT(thrown<knetsim::Error>([&] { next(ipam, "b"); }).what(), HasSubstr("11.13.0.3 has been allocated to b"));
  EXPECT_EQ(next(ipam, "e"), "11.13.0.6");
  EXPECT_THAT(next_by_plugin("f"), HasSubstr("no IP addresses available in range set: 11.13.0.1-11.13.0.6"));
  EXPECT_THAT(ipam.held("d", "eth0"), ElementsAre(parse_address("11.13.0.5")));
}

}  // namespace
}  // namespace knetsim::cni
