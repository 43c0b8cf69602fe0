// Programs are found where a shell would find them, and in the sbin directories.
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "knetsim/sys/error.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;

class ProgramLookup : public testing::Test {
 public:
  ~ProgramLookup() override { ::setenv("PATH", path_.c_str(), 1); }

 protected:
  static fs::path make(const std::string& path, mode_t mode = 0755) {
    auto file = fs::path(kStateDirectory) / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << "#!/bin/sh\n";
    ::chmod(file.c_str(), mode);
    return file;
  }
  static void set_path(const std::string& path) { ::setenv("PATH", path.c_str(), 1); }

 private:
  std::string path_ = std::getenv("PATH");
};

TEST_F(ProgramLookup, TakesTheFirstOnThePath) {
  make("b/tool");
  const auto first = make("a/tool");
  set_path("/run/knetsim/a:/run/knetsim/b");
  EXPECT_EQ(find_program("tool"), first);
}

TEST_F(ProgramLookup, PassesOverWhatCannotBeExecuted) {
  make("a/tool", 0644);
  fs::create_directories("/run/knetsim/b/tool");
  const auto good = make("c/tool");
  set_path("/run/knetsim/a:/run/knetsim/b:/run/knetsim/c");
  EXPECT_EQ(find_program("tool"), good);
}

TEST_F(ProgramLookup, LooksIntoTheSbinDirectoriesLast) {
  set_path("/run/knetsim");
  EXPECT_EQ(find_program("nft"), "/usr/sbin/nft");
}

TEST_F(ProgramLookup, DoesNotTakeTheWorkingDirectoryForAnEmptyEntry) {
  make("tool");
  const auto before = fs::current_path();
  fs::current_path(kStateDirectory);
  set_path(":/usr/bin:");
  EXPECT_EQ(find_program("tool"), std::nullopt);
  fs::current_path(before);
}

TEST_F(ProgramLookup, TakesAnEmptyPathForNone) {
  set_path("");
  EXPECT_THAT(find_program("ls").value_or("nowhere").string(), EndsWith("/bin/ls"));
}

TEST_F(ProgramLookup, NamesThePlaceOfWhatThePathDoesNotLeadTo) {
  set_path("/nowhere");
  try {
    require_program("wget");
    FAIL() << "a program was found that is not on PATH";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("remedy: it is /usr/bin/wget: add /usr/bin to PATH"));
  }
}

TEST_F(ProgramLookup, TakesANameWithASlashAsAPath) {
  const auto tool = make("tool");
  EXPECT_EQ(find_program(tool), tool);
  EXPECT_EQ(find_program("/run/knetsim/absent"), std::nullopt);
}

// Somebody else's directory may stand there.
TEST_F(ProgramLookup, FindsWhatTheViewShowsInTheStateItself) {
  const auto tool = make("tool");
  ASSERT_EQ(::umount2(kStateView, MNT_DETACH), 0);
  EXPECT_EQ(find_program("/tmp/knetsim/tool"), tool);
}

TEST_F(ProgramLookup, NamesTheDebianPackageOfAMissingProgram) {
  ASSERT_EQ(find_program("telnet"), std::nullopt) << "somebody installed it: choose another program of the table";
  try {
    require_program("telnet");
    FAIL() << "a missing program was found";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("telnet"));
    EXPECT_THAT(error.what(), HasSubstr("remedy: apt-get install telnet"));
  }
}

}  // namespace
}  // namespace knetsim
