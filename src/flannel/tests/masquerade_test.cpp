// -ip-masq.

#include <fmt/format.h>

#include <sstream>

#include "flannel_test.h"
#include "knetsim/sys/eventually.h"

namespace knetsim::flannel::test {
namespace {

class Masquerade : public FlannelTest {
 protected:
  void start_masquerading(bool forward_rules = true) {
    auto masquerading = options(0);
    masquerading.ip_masq = true;
    masquerading.forward_rules = forward_rules;
    start(0, masquerading);
    await_ready(0);
  }
  /// With tables of flannel's own.
  void stand_up_nft(std::size_t workers, std::string json) {
    json.insert(1, R"("EnableNFTables": true, )");
    stand_up(workers, json);
  }
  /// iptables-save, without what changes by itself: comments and counters.
  std::string saved(const std::string& program = "iptables-save") {
    std::string text;
    for (const auto& line : split(exec({.argv = {program}, .netns = &worker(0).netns}).out))
      if (!line.empty() && line.front() != '#') text += line.substr(0, line.find(" [")) + "\n";
    return text;
  }
  static std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }
  void await_ruleset(const std::string& wanted) {
    eventually([&] { return ruleset() == wanted ? std::nullopt : std::optional<std::string>(ruleset()); });
  }
  std::string ruleset() { return exec({.argv = {"nft", "list", "ruleset"}, .netns = &worker(0).netns}).out; }
};

TEST_F(Masquerade, WritesTheTablesOfFlannelds0274) {
  stand_up_nft(1, kVxlan);
  start_masquerading();
  EXPECT_EQ(worker(0).env.ip_masq, true);
  EXPECT_EQ(ruleset(), fmt::format(R"(table ip flannel-ipv4 {{
	comment "rules for flannel-ipv4"
	chain postrtg {{
		comment "chain to manage traffic masquerading by flannel"
		type nat hook postrouting priority srcnat; policy accept;
		meta mark 0x00004000 return
		ip saddr {0} ip daddr 11.0.0.0/8 return
		ip saddr 11.0.0.0/8 ip daddr {0} return
		ip saddr != {0} ip daddr 11.0.0.0/8 return
		ip saddr 11.0.0.0/8 ip daddr != 224.0.0.0/4 masquerade fully-random
		ip saddr != 11.0.0.0/8 ip daddr 11.0.0.0/8 masquerade fully-random
	}}

	chain forward {{
		comment "chain to accept flannel traffic"
		type filter hook forward priority filter; policy accept;
		ip saddr 11.0.0.0/8 accept
		ip daddr 11.0.0.0/8 accept
	}}
}}
table ip6 flannel-ipv6 {{
	comment "rules for flannel-ipv6"
}}
)",
                                   to_string(worker(0).subnet())));
}

TEST_F(Masquerade, WritesATableForEachFamily) {
  stand_up_nft(1, kDualStack);
  start_masquerading(false);
  EXPECT_EQ(ruleset(), fmt::format(R"(table ip flannel-ipv4 {{
	comment "rules for flannel-ipv4"
	chain postrtg {{
		comment "chain to manage traffic masquerading by flannel"
		type nat hook postrouting priority srcnat; policy accept;
		meta mark 0x00004000 return
		ip saddr {0} ip daddr 11.0.0.0/8 return
		ip saddr 11.0.0.0/8 ip daddr {0} return
		ip saddr != {0} ip daddr 11.0.0.0/8 return
		ip saddr 11.0.0.0/8 ip daddr != 224.0.0.0/4 masquerade fully-random
		ip saddr != 11.0.0.0/8 ip daddr 11.0.0.0/8 masquerade fully-random
	}}
}}
table ip6 flannel-ipv6 {{
	comment "rules for flannel-ipv6"
	chain postrtg {{
		comment "chain to manage traffic masquerading by flannel"
		type nat hook postrouting priority srcnat; policy accept;
		meta mark 0x00004000 return
		ip6 saddr {1} ip6 daddr fd11::/48 return
		ip6 saddr fd11::/48 ip6 daddr {1} return
		ip6 saddr != {1} ip6 daddr fd11::/48 return
		ip6 saddr fd11::/48 ip6 daddr != ff00::/8 masquerade fully-random
		ip6 saddr != fd11::/48 ip6 daddr fd11::/48 masquerade fully-random
	}}
}}
)",
                                   to_string(worker(0).subnet()), to_string(worker(0).subnet_v6())));
}

TEST_F(Masquerade, ReplacesTheTableOnARestartAndLeavesOthersAlone) {
  stand_up_nft(1, kVxlan);
  start_masquerading();
  const auto before = ruleset();
  ASSERT_TRUE(exec({.argv = {"nft", "add", "table", "ip", "mine"}, .netns = &worker(0).netns}).ok());
  stop(0);
  start_masquerading();
  EXPECT_EQ(ruleset(), "table ip mine {\n}\n" + before);
}

constexpr const char* kForward = R"(*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
:FLANNEL-FWD -
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FLANNEL-FWD -s 11.0.0.0/8 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 11.0.0.0/8 -m comment --comment "flanneld forward" -j ACCEPT
COMMIT
)";

TEST_F(Masquerade, ForwardsWithoutMasqueradingUnlessAskedFor) {
  stand_up(1, kVxlan);
  start_all();
  EXPECT_EQ(saved(), kForward);
  stop(0);
  auto nothing = options(0);
  nothing.forward_rules = false;
  worker(0).netns.run([] { exec({.argv = {"nft", "flush", "ruleset"}}); });
  start(0, nothing);
  await_ready(0);
  EXPECT_EQ(ruleset(), "");
}

TEST_F(Masquerade, WritesTheIptablesRulesOfFlannelds0274AndOnlyOnce) {
  stand_up(1, kVxlan);
  start_masquerading();
  const auto wanted = kForward + fmt::format(R"(*nat
:PREROUTING ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
:FLANNEL-POSTRTG -
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s {0} -d 11.0.0.0/8 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 11.0.0.0/8 -d {0} -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s 11.0.0.0/8 -d {0} -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 11.0.0.0/8 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s 11.0.0.0/8 -d 11.0.0.0/8 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
COMMIT
)",
                                             to_string(worker(0).subnet()));
  EXPECT_EQ(saved(), wanted);
  stop(0);
  start_masquerading();
  EXPECT_EQ(saved(), wanted);
}

TEST_F(Masquerade, ChangesFromOneKindOfRulesToTheOther) {
  stand_up(1, kVxlan);
  start_masquerading();
  stop(0);
  std::string json = kVxlan;
  json.insert(1, R"("EnableNFTables": true, )");
  configure(json);
  start_masquerading();
  EXPECT_THAT(saved(), Not(testing::HasSubstr("FLANNEL")));
  EXPECT_THAT(ruleset(), testing::HasSubstr("table ip flannel-ipv4"));
  stop(0);
  configure(kVxlan);
  start_masquerading();
  EXPECT_THAT(saved(), testing::HasSubstr("FLANNEL-POSTRTG"));
  EXPECT_THAT(ruleset(), Not(testing::HasSubstr("flannel-ipv4")));
}

TEST_F(Masquerade, RulesThatOthersTakeAwayArePutBack) {
  stand_up_nft(1, kVxlan);
  start_masquerading();
  const auto wanted = ruleset();
  const auto run = [&](std::vector<std::string> argv) {
    EXPECT_TRUE(exec({.argv = std::move(argv), .netns = &worker(0).netns}).ok());
  };
  for (const std::vector<std::string>& away :
       {std::vector<std::string>{"nft", "flush", "chain", "ip", "flannel-ipv4", "postrtg"},
        std::vector<std::string>{"nft", "delete", "table", "ip", "flannel-ipv4"},
        std::vector<std::string>{"nft", "flush", "ruleset"}}) {
    run(away);
    await_ruleset(wanted);
  }
}

TEST_F(Masquerade, IptablesRulesThatOthersTakeAwayArePutBack) {
  stand_up(1, kVxlan);
  start_masquerading();
  const auto wanted = saved();
  const auto run = [&](std::vector<std::string> argv) {
    EXPECT_TRUE(exec({.argv = std::move(argv), .netns = &worker(0).netns}).ok());
  };
  for (const std::vector<std::string>& away : {std::vector<std::string>{"iptables", "-F", "FORWARD"},
                                               std::vector<std::string>{"iptables", "-F", "FLANNEL-FWD"},
                                               std::vector<std::string>{"iptables", "-t", "nat", "-F"}}) {
    run(away);
    eventually([&] { return saved() == wanted ? std::nullopt : std::optional<std::string>(saved()); });
  }
}

TEST_F(Masquerade, KeepsThePodsAddressInsideTheNetworkAndHidesItOutside) {
  stand_up(2, kVxlan);
  start_masquerading();
  start(1);
  await_ready(1);
  await_full_mesh();
  add_pods();
  const auto pod = address_of(*worker(0).env.subnet).to_string();
  const auto nft = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "nft");
    return exec({.argv = arguments, .netns = &worker(1).netns});
  };
  ASSERT_TRUE(
      nft({"add table ip t; add chain ip t c { type filter hook input priority 0; }; add rule ip t c ip saddr " + pod +
           " counter"})
          .ok());
  EXPECT_TRUE(ping(0, 1).ok());
  EXPECT_THAT(nft({"list", "table", "ip", "t"}).out, testing::HasSubstr("counter packets 1 "));
  // The etcd node knows no way back to pods: it can only answer the node itself.
  const auto outside = exec({.argv = {"ping", "-n", "-c1", "-W5", "-I", pod, "10.0.0.1"}, .netns = &worker(0).netns});
  EXPECT_TRUE(outside.ok()) << outside.out;
}

}  // namespace
}  // namespace knetsim::flannel::test
