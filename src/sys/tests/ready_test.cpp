// Waiting until a program is ready, or has ended.

#include "knetsim/sys/ready.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <string>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

const fs::path kReadyPlace = kStateDirectory;
const fs::path kDaemonLog = kReadyPlace / "daemon.log";

Process start_daemon(const std::string& script) { return Process::spawn({.argv = {"bash", "-c", script}}, kDaemonLog); }

class Ready : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove(kReadyPlace / "lease");
    fs::remove(kDaemonLog);
  }
};

Readiness leased(const fs::path& file) {
  return {.deed = "wrote its file",
          .probe = [file]() -> std::optional<std::string> {
            return stamp_of(file) ? std::nullopt : std::optional(file.string() + " with something in it");
          },
          .watched = file.parent_path()};
}

TEST_F(Ready, IsSeenInTheChangesOfADirectory) {
  auto daemon = start_daemon(
      "read -t 0.2 <> <(:); echo leased > /run/knetsim/tmp; mv /run/knetsim/tmp /run/knetsim/lease; sleep 60");
  wait_until_ready(daemon, leased(kReadyPlace / "lease"));
  EXPECT_EQ(read_file(kReadyPlace / "lease"), "leased\n");
  EXPECT_TRUE(daemon.running());
}

TEST_F(Ready, OfAProgramThatEndedRightAfterItCounts) {
  auto daemon = start_daemon("echo leased > /run/knetsim/lease");
  daemon.wait(kDefaultBudget);
  EXPECT_NO_THROW(wait_until_ready(daemon, leased(kReadyPlace / "lease")));
}

TEST_F(Ready, OfAProgramThatHasEndedIsNotWaitedFor) {
  auto daemon = start_daemon("echo no etcd; exit 3");
  try {
    wait_until_ready(daemon, leased(kReadyPlace / "lease"), std::chrono::hours(1));
    FAIL() << "nothing was thrown";
  } catch (const StillMissing& error) {
    FAIL() << error.what();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("bash ended before it wrote its file (exit code 3)"),
                                    HasSubstr("its log /run/knetsim/daemon.log ends:\n    no etcd")));
  }
}

TEST_F(Ready, ThatDoesNotComeIsToldWithTheEndOfTheLog) {
  auto daemon = start_daemon("echo looking for etcd; sleep 60");
  wait_for_file(kDaemonLog, kDefaultBudget);
  try {
    wait_until_ready(daemon, leased(kReadyPlace / "lease"), std::chrono::milliseconds(10));
    FAIL() << "nothing was thrown";
  } catch (const StillMissing& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("/run/knetsim/lease with something in it"), HasSubstr("looking for etcd")));
  }
}

TEST_F(Ready, StampTellsAFileFromALaterOneOfItsName) {
  EXPECT_EQ(stamp_of(kReadyPlace / "lease"), std::nullopt);
  write_file_atomically(kReadyPlace / "lease", "");
  EXPECT_EQ(stamp_of(kReadyPlace / "lease"), std::nullopt) << "an empty one";
  write_file_atomically(kReadyPlace / "lease", "one");
  const auto first = stamp_of(kReadyPlace / "lease");
  EXPECT_EQ(first, stamp_of(kReadyPlace / "lease"));
  write_file_atomically(kReadyPlace / "lease", "one");
  EXPECT_NE(first, stamp_of(kReadyPlace / "lease"));
}

}  // namespace
}  // namespace knetsim
