// Sysctls of the calling thread's namespaces.
#include "knetsim/sys/sysctl.h"

#include <gmock/gmock.h>

#include "knetsim/sys/error.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/process.h"

namespace knetsim {
namespace {

using testing::HasSubstr;

TEST(Sysctl, ReadsBackWhatWasWritten) {
  write_sysctl("net.ipv4.ip_forward", "1");
  EXPECT_EQ(read_sysctl("net.ipv4.ip_forward"), "1");
  write_sysctl("net.ipv4.ip_forward", "0");
  EXPECT_EQ(read_sysctl("net.ipv4.ip_forward"), "0");
}

TEST(Sysctl, BelongsToOneNamespaceAlone) {
  const auto ns = NetNs::create();
  ns.run([] { write_sysctl("net.ipv4.ip_forward", "1"); });
  EXPECT_EQ(ns.run([] { return read_sysctl("net.ipv4.ip_forward"); }), "1");
  EXPECT_EQ(read_sysctl("net.ipv4.ip_forward"), "0");
}

TEST(Sysctl, IsWrittenBelowADirectoryThatWasOpenedOnce) {
  const auto all = SysctlDirectory("net.ipv4.conf").open("all");
  all.write("rp_filter", "2");
  EXPECT_EQ(read_sysctl("net.ipv4.conf.all.rp_filter"), "2");
  EXPECT_THROW(all.write("no_such_thing", "1"), SystemError);
  EXPECT_THROW(SysctlDirectory("net.ipv4").open("no_such_thing"), SystemError);
}

TEST(Sysctl, ADirectoryStaysThatOfTheNamespaceItWasOpenedIn) {
  const auto ns = NetNs::create();
  const auto all = ns.run([] { return SysctlDirectory("net.ipv4.conf.all"); });
  all.write("forwarding", "1");
  EXPECT_EQ(ns.run([] { return read_sysctl("net.ipv4.ip_forward"); }), "1");
  EXPECT_EQ(read_sysctl("net.ipv4.ip_forward"), "0");
}

TEST(Sysctl, TakesSlashesForInterfacesWithADotInTheirName) {
  ASSERT_TRUE(exec({.argv = {"ip", "link", "add", "eth0.100", "type", "bridge"}}).ok());
  write_sysctl("net/ipv4/conf/eth0.100/forwarding", "1");
  EXPECT_EQ(read_sysctl("net/ipv4/conf/eth0.100/forwarding"), "1");
}

TEST(Sysctl, NamesTheOneThatIsMissing) {
  try {
    write_sysctl("net.ipv4.no_such_thing", "1");
    FAIL() << "an absent sysctl was written";
  } catch (const SystemError& error) {
    EXPECT_EQ(error.error(), ENOENT);
    EXPECT_THAT(error.what(), HasSubstr("/proc/sys/net/ipv4/no_such_thing"));
  }
  EXPECT_THROW(read_sysctl("net.ipv4.no_such_thing"), SystemError);
}

TEST(Sysctl, NamesTheValueThatTheKernelRefuses) {
  try {
    write_sysctl("net.ipv4.ip_forward", "maybe");
    FAIL() << "nonsense was accepted";
  } catch (const SystemError& error) {
    EXPECT_EQ(error.error(), EINVAL);
    EXPECT_THAT(error.what(), HasSubstr("maybe"));
  }
}

}  // namespace
}  // namespace knetsim
