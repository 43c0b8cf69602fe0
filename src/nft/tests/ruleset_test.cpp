// What is read back is what was written, also by others.
#include "knetsim/nft/ruleset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "demo_table.h"
#include "knetsim/fixtures/packet_lab.h"
#include "knetsim/nft/batch.h"

namespace knetsim::nft {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

template <typename Action>
int errno_of(const Action& action) {
  try {
    action();
    return 0;
  } catch (const Error& error) {
    return error.error();
  }
}

struct Ruleset : testing::Test {
  NetNs netns = NetNs::create();
};

TEST_F(Ruleset, TablesOfEveryFamilyAreListed) {
  EXPECT_THAT(list_tables(netns), ElementsAre());
  lab::nft(netns, {"-f", "-"}, "table ip a { }\ntable ip6 a { }\ntable inet b { }\n");
  EXPECT_THAT(list_tables(netns),
              UnorderedElementsAre(TableId{Family::ip, "a"}, TableId{Family::ip6, "a"}, TableId{Family::inet, "b"}));
  EXPECT_TRUE(exists(netns, {Family::ip6, "a"}));
  EXPECT_FALSE(exists(netns, {Family::ip6, "b"}));
}

TEST_F(Ruleset, ChainsComeWithHookAndComment) {
  lab::nft(netns, {"-f", "-"}, R"(table ip demo {
    chain pre { comment "hello"; type nat hook prerouting priority -90; policy accept; }
    chain in { type filter hook input priority 5; policy drop; }
    chain plain { }
  }
  table ip other {
    chain elsewhere { }
  })");
  const std::vector<Chain> chains = list_chains(netns, kTable);
  ASSERT_EQ(chains.size(), 3U);
  EXPECT_EQ(chains[0].id.name, "pre");
  EXPECT_EQ(chains[0].comment, "hello");
  ASSERT_TRUE(chains[0].hook);
  EXPECT_EQ(chains[0].hook->type, ChainType::nat);
  EXPECT_EQ(chains[0].hook->point, HookPoint::prerouting);
  EXPECT_EQ(chains[0].hook->priority, -90);
  ASSERT_TRUE(chains[1].hook);
  EXPECT_EQ(chains[1].hook->type, ChainType::filter);
  EXPECT_EQ(chains[1].hook->policy, Policy::drop);
  EXPECT_EQ(chains[2].id.name, "plain");
  EXPECT_FALSE(chains[2].hook);
}

TEST_F(Ruleset, RulesComeWithHandleCommentAndCounter) {
  lab::nft(netns, {"-f", "-"}, R"(table ip demo {
    chain a { counter packets 7 bytes 700 accept comment "first"
              accept
    }
    chain b {
      ip daddr 10.0.0.1 counter packets 1 bytes 2 drop
    }
  })");
  const std::vector<RuleInfo> rules = list_rules(netns, kTable);
  ASSERT_EQ(rules.size(), 3U);
  EXPECT_EQ(rules[0].comment, "first");
  EXPECT_EQ(rules[0].counter, (Counter{7, 700}));
  EXPECT_GT(rules[0].id.handle, 0U);
  EXPECT_EQ(rules[1].comment, "");
  EXPECT_FALSE(rules[1].counter);
  const std::vector<RuleInfo> of_b = list_rules(netns, ChainId{kTable, "b"});
  ASSERT_EQ(of_b.size(), 1U);
  EXPECT_EQ(of_b[0].id.handle, rules[2].id.handle);
  EXPECT_EQ(of_b[0].counter, (Counter{1, 2}));
}

TEST_F(Ruleset, ElementsThatNftWroteAreReadWithValueVerdictCommentAndTimeout) {
  lab::nft(netns, {"-f", "-"}, R"(table ip6 demo {
    chain c { }
    map m { type ipv6_addr . inet_proto . inet_service : verdict
            elements = { fd00::1 . tcp . 80 comment "web" : goto c, fd00::1 . udp . 53 : drop } }
    map e { type ifname : ipv6_addr; elements = { "cni0" : fd00::2 } }
    set t { type mark; timeout 1h; elements = { 0x10, 0x20 timeout 5m } }
  })");
  const TableId table{Family::ip6, "demo"};
  const Data web = Data::concat({parse_address("fd00::1"), L4Proto::tcp, Data::port(80)});
  const Data dns = Data::concat({parse_address("fd00::1"), L4Proto::udp, Data::port(53)});
  EXPECT_THAT(list_elements(netns, {table, "m"}),
              UnorderedElementsAre(Element{.key = web, .verdict = Verdict{Verdict::Kind::goto_, "c"}, .comment = "web"},
                                   Element{.key = dns, .verdict = Verdict{Verdict::Kind::drop}}));
  EXPECT_THAT(list_elements(netns, {table, "e"}),
              ElementsAre(Element{.key = Data::ifname("cni0"), .value = parse_address("fd00::2")}));
  for (const Element& element : list_elements(netns, {table, "t"})) {
    ASSERT_TRUE(element.expires);
    const auto whole = element.key == Data::mark(0x20) ? std::chrono::minutes(5) : std::chrono::minutes(60);
    EXPECT_LE(*element.expires, whole);
    EXPECT_GT(*element.expires, whole - std::chrono::minutes(1));
  }
}

TEST_F(Ruleset, ListingWhatIsntThereSaysSo) {
  EXPECT_EQ(errno_of([&] { list_chains(netns, kTable); }), ENOENT);
  EXPECT_EQ(errno_of([&] { list_rules(netns, kTable); }), ENOENT);
  EXPECT_EQ(errno_of([&] { list_elements(netns, {kTable, "s"}); }), ENOENT);
  Batch batch;
  batch.add(Table{.id = kTable});
  batch.commit(netns);
  EXPECT_EQ(errno_of([&] { list_rules(netns, ChainId{kTable, "c"}); }), ENOENT);
  EXPECT_EQ(errno_of([&] { list_elements(netns, {kTable, "s"}); }), ENOENT);
  try {
    list_elements(netns, {kTable, "s"});
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("set ip demo s"));
  }
}

TEST(DataText, ReadsAsNftWritesIt) {
  EXPECT_EQ(Data::concat({parse_address("10.96.0.1"), L4Proto::tcp, Data::port(80)}).to_string(),
            "10.96.0.1 . tcp . 80");
  EXPECT_EQ(Data::concat({parse_address("fd00::1"), Data::mark(0x4000), Data::integer(7)}).to_string(),
            "fd00::1 . 0x00004000 . 7");
  EXPECT_EQ(Data::ifname("cni0").to_string(), "\"cni0\"");
  EXPECT_EQ(to_string(Verdict{Verdict::Kind::jump, "c"}), "jump c");
}

TEST(DataText, BytesOfTheWrongLengthAreRefused) {
  const std::vector<std::uint8_t> bytes(5);
  EXPECT_THROW(Data::parse({Type::ipv4_addr}, bytes), InputError);
  EXPECT_THROW(Data::parse({}, bytes), InputError);
  EXPECT_EQ(Data::parse({Type::inet_proto, Type::inet_service}, std::vector<std::uint8_t>{6, 0, 0, 0, 0, 80, 0, 0}),
            Data::concat({L4Proto::tcp, Data::port(80)}));
}

}  // namespace
}  // namespace knetsim::nft
