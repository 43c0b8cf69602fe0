#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "causes.h"
#include "judge.h"
#include "text.h"
#include "writers.h"

namespace knetsim::report {

namespace {

// Of each list: who wants all of them opens the report.
constexpr std::size_t kMostOfAList = 40;

// Of the whole message of a failure: GitHub takes a mebibyte.
constexpr std::size_t kLongestMessage = 4096;

class Summary {
 public:
  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }

  /// "### 3 new failures", then an item for each.
  template <typename Items, typename Line>
  void list(const Items& items, const std::string& heading, Line line) {
    if (items.empty()) return;
    add("\n### {}\n\n", heading);
    for (std::size_t i = 0; i < items.size() && i < kMostOfAList; ++i) add("- {}\n", line(items[i]));
    if (items.size() > kMostOfAList) add("- and {} more\n", items.size() - kMostOfAList);
  }

  std::string take() { return clean(text_, kLongestSummary); }

 private:
  std::string text_;
};

std::string link(const std::string& words, const std::string& to) {
  std::string address;
  for (const char c : to)
    address += c == ' ' || c == '<' || c == '>' || static_cast<unsigned char>(c) < ' '
                   ? fmt::format("%{:02X}", static_cast<unsigned char>(c))
                   : std::string(1, c);
  return fmt::format("[{}](<{}>)", words, address);
}

std::string since(const Failure& failure) {
  std::string text;
  if (failure.nights > 1)
    text = fmt::format(", for {} nights, since {}{}", failure.nights, escape_markdown(failure.since.substr(0, 10)),
                       failure.commit.empty() ? "" : " " + code_span(failure.commit.substr(0, kShortCommit)));
  if (const auto range = commits_between(failure.passed_at, failure.commit); !range.empty())
    text += ": " + code_span(range);
  return text;
}

/// Where a test's failure stands in the report, and what is left of it.
std::string links(const RunResult& run, const TestResult& test) {
  auto text = link("report", "report.html#" + anchor_of(run, test));
  if (!test.evidence.empty()) text += ", " + link("evidence", test.evidence);
  return text;
}

/// One cause: its sentence, the tests that failed for it, and all that the first one said.
class CauseItem {
 public:
  CauseItem(const RunResult& run, const std::vector<Failure>& failures) : run_(run) {
    for (const auto& failure : failures) known_[failure.test] = &failure;
  }

  std::string operator()(const Cause& cause) const {
    const auto& first = *cause.tests.front();
    auto text = code_span(cause.sentence) + place_of(first);
    if (cause.tests.size() > 1) text += fmt::format(", {}", count_of(cause.tests.size(), "test"));
    // What holds for all of them is said once.
    const auto common = since_of(first);
    const bool all = std::all_of(cause.tests.begin(), cause.tests.end(),
                                 [&](const TestResult* test) { return since_of(*test) == common; });
    if (all) text += common;
    for (std::size_t i = 0; i < cause.tests.size() && i < kMostOfAList; ++i) {
      const auto& test = *cause.tests[i];
      text += fmt::format("\n  - {} ({}){}", code_span(test.name), links(run_, test), all ? "" : since_of(test));
    }
    if (cause.tests.size() > kMostOfAList) text += fmt::format("\n  - and {} more", cause.tests.size() - kMostOfAList);
    std::string said;
    for (const auto& reason : first.reasons) said += (said.empty() ? "" : "\n\n") + reason.text;
    if (said == cause.sentence || said.empty()) return text;
    return fmt::format("{}\n\n  <details><summary>All that it said</summary>\n\n{}\n  </details>\n", text,
                       fenced_block(clean(said, kLongestMessage), "  "));
  }

 private:
  std::string since_of(const TestResult& test) const {
    const auto known = known_.find(&test);
    return known == known_.end() ? std::string() : since(*known->second);
  }

  static std::string place_of(const TestResult& test) {
    if (test.reasons.empty() || test.reasons.front().file.empty()) return {};
    return " at " + code_span(fmt::format("{}:{}", test.reasons.front().file, test.reasons.front().line));
  }

  const RunResult& run_;
  std::map<const TestResult*, const Failure*> known_;
};

std::string slowdown_line(const Slowdown& slower) {
  return fmt::format("{}: {} → {} ({:+.0f}%, p {:.1g})", code_span(slower.name),
                     figure_text(slower.before, slower.unit), figure_text(slower.after, slower.unit),
                     100 * slower.change(), slower.p);
}

void add_totals(Summary& summary, const RunResult& run) {
  summary.add("| passed | failed | flaky | missing | skipped | time |\n|--:|--:|--:|--:|--:|--:|\n");
  summary.add("| {} | {} | {} | {} | {} | {} |\n", run.count(Outcome::passed), run.count(Outcome::failed),
              run.count(Outcome::flaky), run.count(Outcome::missing), run.count(Outcome::skipped),
              seconds_text(run.seconds));
  std::string about;
  for (const auto* name : {"commit", "branch", "kernel", "preset"})
    if (const auto value = run.fact(name); !value.empty())
      about += fmt::format("{}{} {}", about.empty() ? "" : " · ", name,
                           code_span(std::string_view(name) == "commit" ? value.substr(0, kShortCommit) : value));
  if (run.shard)
    about += fmt::format("{}shard {} of {}", about.empty() ? "" : " · ", run.shard->index, run.shard->total);
  about += fmt::format("{}{}", about.empty() ? "" : " · ", link("report.html", "report.html"));
  if (const auto url = run.fact("url"); url.starts_with("https://")) about += " · " + link("run and artefacts", url);
  summary.add("\n{}\n", about);
}

void add_last_green(Summary& summary, const RunResult& run, const Comparison& comparison) {
  if (!comparison.last_green || reasons_for_red(run, comparison.regressions).empty()) return;
  const auto& green = *comparison.last_green;
  const auto range = commits_between(green.commit, run.fact("commit"));
  summary.add("\nLast green: {} {}{}\n", escape_markdown(green.started.substr(0, 10)),
              code_span(green.commit.substr(0, kShortCommit)), range.empty() ? "" : ", since then " + code_span(range));
}

void add_coverage(Summary& summary, const RunResult& run, const Comparison& comparison) {
  const auto covered = run.covered();
  if (!covered) return;
  summary.add("\nCoverage: {:.1f}% of lines", *covered);
  if (comparison.coverage_change) summary.add(" ({:+.1f} points)", *comparison.coverage_change);
  summary.add("\n");
}

}  // namespace

std::string summary_markdown(const RunResult& run, const Comparison& comparison) {
  Summary summary;
  const auto reasons = reasons_for_red(run, comparison.regressions);
  if (reasons.empty())
    summary.add("## ✅ knetsim: green\n\n");
  else
    summary.add("## ❌ knetsim: red — {}\n\n", escape_markdown(fmt::format("{}", fmt::join(reasons, ", "))));
  add_totals(summary, run);
  add_last_green(summary, run, comparison);
  add_coverage(summary, run, comparison);

  const auto plain = [](const std::string& text) { return escape_markdown(text); };
  const auto name = [](const TestResult* test) { return code_span(test->name); };
  summary.list(joined(run.problems), "Why this run can't be believed", plain);
  summary.list(causes_of(comparison.new_failures), heading_of_new_failures(comparison),
               CauseItem(run, comparison.new_failures));
  summary.list(causes_of(comparison.still_failing), fmt::format("{} still failing", comparison.still_failing.size()),
               CauseItem(run, comparison.still_failing));
  summary.list(causes_of(comparison.flaky), fmt::format("{} flaky (failed, then passed)", comparison.flaky.size()),
               CauseItem(run, {}));
  summary.list(comparison.fixed, fmt::format("{} fixed", comparison.fixed.size()), name);
  summary.list(comparison.slower, fmt::format("{} slower", count_of(comparison.slower.size(), "test")), slowdown_line);
  summary.list(comparison.slower_figures, fmt::format("{} worse", count_of(comparison.slower_figures.size(), "figure")),
               slowdown_line);
  summary.list(comparison.gone, fmt::format("{} gone", count_of(comparison.gone.size(), "test")),
               [](const std::string& test) { return code_span(test); });
  summary.list(comparison.history.problems, "Nights that couldn't be read", plain);
  return summary.take();
}

}  // namespace knetsim::report
