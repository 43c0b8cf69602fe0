// What is wanted, what is held, and what must be written in between: without a kernel.
#include "knetsim/kubeproxy/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "knetsim/sys/error.h"

namespace knetsim::kubeproxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pointee;
using testing::SizeIs;

Entry entry(std::uint8_t slot, std::uint8_t key, std::uint8_t value = 0, std::string comment = {}) {
  return {.slot = slot, .key = {key}, .value = {value}, .comment = std::move(comment)};
}

MATCHER_P3(Is, slot, key, value, "") { return arg.is_same(entry(slot, key, value)); }
auto Adds(std::uint8_t slot, std::uint8_t key, std::uint8_t value) { return Pointee(Is(slot, key, value)); }

/// A table that does as it is told, and is as strict as the kernel: it throws.
class Held {
 public:
  void write(const Delta& delta) {
    for (const auto& gone : delta.remove)
      if (entries_.erase({gone.slot, gone.key}) != 1) throw Error("nobody can remove what isn't there");
    for (const auto* come : delta.add)
      if (!entries_.emplace(std::pair{come->slot, come->key}, *come).second) throw Error("it is there already");
  }
  Desired list() const {
    Desired all;
    for (const auto& [key, each] : entries_) all.push_back(each);
    return sorted(std::move(all));
  }

 private:
  std::map<std::pair<std::uint8_t, Bytes>, Entry> entries_;
};

bool same(const Desired& a, const Desired& b) {
  return std::ranges::equal(a, b, [](const Entry& one, const Entry& other) { return one.is_same(other); });
}

TEST(Ledger, WritesOnlyWhatDiffers) {
  Ledger ledger;
  ledger.set("a", {entry(0, 1, 10), entry(0, 2, 20)});
  const auto first = ledger.next(1 << 20);
  EXPECT_THAT(first.add, ElementsAre(Adds(0, 1, 10), Adds(0, 2, 20)));
  ledger.acknowledge(first);
  EXPECT_TRUE(ledger.in_step());
  ledger.set("a", {entry(0, 1, 10), entry(0, 2, 21), entry(1, 3)});
  const auto second = ledger.next(1 << 20);
  EXPECT_THAT(second.remove, ElementsAre(Is(0, 2, 20)));
  EXPECT_THAT(second.add, ElementsAre(Adds(0, 2, 21), Adds(1, 3, 0)));
}

TEST(Ledger, OfChangesBetweenTwoWritesTheLastCounts) {
  Ledger ledger;
  ledger.set("a", {entry(0, 1, 10)});
  ledger.acknowledge(ledger.next(1 << 20));
  for (std::uint8_t value = 11; value < 40; ++value) ledger.set("a", {entry(0, 1, value)});
  const auto delta = ledger.next(1 << 20);
  EXPECT_THAT(delta.remove, ElementsAre(Is(0, 1, 10)));
  EXPECT_THAT(delta.add, ElementsAre(Adds(0, 1, 39)));
  ledger.set("a", {entry(0, 1, 10)});
  EXPECT_TRUE(ledger.next(1 << 20).empty()) << "back where it was";
}

TEST(Ledger, WhatSeveralWantStaysUntilTheLastHasGone) {
  Ledger ledger;
  ledger.set("a", {entry(2, 7)});
  ledger.set("b", {entry(2, 7)});
  ledger.acknowledge(ledger.next(1 << 20));
  ledger.set("a", {});
  EXPECT_TRUE(ledger.next(1 << 20).empty());
  ledger.set("b", {});
  EXPECT_THAT(ledger.next(1 << 20).remove, ElementsAre(Is(2, 7, 0)));
}

TEST(Ledger, OfTwoValuesTheSameOneWinsWhoeverCameFirst) {
  for (const bool a_first : {true, false}) {
    Ledger ledger;
    const auto set = [&](const char* owner, std::uint8_t value) { ledger.set(owner, {entry(0, 1, value, owner)}); };
    a_first ? set("a", 10) : set("b", 20);
    a_first ? set("b", 20) : set("a", 10);
    EXPECT_THAT(ledger.desired(), ElementsAre(Is(0, 1, 10)));
    ledger.set("a", {});
    EXPECT_THAT(ledger.desired(), ElementsAre(Is(0, 1, 20)));
  }
}

TEST(Ledger, GivesWholeOwnersInPiecesOfTheSizeAskedFor) {
  Ledger ledger;
  for (std::uint8_t owner = 0; owner < 100; ++owner)
    ledger.set(std::string(1, static_cast<char>(owner + 1)), {entry(0, owner), entry(1, owner), entry(2, owner)});
  Held held;
  int pieces = 0;
  for (auto delta = ledger.next(1'000); !delta.empty(); delta = ledger.next(1'000), ++pieces) {
    EXPECT_EQ(delta.add.size() % 3, 0U) << "half an owner";
    held.write(delta);
    ledger.acknowledge(delta);
  }
  EXPECT_GT(pieces, 5);
  EXPECT_THAT(held.list(), SizeIs(300));
  EXPECT_TRUE(ledger.in_step());
}

TEST(Ledger, TakesWhatStandsForWhatItIs) {
  Ledger ledger;
  ledger.set("a", {entry(0, 1, 10), entry(0, 2, 20)});
  ledger.assume(sorted({entry(0, 2, 99), entry(0, 3, 30)}));
  const auto delta = ledger.next(1 << 20);
  EXPECT_THAT(delta.remove, ElementsAre(Is(0, 2, 99), Is(0, 3, 30)));
  EXPECT_THAT(delta.add, ElementsAre(Adds(0, 1, 10), Adds(0, 2, 20)));
  ledger.acknowledge(delta);
  ledger.assume(ledger.desired());
  EXPECT_TRUE(ledger.next(1 << 20).empty()) << "all of it stands";
  ledger.assume({entry(0, 1, 10)});
  EXPECT_THAT(ledger.next(1 << 20).add, ElementsAre(Adds(0, 2, 20))) << "it has been taken away";
}

TEST(Ledger, RandomChangesEndWhereAFreshOneEnds) {
  std::mt19937 random(20261130);
  const auto below = [&](unsigned limit) { return static_cast<std::uint8_t>(random() % limit); };
  Ledger ledger;
  Held held;
  for (int step = 0; step < 3'000; ++step) {
    Desired wanted;
    for (auto left = below(6); left > 0; --left)
      wanted.push_back(entry(below(3), below(8), below(3), std::string(1, static_cast<char>('a' + below(3)))));
    ledger.set(std::string(1, static_cast<char>('a' + below(9))), sorted(std::move(wanted)));
    switch (below(8)) {
      case 0:
      case 1: {
        const auto delta = ledger.next(200);
        held.write(delta);
        ledger.acknowledge(delta);
        break;
      }
      case 2:
        ledger.assume(held.list());
        break;
      default:
        break;
    }
    if (step % 100 != 99) continue;
    for (auto delta = ledger.next(500); !delta.empty(); delta = ledger.next(500)) {
      held.write(delta);
      ledger.acknowledge(delta);
    }
    ASSERT_TRUE(same(held.list(), ledger.desired())) << "after step " << step;
    Ledger fresh;
    for (const auto& [owner, entries] : ledger.owners()) fresh.set(owner, entries);
    ASSERT_TRUE(same(fresh.desired(), ledger.desired())) << "after step " << step;
  }
}

}  // namespace
}  // namespace knetsim::kubeproxy
