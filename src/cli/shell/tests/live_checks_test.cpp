// `check` at the prompt: it asks the topology what should be there, and what isn't there proves nothing.
#include <gmock/gmock.h>

#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "knetsim/emulator/emulation.h"
#include "shell/session.h"

namespace knetsim::cli::shell {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

/// Two workers with three containers and a VIP; what is in between is each test's.
json two_workers() {
  return json::parse(R"({
    "underlay": {"network": "10.0.0.0/8", "switches": [{"name": "s0"}]},
    "clusters": [{
      "name": "C0", "switch": "s0", "cni": "builtin",
      "etcd": [{"name": "e1", "address": "10.0.0.1"}],
      "workers": [{"name": "w1", "address": "10.0.0.3"}, {"name": "w2", "address": "10.0.0.4"}],
      "flannel": {"flavour": "builtin",
                  "config": {"Network": "11.0.0.0/8", "SubnetLen": 20, "Backend": {"Type": "vxlan", "VNI": 100}}},
      "containers": [{"name": "c1", "worker": "w1"}, {"name": "c2", "worker": "w2"}, {"name": "c3", "worker": "w2"}],
      "services": {"range": "100.64.0.0/16", "vips": [{"address": "100.64.10.1", "containers": ["c2", "c3"]}]}
    }]})");
}

class Checks : public testing::Test {
 protected:
  void stand(const json& topology) {
    emulation_ = std::make_unique<Emulation>(Emulation::boot(Topology::from_json(topology.dump(), "test")));
    session_.emplace(Session{.emulation = *emulation_,
                             .name = "test",
                             .terminal = {out_, out_},
                             .style = Style(false),
                             .run_in_front =
                                 [this](const knetsim::Command& command) {
                                   const auto result = exec(command);
                                   out_ << result.out << result.err;
                                   return result.status;
                                 },
                             .background = background_});
  }

  int type(const std::string& line) {
    out_.str("");
    const int status = execute(*session_, line);
    shown = out_.str();
    return status;
  }

  /// Its daemon does nothing from now on, and what is broken stays broken.
  void freeze_flannel(const std::string& worker) { emulation_->worker(worker).flanneld().process().signal(SIGSTOP); }

  std::string shown;
  std::unique_ptr<Emulation> emulation_;

 private:
  std::ostringstream out_;
  Background background_;
  std::optional<Session> session_;
};

TEST_F(Checks, WhatIsNotThereIsSaidSoAndNotCounted) {
  stand(json::parse(R"({
    "underlay": {"network": "10.0.0.0/8", "switches": [{"name": "s0"}]},
    "clusters": [{"name": "C0", "switch": "s0", "cni": "builtin",
                  "workers": [{"name": "w1", "address": "10.0.0.3", "podSubnet": "11.13.0.0/20"}],
                  "containers": [{"name": "c1", "worker": "w1"}]}]})"));
  EXPECT_EQ(type("check"), 0) << shown;
  for (const auto* there : {"workers", "pods"}) EXPECT_THAT(shown, HasSubstr(std::string("✓ ") + there));
  for (const auto* absent :
       {"etcd", "flannel", "pod-to-pod", "vip", "balancing", "vip-worker", "skupper", "skupper-running", "daemons"})
    EXPECT_THAT(shown, ContainsRegex(std::string("– ") + absent + " +not there: ")) << absent;
  EXPECT_THAT(shown, HasSubstr("2 of 2 checks hold; 9 had nothing to look at\n"));
  EXPECT_EQ(type("check --only workers"), 0);
  EXPECT_THAT(shown, HasSubstr("1 of 1 check holds\n"));
  EXPECT_EQ(type("check --only flannel,vip"), 1) << "nothing was proven";
  EXPECT_THAT(shown, HasSubstr("there was nothing to check\n"));
}

TEST_F(Checks, EtcdAloneIsCheckedAlone) {
  auto topology = two_workers();
  auto& cluster = topology["clusters"][0];
  for (const auto* key : {"flannel", "containers", "services"}) cluster.erase(key);
  stand(topology);
  EXPECT_EQ(type("check"), 0) << shown;
  EXPECT_THAT(shown, AllOf(ContainsRegex("✓ etcd .*\\(1 member,"), ContainsRegex("✓ daemons .*\\(1 daemon,"),
                           ContainsRegex("✓ workers .*\\(3 hosts, 6 pings,"), ContainsRegex("– flannel +not there"),
                           HasSubstr("3 of 3 checks hold; 8 had")));
}

TEST_F(Checks, TheTunnelIsJudgedByTheTopologyAndNotByANumber) {
  auto topology = two_workers();
  topology["underlay"]["mtu"] = 1400;
  stand(topology);
  EXPECT_EQ(type("check"), 0) << shown;
  EXPECT_THAT(shown, AllOf(ContainsRegex("✓ flannel .*\\(2 workers,"), HasSubstr("9 of 9 checks hold; 2 had")));
  freeze_flannel("w1");
  type("w1 ip link set eth0 mtu 1380");
  EXPECT_EQ(type("check --only workers"), 1);
  EXPECT_THAT(shown, HasSubstr("w1: eth0 has MTU 1380, the topology says 1400"));
  type("w1 ip link set eth0 mtu 1400");
  type("w1 ip link set flannel.100 mtu 1300");
  EXPECT_EQ(type("check --only flannel"), 1);
  EXPECT_THAT(shown, HasSubstr("w1: flannel.100 has MTU 1300, but over the underlay's 1400 it is 1350"));
  type("w1 ip link set flannel.100 down");
  EXPECT_EQ(type("check --only flannel"), 1);
  EXPECT_THAT(shown, AllOf(HasSubstr("✗ flannel"), HasSubstr("w1: flannel.100 isn't up"),
                           ContainsRegex("w1: has no route to 11[^ ]* of w2"), HasSubstr("0 of 1 check holds")));
  type("w1 ip link del flannel.100");
  EXPECT_EQ(type("check --only flannel"), 1);
  EXPECT_THAT(shown, HasSubstr("w1: there is no tunnel interface flannel.100"));
}

TEST_F(Checks, ABackendWithoutTunnelsNeedsNone) {
  auto topology = two_workers();
  topology["underlay"]["mtu"] = 1450;  // the MTU of a tunnel's link over Ethernet
  topology["clusters"][0]["flannel"]["config"]["Backend"] = {{"Type", "host-gw"}};
  stand(topology);
  EXPECT_EQ(type("check"), 0) << shown;
  freeze_flannel("w1");
  const auto subnet = emulation_->worker("w2").container("c2").address().to_string();
  type("w1 sh -c 'ip route replace $(ip route | grep \"via 10.0.0.4\" | cut -d \" \" -f 1) via 10.0.0.1'");
  EXPECT_EQ(type("check --only flannel"), 1);
  EXPECT_THAT(shown, ContainsRegex("w1: has no route to 11[^ ]* of w2\n")) << "but one over somebody else";
  type("w1 sh -c 'ip route del $(ip route | grep \"via 10.0.0.1\" | cut -d \" \" -f 1)'");
  EXPECT_EQ(type("check --only flannel,pod-to-pod"), 1) << subnet;
  EXPECT_THAT(shown, AllOf(ContainsRegex("✗ flannel[^\n]*\n    w1: has no route to 11[^ ]* of w2\n"),
                           HasSubstr("✗ pod-to-pod"), HasSubstr("0 of 2 checks hold")));
}

TEST_F(Checks, WhereTheBackendOnlyAllocatesNoPodIsExpectedToReachAnotherWorker) {
  auto topology = two_workers();
  topology["clusters"][0]["flannel"]["config"]["Backend"] = {{"Type", "alloc"}};
  stand(topology);
  EXPECT_EQ(type("check"), 0) << shown;
  EXPECT_THAT(shown, AllOf(HasSubstr("✓ flannel"), ContainsRegex("✓ pod-to-pod .*\\(2 pings,")))
      << "c2 and c3, on one worker";
}

TEST_F(Checks, BothFamiliesAreTried) {
  auto topology = two_workers();
  topology["underlay"]["network"] = {"10.0.0.0/8", "fd00::/64"};
  auto& cluster = topology["clusters"][0];
  cluster["workers"][0]["address"] = {"10.0.0.3", "fd00::3"};
  cluster["workers"][1]["address"] = {"10.0.0.4", "fd00::4"};
  cluster["flannel"]["config"].update({{"EnableIPv6", true}, {"IPv6Network", "fd11::/48"}});
  cluster["services"] = {{"range", {"100.64.0.0/16", "fd64::/64"}},
                         {"vips", {{{"address", "fd64::1"}, {"containers", {"c2", "c3"}}}}}};
  stand(topology);
  EXPECT_EQ(type("check"), 0) << shown;
  EXPECT_THAT(shown,
              AllOf(ContainsRegex("✓ workers .*\\(3 hosts, 8 pings,"), ContainsRegex("✓ pod-to-pod .*\\(12 pings,"),
                    ContainsRegex("✓ vip .*\\(4 pings,"), HasSubstr("9 of 9 checks hold")));
  freeze_flannel("w1");
  type("w1 ip link set flannel-v6.100 down");
  EXPECT_EQ(type("check --only flannel,pod-to-pod"), 1);
  EXPECT_THAT(shown, AllOf(HasSubstr("w1: flannel-v6.100 isn't up"),
                           ContainsRegex("no answer: w1/c1 -> w2/c2 \\(fd11:"), Not(HasSubstr("(11."))));
}

TEST_F(Checks, TellsWhoWasKilledByWhom) {
  stand(two_workers());
  EXPECT_EQ(type("kill w1 flanneld"), 0) << shown;
  EXPECT_EQ(type("check --only flannel,daemons"), 1);
  EXPECT_THAT(shown, AllOf(HasSubstr("w1: flanneld doesn't run (killed by SIGKILL)"), HasSubstr("✗ daemons"),
                           HasSubstr("one was killed by you: w1 flanneld (killed by SIGKILL)")));
  EXPECT_EQ(type("restart w1 flanneld"), 0) << shown;
  EXPECT_EQ(type("check --only flannel,daemons"), 0) << shown;
  // By somebody else.
  auto& other = emulation_->worker("w2").flanneld().process();
  other.signal(SIGKILL);
  other.wait(std::chrono::seconds(10));
  EXPECT_EQ(type("check --only daemons"), 1);
  EXPECT_THAT(shown, AllOf(HasSubstr("w2 flanneld ended without having been told to"), Not(HasSubstr("by you"))));
}

TEST_F(Checks, EveryWorkersRulesAreTriedAndEveryBackendMustHaveItsTurn) {
  stand(two_workers());
  const auto c2 = emulation_->worker("w2").container("c2").address().to_string();
  EXPECT_EQ(type("check --only vip,balancing,vip-worker"), 0) << shown;
  type(
      "w1 nft 'add table ip mine; add chain ip mine pre {type nat hook prerouting priority -150;}; add rule ip mine "
      "pre "
      "ip daddr 100.64.10.1 dnat to " +
      c2 + "'");
  EXPECT_EQ(type("check --only vip,balancing"), 1);
  EXPECT_THAT(shown, AllOf(HasSubstr("✓ vip"), HasSubstr("✗ balancing"), HasSubstr("came to w2/c3, its share is 2")));
  type(
      "w2 nft 'add table ip block; add chain ip block pre {type filter hook prerouting priority -300;}; add rule ip "
      "block pre ip daddr 100.64.10.1 drop; add chain ip block out {type filter hook output priority -300;}; add rule "
      "ip "
      "block out ip daddr 100.64.10.1 drop'");
  EXPECT_EQ(type("check --only vip,vip-worker"), 1);
  EXPECT_THAT(shown, AllOf(ContainsRegex("✗ vip [^\n]*\n    w2/c2 -> 100.64.10.1: no answer to 2 of 2 pings\n"),
                           ContainsRegex("✗ vip-worker [^\n]*\n    w2 -> 100.64.10.1: no answer to 2 of 2 pings\n")));
}

TEST_F(Checks, OnlyWhatIsJoinedIsExpectedToReachEachOther) {
  stand(json::parse(R"({"underlay": {"network": "10.0.0.0/8", "switches": [{"name": "s0"}, {"name": "s1"}]},
    "clusters": [{"name": "C0", "switch": "s0", "workers": [{"name": "w1", "address": "10.0.0.3"},
      {"name": "w2", "address": "10.0.0.4", "switch": "s1"}, {"name": "w3", "address": "10.0.0.5"}]}]})"));
  EXPECT_EQ(type("check"), 0) << shown;
  EXPECT_THAT(shown, ContainsRegex("✓ workers .*\\(3 hosts, 2 pings,"));
  type("w1 ip link set eth0 down");
  EXPECT_EQ(type("check"), 1);
  EXPECT_THAT(shown, AllOf(HasSubstr("w1: eth0 is down"), HasSubstr("no answer: w1 -> w3 (10.0.0.5)")));
}

}  // namespace
}  // namespace knetsim::cli::shell
