// Where a program's own files are looked for.
#include "knetsim/sys/installation.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

const fs::path kRoot = kStateDirectory;

TEST(Installation, BeginsAtBindirThenBesideTheProgram) {
  const auto own = fs::read_symlink("/proc/self/exe").parent_path();
  EXPECT_EQ(own_directory(), own);
  EXPECT_THAT(own_directories(), ElementsAre(own));
  ::setenv("KNETSIM_BINDIR", "/elsewhere", 1);
  EXPECT_THAT(own_directories(), ElementsAre("/elsewhere", own));
  ::setenv("KNETSIM_BINDIR", "", 1);
  EXPECT_THAT(own_directories(), ElementsAre(own));
  ::unsetenv("KNETSIM_BINDIR");
}

TEST(Installation, TakesTheFirstPlaceThatHoldsTheFile) {
  make_directories(kRoot / "first/bin");
  make_directories(kRoot / "second/bin");
  make_directories(kRoot / "second/libexec/tool");  // a directory of that name is no file
  write_file_atomically(kRoot / "second/bin/tool", "");
  const std::vector<fs::path> directories{kRoot / "first/bin", kRoot / "second/bin"};
  EXPECT_EQ(find_file("tool", directories, {"../libexec", "."}), kRoot / "second/bin/tool");
  EXPECT_EQ(find_file("tool", {kRoot / "first/bin"}, {"../libexec", "."}), std::nullopt);
  write_file_atomically(kRoot / "first/tool", "");
  EXPECT_EQ(find_file("tool", directories, {".", ".."}), kRoot / "first/tool");
}

TEST(Installation, TakesADirectoryAsItWasGiven) {
  make_directories(kRoot / "elsewhere/plugins");
  write_file_atomically(kRoot / "elsewhere/tool", "");
  replace_symlink(kRoot / "elsewhere/plugins", kRoot / "link");
  EXPECT_EQ(find_file("tool", {kRoot / "link/.."}), kRoot / "link/../tool");
}

}  // namespace
}  // namespace knetsim
