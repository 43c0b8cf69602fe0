// -ip-masq.

#include <fmt/format.h>

#include "flannel_test.h"

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
  std::string ruleset() { return exec({.argv = {"nft", "list", "ruleset"}, .netns = &worker(0).netns}).out; }
};

TEST_F(Masquerade, WritesTheTableThatAPersonWouldHaveTyped) {
  stand_up(1, kVxlan);
  start_masquerading();
  EXPECT_EQ(worker(0).env.ip_masq, true);
  EXPECT_EQ(ruleset(), fmt::format(R"(table ip flannel-ipv4 {{
	comment "rules for flannel-ipv4"
	chain postrtg {{
		comment "chain to manage traffic masquerading by flannel"
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr {0} ip daddr 11.0.0.0/8 return
		ip saddr 11.0.0.0/8 ip daddr {0} return
		ip saddr != 11.0.0.0/8 ip daddr {0} return
		ip saddr 11.0.0.0/8 ip daddr != 224.0.0.0/4 masquerade fully-random
	}}

	chain forward {{
		comment "chain to accept flannel traffic"
		type filter hook forward priority filter; policy accept;
		ip saddr 11.0.0.0/8 accept
		ip daddr 11.0.0.0/8 accept
	}}
}}
)",
                                   to_string(worker(0).subnet())));
}

TEST_F(Masquerade, WritesATableForEachFamily) {
  stand_up(1, kDualStack);
  start_masquerading(false);
  EXPECT_EQ(ruleset(), fmt::format(R"(table ip flannel-ipv4 {{
	comment "rules for flannel-ipv4"
	chain postrtg {{
		comment "chain to manage traffic masquerading by flannel"
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr {0} ip daddr 11.0.0.0/8 return
		ip saddr 11.0.0.0/8 ip daddr {0} return
		ip saddr != 11.0.0.0/8 ip daddr {0} return
		ip saddr 11.0.0.0/8 ip daddr != 224.0.0.0/4 masquerade fully-random
	}}
}}
table ip6 flannel-ipv6 {{
	comment "rules for flannel-ipv6"
	chain postrtg {{
		comment "chain to manage traffic masquerading by flannel"
		type nat hook postrouting priority srcnat; policy accept;
		ip6 saddr {1} ip6 daddr fd11::/48 return
		ip6 saddr fd11::/48 ip6 daddr {1} return
		ip6 saddr != fd11::/48 ip6 daddr {1} return
		ip6 saddr fd11::/48 ip6 daddr != ff00::/8 masquerade fully-random
	}}
}}
)",
                                   to_string(worker(0).subnet()), to_string(worker(0).subnet_v6())));
}

TEST_F(Masquerade, ReplacesTheTableOnARestartAndLeavesOthersAlone) {
  stand_up(1, kVxlan);
  start_masquerading();
  const auto before = ruleset();
  ASSERT_TRUE(exec({.argv = {"nft", "add", "table", "ip", "mine"}, .netns = &worker(0).netns}).ok());
  stop(0);
  start_masquerading();
  EXPECT_EQ(ruleset(), "table ip mine {\n}\n" + before);
}

TEST_F(Masquerade, IsLeftOutUnlessAskedFor) {
  stand_up(1, kVxlan);
  start_all();
  EXPECT_EQ(ruleset(), "");
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
