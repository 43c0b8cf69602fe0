// What `nft list ruleset` shows of our rulesets is, letter by letter, what a person would have typed.
#include <gtest/gtest.h>

#include "knetsim/fixtures/packet_lab.h"
#include "knetsim/nft/batch.h"

namespace knetsim::nft {
namespace {

using lab::listing;
using lab::listing_of;

const TableId kIp{Family::ip, "demo"};
const TableId kIp6{Family::ip6, "demo"};
const TableId kInet{Family::inet, "demo"};

/// Lists the batch's outcome, which must be `typed`; and what `nft -f` makes of `typed` must be the same.
void expect_listing(Batch& batch, const std::string& typed) {
  const NetNs netns = NetNs::create();
  batch.commit(netns);
  EXPECT_EQ(listing(netns), typed);
  EXPECT_EQ(listing_of(typed), typed);
}

/// One rule in a regular chain: the line that is listed for it.
std::string listed_rule(const TableId& table, std::vector<Statement> statements, const std::string& comment = {}) {
  const NetNs netns = NetNs::create();
  Batch batch;
  batch.add(Table{.id = table}).add(Chain{.id = {table, "other"}}).add(Chain{.id = {table, "c"}});
  batch.add(Rule{.chain = {table, "c"}, .statements = std::move(statements), .comment = comment});
  batch.commit(netns);
  std::string text = listing(netns);
  EXPECT_EQ(listing_of(text), text);
  const std::string before = "\tchain c {\n\t\t";
  const auto start = text.find(before);
  if (start == std::string::npos) return text;
  const auto end = text.find('\n', start + before.size());
  return text.substr(start + before.size(), end - start - before.size());
}

TEST(Listing, ATableWithAVipReadsAsTyped) {
  Batch batch;
  batch.add(Table{.id = kIp, .comment = "a demo"});
  const ChainId chain{kIp, "prerouting"};
  batch.add(Chain{.id = chain,
                  .hook = Hook{.type = ChainType::nat, .point = HookPoint::prerouting, .priority = priority::kDstNat}});
  batch.add(Rule{.chain = chain,
                 .statements = {ip::daddr() == parse_address("100.64.10.1"), counter(),
                                dnat(lookup(numgen::inc(2), {{Data::integer(0), parse_address("11.0.0.1")},
                                                             {Data::integer(1), parse_address("11.0.0.2")}}))},
                 .comment = "the VIP"});
  expect_listing(batch, R"(table ip demo {
	comment "a demo"
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 100.64.10.1 counter packets 0 bytes 0 dnat to numgen inc mod 2 map { 0 : 11.0.0.1, 1 : 11.0.0.2 } comment "the VIP"
	}
}
)");
}

TEST(Listing, SetsAndMapsOfNamedTypesReadAsTyped) {
  Batch batch;
  batch.add(Table{.id = kIp}).add(Chain{.id = {kIp, "lb-3"}});
  const Set services{.id = {kIp, "service-ips"},
                     .key = {Type::ipv4_addr, Type::inet_proto, Type::inet_service},
                     .verdicts = true,
                     .comment = "where to"};
  batch.add(services).add(services.id,
                          {{.key = Data::concat({parse_address("10.96.0.1"), L4Proto::tcp, Data::port(80)}),
                            .verdict = Verdict{Verdict::Kind::goto_, "lb-3"},
                            .comment = "default/web"}});
  const Set hairpin{.id = {kIp, "hairpin"}, .key = {Type::ipv4_addr, Type::ipv4_addr}};
  batch.add(hairpin).add(hairpin.id, {{.key = Data::concat({parse_address("10.0.0.2"), parse_address("10.0.0.2")})}});
  const Set marks{.id = {kIp, "marks"}, .key = {Type::ifname}, .value = TypeSpec{Type::mark}};
  batch.add(marks).add(marks.id, {{.key = Data::ifname("cni0"), .value = Data::mark(0x4000)}});
  const Set seen{.id = {kIp, "seen"}, .key = {Type::ipv4_addr}, .dynamic = true, .timeout = std::chrono::hours(3)};
  batch.add(seen);
  expect_listing(batch, R"(table ip demo {
	map service-ips {
		type ipv4_addr . inet_proto . inet_service : verdict
		comment "where to"
		elements = { 10.96.0.1 . tcp . 80 comment "default/web" : goto lb-3 }
	}

	set hairpin {
		type ipv4_addr . ipv4_addr
		elements = { 10.0.0.2 . 10.0.0.2 }
	}

	map marks {
		type ifname : mark
		elements = { "cni0" : 0x00004000 }
	}

	set seen {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		timeout 3h
	}

	chain lb-3 {
	}
}
)");
}

TEST(Listing, MapsKeyedByExpressionsReadAsTypeof) {
  Batch batch;
  const Value turn = numgen::random(3);
  const Set endpoints{.id = {kIp, "endpoints-3"},
                      .key = TypeSpec::of({ip::daddr(), meta::l4proto(), th::dport(), turn}),
                      .value = TypeSpec::of({ip::daddr(), th::dport()})};
  batch.add(Table{.id = kIp}).add(endpoints);
  batch.add(endpoints.id,
            {{.key = Data::concat({parse_address("10.96.0.1"), L4Proto::tcp, Data::port(80), Data::integer(0)}),
              .value = Data::concat({parse_address("10.0.0.2"), Data::port(8080)}),
              .comment = "default/web"}});
  batch.add(Chain{.id = {kIp, "lb-3"}});
  batch.add(Rule{.chain = {kIp, "lb-3"},
                 .statements = {in(meta::l4proto(), {L4Proto::tcp, L4Proto::udp}),
                                dnat(lookup(concat({ip::daddr(), meta::l4proto(), th::dport(), turn}), endpoints))}});
  expect_listing(batch, R"(table ip demo {
	map endpoints-3 {
		typeof ip daddr . meta l4proto . th dport . numgen random mod 3 : ip daddr . th dport
		elements = { 10.96.0.1 . tcp . 80 . 0 comment "default/web" : 10.0.0.2 . 8080 }
	}

	chain lb-3 {
		meta l4proto { tcp, udp } dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 3 map @endpoints-3
	}
}
)");
}

TEST(Listing, BaseChainsOfEveryHookReadAsTyped) {
  Batch batch;
  batch.add(Table{.id = kIp6});
  const auto add = [&](const char* name, ChainType type, HookPoint point, int level, Policy policy) {
    batch.add(
        Chain{.id = {kIp6, name}, .hook = Hook{.type = type, .point = point, .priority = level, .policy = policy}});
  };
  add("in", ChainType::filter, HookPoint::input, priority::kFilter, Policy::drop);
  add("through", ChainType::filter, HookPoint::forward, priority::kFilter - 110, Policy::accept);
  add("out", ChainType::nat, HookPoint::output, priority::kDstNat, Policy::accept);
  add("mangle", ChainType::route, HookPoint::output, -150, Policy::accept);
  add("post", ChainType::nat, HookPoint::postrouting, priority::kSrcNat, Policy::accept);
  expect_listing(batch, R"(table ip6 demo {
	chain in {
		type filter hook input priority filter; policy drop;
	}

	chain through {
		type filter hook forward priority -110; policy accept;
	}

	chain out {
		type nat hook output priority -100; policy accept;
	}

	chain mangle {
		type route hook output priority mangle; policy accept;
	}

	chain post {
		type nat hook postrouting priority srcnat; policy accept;
	}
}
)");
}

TEST(Listing, MatchesReadAsTyped) {
  EXPECT_EQ(listed_rule(kIp, {ip::saddr() != parse_address("10.0.0.1"), accept()}), "ip saddr != 10.0.0.1 accept");
  EXPECT_EQ(listed_rule(kIp, {ip::daddr() == parse_network("10.0.0.0/8"), drop()}), "ip daddr 10.0.0.0/8 drop");
  EXPECT_EQ(listed_rule(kIp, {ip::daddr() == parse_network("10.0.0.1/20"), drop()}), "ip daddr 10.0.0.0/20 drop");
  EXPECT_EQ(listed_rule(kIp, {ip::daddr() != parse_network("10.0.0.1/32"), drop()}), "ip daddr != 10.0.0.1 drop");
  EXPECT_EQ(listed_rule(kIp6, {ip6::saddr() == parse_network("fd00:1::/35"), return_()}),
            "ip6 saddr fd00:1::/35 return");
  EXPECT_EQ(listed_rule(kIp6, {ip6::daddr() == parse_address("fd00::1"), return_()}), "ip6 daddr fd00::1 return");
  EXPECT_EQ(listed_rule(kIp, {tcp::dport() == Data::port(80), accept()}), "tcp dport 80 accept");
  EXPECT_EQ(listed_rule(kIp, {udp::dport() != Data::port(53), accept()}), "udp dport != 53 accept");
  EXPECT_EQ(listed_rule(kIp, {meta::l4proto() == L4Proto::udp, th::dport() == Data::port(53), accept()}),
            "udp dport 53 accept");
  EXPECT_EQ(
      listed_rule(kIp, {meta::iifname() == Data::ifname("cni0"), meta::oifname() != Data::ifname("eth0"), drop()}),
      R"(iifname "cni0" oifname != "eth0" drop)");
  EXPECT_EQ(listed_rule(kIp, {(meta::mark() & 0x4000) == Data::mark(0x4000), drop()}),
            "meta mark & 0x00004000 == 0x00004000 drop");
  EXPECT_EQ(listed_rule(kIp, {any_of({CtState::new_, CtState::established}), accept()}),
            "ct state established,new accept");
  EXPECT_EQ(listed_rule(kIp, {any_of({CtStatus::dnat}), accept()}), "ct status dnat accept");
  EXPECT_EQ(listed_rule(kIp, {ct::original_daddr(Family::ip) == parse_address("10.96.0.1"), drop()}),
            "ct original ip daddr 10.96.0.1 drop");
  EXPECT_EQ(listed_rule(kIp, {fib::daddr_type() == AddressType::local, drop()}), "fib daddr type local drop");
  EXPECT_EQ(listed_rule(kIp, {in(tcp::dport(), {Data::port(80), Data::port(443)}), drop()}),
            "tcp dport { 80, 443 } drop");
  EXPECT_EQ(listed_rule(kIp, {in(concat({ip::saddr(), ip::daddr()}),
                                 {Data::concat({parse_address("10.0.0.1"), parse_address("10.0.0.2")})}),
                              drop()}),
            "ip saddr . ip daddr { 10.0.0.1 . 10.0.0.2 } drop");
}

TEST(Listing, FamilyInetGetsTheTestsOfFamilyThatNftHides) {
  EXPECT_EQ(listed_rule(kInet, {ip::daddr() == parse_address("10.0.0.1"), drop()}), "ip daddr 10.0.0.1 drop");
  EXPECT_EQ(listed_rule(kInet, {ip6::daddr() == parse_address("fd00::1"), tcp::dport() == Data::port(80), drop()}),
            "ip6 daddr fd00::1 tcp dport 80 drop");
  EXPECT_EQ(listed_rule(kInet, {reject()}), "reject");
}

TEST(Listing, ActionsReadAsTyped) {
  EXPECT_EQ(listed_rule(kIp, {jump("other")}), "jump other");
  EXPECT_EQ(listed_rule(kIp, {goto_("other")}, "a comment"), R"(goto other comment "a comment")");
  EXPECT_EQ(listed_rule(kIp, {vmap(meta::l4proto(), {{L4Proto::tcp, {Verdict::Kind::goto_, "other"}},
                                                     {L4Proto::udp, {Verdict::Kind::drop}}})}),
            "meta l4proto vmap { tcp : goto other, udp : drop }");
  EXPECT_EQ(listed_rule(kIp, {reject()}), "reject");
  EXPECT_EQ(listed_rule(kIp6, {reject()}), "reject");
  EXPECT_EQ(listed_rule(kIp, {set_mark(meta::mark() | 0x4000)}), "meta mark set meta mark | 0x00004000");
  EXPECT_EQ(listed_rule(kIp, {set_mark(0x10)}), "meta mark set 0x00000010");
  EXPECT_EQ(listed_rule(kIp, {set_flow_mark(0x10)}), "ct mark set 0x00000010");
  EXPECT_EQ(listed_rule(kIp, {set_flow_mark(meta::mark())}), "ct mark set meta mark");
  EXPECT_EQ(listed_rule(kIp, {(ct::mark() & 0xf0) == Data::mark(0x10), drop()}),
            "ct mark & 0x000000f0 == 0x00000010 drop");
  EXPECT_EQ(listed_rule(kIp, {set_mark(numgen::inc(3, 8))}), "meta mark set numgen inc mod 3 offset 8");
  EXPECT_EQ(listed_rule(kIp, {masquerade({.fully_random = true})}), "masquerade fully-random");
  EXPECT_EQ(listed_rule(kIp, {snat(parse_address("10.0.0.1"))}), "snat to 10.0.0.1");
  EXPECT_EQ(listed_rule(kIp, {tcp::dport() == Data::port(80), dnat({parse_address("10.0.0.1"), 8080})}),
            "tcp dport 80 dnat to 10.0.0.1:8080");
  EXPECT_EQ(listed_rule(kInet, {tcp::dport() == Data::port(80),
                                dnat({parse_address("fd00::1"), 8080}, {.fully_random = true})}),
            "tcp dport 80 dnat ip6 to [fd00::1]:8080 fully-random");
  EXPECT_EQ(listed_rule(kIp6, {dnat(lookup(numgen::random(1, 5), {{Data::integer(5), parse_address("fd00::1")}}))}),
            "dnat to numgen random mod 1 offset 5 map { 5 : fd00::1 }");
}

TEST(Listing, AnAffinityMapReadsAsTyped) {
  Batch batch;
  const Set affinity{.id = {kIp, "affinity-2"},
                     .key = TypeSpec::of({ip::saddr(), ip::daddr(), th::dport()}),
                     .value = TypeSpec::of({numgen::random(2)}),
                     .dynamic = true,
                     .timeout = std::chrono::minutes(5)};
  const Value client = concat({ip::saddr(), ip::daddr(), th::dport()});
  batch.add(Table{.id = kIp}).add(affinity).add(Chain{.id = {kIp, "c"}});
  batch.add(Rule{.chain = {kIp, "c"},
                 .statements = {meta::l4proto() == L4Proto::tcp, update(affinity, client, numgen::random(2)),
                                update(affinity, client, numgen::random(2), std::chrono::hours(3))}});
  expect_listing(batch, R"(table ip demo {
	map affinity-2 {
		typeof ip saddr . ip daddr . th dport : numgen random mod 2
		size 65535
		flags dynamic,timeout
		timeout 5m
	}

	chain c {
		update @affinity-2 { ip saddr . ip daddr . tcp dport : numgen random mod 2 } update @affinity-2 { ip saddr . ip daddr . tcp dport timeout 3h : numgen random mod 2 }
	}
}
)");
}

TEST(Listing, TypeofOfMarksAndConntrackReadsAsTyped) {
  Batch batch;
  batch.add(Table{.id = kIp6})
      .add(Set{.id = {kIp6, "s"}, .key = TypeSpec::of({meta::mark()})})
      .add(Set{.id = {kIp6, "t"}, .key = TypeSpec::of({ct::original_daddr(Family::ip6), meta::iifname()})})
      .add(Set{.id = {kIp6, "u"}, .key = TypeSpec::of({ip6::saddr(), udp::dport(), tcp::dport()})})
      .add(Set{.id = {kIp6, "v"}, .key = TypeSpec::of({ip6::daddr()})});
  expect_listing(batch, R"(table ip6 demo {
	set s {
		typeof meta mark
	}

	set t {
		typeof ct original ip6 daddr . iifname
	}

	set u {
		typeof ip6 saddr . udp dport . tcp dport
	}

	set v {
		typeof ip6 daddr
	}
}
)");
}

}  // namespace
}  // namespace knetsim::nft
