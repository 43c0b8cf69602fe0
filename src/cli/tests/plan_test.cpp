#include "plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.h"
#include "knetsim/sys/error.h"

namespace knetsim::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> ids(const std::vector<PlannedCheck>& plan) {
  std::vector<std::string> result;
  for (const auto& check : plan) result.push_back(check.id);
  return result;
}

template <typename F>
std::string input_error_of(F&& f) {
  try {
    f();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

const std::vector<Listing> kListings{
    {"/bin/suite-a", {{"A.one", "pods", "Pods in workers"}, {"A.two", "vip", "The VIP"}, {"A.three", "pods", "more"}}},
    {"/bin/suite-b", {{"B.names_its_own_words", "", ""}, {"B.two", "vip", "again"}}}};

TEST(Plan, GathersTheTestsOfEachCheckInTheOrderOfTheListing) {
  const auto plan = plan_checks(kListings);
  EXPECT_THAT(ids(plan), ElementsAre("pods", "vip", "B.names_its_own_words"));
  EXPECT_EQ(plan[0].title, "Pods in workers");
  ASSERT_EQ(plan[0].tests.size(), 2U);
  EXPECT_EQ(plan[0].tests[1].test, "A.three");
  ASSERT_EQ(plan[1].tests.size(), 2U);
  EXPECT_EQ(plan[1].tests[1].program, "/bin/suite-b");
}

TEST(Plan, MakesACheckOfATestThatDeclaresNone) { EXPECT_EQ(plan_checks(kListings)[2].title, "names its own words"); }

TEST(Selection, KeepsTheOrderOfThePlan) {
  EXPECT_THAT(ids(select_checks(plan_checks(kListings), {"vip", "pods"})), ElementsAre("pods", "vip"));
  EXPECT_EQ(select_checks(plan_checks(kListings), {}).size(), 3U);
}

TEST(Selection, NamesTheKnownChecksAndTheNearestWhenItMeetsAnUnknownOne) {
  const auto words = input_error_of([] { select_checks(plan_checks(kListings), {"pods", "vpi"}); });
  EXPECT_THAT(words, HasSubstr("\"vpi\""));
  EXPECT_THAT(words, HasSubstr("did you mean \"vip\"?"));
  EXPECT_THAT(words, HasSubstr("the checks are pods vip B.names_its_own_words"));
}

TEST(FindSuite, LooksBesideTheProgramAndThenInLibexec) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(kStateDirectory) / "installed";
  fs::create_directories(root / "bin");
  fs::create_directories(root / "libexec/knetsim");
  fs::copy("/bin/true", root / "libexec/knetsim/suite-x");
  EXPECT_EQ(find_suite("suite-x", root / "bin"), root / "libexec/knetsim/suite-x");
  fs::copy("/bin/true", root / "bin/suite-x");
  EXPECT_EQ(find_suite("suite-x", root / "bin"), root / "bin/suite-x");
}

TEST(FindSuite, SaysWhereItLookedAndHowToGetIt) {
  const auto words = input_error_of([] { find_suite("suite-x", "/nowhere/bin"); });
  EXPECT_THAT(words, HasSubstr("/nowhere/bin"));
  EXPECT_THAT(words, HasSubstr("/nowhere/libexec/knetsim"));
  EXPECT_THAT(words, HasSubstr("remedy: build it"));
}

}  // namespace
}  // namespace knetsim::cli
