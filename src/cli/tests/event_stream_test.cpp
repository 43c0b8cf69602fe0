// What a suite program writes (fixtures/events.h), seen from outside.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fakes.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"
#include "text.h"

namespace knetsim::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

/// The fake suite in a shell that opens descriptor 5 as told.
ExecResult run_fake(const std::string& redirection, const std::string& mode, const std::string& fd = "5",
                    const std::string& arguments = "") {
  return exec({.argv = {"bash", "-c", kFakeSuite.string() + " " + arguments + " " + redirection},
               .environment = {{"FAKE", mode}, {"KNETSIM_EVENTS_FD", fd}}});
}

std::vector<nlohmann::json> events_in(const std::filesystem::path& path) {
  std::vector<nlohmann::json> events;
  for (const auto& line : split_lines(read_file(path))) events.push_back(nlohmann::json::parse(line));
  return events;
}

TEST(EventStream, TellsARunFromItsStartToItsEnd) {
  const auto path = scratch("events");
  EXPECT_EQ(run_fake("5>" + path.string(), "fail").status.code(), 1);
  const auto events = events_in(path);
  ASSERT_EQ(events.size(), 18U);
  EXPECT_EQ(events[0]["event"], "run started");
  EXPECT_EQ(events[0]["schema"], "knetsim.events/1");
  EXPECT_EQ(events[0]["program"], "fake-suite");
  EXPECT_EQ(events[0]["tests"], 3);
  EXPECT_EQ(events[1]["event"], "test started");
  EXPECT_EQ(events[1]["check"], "first");
  EXPECT_EQ(events[1]["title"], "The first of three");
  EXPECT_EQ(events[2]["event"], "step started");
  EXPECT_EQ(events[3]["event"], "step ended");
  EXPECT_EQ(events[3]["ok"], true);
  EXPECT_EQ(events[7]["event"], "evidence saved");
  EXPECT_EQ(events[8]["event"], "failure");
  EXPECT_EQ(events[9]["event"], "step ended");
  EXPECT_EQ(events[9]["ok"], false);
  EXPECT_EQ(events[10]["verdict"], "failed");
  EXPECT_EQ(events[10]["evidence"], "/out/evidence");
  EXPECT_EQ(events[10]["reasons"].size(), 1U);
  EXPECT_EQ(events[17]["event"], "run ended");
  EXPECT_EQ(events[17]["passed"], 2);
  EXPECT_EQ(events[17]["failed"], 1);
}

TEST(EventStream, ListsTestsWithoutRunningThem) {
  const auto path = scratch("events");
  EXPECT_EQ(run_fake("5>" + path.string(), "crash", "5", "--gtest_list_tests").status.code(), 0);
  const auto events = events_in(path);
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[2]["event"], "test listed");
  EXPECT_EQ(events[2]["test"], "Fake.BehavesAsTold");
  EXPECT_EQ(events[2]["check"], "middle");
}

TEST(EventStream, DoesNotTouchTheVerdictWhenNobodyReads) {
  // The reader is gone before the first byte.
  const auto ran = run_fake("5> >(exec true) ; exit $?", "pass");
  EXPECT_EQ(ran.status.code(), 0) << ran.status.describe() << ran.out;
  EXPECT_EQ(run_fake("5>/dev/full", "pass").status.code(), 0);
  EXPECT_EQ(run_fake("5>/dev/full", "fail").status.code(), 1);
}

TEST(EventStream, WarnsAboutADescriptorThatIsNotOpenAndGoesOn) {
  for (const auto* fd : {"5", "x", "-1", "99999999999"}) {
    const auto ran = run_fake("5>&-", "pass", fd);
    EXPECT_EQ(ran.status.code(), 0) << fd;
    EXPECT_THAT(ran.err, HasSubstr("isn't an open descriptor")) << fd;
  }
}

TEST(EventStream, IsNotInheritedByWhatATestStarts) {
  const auto ran = run_fake("9>/dev/null", "daemon", "9");
  EXPECT_EQ(ran.status.code(), 0);
  EXPECT_THAT(ran.out, HasSubstr("\n2\n"));
  EXPECT_THAT(ran.out, Not(HasSubstr("\n9\n")));
  EXPECT_THAT(ran.out, HasSubstr("variable unset"));
}

TEST(EventStream, LeavesTheIdOfTheCheckInTheXml) {
  const auto xml = scratch("x.xml");
  EXPECT_EQ(run_fake("5>/dev/null", "pass", "5", "--gtest_output=xml:" + xml.string()).status.code(), 0);
  EXPECT_THAT(read_file(xml), HasSubstr(R"(<property name="check" value="middle"/>)"));
}

}  // namespace
}  // namespace knetsim::cli
