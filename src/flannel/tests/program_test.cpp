// Which daemon is launched.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "knetsim/flannel/launcher.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::flannel {
namespace {

using parts::Flavour;
using testing::AllOf;
using testing::HasSubstr;

/// A program that answers --version like a flanneld of that version.
std::string fake_flanneld(const std::string& version) {
  auto path = std::string(kStateDirectory) + "/flanneld-" + version;
  write_file_atomically(path, "#!/bin/sh\necho v" + version + " >&2\n", 0755);
  return path;
}

Environment environment(std::optional<std::string> flannel, std::optional<std::string> flanneld = {}) {
  return {std::move(flannel), std::move(flanneld), {}};
}

std::string refusal(Flavour requested, const Environment& variables) {
  try {
    resolve(requested, variables);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Program, BuiltinIsFoundBesideTheRunningProgram) {
  const auto program = resolve(Flavour::builtin, environment({}));
  EXPECT_EQ(program.flavour, Flavour::builtin);
  EXPECT_EQ(program.path.filename(), "knetsim-flanneld");
  EXPECT_EQ(program.api, EtcdApi::v3);
}

TEST(Program, BuiltinIsFoundInBindirFirst) {
  const auto path = std::string(kStateDirectory) + "/knetsim-flanneld";
  write_file_atomically(path, "#!/bin/sh\n", 0755);
  auto variables = environment({});
  variables.bindir = kStateDirectory;
  EXPECT_EQ(resolve(Flavour::builtin, variables).path, path);
}

TEST(Program, PathInTheEnvironmentIsTheRealOneForAutoAndReal) {
  const auto path = fake_flanneld("0.27.4");
  for (const auto requested : {Flavour::automatic, Flavour::real}) {
    const auto program = resolve(requested, environment({}, path));
    EXPECT_EQ(program.flavour, Flavour::real);
    EXPECT_EQ(program.path, path);
    EXPECT_EQ(program.version, "v0.27.4");
  }
}

TEST(Program, EnvironmentDecidesForAutoOnly) {
  const auto path = fake_flanneld("0.27.4");
  EXPECT_EQ(resolve(Flavour::automatic, environment("builtin", path)).flavour, Flavour::builtin);
  EXPECT_EQ(resolve(Flavour::real, environment("builtin", path)).flavour, Flavour::real);
  EXPECT_EQ(resolve(Flavour::builtin, environment("real", path)).flavour, Flavour::builtin);
}

TEST(Program, VersionTellsTheStoreOfTheLeases) {
  for (const auto* version : {"0.6.2", "0.17.0"})
    EXPECT_EQ(resolve(Flavour::real, environment({}, fake_flanneld(version))).api, EtcdApi::v2) << version;
  for (const auto* version : {"0.21.3", "0.25.7", "0.27.4", "1.0.0"})
    EXPECT_EQ(resolve(Flavour::real, environment({}, fake_flanneld(version))).api, EtcdApi::v3) << version;
}

TEST(Program, VersionsThatCantWorkHereAreRefusedWithTheReason) {
  EXPECT_THAT(refusal(Flavour::automatic, environment({}, fake_flanneld("0.20.0"))),
              AllOf(HasSubstr("use flanneld 0.20.0"), HasSubstr("plain http"), HasSubstr("0.21.3")));
  for (const auto* version : {"0.20.1", "0.20.2", "0.21.0", "0.21.2"})
    EXPECT_THAT(refusal(Flavour::automatic, environment({}, fake_flanneld(version))),
                AllOf(HasSubstr(version), HasSubstr("its workers lose each other"), HasSubstr("0.21.3 or later")));
}

TEST(Program, VersionsThatPanicAtTheirEndAreNamedSo) {
  for (const auto* version : {"0.22.0", "0.25.7", "0.26.2"})
    EXPECT_THAT(to_string(resolve(Flavour::real, environment({}, fake_flanneld(version)))),
                HasSubstr("panics when it is stopped"))
        << version;
  for (const auto* version : {"0.17.0", "0.21.3", "0.26.3", "0.27.4"})
    EXPECT_THAT(to_string(resolve(Flavour::real, environment({}, fake_flanneld(version)))), testing::EndsWith(version));
}

TEST(Program, RealOneThatIsAbsentIsRefusedWithTheWayToGetIt) {
  EXPECT_THAT(refusal(Flavour::real, environment({}, "/nowhere/flanneld")),
              AllOf(HasSubstr("/nowhere/flanneld"), HasSubstr("github.com/flannel-io/flannel/releases")));
  if (!find_program("flanneld")) {
    EXPECT_THAT(refusal(Flavour::real, environment({})), HasSubstr("KNETSIM_FLANNEL=builtin"));
    EXPECT_EQ(resolve(Flavour::automatic, environment({})).flavour, Flavour::builtin);
  }
}

TEST(Program, RealOneThatCantSayItsVersionIsRefused) {
  const auto path = std::string(kStateDirectory) + "/flanneld";
  write_file_atomically(path, "#!/bin/sh\necho broken; exit 3\n", 0755);
  EXPECT_THAT(refusal(Flavour::real, environment({}, path)), AllOf(HasSubstr("broken"), HasSubstr("exit code 3")));
}

TEST(Program, UnknownFlavourIsRefused) {
  EXPECT_THAT(refusal(Flavour::automatic, environment("mixed")), HasSubstr("\"mixed\" isn't a flavour"));
  EXPECT_THAT(refusal(Flavour::automatic, environment("fake")), HasSubstr("choose auto, real or builtin"));
}

}  // namespace
}  // namespace knetsim::flannel
