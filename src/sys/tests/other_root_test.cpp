// Programs in another root directory, such as an unpacked container image.
#include <gmock/gmock.h>

#include <filesystem>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A root with one program in it, `cat`, and the libraries that this needs.
class OtherRootTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* directory : {"proc", "dev", "run", "tmp", "bin"}) fs::create_directories(root_ / directory);
    const auto cat = require_program("cat");
    fs::copy_file(cat, root_ / "bin/cat");
    const auto libraries = exec({.argv = {"ldd", cat.string()}});
    std::istringstream words(libraries.out);
    for (std::string word; words >> word;) {
      if (!word.starts_with('/')) continue;
      const auto copy = root_ / fs::path(word).relative_path();
      fs::create_directories(copy.parent_path());
      fs::copy_file(word, copy, fs::copy_options::skip_existing);
    }
  }

  std::string refusal(const Command& command) {
    try {
      exec(command);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  }

  // Beside the state, as a user's would be.
  const fs::path root_ = "/run/image";
};

TEST_F(OtherRootTest, HasItsOwnFilesAndOurState) {
  write_file_atomically(root_ / "marker", "the image's");
  write_file_atomically(fs::path(kStateDirectory) / "marker", "ours");
  const auto result = exec({.argv = {"/bin/cat", "/marker", "/run/knetsim/marker"}, .root = root_});
  EXPECT_EQ(result.out, "the image'sours") << result.err;
}

TEST_F(OtherRootTest, SharesItsDirectoryProcAndDev) {
  const auto directory = fs::path(kStateDirectory) / "w1";
  fs::create_directories(directory);
  write_file_atomically(directory / "here", "found");
  const auto result =
      exec({.argv = {"/bin/cat", "here", "/dev/null", "/proc/self/comm"}, .directory = directory, .root = root_});
  EXPECT_EQ(result.out, "foundcat\n") << result.err;
}

TEST_F(OtherRootTest, IsLeftAsItWas) {
  exec({.argv = {"/bin/cat", "/dev/null"}, .root = root_});
  EXPECT_TRUE(fs::is_empty(root_ / "run"));
  EXPECT_TRUE(fs::is_empty(root_ / "tmp"));
  EXPECT_TRUE(fs::is_empty(root_ / "proc"));
  EXPECT_TRUE(fs::is_empty(root_ / "dev"));
}

TEST_F(OtherRootTest, RefusesWhatIsNone) {
  EXPECT_THAT(refusal({.argv = {"/bin/cat"}, .root = "/run/nowhere"}), HasSubstr("there is no directory /run/nowhere"));
  fs::remove(root_ / "tmp");
  fs::create_directory_symlink("/run", root_ / "tmp");
  EXPECT_THAT(refusal({.argv = {"/bin/cat"}, .root = root_}), HasSubstr("there is no directory /run/image/tmp"));
}

TEST_F(OtherRootTest, RefusesAProgramThatItHasNot) {
  EXPECT_THAT(refusal({.argv = {"/bin/ls"}, .root = root_}), HasSubstr("there is no program /bin/ls in it"));
  EXPECT_THAT(refusal({.argv = {"cat"}, .root = root_}), HasSubstr("there is no program cat in it"));
}

}  // namespace
}  // namespace knetsim
