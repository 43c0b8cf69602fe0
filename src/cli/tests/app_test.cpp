#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.h"
#include "knetsim/sys/process.h"

namespace knetsim::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(CommandLine, Helps) {
  const auto ran = knetsim({"--help"});
  EXPECT_EQ(ran.code, 0);
  for (const auto* word : {"check", "doctor", "completion", "Exit codes"}) EXPECT_THAT(ran.out, HasSubstr(word));
  EXPECT_THAT(knetsim({"check", "--help"}).out, HasSubstr("Usage: knetsim check"));
  EXPECT_EQ(knetsim({"check", "--help"}).code, 0);
}

TEST(CommandLine, TellsItsVersion) {
  const auto ran = knetsim({"--version"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, StartsWith("knetsim "));
}

TEST(CommandLine, WithoutACommandExplainsItselfAndExits2) {
  const auto ran = knetsim({});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("Subcommands:"));
}

TEST(CommandLine, RefusesWhatItDoesNotKnowAndNamesTheNearest) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{"chekc"}, "unknown command chekc; did you mean check?"},
      {{"--versoin"}, "unknown option --versoin; did you mean --version?"},
      {{"check", "--onyl", "vip"}, "unknown option --onyl; did you mean --only?"},
      {{"check", "--jsn=x"}, "unknown option --jsn; did you mean --json?"},
      {{"doctor", "--jsno", "x"}, "unknown option --jsno; did you mean --json?"},
      {{"check", "vip"}, "unknown argument vip"},
      {{"restart"}, "unknown command restart\n"},
  };
  for (const auto& [arguments, words] : cases) {
    const auto ran = knetsim(arguments);
    EXPECT_EQ(ran.code, 2) << words;
    EXPECT_THAT(ran.err, HasSubstr(words));
    EXPECT_EQ(ran.out, "");
  }
}

TEST(CommandLine, RefusesValuesThatMakeNoSense) {
  EXPECT_EQ(knetsim({"check", "--color", "purple"}).code, 2);
  EXPECT_EQ(knetsim({"check", "--timeout", "0"}).code, 2);
  EXPECT_EQ(knetsim({"check", "--json"}).code, 2);
  EXPECT_EQ(knetsim({"completion", "tcsh"}).code, 2);
  EXPECT_EQ(knetsim({"completion"}).code, 2);
}

TEST(Completion, KnowsEveryCommandAndOptionInEveryShell) {
  for (const auto* shell : {"bash", "zsh", "fish"}) {
    const auto ran = knetsim({"completion", shell});
    EXPECT_EQ(ran.code, 0);
    for (const auto* word : {"check", "doctor", "completion", "only", "json", "keep-evidence", "color"})
      EXPECT_THAT(ran.out, HasSubstr(word)) << shell;
  }
}

/// What bash offers after these words; the last one is being typed.
std::string offered(const std::string& words, int count) {
  const auto script = scratch("completion", knetsim({"completion", "bash"}).out);
  const auto asked = scratch("ask", "source " + script.string() + "\nCOMP_WORDS=(" + words + ")\nCOMP_CWORD=" +
                                        std::to_string(count - 1) + "\n_knetsim\necho \"${COMPREPLY[*]}\"\n");
  const auto ran = exec({.argv = {"bash", asked.string()},
                         .environment = {{"PATH", kProgram.parent_path().string() + ":/usr/bin:/bin"}}});
  EXPECT_EQ(ran.err, "");
  return ran.out;
}

TEST(Completion, WorksInBash) {
  EXPECT_EQ(offered("knetsim ch", 2), "check\n");
  EXPECT_EQ(offered("knetsim check --ke", 3), "--keep-evidence\n");
  EXPECT_EQ(offered("knetsim check --color al", 4), "always\n");
  EXPECT_EQ(offered("knetsim completion f", 3), "fish\n");
  EXPECT_EQ(offered("knetsim up pa", 3), "pair\n");
  const auto file = scratch("mine-alone", "{}").string();
  EXPECT_EQ(offered("knetsim up " + file.substr(0, file.size() - 2), 3), file + "\n");
}

}  // namespace
}  // namespace knetsim::cli
