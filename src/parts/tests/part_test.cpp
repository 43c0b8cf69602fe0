// The table of parts, and the page that shows it.

#include "knetsim/parts/part.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <set>
#include <string>
#include <vector>

#include "knetsim/sys/file.h"

namespace knetsim::parts {
namespace {

std::string code(std::string_view text) { return text.empty() ? "" : fmt::format(" `{}`", text); }

std::string row_of(const Part& part) {
  return fmt::format("| {} |{} | `{}` | `{}`, `{}` |{} |{} |{} |{}{} |\n", part.name, code(part.own),
                     fmt::join(part.real, "`, `"), part.variable, option_of(part), code(part.path_variable),
                     code(part.root_variable), code(part.needs), part.ready.empty() ? "" : " ", part.ready);
}

std::string verdict(Releases::Verdict verdict) {
  switch (verdict) {
    case Releases::Verdict::refused:
      return "refused";
    case Releases::Verdict::faulty:
      return "told with its name";
    case Releases::Verdict::apart:
      return "never beside a built-in one";
  }
  return "";
}

TEST(PartsPage, HoldsTheTable) {
  std::string rows;
  for (const auto* part : kParts) rows += row_of(*part);
  EXPECT_THAT(read_file(KNETSIM_PARTS_PAGE), testing::HasSubstr("|---|---|---|---|---|---|---|---|\n" + rows + "\n"));
}

TEST(PartsPage, HoldsWhatIsKnownOfReleases) {
  std::string rows;
  for (const auto* part : kParts)
    for (const auto& known : part->releases)
      rows += fmt::format("| {} | {} | {} | {} | {} |\n", part->real.front(), fmt::join(known.from, "."),
                          fmt::join(known.before, "."), verdict(known.verdict), known.why);
  EXPECT_THAT(read_file(KNETSIM_PARTS_PAGE), testing::HasSubstr("|---|---|---|---|---|\n" + rows + "\n"));
}

TEST(Parts, ShareNoVariableAndNoProgram) {
  std::multiset<std::string_view> names;
  for (const auto* part : kParts) {
    names.insert({part->own, part->variable});
    names.insert(part->real.begin(), part->real.end());
    for (const auto optional : {part->path_variable, part->root_variable})
      if (!optional.empty()) names.insert(optional);
  }
  for (const auto name : names) EXPECT_EQ(names.count(name), 1U) << name;
}

TEST(Parts, NameTheWayToARealProgramAndHaveReleasesInOrder) {
  for (const auto* part : kParts) {
    EXPECT_FALSE(part->remedy.empty()) << part->name;
    for (const auto& known : part->releases) EXPECT_LT(known.from, known.before) << known.why;
  }
}

}  // namespace
}  // namespace knetsim::parts
