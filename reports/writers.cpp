#include "writers.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "causes.h"
#include "knetsim/sys/file.h"
#include "results.h"
#include "text.h"

namespace knetsim::report {

namespace {

// GitHub shows ten of a step and fifty of a run.
constexpr std::size_t kMostAnnotations = 50;

/// The place of the first reason that has one: a file outside of the tree would be shown nowhere.
const Reason* placed_reason(const TestResult& test) {
  const auto placed = std::find_if(test.reasons.begin(), test.reasons.end(), [](const Reason& reason) {
    return !reason.file.empty() && reason.file.front() != '/' && reason.line > 0;
  });
  return placed == test.reasons.end() ? nullptr : &*placed;
}

/// The sentence, then who else failed for it, then everything that the first test said.
std::string message_of(const Cause& cause) {
  auto text = cause.sentence;
  if (cause.tests.size() > 1) {
    text += fmt::format("\n{} failed for this reason:", count_of(cause.tests.size(), "test"));
    for (std::size_t i = 0; i < cause.tests.size() && i < kMostNamesOfACause; ++i)
      text += "\n  " + cause.tests[i]->name;
    if (cause.tests.size() > kMostNamesOfACause)
      text += fmt::format("\n  and {} more", cause.tests.size() - kMostNamesOfACause);
  }
  const auto& test = *cause.tests.front();
  for (const auto& reason : test.reasons)
    if (reason.text != cause.sentence) text += "\n\n" + reason.text;
  return clean(text, 4096);
}

std::string annotation(const Cause& cause) {
  const auto& test = *cause.tests.front();
  const auto* placed = placed_reason(test);
  const auto place =
      placed == nullptr ? "" : fmt::format("file={},line={},", escape_command_property(placed->file), placed->line);
  const auto title =
      cause.tests.size() == 1 ? test.name : fmt::format("{} and {} more", test.name, cause.tests.size() - 1);
  return fmt::format("::error {}title={}::{}\n", place, escape_command_property(title),
                     escape_command(message_of(cause)));
}

}  // namespace

std::string annotations(const RunResult& run, const Comparison& comparison) {
  std::string lines;
  for (const auto& problem : joined(run.problems))
    if (lines.size() < 64 * 1024) lines += fmt::format("::error title=the run::{}\n", escape_command(problem));
  const auto causes = causes_of(comparison.new_failures);
  for (std::size_t i = 0; i < causes.size() && i < kMostAnnotations; ++i) lines += annotation(causes[i]);
  return lines;
}

std::string benchmark_json(const RunResult& run, bool bigger_is_better) {
  using OrderedJson = nlohmann::ordered_json;
  auto list = OrderedJson::array();
  for (const auto& figure : run.figures) {
    if (figure.bigger_is_better() != bigger_is_better) continue;
    OrderedJson entry{{"name", figure.name}, {"unit", figure.unit}, {"value", figure.value}};
    if (figure.high > figure.low)
      entry["range"] = figure_text(figure.low, figure.unit) + " - " + figure_text(figure.high, figure.unit);
    list.push_back(std::move(entry));
  }
  return list.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

void write_report(const std::filesystem::path& report, const RunResult& run, const Comparison& comparison) {
  make_directories(report);
  const auto write = [&](const char* name, const std::string& text) { write_file_atomically(report / name, text); };
  write("report.html", html_page(run, comparison, report));
  write("summary.md", summary_markdown(run, comparison));
  write("junit.xml", junit_xml(run, comparison));
  write("annotations.txt", annotations(run, comparison));
  write("bench.json", benchmark_json(run, false));
  write("bench-bigger.json", benchmark_json(run, true));
  // Last: who finds it finds the others too.
  write("results.json", to_json(run, comparison.regressions));
}

}  // namespace knetsim::report
