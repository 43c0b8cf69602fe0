#include "compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "statistics.h"
#include "text.h"

namespace knetsim::report {

namespace {

bool bad(Outcome outcome) { return outcome == Outcome::failed || outcome == Outcome::missing; }

/// Times of tonight and of the nights before, the oldest first; a slowdown if they are worse than chance explains.
std::optional<Slowdown> slowdown(std::string name, std::string unit, std::vector<double> values,
                                 bool bigger_is_better) {
  if (values.size() > kWindow) values.erase(values.begin(), values.end() - static_cast<std::ptrdiff_t>(kWindow));
  if (values.size() <= kRecent) return std::nullopt;
  const auto cut = values.end() - static_cast<std::ptrdiff_t>(kRecent);
  std::vector<double> earlier(values.begin(), cut);
  std::vector<double> later(cut, values.end());
  Slowdown found{std::move(name), std::move(unit), median(earlier), median(later), 1};
  const bool in_seconds = found.unit == "s";
  if (in_seconds && found.after - found.before < kLeastSeconds) return std::nullopt;
  const auto loss = bigger_is_better ? found.before / std::max(found.after, 1e-300) - 1 : found.change();
  if (found.before <= 0 || loss < kFloor) return std::nullopt;
  found.p = bigger_is_better ? mann_whitney(later, earlier) : mann_whitney(earlier, later);
  if (found.p >= kChance) return std::nullopt;
  return found;
}

class Comparer {
 public:
  Comparer(const RunResult& run, Comparison& result) : run_(run), result_(result) {}

  void look_at(const TestResult& test) {
    const auto found = result_.history.tests.find(test.name);
    static const std::vector<Cell> never;
    const auto& cells = found == result_.history.tests.end() ? never : found->second;
    if (test.outcome == Outcome::flaky) result_.flaky.push_back(&test);
    if (bad(test.outcome)) {
      note_failure(test, cells);
    } else if (test.outcome == Outcome::passed) {
      if (!cells.empty() && bad(cells.back().outcome)) result_.fixed.push_back(&test);
      note_slowdown(test, cells);
    }
  }

  void look_at(const Figure& figure) {
    const auto found = result_.history.figures.find(figure.name);
    if (found == result_.history.figures.end() || found->second.unit != figure.unit) return;
    std::vector<double> values;
    for (const auto& [night, value] : found->second.values) values.push_back(value);
    values.push_back(figure.value);
    if (auto slower = slowdown(figure.name, figure.unit, std::move(values), figure.bigger_is_better()))
      result_.slower_figures.push_back(std::move(*slower));
  }

  void look_at_coverage() {
    const auto covered = run_.covered();
    if (!covered) return;
    const auto& nights = result_.history.nights;
    const auto last =
        std::find_if(nights.rbegin(), nights.rend(), [](const Night& night) { return night.covered.has_value(); });
    if (last != nights.rend()) result_.coverage_change = *covered - last->covered.value();
    if (*covered < kLeastCovered)
      result_.regressions.push_back(fmt::format("coverage is {:.1f}%, below {:.0f}%", *covered, kLeastCovered));
    if (result_.coverage_change && *result_.coverage_change < -kCoverageFall)
      result_.regressions.push_back(fmt::format("coverage fell by {:.1f} points", -*result_.coverage_change));
  }

  void find_the_gone() {
    if (result_.history.nights.empty()) return;
    const auto last = static_cast<std::uint32_t>(result_.history.nights.size() - 1);
    std::unordered_set<std::string_view> here;
    for (const auto& test : run_.tests) here.insert(test.name);
    for (const auto& name : run_.elsewhere) here.insert(name);
    for (const auto& [name, cells] : result_.history.tests)
      if (!cells.empty() && cells.back().night == last && !here.contains(name)) result_.gone.push_back(name);
  }

 private:
  void note_failure(const TestResult& test, const std::vector<Cell>& cells) {
    Failure failure{&test, 1, run_.started, run_.fact("commit"), {}};
    auto cell = cells.rbegin();
    for (; cell != cells.rend() && bad(cell->outcome); ++cell) {
      ++failure.nights;
      failure.since = result_.history.nights[cell->night].started;
      failure.commit = result_.history.nights[cell->night].commit;
    }
    while (cell != cells.rend() && cell->outcome != Outcome::passed) ++cell;
    if (cell != cells.rend()) failure.passed_at = result_.history.nights[cell->night].commit;
    (failure.nights == 1 ? result_.new_failures : result_.still_failing).push_back(std::move(failure));
  }

  void note_slowdown(const TestResult& test, const std::vector<Cell>& cells) {
    std::vector<double> values;
    // Only the last of them are looked at; a failure's time says nothing.
    for (auto cell = cells.rbegin(); cell != cells.rend() && values.size() + 1 < kWindow; ++cell)
      if (cell->outcome == Outcome::passed) values.push_back(cell->seconds);
    std::reverse(values.begin(), values.end());
    values.push_back(test.seconds);
    if (auto slower = slowdown(test.name, "s", std::move(values), false)) result_.slower.push_back(std::move(*slower));
  }

  const RunResult& run_;
  Comparison& result_;
};

}  // namespace

Comparison compare(const RunResult& run, History history) {
  Comparison result;
  result.history = std::move(history);
  Comparer comparer(run, result);
  for (const auto& test : run.tests) comparer.look_at(test);
  for (const auto& figure : run.figures) comparer.look_at(figure);
  comparer.look_at_coverage();
  const auto& nights = result.history.nights;
  const auto green = std::find_if(nights.rbegin(), nights.rend(), [](const Night& night) { return night.green; });
  if (green != nights.rend()) result.last_green = *green;
  comparer.find_the_gone();
  if (const auto count = result.slower.size() + result.slower_figures.size(); count > 0)
    result.regressions.push_back(count_of(count, "slowdown"));
  return result;
}

std::string heading_of_new_failures(const Comparison& comparison) {
  return count_of(comparison.new_failures.size(), comparison.history.nights.empty() ? "failure" : "new failure");
}

std::string commits_between(const std::string& from, const std::string& to) {
  if (from.empty() || to.empty() || from == to) return {};
  return fmt::format("git log {}..{}", from.substr(0, kShortCommit), to.substr(0, kShortCommit));
}

}  // namespace knetsim::report
