// Where a limit of the kernel is hit, the message names the sysctl that raises it.
#include "knetsim/sys/limits.h"

#include <gmock/gmock.h>
#include <sched.h>

#include <cerrno>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"

namespace knetsim {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

TEST(Limits, AreNamedWhenNamespacesRunOut) {
  EXPECT_THAT(remedy_for_namespaces(ENOSPC, "net"),
              MatchesRegex("sysctl user.max_net_namespaces=10000 .now [0-9]+., or end other labs"));
  EXPECT_EQ(remedy_for_namespaces(EPERM, "net"), "");
  EXPECT_EQ(remedy_for_namespaces(ENOSPC, "unheard-of"), "");
}

TEST(Limits, AreNamedWhenWatchesRunOut) {
  EXPECT_THAT(remedy_for_inotify(EMFILE), HasSubstr("fs.inotify.max_user_instances"));
  EXPECT_THAT(remedy_for_inotify(ENOSPC), HasSubstr("fs.inotify.max_user_watches"));
  EXPECT_EQ(remedy_for_inotify(ENOENT), "");
}

}  // namespace
}  // namespace knetsim
