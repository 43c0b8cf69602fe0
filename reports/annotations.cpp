#include <fmt/format.h>

#include <algorithm>

#include "knetsim/report/text.h"
#include "knetsim/report/writers.h"

namespace knetsim::report {

namespace {

// GitHub shows ten of a step and fifty of a run.
constexpr std::size_t kMost = 50;

std::string annotation(const TestResult& test) {
  // The place of the first reason that has one: a file outside of the tree would be shown nowhere.
  const auto placed = std::find_if(test.reasons.begin(), test.reasons.end(), [](const Reason& reason) {
    return !reason.file.empty() && reason.file.front() != '/' && reason.line > 0;
  });
  const auto place = placed == test.reasons.end()
                         ? ""
                         : fmt::format("file={},line={},", escape_command_property(placed->file), placed->line);
  const auto text = placed != test.reasons.end() ? placed->text
                    : test.reasons.empty()       ? std::string(to_string(test.outcome))
                                                 : test.reasons.front().text;
  return fmt::format("::error {}title={}::{}\n", place, escape_command_property(test.name),
                     escape_command(clean(text, 4096)));
}

}  // namespace

std::string annotations(const RunResult& run, const Comparison& comparison) {
  std::string lines;
  for (const auto& problem : run.problems)
    if (lines.size() < 64 * 1024) lines += fmt::format("::error title=the run::{}\n", escape_command(problem));
  for (std::size_t i = 0; i < comparison.new_failures.size() && i < kMost; ++i)
    lines += annotation(*comparison.new_failures[i].test);
  return lines;
}

}  // namespace knetsim::report
