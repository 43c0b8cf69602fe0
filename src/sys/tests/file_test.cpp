// Files: whole ones read, replaced atomically, waited for by event.
#include "knetsim/sys/file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "directory.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const fs::path kDirectory = kStateDirectory;
const fs::path kFile = kDirectory / "subnet.env";

TEST(ReadFile, ReturnsEveryByte) {
  std::string content(200'000, 'x');
  content[70'000] = '\0';
  std::ofstream(kFile) << content;
  EXPECT_EQ(read_file(kFile), content);
}

TEST(ReadFile, ReadsFilesOfProcWhoseSizeIsUnknown) { EXPECT_THAT(read_file("/proc/self/status"), HasSubstr("Pid:")); }

TEST(ReadFile, RefusesWhatHasNoEndOrIsTooLong) {
  std::ofstream(kDirectory / "huge").put('x');
  fs::resize_file(kDirectory / "huge", 1UL << 40);
  for (const auto& path : {fs::path("/dev/zero"), kDirectory / "huge"}) {
    try {
      read_file(path);
      FAIL() << "all of it was read: " << path;
    } catch (const SystemError& error) {
      EXPECT_EQ(error.error(), EFBIG) << path;
    }
  }
}

TEST(ReadFile, NamesTheFileThatIsNotThere) {
  try {
    read_file(kDirectory / "absent");
    FAIL() << "an absent file was read";
  } catch (const SystemError& error) {
    EXPECT_EQ(error.error(), ENOENT);
    EXPECT_THAT(error.what(), HasSubstr("/run/knetsim/absent"));
  }
}

// What might be replaced by mistake is a link here, and never the machine's device.
TEST(UserFile, IsReplacedOnlyIfItIsRegular) {
  const auto place = kDirectory / "user";
  fs::create_directories(place);
  const auto file = place / "file";
  write_user_file(file, "new");
  write_user_file(file, "newer");
  EXPECT_EQ(read_file(file), "newer");

  const auto null = place / "null";
  fs::create_symlink("/dev/null", null);
  write_user_file(null, "gone");
  EXPECT_TRUE(fs::is_symlink(null)) << "/dev/stdout is one";
  const auto full = place / "full";
  fs::create_symlink("/dev/full", full);
  EXPECT_THROW(write_user_file(full, "gone"), SystemError);

  const auto link = place / "link";
  fs::create_symlink(file, link);
  write_user_file(link, "short");
  EXPECT_EQ(read_file(file), "short");
  EXPECT_TRUE(fs::is_symlink(link));
}

TEST(WriteFile, NeverTakesThePlaceOfADevice) {
  const auto fifo = kDirectory / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT([&] { write_file_atomically(fifo, "x"); },
              testing::ThrowsMessage<InputError>(AllOf(HasSubstr(fifo.string()), HasSubstr("no regular file"))));
  EXPECT_TRUE(fs::is_fifo(fifo));
  fs::remove(fifo);
}

TEST(ReadFile, RefusesADirectory) { EXPECT_THROW(read_file(kDirectory), SystemError); }

std::string refusal_of(const fs::path& path) {
  try {
    make_directories(path);
  } catch (const SystemError& error) {
    return error.what();
  }
  return "it was made";
}

TEST(MakeDirectories, MakesThoseAboveAndTakesThoseThatAreThere) {
  make_directories(kDirectory / "w1/cni/cache");
  make_directories(kDirectory / "w1/cni/cache");
  EXPECT_TRUE(fs::is_directory(kDirectory / "w1/cni/cache"));
}

TEST(MakeDirectories, NamesWhatStandsInTheWay) {
  write_file_atomically(kDirectory / "w1", "no directory");
  fs::create_symlink("/nonexistent", kDirectory / "w2");
  EXPECT_THAT(refusal_of(kDirectory / "w1/cni/cache"),
              AllOf(HasSubstr("/run/knetsim/w1/cni/cache: can't make the directory"), HasSubstr("ENOTDIR"),
                    HasSubstr("remedy: move /run/knetsim/w1 out of the way")));
  EXPECT_THAT(refusal_of(kDirectory / "w1"), HasSubstr("move /run/knetsim/w1 out of the way"));
  EXPECT_THAT(refusal_of(kDirectory / "w2"), HasSubstr("move /run/knetsim/w2 out of the way"));
  EXPECT_THAT(refusal_of("/proc/w1"), HasSubstr("may be written"));
}

TEST(ListDirectory, ReturnsThePathsInItAndNamesOneThatIsNotThere) {
  write_file_atomically(kFile, "x");
  EXPECT_THAT(list_directory(kDirectory), ElementsAre(kFile));
  try {
    list_directory(kDirectory / "absent");
    FAIL() << "an absent directory was listed";
  } catch (const SystemError& error) {
    EXPECT_EQ(error.error(), ENOENT);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("/run/knetsim/absent"), HasSubstr("remedy: ")));
  }
}

TEST(ReplaceSymlink, TakesThePlaceOfALinkButNotOfADirectory) {
  replace_symlink("/bin/true", kFile);
  replace_symlink("/bin/false", kFile);
  EXPECT_EQ(fs::read_symlink(kFile), "/bin/false");
  fs::create_directory(kDirectory / "w1");
  EXPECT_THROW(replace_symlink("/bin/true", kDirectory / "w1"), SystemError);
}

TEST(WriteFile, LeavesTheNewContentAndNothingElse) {
  write_file_atomically(kFile, "old");
  write_file_atomically(kFile, "new");
  EXPECT_EQ(read_file(kFile), "new");
  EXPECT_THAT(names_in(kDirectory), ElementsAre("subnet.env"));
}

TEST(WriteFile, SetsTheModeWhateverTheUmask) {
  const auto umask_before = ::umask(077);
  write_file_atomically(kFile, "x", 0755);
  ::umask(umask_before);
  struct stat status {};
  ASSERT_EQ(::stat(kFile.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0755U);
}

TEST(WriteFile, ReplacesALinkAndLeavesWhatItPointsTo) {
  std::ofstream(kDirectory / "target") << "untouched";
  fs::create_symlink(kDirectory / "target", kFile);
  write_file_atomically(kFile, "new");
  EXPECT_FALSE(fs::is_symlink(kFile));
  EXPECT_EQ(read_file(kDirectory / "target"), "untouched");
}

TEST(WriteFile, DoesNotFollowALinkPlantedUnderItsTemporaryName) {
  std::ofstream(kDirectory / "target") << "untouched";
  for (const auto& name : {std::to_string(::getpid()), std::to_string(::gettid())})
    if (const auto planted = kFile.string() + "." + name + ".tmp"; !fs::is_symlink(planted))
      fs::create_symlink(kDirectory / "target", planted);
  write_file_atomically(kFile, "new");
  EXPECT_EQ(read_file(kFile), "new");
  EXPECT_EQ(read_file(kDirectory / "target"), "untouched");
}

TEST(WriteFile, LeavesNothingBehindWhenItFails) {
  fs::create_directories(kFile / "full");
  EXPECT_THROW(write_file_atomically(kFile, "x"), SystemError);
  EXPECT_THAT(names_in(kDirectory), ElementsAre("subnet.env"));
}

TEST(WriteFile, NeverShowsHalfAFileToReaders) {
  const std::string a(100'000, 'a');
  const std::string b(100'000, 'b');
  write_file_atomically(kFile, a);
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) write_file_atomically(kFile, i % 2 == 0 ? b : a);
    done = true;
  });
  int torn = 0;
  while (!done) {
    const auto seen = read_file(kFile);
    if (seen != a && seen != b) ++torn;
  }
  writer.join();
  EXPECT_EQ(torn, 0);
}

TEST(WriteFile, MayBeCalledForOneFileBySeveralThreads) {
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> writers;
    for (const char letter : {'a', 'b', 'c', 'd'})
      writers.emplace_back([&failures, letter] {
        for (int i = 0; i < 200; ++i) try {
            write_file_atomically(kFile, std::string(1000, letter));
          } catch (const SystemError&) {
            ++failures;
          }
      });
  }
  EXPECT_EQ(failures, 0);
  EXPECT_THAT(names_in(kDirectory), ElementsAre("subnet.env"));
}

TEST(WaitForFile, ReturnsAtOnceWhenItIsThere) {
  std::ofstream(kFile) << "x";
  wait_for_file(kFile, milliseconds(0));
}

// Each way in which a file may come: the wait must end by the event, long before its budget.
struct Appearance {
  const char* name;
  void (*appear)();
};
class FileThatAppears : public testing::TestWithParam<Appearance> {};

void wait_until_somebody_watches() {
  eventually([]() -> std::optional<std::string> {
    for (const auto& entry : fs::directory_iterator("/proc/self/fdinfo")) try {
        if (read_file(entry.path()).find("inotify wd:") != std::string::npos) return std::nullopt;
      } catch (const SystemError&) {  // closed meanwhile
      }
    return "an inotify watch";
  });
}

TEST_P(FileThatAppears, EndsTheWait) {
  std::ofstream(kDirectory / "other") << "x";
  const auto start = std::chrono::steady_clock::now();
  std::thread other([] {
    wait_until_somebody_watches();
    GetParam().appear();
  });
  wait_for_file(kFile, milliseconds(20'000));
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(15'000));
  other.join();
}

INSTANTIATE_TEST_SUITE_P(Ways, FileThatAppears,
                         testing::Values(Appearance{"Atomically", [] { write_file_atomically(kFile, "x"); }},
                                         Appearance{"ByBeingWritten", [] { std::ofstream(kFile) << "x"; }},
                                         Appearance{"ByALink",
                                                    [] {
                                                      std::ofstream(kDirectory / "other") << "x";
                                                      fs::create_hard_link(kDirectory / "other", kFile);
                                                    }}),
                         [](const auto& instance) { return instance.param.name; });

TEST(WaitForFile, SaysThatTheFileIsMissing) {
  try {
    wait_for_file(kFile, milliseconds(10));
    FAIL() << "an absent file was found";
  } catch (const StillMissing& error) {
    EXPECT_EQ(error.missing(), "/run/knetsim/subnet.env doesn't exist");
  }
}

TEST(WaitForFile, DoesNotTakeAnEmptyFile) {
  std::ofstream(kFile).flush();
  try {
    wait_for_file(kFile, milliseconds(10));
    FAIL() << "an empty file was taken";
  } catch (const StillMissing& error) {
    EXPECT_EQ(error.missing(), "/run/knetsim/subnet.env is empty");
  }
}

TEST(WaitForFile, NamesADirectoryThatDoesNotExist) {
  EXPECT_THROW(wait_for_file("/run/knetsim/absent/file", milliseconds(10)), SystemError);
}

}  // namespace
}  // namespace knetsim
