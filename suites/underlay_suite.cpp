// The underlay and what stands on it: nodes with a stack of their own, programs run in them, cables cut and healed.
//
// Topology: demo.json.

#include <gmock/gmock.h>

#include <filesystem>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class UnderlaySuite : public EmulationTest {
 protected:
  void SetUp() override { boot(topology("demo.json")); }
};

TEST_F(UnderlaySuite, NamesAndAddressesAreTheOriginals) {
  std::vector<std::string> seen;
  for (const auto* one : emulation().nodes())
    if (one->name().find('/') == std::string::npos) seen.push_back(one->name() + " " + one->address().to_string());
  EXPECT_THAT(seen, ElementsAre("C0e1 10.0.0.1", "C0e2 10.0.0.2", "C0w1 10.0.0.3", "C0w2 10.0.0.4", "C0w3 10.0.0.5",
                                "C1e1 10.0.0.6", "C1e2 10.0.0.7", "C1w1 10.0.0.8", "C1w2 10.0.0.9", "C1w3 10.0.0.10"));
  std::vector<std::string> containers;
  for (auto* one : emulation().clusters())
    for (const auto* container : one->containers()) containers.push_back(container->name() + " " + container->pin());
  EXPECT_THAT(containers, ElementsAre("C0w1/c1 k0_c1", "C0w2/c2 k0_c2", "C0w3/c3 k0_c3", "C0w3/c4 k0_c4",
                                      "C1w1/c1 k1_c1", "C1w2/c2 k1_c2", "C1w3/c3 k1_c3"));
}

TEST_F(UnderlaySuite, ABareNameMeansTheFirstCluster) {
  EXPECT_EQ(node("w1").name(), "C0w1");
  EXPECT_EQ(node("e2").name(), "C0e2");
}

TEST_F(UnderlaySuite, AnUnknownNameIsAnsweredWithThoseThatAreThere) {
  try {
    node("C0w9");
    FAIL() << "C0w9 was found";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("C0w9"), HasSubstr("C0w1")));
  }
}

TEST_F(UnderlaySuite, EtcdNodesOfBothClustersExchangeMegabytes) {
  const EchoServer server(node("C1e2"));
  EXPECT_EQ(tcp_exchange(node("C0e1"), node("C1e2").address(), server.port()), std::nullopt);
  EXPECT_EQ(udp_exchange(node("C0e1"), node("C1e2").address(), server.port()), std::nullopt);
  EXPECT_THAT(server.clients(), ElementsAre(node("C0e1").address(), node("C0e1").address()));
}

TEST_F(UnderlaySuite, AFullFrameFitsAndOneByteMoreDoesNot) {
  const auto ping = [this](const std::string& bytes) {
    return node("C0w1").exec({"ping", "-c", "1", "-W", "5", "-M", "do", "-s", bytes, "10.0.0.8"});
  };
  EXPECT_THAT(ping("1472"), Succeeds());
  EXPECT_THAT(ping("1473"), ExitsWith(1));
}

TEST_F(UnderlaySuite, ACutCableIsolatesANodeUntilItIsHealed) {
  emulation().underlay().cut("C0w2");
  EXPECT_THAT(node("C0w1"), CannotPing(node("C0w2")));
  EXPECT_THAT(node("C0w1"), CanPing(node("C0w3")));
  emulation().underlay().heal("C0w2");
  EXPECT_THAT(node("C0w1"), CanPing(node("C0w2")));
}

TEST_F(UnderlaySuite, OthersAttachByName) {
  const auto attached = exec({.argv = {"ip", "netns", "exec", "C0w1", "ip", "-br", "address", "show", "eth0"}});
  EXPECT_THAT(attached, Prints(HasSubstr("10.0.0.3/8")));
  const auto container = exec({.argv = {"nsenter", "--net=/run/netns/k0_c1", "ip", "-br", "address", "show", "eth0"}});
  EXPECT_THAT(container, Prints(HasSubstr(worker("C0w1").container("c1").address().to_string())));
}

TEST_F(UnderlaySuite, ProgramsRunInTheirNodesDirectory) {
  EXPECT_THAT(node("C0e1").exec({"pwd"}), Prints("/run/knetsim/C0e1\n"));
  EXPECT_THAT(node("C0e1").exec({"bash", "-c", "echo $HOME"}), Prints("/run/knetsim/C0e1\n"));
}

TEST_F(UnderlaySuite, AProgramThatHangsIsEndedAfterItsTimeout) {
  const auto result = node("C0w1").exec({"ping", "-i", "0.1", "10.0.0.4"}, std::chrono::seconds(3));
  EXPECT_TRUE(result.timed_out);
  EXPECT_THAT(result.out, HasSubstr("64 bytes from 10.0.0.4"));
}

TEST_F(UnderlaySuite, ABackgroundProgramRunsUntilItsHandleEnds) {
  const auto fetch = [this] {
    return node("C1w1").exec({"wget", "-q", "-O", "-", "-T", "2", "-t", "1", "10.0.0.3:8000"});
  };
  {
    auto server = node("C0w1").spawn({"python3", "-m", "http.server", "--bind", "10.0.0.3", "8000"}, "http.log");
    eventually([&]() -> std::optional<std::string> {
      const auto result = fetch();
      return result.ok() ? std::nullopt : std::optional("an answer of the server: " + result.err);
    });
    EXPECT_TRUE(server.running());
  }
  EXPECT_THAT(fetch(), testing::Not(Succeeds()));
}

TEST_F(UnderlaySuite, EachClusterHasItsOwnContainers) {
  EXPECT_THAT(cluster("C0").containers(), SizeIs(4));
  EXPECT_THAT(cluster("C1").containers(), SizeIs(3));
  EXPECT_NE(cluster("C0").container("c1").netns().inode(), cluster("C1").container("c1").netns().inode());
}

}  // namespace
}  // namespace knetsim::fixtures
