#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "knetsim/explain/explanation.h"

namespace knetsim::explain {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Explanation lost() {
  Explanation one{.question = {"C0w1/c1", parse_address("11.14.0.2"), "C0w2/c2", Protocol::tcp, 80},
                  .disposition = Disposition::dropped_by_rule,
                  .place = "C0w2",
                  .sentence = "a rule drops it",
                  .cause = "chain inet fw input, handle 7",
                  .object = "nobody",
                  .remedy = "C0w2 nft delete rule inet fw input handle 7",
                  .probes = 3,
                  .lost = 3,
                  .last_seen = {"here", "there"},
                  .witnesses = {"capture", "nftrace"}};
  one.tree = {{.kind = Entry::Kind::hop,
               .text = "C0w2",
               .inside = {{.kind = Entry::Kind::seen, .text = "eth0 <- it"},
                          {.kind = Entry::Kind::note, .text = "only for -v", .detail = true},
                          {.kind = Entry::Kind::lost, .text = "a rule drops it"}}}};
  return one;
}

TEST(AnExplanation, BeginsWithTheVerdictAndNothingBeforeIt) {
  auto one = lost();
  EXPECT_THAT(to_text(one), StartsWith("LOST at C0w2: DROPPED_BY_RULE: a rule drops it\n"));
  one.lost = 1;
  EXPECT_THAT(to_text(one), StartsWith("LOST at C0w2: DROPPED_BY_RULE, intermittent: 1 of 3: "));
  one.way = Way::back;
  EXPECT_THAT(to_text(one), HasSubstr(", on the way back: "));
  one.disposition = Disposition::delivered;
  one.place = "C0w2/c2";
  EXPECT_THAT(to_text(one), StartsWith("DELIVERED to C0w2/c2"));
}

TEST(AnExplanation, NamesCauseOwnerAndRemedyAndTellsDetailsWhenAsked) {
  const auto text = to_text(lost());
  for (const auto* part : {"C0w1/c1 -> C0w2/c2 (11.14.0.2), tcp port 80", "handle 7", "whose    nobody", "LOST HERE",
                           "witnesses: capture, nftrace"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(text, Not(HasSubstr("only for -v")));
  EXPECT_THAT(to_text(lost(), true), HasSubstr("only for -v"));
}

TEST(AnExplanation, FitsOnAScreenAndKeepsTheEnd) {
  auto one = lost();
  const auto hop = one.tree.front();
  for (int i = 0; i < 40; ++i) one.tree.insert(one.tree.begin(), {.kind = Entry::Kind::hop, .text = "another"});
  const auto text = to_text(one);
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 24);
  EXPECT_THAT(text, HasSubstr("LOST HERE"));
  EXPECT_THAT(text, HasSubstr("lines more with -v"));
}

TEST(AnExplanation, IsAlsoForPrograms) {
  const auto document = nlohmann::json::parse(to_json(lost()));
  EXPECT_EQ(document["schema"], "knetsim.explain/1");
  EXPECT_EQ(document["disposition"], "DROPPED_BY_RULE");
  EXPECT_EQ(document["delivered"], false);
  EXPECT_EQ(document["question"]["port"], 80);
  EXPECT_EQ(document["tree"][0]["inside"][2]["kind"], "lost");
}

TEST(Dispositions, HaveEachAWordOfTheirOwn) {
  std::set<std::string_view> words;
  for (const auto one : kDispositions) words.insert(word_of(one));
  EXPECT_EQ(words.size(), kDispositions.size());
  EXPECT_EQ(word_of(Disposition::local_policy_no_endpoint), "LOCAL_POLICY_NO_ENDPOINT");
  EXPECT_EQ(word_of(Disposition::lost_on_wire), "LOST_ON_WIRE");
  EXPECT_EQ(word_of(Disposition::disagreement), "DISAGREEMENT");
}

}  // namespace
}  // namespace knetsim::explain
