// What is said without a probe, in a lab of two workers without daemons.
#include "dry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "facts.h"
#include "knetsim/sys/error.h"

namespace knetsim::explain {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr const char* kLab = R"({
  "underlay": {"network": "10.0.0.0/8", "switches": [{"name": "s0"}]},
  "clusters": [{
    "name": "C0", "switch": "s0", "cni": "builtin",
    "workers": [{"name": "C0w1", "address": "10.0.0.3", "podSubnet": "11.13.0.0/20"},
                {"name": "C0w2", "address": "10.0.0.4", "podSubnet": "11.14.0.0/20"}],
    "containers": [{"name": "c1", "worker": "C0w1"}, {"name": "c2", "worker": "C0w1"}],
    "services": {"range": "100.64.0.0/16", "vips": [{"address": "100.64.10.1", "containers": ["c2"]}]}
  }]
})";

class Looking : public testing::Test {
 protected:
  Emulation emulation = Emulation::boot(Topology::from_json(kLab, "test"));

  Explanation ask(const char* from, const char* to) {
    Options options;
    options.dry = true;
    return explain(emulation, question_of(emulation, from, to), options);
  }
  void run(const char* node, const std::vector<std::string>& argv) {
    const auto result = emulation.node(node).exec(argv);
    ASSERT_TRUE(result.ok()) << result.err;
  }
};

TEST_F(Looking, FollowsTablesAndSendsNothing) {
  const auto& c2 = emulation.node("C0w1/c2");
  const auto before = counters_of(c2.netns());
  const auto told = ask("C0w1/c1", "C0w1/c2");
  EXPECT_EQ(verdict_line(told), "NOTHING SENT: tables lead to C0w1/c2: as far as tables tell; nothing was sent");
  EXPECT_EQ(ask("C0w1", "C0w2").place, "C0w2");
  EXPECT_EQ(ask("C0w1/c1", "100.64.10.1").place, "C0w1/c2");
  EXPECT_EQ(counters_of(c2.netns()).at("Icmp.InEchos"), before.at("Icmp.InEchos"));
  EXPECT_THAT(to_json(told), HasSubstr("\"delivered\": false"));
}

TEST_F(Looking, EndsWhereTablesEnd) {
  EXPECT_EQ(word_of(ask("C0w1/c1", "C0w1/c2:80").disposition), "NO_LISTENER");
  EXPECT_EQ(word_of(ask("C0w1", "10.0.0.77").disposition), "NO_NEIGHBOUR");
  EXPECT_EQ(word_of(ask("C0w1", "192.0.2.1").disposition), "NO_ROUTE");
  run("C0w1/c2", {"nft", "add table ip fw"});
  run("C0w1/c2", {"nft", "add chain ip fw input { type filter hook input priority 0; }"});
  run("C0w1/c2", {"nft", "add rule ip fw input icmp type echo-request drop"});
  EXPECT_THAT(ask("C0w1/c1", "C0w1/c2").notes, Contains(HasSubstr("C0w1/c2 has rules that drop")));
  run("C0w1", {"sysctl", "-qw", "net.ipv4.ip_forward=0"});
  EXPECT_EQ(word_of(ask("C0w1/c1", "C0w2").disposition), "NOT_FORWARDING");
  run("C0w1/c1", {"ip", "link", "set", "eth0", "down"});
  const auto down = ask("C0w1/c1", "C0w1/c2");
  EXPECT_EQ(word_of(down.disposition), "NO_ROUTE") << "its routes went with the link";
  EXPECT_EQ(verdict_line(down).substr(0, 41), "NOTHING SENT: tables end at C0w1/c1: NO_R");
  run("C0w1/c2", {"sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1"});
  EXPECT_EQ(word_of(ask("C0w1", "C0w1/c2").disposition), "REFUSED");
}

}  // namespace
}  // namespace knetsim::explain
