// How a daemon is started, and what its log says.

#include "knetsim/parts/launcher.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <sstream>
#include <string>

#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::parts {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kPlace = kStateDirectory;

Program own_program(const std::string& script) {
  const auto path = kPlace / "knetsim-daemon";
  write_file_atomically(path, "#!/bin/sh\n" + script + "\n", 0755);
  return {.part = &kFlannel, .flavour = Flavour::builtin, .path = path};
}

TEST(Launch, StartsItInItsDirectoryAndItsNamespaceAndNotesItInTheLog) {
  const auto ns = NetNs::create();
  const LaunchSpec spec{.program = own_program("echo $PWD $HOME $1; readlink /proc/self/ns/net"),
                        .arguments = {"-x"},
                        .netns = &ns,
                        .directory = kPlace / "w1/deep",
                        .log = kPlace / "daemon.log"};
  write_file_atomically(spec.log, "of before\n");
  auto process = launch(spec);
  EXPECT_EQ(process.wait(kDefaultBudget).code(), 0);
  const auto there = ns.run([] { return fs::read_symlink("/proc/thread-self/ns/net").string(); });
  EXPECT_EQ(read_file(spec.log),
            "of before\n# knetsim-daemon (built-in): /run/knetsim/knetsim-daemon -x\n"
            "/run/knetsim/w1/deep /run/knetsim/w1/deep -x\n" +
                there + "\n");
}

TEST(Launch, HandsOnNothingThatTellsADaemonWhatNobodyDid) {
  const LaunchSpec spec{.program = own_program("env"), .directory = kPlace, .log = kPlace / "env.log"};
  for (const auto* name : {"FLANNELD_IFACE", "HTTP_PROXY", "KNETSIM_FLANNEL", "SKUPPER_TOKEN"})
    ::setenv(name, "secret", 1);
  auto process = launch(spec);
  for (const auto* name : {"FLANNELD_IFACE", "HTTP_PROXY", "KNETSIM_FLANNEL", "SKUPPER_TOKEN"}) ::unsetenv(name);
  EXPECT_EQ(process.wait(kDefaultBudget).code(), 0);
  EXPECT_THAT(read_file(spec.log), testing::Not(HasSubstr("secret")));
}

TEST(Launch, WritesThroughNoLink) {
  write_file_atomically(kPlace / "precious", "as it was");
  replace_symlink(kPlace / "precious", kPlace / "planted.log");
  EXPECT_THROW(launch({.program = own_program("true"), .directory = kPlace, .log = kPlace / "planted.log"}),
               SystemError);
  EXPECT_EQ(read_file(kPlace / "precious"), "as it was");
}

/// An unpacked image with a skrouterd in it: a shell and the libraries that this needs.
fs::path make_image(const std::string& script) {
  fs::path root = "/run/image";
  for (const char* directory : {"proc", "dev", "run", "tmp", "bin", "usr/sbin"})
    fs::create_directories(root / directory);
  std::istringstream words(exec({.argv = {"ldd", "/bin/sh"}}).out + " /bin/sh");
  for (std::string word; words >> word;) {
    if (!word.starts_with('/')) continue;
    const auto copy = root / fs::path(word).relative_path();
    fs::create_directories(copy.parent_path());
    fs::copy_file(word, copy, fs::copy_options::skip_existing);
  }
  write_file_atomically(root / "usr/sbin/skrouterd", "#!/bin/sh\n" + script + "\n", 0755);
  return root;
}

TEST(Launch, RunsARealOneInItsUnpackedImage) {
  const auto root = make_image(
      "[ \"$1\" = --version ] && echo 3.5.1 && exit\n"
      "read -r config <\"$2\"; echo \"$config $PWD\"");
  const auto program = resolve(kSkupper, Flavour::real, Environment({{"KNETSIM_SKUPPER_ROOT", root}}));
  EXPECT_EQ(to_string(program), "/usr/sbin/skrouterd 3.5.1 in /run/image");

  const auto ns = NetNs::create();
  const auto config = kPlace / "0.json";
  write_file_atomically(config, "seen\n");
  const LaunchSpec spec{.program = program,
                        .arguments = {"-c", config},
                        .netns = &ns,
                        .directory = kPlace / "w1",
                        .log = kPlace / "0.log"};
  auto router = launch(spec);
  EXPECT_EQ(router.wait(kDefaultBudget).code(), 0);
  EXPECT_EQ(read_file(spec.log),
            "# /usr/sbin/skrouterd 3.5.1 in /run/image: /usr/sbin/skrouterd -c /run/knetsim/0.json\n"
            "seen /run/knetsim/w1\n");
}

}  // namespace
}  // namespace knetsim::parts
