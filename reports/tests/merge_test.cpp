#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "judge.h"
#include "knetsim/sys/error.h"
#include "results.h"
#include "sample.h"

namespace knetsim::report {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class MergeTest : public testing::Test {
 protected:
  static RunResult shard(std::size_t index, std::size_t total, std::vector<TestResult> tests,
                         std::vector<std::string> elsewhere) {
    auto run = night(1, std::move(tests));
    run.shard = Shard{index, total};
    run.elsewhere = std::move(elsewhere);
    return run;
  }
  std::filesystem::path save(const std::string& name, const RunResult& run) {
    return scratch.write(name + "/report/results.json", to_json(run));
  }

  Scratch scratch;
  std::filesystem::path first = save("0", shard(0, 2, {passing("T.a")}, {"suite-vip:T.b"}));
  std::filesystem::path second = save("1", shard(1, 2, {passing("T.b")}, {"suite-vip:T.a"}));
};

TEST_F(MergeTest, MakesOneGreenRunOfWholeShards) {
  const auto run = merge({second, first}, scratch.path() / "report");
  EXPECT_THAT(reasons_for_red(run), IsEmpty());
  EXPECT_THAT(run.tests, SizeIs(2));
  EXPECT_FALSE(run.shard);
}

TEST_F(MergeTest, NamesAnAbsentShardAndTheTestsThatNobodyRan) {
  const auto run = merge({first}, scratch.path() / "report");
  EXPECT_THAT(run.problems, ElementsAre("shard 1 of 2 is absent"));
  ASSERT_THAT(run.tests, SizeIs(2));
  EXPECT_EQ(run.tests[1].name, "suite-vip:T.b");
  EXPECT_EQ(run.tests[1].outcome, Outcome::missing);
}

TEST_F(MergeTest, IsRedIfAShardComesTwice) {
  const auto run =
      merge({first, second, save("copy", shard(1, 2, {passing("T.b")}, {"suite-vip:T.a"}))}, scratch.path() / "report");
  EXPECT_THAT(run.problems, Contains(HasSubstr("is shard 1, and so is")));
  EXPECT_THAT(run.problems, Contains("suite-vip:T.b: more than one shard ran it"));
}

TEST_F(MergeTest, IsRedIfShardsAreOfDifferentCommitsOrTotals) {
  auto other = shard(1, 3, {passing("T.b")}, {});
  other.facts["commit"] = "other";
  const auto run = merge({first, save("other", other)}, scratch.path() / "report");
  EXPECT_THAT(run.problems, Contains(HasSubstr("is one of 3 shards")));
  EXPECT_THAT(run.problems, Contains(HasSubstr("is of commit other")));
}

TEST_F(MergeTest, RefusesARunThatIsNoShard) {
  const auto whole = save("whole", night(1, {passing("T.a")}));
  EXPECT_THROW(merge({whole}, scratch.path()), InputError);
}

TEST_F(MergeTest, FindsEvidenceWhereTheShardLeftIt) {
  auto failed = failing("T.b");
  failed.evidence = "../out/suite-vip/T.b";
  const auto file = save("1", shard(1, 2, {failed}, {"suite-vip:T.a"}));
  const auto run = merge({first, file}, scratch.path() / "report");
  EXPECT_EQ(run.tests.at(1).evidence, "../1/out/suite-vip/T.b");
}

TEST_F(MergeTest, KeepsWhatMadeAShardRed) {
  auto red = shard(1, 2, {passing("T.b")}, {"suite-vip:T.a"});
  red.problems = {"suite-vip:T.b: reported more than once"};
  EXPECT_THAT(merge({first, save("red", red)}, scratch.path() / "report").problems, ElementsAre(red.problems.front()));
}

}  // namespace
}  // namespace knetsim::report
