// Which router is launched, and how.

#include "knetsim/skupper/launcher.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <string>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::skupper {
namespace {

namespace fs = std::filesystem;
using parts::Flavour;
using testing::AllOf;
using testing::HasSubstr;

const fs::path kState = kStateDirectory;

/// A program that answers --version as skrouterd does.
std::string fake_skrouterd(const std::string& script = "echo 3.5.1") {
  const auto path = kState / "skrouterd";
  write_file_atomically(path, "#!/bin/sh\n" + script + "\n", 0755);
  return path;
}

Environment environment(std::optional<std::string> skupper, std::optional<std::string> skrouterd = {}) {
  return {.skupper = std::move(skupper), .skrouterd = std::move(skrouterd), .skupper_root = {}, .bindir = {}};
}

std::string refusal(Flavour requested, const Environment& variables) {
  try {
    resolve(requested, variables);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(RouterProgram, BuiltinIsFoundInBindirFirst) {
  write_file_atomically(kState / "knetsim-skrouterd", "#!/bin/sh\n", 0755);
  auto variables = environment({});
  variables.bindir = kStateDirectory;
  const auto program = resolve(Flavour::builtin, variables);
  EXPECT_EQ(program.flavour, Flavour::builtin);
  EXPECT_EQ(program.path, kState / "knetsim-skrouterd");
  EXPECT_EQ(to_string(program), "knetsim-skrouterd (built-in)");
}

TEST(RouterProgram, PathInTheEnvironmentIsTheRealOneForAutoAndReal) {
  const auto path = fake_skrouterd();
  for (const auto requested : {Flavour::automatic, Flavour::real}) {
    const auto program = resolve(requested, environment({}, path));
    EXPECT_EQ(program.flavour, Flavour::real);
    EXPECT_EQ(to_string(program), path + " 3.5.1");
  }
}

TEST(RouterProgram, EnvironmentDecidesForAutoOnly) {
  const auto path = fake_skrouterd();
  auto variables = environment("builtin", path);
  variables.bindir = kStateDirectory;
  write_file_atomically(kState / "knetsim-skrouterd", "#!/bin/sh\n", 0755);
  EXPECT_EQ(resolve(Flavour::automatic, variables).flavour, Flavour::builtin);
  EXPECT_EQ(resolve(Flavour::real, variables).flavour, Flavour::real);
  variables.skupper = "real";
  EXPECT_EQ(resolve(Flavour::builtin, variables).flavour, Flavour::builtin);
}

TEST(RouterProgram, OneThatDoesNotRunIsRefusedWithItsOwnWords) {
  EXPECT_THAT(refusal(Flavour::automatic, environment({}, fake_skrouterd("echo libfoo.so is missing >&2; exit 127"))),
              AllOf(HasSubstr("can't ask /run/knetsim/skrouterd for its version: exit code 127: libfoo.so is missing"),
                    HasSubstr("KNETSIM_SKUPPER_ROOT")));
  EXPECT_THAT(refusal(Flavour::automatic, environment({}, fake_skrouterd("true"))),
              HasSubstr("for its version: exit code 0"));
}

TEST(RouterProgram, AbsentOnesAreRefusedAndNeverReplaced) {
  EXPECT_THAT(refusal(Flavour::automatic, environment({}, "/nowhere/skrouterd")),
              HasSubstr("can't use KNETSIM_SKROUTERD=/nowhere/skrouterd: there is no executable file of that name"));
  auto variables = environment({});
  variables.skupper_root = "/nowhere";
  EXPECT_THAT(refusal(Flavour::automatic, variables),
              HasSubstr("can't use KNETSIM_SKUPPER_ROOT=/nowhere: there is no skrouterd in it"));
}

TEST(RouterProgram, NonsenseIsRefused) {
  EXPECT_THAT(refusal(Flavour::automatic, environment("rael")),
              HasSubstr("\"rael\" isn't a flavour of skupper; choose auto, real or"));
  EXPECT_THAT(refusal(Flavour::automatic, environment("on")), HasSubstr("\"on\" isn't a flavour of skupper"));
}

TEST(RouterProgram, BeforeReleaseThreeARealOneIsRefusedBesideTheBuiltIn) {
  const auto reason = [](Flavour flavour, const std::string& version) {
    return why_not_beside_builtin({.flavour = flavour, .path = "/opt/skrouterd", .version = version}).value_or("");
  };
  for (const auto* version : {"2.7.6", "skrouterd 1.19.1", "0.9"})
    EXPECT_EQ(reason(Flavour::real, version),
              "/opt/skrouterd " + std::string(version) +
                  ": can't run it beside a built-in router: before release 3 skrouterd carries TCP in another way: "
                  "services are offered, and each of their connections breaks\n"
                  "  remedy: use release 3 or later, or the same flavour, real or builtin, for all routers");
  // What doesn't say its release is tried.
  for (const auto* version : {"3.0.0", "3.5.1", "12.1", "UNKNOWN", ""}) EXPECT_EQ(reason(Flavour::real, version), "");
  EXPECT_EQ(reason(Flavour::builtin, "0.1.0"), "") << "the built-in one's own version says nothing of that";
}

TEST(RouterProgram, OfAnOldReleaseIsFoundAndRefusedBesideTheBuiltIn) {
  const auto program = resolve("real", environment({}, fake_skrouterd("echo 2.7.6")));
  EXPECT_THAT(why_not_beside_builtin(program).value_or(""), HasSubstr("/run/knetsim/skrouterd 2.7.6: can't run it"));
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

TEST(RouterProgram, RunsInAnUnpackedImage) {
  auto variables = environment({});
  variables.skupper_root = make_image(
      "[ \"$1\" = --version ] && echo 3.5.1 && exit\n"
      "read -r config <\"$2\"; echo \"$config $PWD\"");
  const auto program = resolve(Flavour::real, variables);
  EXPECT_EQ(to_string(program), "/usr/sbin/skrouterd 3.5.1 in /run/image");

  const auto ns = NetNs::create();
  fs::create_directories(kState / "w1");
  write_file_atomically(kState / "0.json", "seen\n");
  const LaunchSpec spec{.netns = &ns, .config = kState / "0.json", .directory = kState / "w1", .log = kState / "0.log"};
  auto router = launch(program, spec);
  EXPECT_EQ(router.wait(std::chrono::seconds(10)).code(), 0);
  EXPECT_EQ(read_file(spec.log),
            "# /usr/sbin/skrouterd 3.5.1 in /run/image: /usr/sbin/skrouterd -c /run/knetsim/0.json\n"
            "seen /run/knetsim/w1\n");
}

}  // namespace
}  // namespace knetsim::skupper
