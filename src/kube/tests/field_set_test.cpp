// Sets of fields: what is in one, in the other, in both.
#include "knetsim/kube/field_set.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "written.h"

namespace knetsim::kube::test {
namespace {

FieldSet random_set(Luck& luck, int depth) {
  FieldSet set{.self = depth < 3 && luck.below(2) == 0};
  for (const char* step : {"f:a", "f:b", "k:{\"name\":\"x\"}", "v:\"y\"", "i:0"})
    if (depth > 0 && luck.below(3) == 0) set.put(step, random_set(luck, depth - 1));
  return set;
}

TEST(FieldSets, AreSetsOfPaths) {
  Luck luck;
  const auto paths = [](const FieldSet& set) {
    const auto all = set.paths();
    return std::set<std::string>(all.begin(), all.end());
  };
  for (int round = 0; round < 500; ++round) {
    auto one = random_set(luck, 3);
    auto other = random_set(luck, 3);
    one.self = other.self = false;
    EXPECT_EQ(FieldSet::parse(one.to_json()), one);
    std::set<std::string> both;
    std::set<std::string> rest;
    std::set<std::string> all = paths(one);
    all.merge(paths(other));
    for (const auto& path : paths(one)) (paths(other).contains(path) ? both : rest).insert(path);
    EXPECT_EQ(paths(shared(one, other)), both);
    EXPECT_EQ(paths(without(one, other)), rest);
    EXPECT_EQ(paths(united(one, other)), all);
    EXPECT_EQ(united(without(one, other), shared(one, other)), one);
  }
}

}  // namespace
}  // namespace knetsim::kube::test
