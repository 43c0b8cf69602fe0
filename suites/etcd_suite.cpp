// etcd as the clusters use it: members that are healthy, agree, survive each other, and keep both stores.
//
// Topology: demo.json (two members in each cluster), and a cluster of three in code.

#include <gmock/gmock.h>

#include <array>

#include "knetsim/etcd/error.h"
#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/sys/eventually.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::Eq;
using testing::HasSubstr;
using testing::Not;
using testing::Optional;
using testing::SizeIs;

class EtcdSuite : public EmulationTest {
 protected:
  void SetUp() override { boot(topology("demo.json")); }

  etcd::SyncClient client() { return cluster("C0").etcd().client(); }
  ExecResult etcdctl(std::vector<std::string> arguments, const std::string& on = "C0e1") {
    arguments.insert(arguments.begin(), "/tmp/knetsim/etcdctl");
    return node(on).exec(std::move(arguments));
  }
};

TEST_F(EtcdSuite, RunsOneMemberOnEachEtcdNode) {
  for (auto* one : emulation().clusters()) {
    ASSERT_THAT(one->etcd().members(), SizeIs(2));
    for (auto& member : one->etcd().members()) {
      EXPECT_EQ(member.ailment(), std::nullopt);
      EXPECT_TRUE(member.process().running());
    }
  }
}

TEST_F(EtcdSuite, ListensOnTheNodesAddressAndOnItsLoopback) {
  EXPECT_THAT(node("C0w1").exec({"wget", "-q", "-O", "-", "http://10.0.0.1:2379/health"}),
              Prints(HasSubstr("\"health\":\"true\"")));
  EXPECT_THAT(node("C0e1").exec({"wget", "-q", "-O", "-", "http://127.0.0.1:2379/health"}),
              Prints(HasSubstr("\"health\":\"true\"")));
}

TEST_F(EtcdSuite, WhatOneMemberIsToldTheOtherKnows) {
  const auto put = node("C0e1").exec({"env", "ETCDCTL_API=3", "/tmp/knetsim/etcdctl", "--endpoints",
                                      "http://10.0.0.1:2379", "put", "greeting", "hello"});
  ASSERT_THAT(put, Succeeds());
  EXPECT_THAT(node("C0e2").exec({"env", "ETCDCTL_API=3", "/tmp/knetsim/etcdctl", "--endpoints", "http://10.0.0.2:2379",
                                 "get", "--print-value-only", "greeting"}),
              Prints("hello\n"));
}

TEST_F(EtcdSuite, TheClustersKeepTheirOwnKeys) {
  client().put("mine", "C0");
  EXPECT_EQ(cluster("C1").etcd().client().get("mine"), std::nullopt);
}

TEST_F(EtcdSuite, FlannelsConfigStandsInBothStores) {
  const auto v3 = client().get("/coreos.com/network/config");
  ASSERT_TRUE(v3);
  EXPECT_THAT(v3->value, HasSubstr("\"VNI\":100"));
  EXPECT_THAT(client().get_v2("/coreos.com/network/config"), Optional(v3->value));
}

TEST_F(EtcdSuite, EtcdctlSpeaksTheOldApiUnlessToldOtherwise) {
  EXPECT_THAT(etcdctl({"set", "/old", "v2"}), Succeeds());
  EXPECT_THAT(client().get_v2("/old"), Optional(Eq("v2")));
  EXPECT_THAT(node("C0e1").exec({"env", "ETCDCTL_API=3", "/tmp/knetsim/etcdctl", "get", "/old"}), Prints(""));
}

TEST_F(EtcdSuite, ClusterHealthTellsOfAMemberThatIsDown) {
  cluster("C0").etcd().members().at(1).stop();
  const auto health = etcdctl({"cluster-health"});
  EXPECT_THAT(health, Not(Succeeds()));
  EXPECT_THAT(health.out + health.err, AllOf(HasSubstr("unreachable"), Not(HasSubstr("cluster is healthy\n"))));
}

TEST_F(EtcdSuite, AMemberThatComesBackKnowsWhatWasWritten) {
  client().put("kept", "yes");
  auto& second = cluster("C0").etcd().members().at(1);
  second.kill();
  second.restart();
  cluster("C0").etcd().wait_until_healthy(std::chrono::seconds(20));
  EXPECT_THAT(node("C0e2").exec({"env", "ETCDCTL_API=3", "/tmp/knetsim/etcdctl", "get", "--print-value-only", "kept"}),
              Prints("yes\n"));
}

TEST_F(EtcdSuite, TheLossOfEtcdLeavesContainersConnected) {
  for (auto& member : cluster("C0").etcd().members()) member.kill();
  EXPECT_THAT(cluster("C0").container("c1"), CanPing(cluster("C0").container("c2")));
}

TEST_F(EtcdSuite, AMemberThatDiesUnaskedIsAnAilmentWithItsLog) {
  auto& member = cluster("C0").etcd().members().at(0);
  member.process().signal(SIGKILL);
  member.process().wait(std::chrono::seconds(5));
  const auto ailments = emulation().ailments();
  ASSERT_THAT(ailments, SizeIs(1));
  EXPECT_THAT(ailments.front(), AllOf(HasSubstr("C0e1"), HasSubstr("SIGKILL")));
  member.restart();
  cluster("C0").etcd().wait_until_healthy(std::chrono::seconds(20));
}

class EtcdOfThree : public EmulationTest {
 protected:
  void SetUp() override {
    auto three = topology("pair.json");
    auto& etcd = three.clusters.at(0).etcd;
    etcd.push_back({.name = "e2", .addresses = {parse_address("10.0.0.2")}});
    etcd.push_back({.name = "e3", .addresses = {parse_address("10.0.0.20")}});
    boot(three);
  }
};

/// One of the three, by its place.
class EtcdWithout : public EtcdOfThree, public testing::WithParamInterface<std::size_t> {};

TEST_P(EtcdWithout, OneMemberGoesOn) {
  auto& etcd = cluster("C0").etcd();
  auto& member = etcd.members().at(GetParam());
  member.kill();
  auto client = etcd.client();
  eventually([&]() -> std::optional<std::string> {
    try {
      client.put("written-without-it", "yes");
      return std::nullopt;
    } catch (const etcd::Unavailable& error) {
      return error.what();  // an election is going on
    }
  });
  member.restart();
  etcd.wait_until_healthy(std::chrono::seconds(20));
  EXPECT_TRUE(etcd.client().get("written-without-it"));
}

INSTANTIATE_TEST_SUITE_P(Members, EtcdWithout, testing::Values(0, 1, 2), [](const auto& place) {
  return std::string(std::array{"first", "second", "third"}.at(place.param));
});

}  // namespace
}  // namespace knetsim::fixtures
