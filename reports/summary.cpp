#include <fmt/format.h>

#include <iterator>

#include "knetsim/report/judge.h"
#include "knetsim/report/text.h"
#include "knetsim/report/writers.h"

namespace knetsim::report {

namespace {

// Of each list: who wants all of them opens the report.
constexpr std::size_t kMost = 40;

class Summary {
 public:
  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }

  /// "### 3 new failures", then a line for each item.
  template <typename Items, typename Line>
  void list(const Items& items, const std::string& heading, Line line) {
    if (items.empty()) return;
    add("\n### {}\n\n", heading);
    for (std::size_t i = 0; i < items.size() && i < kMost; ++i) add("- {}\n", line(items[i]));
    if (items.size() > kMost) add("- and {} more\n", items.size() - kMost);
  }

  std::string take() { return clean(text_, kLongestSummary); }

 private:
  std::string text_;
};

std::string link(const TestResult& test) { return fmt::format("**{}**", escape_markdown(test.name)); }

std::string reason_of(const TestResult& test) {
  if (test.reasons.empty()) return {};
  const auto& reason = test.reasons.front();
  const auto place = reason.file.empty() ? "" : fmt::format("`{}:{}` ", reason.file, reason.line);
  return fmt::format("<br>{}{}", place, escape_markdown(clean(reason.text, 300)));
}

std::string failure_line(const Failure& failure) {
  const auto since = failure.nights > 1 ? fmt::format(", since {} nights ({}{})", failure.nights,
                                                      escape_markdown(failure.since.substr(0, 10)),
                                                      failure.commit.empty() ? "" : ", " + failure.commit.substr(0, 10))
                                        : "";
  return link(*failure.test) + since + reason_of(*failure.test);
}

std::string slowdown_line(const Slowdown& slower) {
  return fmt::format("**{}**: {} → {} ({:+.0f}%, p {:.1g})", escape_markdown(slower.name),
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
      about += fmt::format("{}{} {}", about.empty() ? "" : " · ", name, escape_markdown(value));
  if (run.shard)
    about += fmt::format("{}shard {} of {}", about.empty() ? "" : " · ", run.shard->index, run.shard->total);
  if (!about.empty()) summary.add("\n{}\n", about);
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
  add_coverage(summary, run, comparison);

  const auto plain = [](const std::string& text) { return escape_markdown(text); };
  summary.list(run.problems, "Why this run can't be believed", plain);
  summary.list(comparison.new_failures, count_of(comparison.new_failures.size(), "new failure"), failure_line);
  summary.list(comparison.still_failing, fmt::format("{} still failing", comparison.still_failing.size()),
               failure_line);
  summary.list(comparison.flaky, fmt::format("{} flaky (failed, then passed)", comparison.flaky.size()),
               [](const TestResult* test) { return link(*test) + reason_of(*test); });
  summary.list(comparison.fixed, fmt::format("{} fixed", comparison.fixed.size()),
               [](const TestResult* test) { return link(*test); });
  summary.list(comparison.slower, fmt::format("{} slower", count_of(comparison.slower.size(), "test")), slowdown_line);
  summary.list(comparison.slower_figures, fmt::format("{} worse", count_of(comparison.slower_figures.size(), "figure")),
               slowdown_line);
  summary.list(comparison.gone, fmt::format("{} gone", count_of(comparison.gone.size(), "test")), plain);
  summary.list(comparison.history.problems, "Nights that couldn't be read", plain);
  return summary.take();
}

}  // namespace knetsim::report
