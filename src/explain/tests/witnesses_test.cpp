// The whole of it in a lab of two workers without daemons, with witnesses that are honest, and with some that aren't.
#include "witnesses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string_view>
#include <vector>

#include "investigation.h"
#include "knetsim/sys/error.h"

namespace knetsim::explain {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr const char* kTwoWorkers = R"({
  "underlay": {"network": "10.0.0.0/8", "switches": [{"name": "s0"}]},
  "clusters": [{
    "name": "C0", "switch": "s0", "cni": "builtin",
    "workers": [{"name": "C0w1", "address": "10.0.0.3", "podSubnet": "11.13.0.0/20"},
                {"name": "C0w2", "address": "10.0.0.4", "podSubnet": "11.14.0.0/20"}],
    "containers": [{"name": "c1", "worker": "C0w1"}, {"name": "c2", "worker": "C0w1"}]
  }]
})";

class TwoWorkers : public testing::Test {
 protected:
  Emulation emulation = Emulation::boot(Topology::from_json(kTwoWorkers, "test"));

  Explanation ask(const char* from, const char* to, const Tampering& tampering = {}) {
    return investigate(emulation, question_of(emulation, from, to), {}, tampering);
  }
  void nft(const char* node, const char* text) {
    const auto result = emulation.node(node).exec({"nft", text});
    ASSERT_TRUE(result.ok()) << result.err;
  }
  void drop_forwarded() {
    nft("C0w1/c2", "add table ip fw");
    nft("C0w1/c2", "add chain ip fw input { type filter hook input priority 0; }");
    nft("C0w1/c2", "add rule ip fw input icmp type echo-request drop");
  }
};

TEST_F(TwoWorkers, ArePlainToHonestWitnesses) {
  EXPECT_EQ(ask("C0w1/c1", "C0w1/c2").disposition, Disposition::delivered);
  EXPECT_EQ(ask("C0w1", "C0w2").disposition, Disposition::delivered);
  drop_forwarded();
  const auto lost = ask("C0w1/c1", "C0w1/c2");
  EXPECT_EQ(word_of(lost.disposition), word_of(Disposition::dropped_by_rule));
  EXPECT_EQ(lost.place, "C0w1/c2");
  EXPECT_THAT(lost.cause, HasSubstr("icmp type echo-request drop"));
  EXPECT_EQ(lost.probes, 3U);
  EXPECT_EQ(lost.lost, 3U);
}

TEST_F(TwoWorkers, AreWatchedWhereverAPacketGoes) {
  const auto run = [&](const char* node, const std::vector<std::string>& argv) {
    const auto result = emulation.node(node).exec(argv);
    ASSERT_TRUE(result.ok()) << result.err;
  };
  EXPECT_EQ(word_of(ask("C0w1", "10.0.0.98").disposition), "NO_NEIGHBOUR") << "nobody has it";
  run("C0w2", {"ip", "address", "add", "10.0.0.99/8", "dev", "eth0"});
  const auto found = ask("C0w1", "10.0.0.99");
  EXPECT_EQ(word_of(found.disposition), "DELIVERED");
  EXPECT_EQ(found.place, "C0w2");
  EXPECT_THAT(found.notes, Contains("one probe more was sent to find where it goes"));
  nft("C0w2", "add table ip fw");
  nft("C0w2", "add chain ip fw input { type filter hook input priority 0; }");
  nft("C0w2", "add rule ip fw input icmp type echo-request drop");
  const auto lost = ask("C0w1", "10.0.0.99");
  EXPECT_EQ(word_of(lost.disposition), "DROPPED_BY_RULE");
  EXPECT_EQ(lost.place, "C0w2");

  nft("C0w1", "add table ip nat");
  nft("C0w1", "add chain ip nat output { type nat hook output priority 0; }");
  const auto pod = emulation.node("C0w1/c2").address().to_string();
  nft("C0w1", ("add rule ip nat output ip daddr 10.0.0.99 dnat to " + pod).c_str());
  const auto translated = ask("C0w1", "10.0.0.99");
  EXPECT_EQ(word_of(translated.disposition), "DELIVERED");
  EXPECT_EQ(translated.place, "C0w1/c2");
}

/// A witness that is missing or lies, and what is said then.
struct Lie {
  const char* witness;
  const char* from;
  const char* to;
  Tampering tampering;
  const char* verdict;
};

void drop_at(Passage& passage, const char* place, nft::HookPoint hook) {
  if (passage.place == place && passage.hook == hook && !passage.steps.empty())
    passage.steps.back().verdict.kind = nft::Verdict::Kind::drop;
}

std::vector<Lie> lies() {
  const auto invented_drop = [](Passage& passage) {
    drop_at(passage, "C0w1", nft::HookPoint::postrouting);
    drop_at(passage, "C0w2", nft::HookPoint::prerouting);
  };
  const auto denied_drop = [](Passage& passage) {
    for (auto& step : passage.steps) step.verdict.kind = nft::Verdict::Kind::accept;
  };
  const auto no_way = [](AllFacts& facts) { facts["C0w1"].taken = netlink::RouteAnswer{.error = ENETUNREACH}; };
  const auto link_down = [](AllFacts& facts) {
    for (auto& link : facts["C0w1/c1"].links) link.up = false;
  };
  const auto listener = [](AllFacts& facts) {
    facts["C0w1/c2"].listeners.push_back({.protocol = Protocol::tcp, .address = parse_address("0.0.0.0"), .port = 81});
  };
  const auto no_neighbours = [](AllFacts& facts) {
    for (auto& [place, known] : facts) {
      known.neighbours.clear();
      known.fdb.clear();
    }
  };
  const auto somebodys_counters = [](AllFacts& facts) {
    for (const auto* one : {"IpExt.InCsumErrors", "Icmp.InCsumErrors", "conntrack.drop"})
      facts["C0w2"].counted[one] = 2;
  };
  const auto wrong_flow = [](AllFacts& facts) { facts["C0w1"].flow = "icmp 9.9.9.9 -> 9.9.9.8"; };
  constexpr const char* kDropped = "C0w1/c2";
  return {{"capture is deaf", "C0w1/c1", kDropped, {.deaf_sockets = true}, "DISAGREEMENT"},
          {"nftrace is deaf", "C0w1/c1", kDropped, {.deaf_trace = true}, "DISAGREEMENT"},
          {"nftrace invents a drop", "C0w1", "10.0.0.4", {.passage = invented_drop}, "DISAGREEMENT"},
          {"nftrace denies a drop", "C0w1/c1", kDropped, {.passage = denied_drop}, "UNEXPLAINED"},
          {"routes deny the way", "C0w1", "10.0.0.4", {.facts = no_way}, "DISAGREEMENT"},
          {"links are said to be down", "C0w1/c1", kDropped, {.facts = link_down}, "DISAGREEMENT"},
          {"sockets invent a listener", "C0w1/c1", "C0w1/c2:81", {.facts = listener}, "DISAGREEMENT"},
          // What isn't asked where the packet was seen farther on can't mislead.
          {"neighbours and FDB are gone", "C0w1/c1", kDropped, {.facts = no_neighbours}, "DROPPED_BY_RULE"},
          {"counters rose for somebody else", "C0w1", "C0w2", {.facts = somebodys_counters}, "REFUSED"},
          {"connection tracking tells of another", "C0w1/c1", kDropped, {.facts = wrong_flow}, "DROPPED_BY_RULE"}};
}

TEST_F(TwoWorkers, AreNoCauseForAWitnessThatIsDeafOrLies) {
  drop_forwarded();
  for (const auto& lie : lies()) {
    SCOPED_TRACE(lie.witness);
    const bool refuses = std::string_view(lie.verdict) == "REFUSED";
    if (refuses) {
      const auto set = emulation.node("C0w2").exec({"sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1"});
      ASSERT_TRUE(set.ok()) << set.err;
    }
    const auto honest = ask(lie.from, lie.to);
    EXPECT_NE(word_of(honest.disposition), "DISAGREEMENT") << to_text(honest, true);
    const auto told = ask(lie.from, lie.to, lie.tampering);
    EXPECT_EQ(word_of(told.disposition), lie.verdict) << to_text(told, true);
  }
}

TEST_F(TwoWorkers, AreAskedAboutByNameAddressPortAndProtocol) {
  const auto question = [&](const char* to) { return question_of(emulation, "w1/c1", to); };
  EXPECT_EQ(question("w2").to, parse_address("10.0.0.4"));
  EXPECT_EQ(question("w2").from, "C0w1/c1");
  EXPECT_EQ(question("w2").protocol, Protocol::icmp);
  EXPECT_EQ(question("C0w1/c2:80").protocol, Protocol::tcp);
  EXPECT_EQ(question("C0w1/c2:53/udp").port, 53);
  EXPECT_EQ(question("C0w1/c2:53/udp").protocol, Protocol::udp);
  EXPECT_EQ(question("[fd00::4]:80").to, parse_address("fd00::4"));
  EXPECT_EQ(question("fd00::4").to, parse_address("fd00::4"));
  struct Refused {
    const char* to;
    const char* words;
  };
  for (const auto& one : {Refused{"C0w1/c9", "did you mean C0w1/c"}, Refused{"C0w2:0", "isn't a port"},
                          Refused{"C0w2:70000", "isn't a port"}, Refused{"C0w2/tcp", "to which port?"},
                          Refused{"C0w2:80/icmp", "icmp has no ports"}, Refused{"", "there is no node"},
                          Refused{"10.0.0.4/99", "there is no node"}, Refused{"[fd00::4", "there is no node"}}) {
    SCOPED_TRACE(one.to);
    try {
      question(one.to);
      ADD_FAILURE();
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(one.words));
    }
  }
  EXPECT_THROW(question_of(emulation, "C0w7", "C0w1"), InputError);
}

}  // namespace
}  // namespace knetsim::explain
