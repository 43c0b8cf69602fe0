// A batch is carried out whole or not at all, and its errors name what the kernel refused.
#include "knetsim/nft/batch.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "demo_table.h"
#include "knetsim/fixtures/packet_lab.h"
#include "knetsim/nft/ruleset.h"

namespace knetsim::nft {
namespace {

using lab::listing;
using testing::HasSubstr;
using testing::Not;

const ChainId kChain{kTable, "c"};
const Set kSet{.id = {kTable, "s"}, .key = {Type::ipv4_addr}};

Element address(const char* text) { return Element{.key = parse_address(text)}; }

Address numbered(std::uint32_t index) { return advance(parse_address("10.0.0.0"), index); }

/// What commit() throws; fails the test if it doesn't.
Error refusal(Batch& batch, const NetNs& netns) {
  try {
    batch.commit(netns);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "the kernel accepted the batch";
  return Error(0, "", {});
}

struct BatchTest : testing::Test {
  NetNs netns = NetNs::create();

  void set_up_table() {
    Batch batch;
    batch.add(Table{.id = kTable}).add(Chain{.id = kChain}).add(kSet).add(kSet.id, {address("10.0.0.1")});
    batch.commit(netns);
  }
};

TEST_F(BatchTest, OneBadObjectUndoesTheWholeBatch) {
  set_up_table();
  const std::string before = listing(netns);
  Batch batch;
  batch.add(Table{.id = {Family::ip6, "new"}})
      .add(kSet.id, {address("10.0.0.2")})
      .add(Rule{.chain = kChain, .statements = {counter(), accept()}})
      .remove(kSet.id, {address("10.0.0.1")})
      .add(Rule{.chain = {kTable, "nowhere"}, .statements = {accept()}})
      .add(Table{.id = {Family::ip6, "newer"}});
  const Error error = refusal(batch, netns);
  EXPECT_EQ(error.error(), ENOENT);
  EXPECT_EQ(listing(netns), before);
}

TEST_F(BatchTest, AnErrorNamesTheObjectTheErrnoAndTheRemedy) {
  set_up_table();
  Batch batch;
  batch.add(Rule{.chain = {kTable, "nowhere"}, .statements = {accept()}, .comment = "lost"});
  const Error error = refusal(batch, netns);
  EXPECT_EQ(error.object(), "a rule in chain ip demo nowhere (\"lost\")");
  EXPECT_THAT(error.what(), HasSubstr("can't add a rule in chain ip demo nowhere (\"lost\")"));
  EXPECT_THAT(error.what(), HasSubstr("No such file or directory (ENOENT)"));
  EXPECT_THAT(error.what(), HasSubstr("remedy: "));
}

TEST_F(BatchTest, AnErrorNamesTheVeryElementThatWasRefused) {
  set_up_table();
  std::vector<Element> elements;
  for (std::uint32_t i = 0; i < 250; ++i) elements.push_back(Element{.key = numbered(i)});
  Batch fill;
  fill.add(kSet.id, elements);
  fill.commit(netns);
  elements[177] = address("192.168.7.7");
  Batch batch;
  batch.remove(kSet.id, elements);
  const Error error = refusal(batch, netns);
  EXPECT_EQ(error.error(), ENOENT);
  EXPECT_EQ(error.object(), "elements of set ip demo s (192.168.7.7)");
  EXPECT_EQ(list_elements(netns, kSet.id).size(), 250U);
}

TEST_F(BatchTest, AMapRefusesASecondValueForAKey) {
  Batch batch;
  const Set map{.id = {kTable, "m"}, .key = {Type::ipv4_addr}, .value = TypeSpec{Type::mark}};
  batch.add(Table{.id = kTable}).add(map);
  batch.add(map.id, {{.key = parse_address("10.0.0.1"), .value = Data::mark(1)}});
  batch.add(map.id, {{.key = parse_address("10.0.0.1"), .value = Data::mark(2)}});
  EXPECT_EQ(refusal(batch, netns).error(), EEXIST);
  EXPECT_FALSE(exists(netns, kTable));
}

TEST_F(BatchTest, AChainThatIsStillReferredToIsBusy) {
  set_up_table();
  Batch batch;
  batch.add(Chain{.id = {kTable, "caller"}}).add(Rule{.chain = {kTable, "caller"}, .statements = {goto_("c")}});
  batch.commit(netns);
  batch.remove(kChain);
  const Error error = refusal(batch, netns);
  EXPECT_EQ(error.error(), EBUSY);
  EXPECT_EQ(error.object(), "chain ip demo c");
}

TEST_F(BatchTest, SeveralRefusalsAreCounted) {
  Batch batch;
  batch.remove(TableId{Family::ip, "a"}).remove(TableId{Family::ip, "b"}).remove(TableId{Family::ip, "c"});
  const Error error = refusal(batch, netns);
  EXPECT_EQ(error.object(), "table ip a");
  EXPECT_THAT(error.what(), HasSubstr("2 more refusals"));
}

TEST_F(BatchTest, IsEmptyAfterACommitWhateverItsOutcome) {
  Batch batch;
  EXPECT_TRUE(batch.empty());
  batch.commit(netns);
  batch.add(Table{.id = kTable});
  EXPECT_FALSE(batch.empty());
  EXPECT_GT(batch.size(), 0U);
  batch.commit(netns);
  EXPECT_TRUE(batch.empty());
  batch.remove(TableId{Family::ip, "absent"});
  refusal(batch, netns);
  EXPECT_TRUE(batch.empty());
  EXPECT_EQ(batch.size(), 0U);
}

TEST_F(BatchTest, ReplacingATableLeavesNothingOfTheOldOne) {
  set_up_table();
  Batch batch;
  batch.replace(Table{.id = kTable}).replace(Table{.id = {Family::ip6, "other"}});
  batch.commit(netns);
  EXPECT_EQ(listing(netns), "table ip demo {\n}\ntable ip6 other {\n}\n");
}

TEST_F(BatchTest, EnsureAbsentHoldsWhetherOrNotTheTableWasThere) {
  set_up_table();
  Batch batch;
  batch.ensure_absent(kTable).ensure_absent({Family::ip6, "never"});
  batch.commit(netns);
  EXPECT_EQ(listing(netns), "");
}

TEST_F(BatchTest, ATableThatTheBatchItselfMadeCanBeReplacedInIt) {
  Batch batch;
  batch.add(Table{.id = kTable}).add(kSet).replace(Table{.id = kTable, .comment = "anew"});
  batch.commit(netns);
  EXPECT_EQ(listing(netns), "table ip demo {\n\tcomment \"anew\"\n}\n");
}

TEST_F(BatchTest, ErrorsNameTheObjectAlsoAfterTablesThatNeededNoDeletion) {
  Batch batch;
  batch.replace(Table{.id = kTable}).ensure_absent({Family::ip6, "never"}).remove(TableId{Family::ip, "absent"});
  EXPECT_EQ(refusal(batch, netns).object(), "table ip absent");
  EXPECT_FALSE(exists(netns, kTable));
}

TEST_F(BatchTest, RulesAreAppendedInsertedReplacedAndRemoved) {
  set_up_table();
  const auto rule = [](const char* comment) {
    return Rule{.chain = kChain, .statements = {counter()}, .comment = comment};
  };
  const auto comments = [&] {
    std::string all;
    for (const RuleInfo& info : list_rules(netns, kChain)) all += info.comment;
    return all;
  };
  Batch batch;
  batch.add(rule("b")).add(rule("c")).insert(rule("a"));
  batch.commit(netns);
  EXPECT_EQ(comments(), "abc");
  const std::vector<RuleInfo> rules = list_rules(netns, kChain);
  batch.replace(rules.at(1).id.handle, rule("B")).remove(rules.at(2).id);
  batch.commit(netns);
  EXPECT_EQ(comments(), "aB");
  batch.flush(kChain);
  batch.commit(netns);
  EXPECT_EQ(comments(), "");
}

TEST_F(BatchTest, SetsAreFlushedAndRemoved) {
  set_up_table();
  Batch batch;
  batch.flush(kSet.id).add(kSet.id, {address("10.0.0.9")});
  batch.commit(netns);
  EXPECT_EQ(list_elements(netns, kSet.id), std::vector{address("10.0.0.9")});
  batch.remove(kSet.id).remove(kChain);
  batch.commit(netns);
  EXPECT_EQ(listing(netns), "table ip demo {\n}\n");
}

TEST_F(BatchTest, TenThousandElementsComeAndGoInOneTransaction) {
  std::vector<Element> elements;
  for (std::uint32_t i = 0; i < 10'000; ++i) elements.push_back({.key = numbered(i)});
  Batch batch;
  batch.add(Table{.id = kTable}).add(kSet).add(kSet.id, elements);
  batch.commit(netns);
  EXPECT_EQ(list_elements(netns, kSet.id).size(), elements.size());

  // The last of 10,000 changes is refused: all that was there stays.
  batch.remove(kSet.id, elements).remove(TableId{Family::ip, "absent"});
  EXPECT_EQ(refusal(batch, netns).object(), "table ip absent");
  EXPECT_EQ(list_elements(netns, kSet.id).size(), elements.size());

  batch.remove(kSet.id, elements);
  batch.commit(netns);
  EXPECT_EQ(list_elements(netns, kSet.id).size(), 0U);
}

TEST_F(BatchTest, TenThousandEndpointsAreReadBackAsTheyWereWritten) {
  constexpr std::uint32_t kCount = 10'000;
  const Set map{.id = {kTable, "endpoints"},
                .key = {Type::ipv4_addr, Type::inet_proto, Type::inet_service},
                .value = TypeSpec{Type::ipv4_addr, Type::inet_service}};
  std::vector<Element> elements;
  for (std::uint32_t i = 0; i < kCount; ++i) {
    elements.push_back({.key = Data::concat({numbered(i), L4Proto::tcp, Data::port(80)}),
                        .value = Data::concat({numbered(i + kCount), Data::port(8080)}),
                        .comment = fmt::format("default/service-{}", i)});
  }
  const auto start = std::chrono::steady_clock::now();
  Batch batch;
  batch.add(Table{.id = kTable}).add(map).add(map.id, elements);
  RecordProperty("bytes", static_cast<int>(batch.size()));
  try {
    batch.commit(netns);
  } catch (const Error& error) {
    // Nobody but root may send that much at once.
    ASSERT_EQ(error.error(), EMSGSIZE);
    EXPECT_THAT(error.what(), HasSubstr("net.core.wmem_max"));
    EXPECT_FALSE(exists(netns, kTable));
    batch.add(Table{.id = kTable}).add(map);
    for (auto part = elements.begin(); part != elements.end(); part += 1000) {
      batch.add(map.id, std::vector<Element>(part, part + 1000));
      batch.commit(netns);
    }
  }
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  RecordProperty("milliseconds", static_cast<int>(elapsed.count()));

  std::vector<Element> held = list_elements(netns, map.id);
  ASSERT_EQ(held.size(), kCount);
  const auto by_key = [](const Element& a, const Element& b) { return a.key.bytes() < b.key.bytes(); };
  std::sort(held.begin(), held.end(), by_key);
  std::sort(elements.begin(), elements.end(), by_key);
  EXPECT_EQ(held, elements);
}

TEST_F(BatchTest, ValuesThatCantBeExpressedAreRefusedBeforeTheKernelSeesThem) {
  Batch batch;
  const Set map{.id = {kTable, "m"}, .key = {Type::ipv4_addr}, .value = TypeSpec{Type::mark}};
  EXPECT_THROW(static_cast<void>(ip::daddr() == parse_address("fd00::1")), InputError);
  EXPECT_THROW(static_cast<void>(ip::daddr() == parse_network("fd00::/8")), InputError);
  EXPECT_THROW(static_cast<void>(ip::daddr() != parse_network("0.0.0.0/0")), InputError);
  EXPECT_THROW(in(tcp::dport(), kSet), InputError);
  EXPECT_THROW(in(ip::daddr(), map), InputError);
  EXPECT_THROW(lookup(ip::daddr(), kSet), InputError);
  EXPECT_THROW(lookup(tcp::dport(), map), InputError);
  EXPECT_THROW(vmap(ip::daddr(), map), InputError);
  EXPECT_THROW(dnat(meta::mark()), InputError);
  EXPECT_THROW(set_mark(ip::daddr()), InputError);
  EXPECT_THROW(ip::daddr() & 1, InputError);
  EXPECT_THROW(numgen::inc(0), InputError);
  EXPECT_THROW(goto_(""), InputError);
  EXPECT_THROW(update(kSet, ip::saddr()), InputError);
  const Set dynamic{.id = {kTable, "d"}, .key = {Type::ipv4_addr}, .value = TypeSpec{Type::mark}, .dynamic = true};
  EXPECT_THROW(update(dynamic, ip::saddr(), lookup(ip::daddr(), map)), InputError);
  EXPECT_THROW(update(dynamic, ip::saddr()), InputError);
  EXPECT_THROW(concat({ip::saddr(), lookup(ip::daddr(), map)}), InputError);
  EXPECT_THROW(in(lookup(ip::daddr(), map) & 1, {Data::mark(1)}), InputError);
  EXPECT_THROW(vmap(lookup(ip::daddr(), map), {{Data::mark(1), Verdict{}}}), InputError);
  EXPECT_THROW(as(ip::saddr(), Type::mark), InputError);
  EXPECT_THROW(TypeSpec::of({fib::daddr_type()}), InputError);
  EXPECT_THROW(Data::ifname("a-name-that-is-too-long"), InputError);
  EXPECT_THROW(Data::concat(std::vector<Data>(5, parse_address("fd00::1"))), InputError);
  EXPECT_THROW(batch.add(Table{.id = {Family::ip, ""}}), InputError);
  EXPECT_THROW(batch.add(Table{.id = {Family::ip, std::string(300, 'x')}}), InputError);
  EXPECT_THROW(batch.remove(RuleId{kChain, 0}), InputError);
  EXPECT_THROW(batch.add(kSet.id, {Element{.key = parse_address("10.0.0.1"), .comment = std::string(200, 'x')}}),
               InputError);
  // Found while the rule is put together, after its first statements were.
  const std::vector<Statement> crossed{in(ip::daddr(), {parse_address("10.0.0.1")}), tcp::dport() == Data::port(80),
                                       udp::dport() == Data::port(80)};
  EXPECT_THROW(batch.add(Rule{.chain = kChain, .statements = crossed}), InputError);
  EXPECT_THROW(batch.add(Rule{.chain = kChain, .statements = {ip6::daddr() == parse_address("fd00::1")}}), InputError);
  EXPECT_EQ(listing(netns), "");
  batch.add(Table{.id = kTable});
  batch.commit(netns);
  EXPECT_EQ(listing(netns), "table ip demo {\n}\n");
}

TEST_F(BatchTest, ElementsFromBytesAreWhatTheSameOnesFromValuesAre) {
  const Set map{.id = {kTable, "m"}, .key = {Type::ipv4_addr}, .value = TypeSpec{Type::mark}};
  const Data key(numbered(1));
  const auto value = Data::mark(7);
  const RawElement raw{.key = key.bytes(), .value = value.bytes(), .comment = "seven"};
  Batch batch;
  batch.add(Table{.id = kTable}).add(map).add(map, std::span(&raw, 1));
  batch.commit(netns);
  EXPECT_EQ(list_elements(netns, map.id), (std::vector{Element{.key = key, .value = value, .comment = "seven"}}));
  const RawElement gone{.key = key.bytes()};
  batch.remove(map, std::span(&gone, 1));
  batch.commit(netns);
  EXPECT_TRUE(list_elements(netns, map.id).empty());
  const auto longer = Data::concat({key, value});
  for (const auto& wrong : {RawElement{.key = longer.bytes(), .value = value.bytes()}, RawElement{.key = key.bytes()},
                            RawElement{.key = key.bytes(), .value = longer.bytes()},
                            RawElement{.key = key.bytes(), .value = value.bytes(), .key_end = key.bytes()}})
    EXPECT_THROW(batch.add(map, std::span(&wrong, 1)), InputError);
  EXPECT_THROW(batch.remove(map, std::span(&raw, 1)), InputError) << "what goes has no value";
  EXPECT_TRUE(batch.empty());
}

TEST_F(BatchTest, ChangesOfOneNamespaceDontReachAnother) {
  const NetNs other = NetNs::create();
  set_up_table();
  EXPECT_THAT(listing(netns), HasSubstr("demo"));
  EXPECT_THAT(listing(other), Not(HasSubstr("demo")));
}

}  // namespace
}  // namespace knetsim::nft
