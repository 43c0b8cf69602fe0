// Which program is launched: ours or the real one, from where, and which real ones are refused.

#include "knetsim/parts/program.h"

#include <gmock/gmock.h>

#include <array>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::parts {

void PrintTo(const Part* part, std::ostream* out) { *out << part->name; }

namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;

const fs::path kState = kStateDirectory;

std::string fake(const std::string& name, const std::string& script, unsigned mode = 0755) {
  const auto path = kState / name;
  write_file_atomically(path, "#!/bin/sh\n" + script + "\n", mode);
  return path;
}

std::string fake_flanneld(const std::string& version) { return fake("flanneld", "echo v" + version + " >&2"); }

/// Nothing of the machine's: PATH apart, which is the process's own.
Environment environment(std::map<std::string, std::string, std::less<>> variables = {}) {
  return Environment(std::move(variables));
}

std::string refusal(const Part& part, Flavour requested, const Environment& variables) {
  try {
    resolve(part, requested, variables);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

/// What holds for each part that is a daemon.
class DaemonPart : public testing::TestWithParam<const Part*> {
 protected:
  void SetUp() override {
    real_ = fake(std::string(part().real.front()), "echo v9.8.7");
    bindir_ = kState / "bin";
    make_directories(bindir_);
    own_ = bindir_ / std::string(part().own);
    write_file_atomically(own_, "#!/bin/sh\n", 0755);
  }

  static const Part& part() { return *GetParam(); }
  Environment with_both(const std::string& flavour = {}) const {
    return environment({{"KNETSIM_BINDIR", bindir_},
                        {std::string(part().path_variable), real_},
                        {std::string(part().variable), flavour}});
  }

  std::string real_;
  fs::path bindir_;
  fs::path own_;
};

INSTANTIATE_TEST_SUITE_P(, DaemonPart, testing::Values(&kFlannel, &kSkupper),
                         [](const auto& one) { return std::string(one.param->name); });

TEST_P(DaemonPart, TakesOursFromBindirFirst) {
  const auto program = resolve(part(), Flavour::builtin, with_both());
  EXPECT_EQ(program.flavour, Flavour::builtin);
  EXPECT_EQ(program.path, own_);
  EXPECT_EQ(to_string(program), std::string(part().own) + " (built-in)");
  EXPECT_EQ(why_not_beside_builtin(program), std::nullopt);
}

TEST_P(DaemonPart, DoesNotTakeAFileOfOursThatIsNoProgram) {
  fs::permissions(own_, fs::perms::owner_read);
  try {
    EXPECT_NE(resolve(part(), Flavour::builtin, with_both()).path, own_);
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("neither beside this program nor on PATH"), HasSubstr("KNETSIM_BINDIR")));
  }
}

TEST_P(DaemonPart, TakesTheRealOneOfItsVariableForAutoAndReal) {
  for (const auto requested : {Flavour::automatic, Flavour::real}) {
    const auto program = resolve(part(), requested, with_both());
    EXPECT_EQ(program.flavour, Flavour::real);
    EXPECT_EQ(program.release, (Release{9, 8, 7}));
    EXPECT_EQ(to_string(program), real_ + " v9.8.7");
  }
}

TEST_P(DaemonPart, FollowsTheEnvironmentForAutoOnly) {
  EXPECT_EQ(resolve(part(), Flavour::automatic, with_both("builtin")).flavour, Flavour::builtin);
  EXPECT_EQ(resolve(part(), Flavour::real, with_both("builtin")).flavour, Flavour::real);
  EXPECT_EQ(resolve(part(), Flavour::builtin, with_both("real")).flavour, Flavour::builtin);
}

TEST_P(DaemonPart, RefusesWhatIsNoFlavour) {
  for (const auto* text : {"rael", "mixed", "REAL", "on"})
    EXPECT_EQ(refusal(part(), Flavour::automatic, with_both(text)),
              "\"" + std::string(text) + "\" isn't a flavour of " + std::string(part().name) +
                  "; choose auto, real or builtin");
}

TEST_P(DaemonPart, RefusesAnAbsentRealOneAndNeverReplacesIt) {
  const std::string variable(part().path_variable);
  for (const auto requested : {Flavour::automatic, Flavour::real})
    EXPECT_THAT(refusal(part(), requested, with_both().with(variable, "/nowhere/it")),
                AllOf(HasSubstr("can't use " + variable + "=/nowhere/it: there is no executable file of that name"),
                      HasSubstr("remedy: " + std::string(part().remedy))));
}

TEST_P(DaemonPart, TakesARelativePathAsSeenFromHere) {
  const auto before = fs::current_path();
  fs::current_path(kState);
  EXPECT_EQ(
      resolve(part(), Flavour::real, with_both().with(part().path_variable, "./" + std::string(part().real.front())))
          .path.lexically_normal(),
      real_);
  fs::current_path(before);
}

TEST_P(DaemonPart, RefusesARealOneThatCannotSayItsVersionWithItsOwnWords) {
  const std::string name(part().real.front());
  fake(name, "echo libfoo.so is missing >&2; exit 127");
  EXPECT_THAT(
      refusal(part(), Flavour::automatic, with_both()),
      AllOf(HasSubstr("can't ask /run/knetsim/" + name + " for its version: exit code 127: libfoo.so is missing"),
            HasSubstr("remedy: " + std::string(part().remedy))));
  fake(name, "true");
  EXPECT_THAT(refusal(part(), Flavour::automatic, with_both()), HasSubstr("for its version: exit code 0"));
  fake(name, "printf '\\033[2J'; exit 1");
  EXPECT_THAT(refusal(part(), Flavour::automatic, with_both()), HasSubstr("exit code 1: ?[2J"));
  write_file_atomically(real_,
                        "\x7f"
                        "ELF of another machine",
                        0755);
  EXPECT_NE(refusal(part(), Flavour::automatic, with_both()), "accepted");
}

TEST_P(DaemonPart, TakesTheStartOfAnEndlessVersionAlone) {
  fake(std::string(part().real.front()), "echo v9.8.7; head -c 3000000 /dev/zero | tr '\\0' 1");
  EXPECT_EQ(resolve(part(), Flavour::real, with_both()).version, "v9.8.7");
}

TEST(Releases, AreReadFromWhatProgramsSay) {
  EXPECT_EQ(release_in("v0.27.4"), (Release{0, 27, 4}));
  EXPECT_EQ(release_in("3.5"), (Release{3, 5, 0}));
  EXPECT_EQ(release_in("built 2024 from 1.2.3-rc1"), (Release{1, 2, 3}));
  for (const auto* text : {"", "unknown", "3", "99999999999999999999"})
    EXPECT_EQ(release_in(text), std::nullopt) << text;
  EXPECT_EQ(release_in(std::string(8'000'000, '1')), std::nullopt);
}

TEST(FlanneldReleases, ThatCannotWorkHereAreRefusedWithTheReason) {
  const auto why_not = [](const std::string& version) {
    return refusal(kFlannel, Flavour::automatic, environment({{"KNETSIM_FLANNELD", fake_flanneld(version)}}));
  };
  EXPECT_THAT(why_not("0.20.0"), AllOf(HasSubstr("use flanneld 0.20.0"), HasSubstr("plain http"), HasSubstr("0.21.3")));
  for (const auto* version : {"0.20.1", "0.20.2", "0.21.0", "0.21.2"})
    EXPECT_THAT(why_not(version),
                AllOf(HasSubstr(version), HasSubstr("its workers lose each other"), HasSubstr("0.21.3 or later")));
  EXPECT_THAT(why_not("ery new"), AllOf(HasSubstr("very new"), HasSubstr("KNETSIM_FLANNEL=builtin")));
  for (const auto* version : {"0.6.2", "0.17.0", "0.21.3", "1.0.0"}) EXPECT_EQ(why_not(version), "accepted") << version;
}

TEST(FlanneldReleases, ThatPanicAtTheirEndAreNamedSo) {
  const auto name = [](const std::string& version) {
    return to_string(resolve(kFlannel, Flavour::real, environment({{"KNETSIM_FLANNELD", fake_flanneld(version)}})));
  };
  for (const auto* version : {"0.22.0", "0.25.7", "0.26.2"})
    EXPECT_THAT(name(version), HasSubstr("panics when it is stopped")) << version;
  for (const auto* version : {"0.17.0", "0.21.3", "0.26.3", "0.27.4"})
    EXPECT_THAT(name(version), EndsWith(version)) << version;
}

TEST(OldReleases, CannotStandBesideOurs) {
  const auto reason = [](const Part& part, const std::string& version) {
    const auto program =
        resolve(part, Flavour::real, environment({{std::string(part.path_variable), fake("old", "echo " + version)}}));
    return why_not_beside_builtin(program).value_or("");
  };
  for (const auto* version : {"v0.6.2", "v0.17.0"})
    EXPECT_THAT(reason(kFlannel, version), AllOf(HasSubstr(version), HasSubstr("v2 store"), HasSubstr("remedy: ")));
  EXPECT_EQ(reason(kFlannel, "v0.21.3"), "");
  for (const auto* version : {"2.7.6", "skrouterd 1.19.1", "0.9"})
    EXPECT_EQ(reason(kSkupper, version),
              "/run/knetsim/old " + std::string(version) +
                  ": can't run it beside a built-in router: before release 3 skrouterd carries TCP in another way: "
                  "services are offered, and each of their connections breaks\n"
                  "  remedy: use release 3 or later, or the same flavour, real or builtin, for all routers");
  // What doesn't say its release is tried.
  for (const auto* version : {"3.0.0", "3.5.1", "12.1", "UNKNOWN"}) EXPECT_EQ(reason(kSkupper, version), "") << version;
  EXPECT_EQ(
      why_not_beside_builtin(
          {.part = &kSkupper, .flavour = Flavour::builtin, .path = "x", .version = "0.1.0", .release = Release{}}),
      std::nullopt)
      << "ours says nothing of that by its own version";
}

TEST(RealPrograms, AreLookedForOnPathLast) {
  constexpr std::array<std::string_view, 1> kNobodyHasIt{"no-such-flanneld"};
  auto part = kFlannel;
  part.real = kNobodyHasIt;
  EXPECT_THAT(refusal(part, Flavour::real, environment()),
              AllOf(HasSubstr("can't use a real no-such-flanneld: there is none on PATH"),
                    HasSubstr("KNETSIM_FLANNEL=builtin")));
}

TEST(RealPrograms, InAnImageAreOnlyLookedForThere) {
  const auto in = [](const char* root, const char* path) {
    return refusal(kSkupper, Flavour::automatic,
                   environment({{"KNETSIM_SKUPPER_ROOT", root}, {"KNETSIM_SKROUTERD", path}}));
  };
  EXPECT_THAT(in("/nowhere", ""), HasSubstr("can't use KNETSIM_SKUPPER_ROOT=/nowhere: there is no skrouterd in it"));
  fake("skrouterd", "echo 3.5.1");
  EXPECT_THAT(in("/run/knetsim", "/absent"), HasSubstr("there is no /absent in it"));
}

TEST(Environment, TakesAnEmptyVariableForNone) {
  const auto variables = environment({{"A", "1"}, {"B", ""}});
  EXPECT_EQ(variables.get("A"), "1");
  EXPECT_EQ(variables.get("B"), std::nullopt);
  EXPECT_EQ(variables.get("C"), std::nullopt);
  EXPECT_EQ(variables.with("A", "").get("A"), std::nullopt);
  ::setenv("KNETSIM_OF_A_TEST", "x=y", 1);
  EXPECT_EQ(Environment::current().get("KNETSIM_OF_A_TEST"), "x=y");
  ::unsetenv("KNETSIM_OF_A_TEST");
}

}  // namespace
}  // namespace knetsim::parts
