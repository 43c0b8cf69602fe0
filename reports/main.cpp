// The program knetsim-report.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "causes.h"
#include "collect.h"
#include "judge.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/standard_output.h"
#include "results.h"
#include "run_tests.h"
#include "text.h"
#include "writers.h"

namespace knetsim::report {

namespace fs = std::filesystem;

namespace {

constexpr int kExitGreen = 0;
constexpr int kExitRed = 1;
constexpr int kExitUnreadable = 2;  // the input couldn't be read, or the command line is wrong

// A console that scrolls away helps nobody; the report has them all.
constexpr std::size_t kMostLines = 50;

/// A line for each failure; for those of one cause one line, and their names below.
void add_failures(std::vector<std::string>& lines, const RunResult& run, Outcome outcome) {
  std::vector<const TestResult*> tests;
  for (const auto& test : run.tests)
    if (test.outcome == outcome) tests.push_back(&test);
  for (const auto& cause : causes_of(tests)) {
    if (cause.tests.size() == 1) {
      const auto& test = *cause.tests.front();
      lines.push_back(
          fmt::format("{}: {}{}", test.name, to_string(outcome), test.reasons.empty() ? "" : ": " + cause.sentence));
      continue;
    }
    lines.push_back(fmt::format("{} {}: {}", count_of(cause.tests.size(), "test"), to_string(outcome), cause.sentence));
    for (std::size_t i = 0; i < cause.tests.size() && i < kMostNamesOfACause; ++i)
      lines.push_back("  " + cause.tests[i]->name);
    if (cause.tests.size() > kMostNamesOfACause)
      lines.push_back(fmt::format("  and {} more", cause.tests.size() - kMostNamesOfACause));
  }
}

/// Writes the report, says why it is red, and returns the exit code.
int finish(const RunResult& run, const Comparison& comparison, const fs::path& report, std::ostream& err) {
  write_report(report, run, comparison);
  for (const auto& problem : comparison.history.problems) err << "knetsim-report: " << problem << '\n';
  const auto reasons = reasons_for_red(run, comparison.regressions);
  if (reasons.empty()) return kExitGreen;
  auto lines = joined(run.problems);
  for (const auto outcome : {Outcome::failed, Outcome::missing, Outcome::flaky}) add_failures(lines, run, outcome);
  for (const auto& slower : comparison.slower)
    lines.push_back(fmt::format("{}: {} instead of {}", slower.name, figure_text(slower.after, slower.unit),
                                figure_text(slower.before, slower.unit)));
  err << fmt::format("knetsim-report: red: {}\n", fmt::join(reasons, ", "));
  for (std::size_t i = 0; i < lines.size() && i < kMostLines; ++i) err << "  " << lines[i] << '\n';
  if (lines.size() > kMostLines) err << fmt::format("  and {} more\n", lines.size() - kMostLines);
  if (comparison.last_green) {
    const auto& green = *comparison.last_green;
    const auto range = commits_between(green.commit, run.fact("commit"));
    err << fmt::format("  last green: {} {}{}\n", green.started.substr(0, 10), green.commit.substr(0, kShortCommit),
                       range.empty() ? "" : ", what came since: " + range);
  }
  err << fmt::format("  {} has the details\n", (report / "report.html").string());
  return kExitRed;
}

struct Options {
  Source source;
  std::vector<fs::path> parts;
  std::vector<std::string> ctest;
  fs::path report;
  fs::path history;
  bool dry = false;
};

void add_collect(CLI::App& app, Options& options) {
  auto* command = app.add_subcommand("collect", "Make the report of a run from what ctest and the suites left");
  command->add_option("run", options.source.run, "directory with registered.json, ctest.xml, xml/ ...")->required();
  command->add_option("--to", options.report, "directory of the report")->required();
  command->add_option("--allowed-skips", options.source.allowed_skips, "file that names the tests that may be skipped");
  command->add_option("--source", options.source.root, "source tree: files are named relative to it")->default_val(".");
  command->add_flag("--partial", options.source.partial, "only some tests were asked for");
}

void add_run(CLI::App& app, Options& options) {
  auto* command = app.add_subcommand("run", "Run ctest for suites of your own, and make the report of it");
  command->add_option("ctest", options.ctest, "after --: ctest and its arguments")->required();
  command->add_option("--to", options.report, "directory of the report (default: report/ beside the suites' out/)");
  command->add_option("--allowed-skips", options.source.allowed_skips, "file that names the tests that may be skipped");
  command->add_option("--source", options.source.root, "source tree: files are named relative to it")->default_val(".");
  command->footer(
      "  knetsim-report run -- ctest --test-dir build -j4\n"
      "Exit codes: 0 green, 1 red, 2 the tests could not be run.");
}

void add_compare(CLI::App& app, Options& options) {
  auto* command = app.add_subcommand("compare", "Hold a report against the nights before, and add it to them");
  command->add_option("report", options.report, "directory of the report; it is written anew")->required();
  command->add_option("--history", options.history, "directory with a file for each night")->required();
  command->add_flag("--dry-run", options.dry, "don't add this night to the history");
}

void add_merge(CLI::App& app, Options& options) {
  auto* command = app.add_subcommand("merge", "Make one report from those of the shards of a run");
  command->add_option("shards", options.parts, "the results.json of each shard, or their directories")->required();
  command->add_option("--to", options.report, "directory of the report")->required();
}

int collect_command(const Options& options, std::ostream& err) {
  auto source = options.source;
  source.report = options.report;
  const auto run = collect(source);
  return finish(run, compare(run, {}), options.report, err);
}

int run_command(const Options& options, std::ostream& out, std::ostream& err) {
  const auto tests = run_tests(options.ctest);
  auto source = options.source;
  source.run = tests.artefacts;
  source.partial = tests.partial;
  source.report = options.report.empty() ? tests.artefacts.parent_path() / "report" : options.report;
  const auto run = collect(source);
  const auto code = finish(run, compare(run, {}), source.report, err);
  if (code != kExitGreen) return code;
  out << fmt::format("the report is {}\n", (source.report / "report.html").string());
  return tests.exit_code == 0 ? kExitGreen : kExitRed;
}

int compare_command(const Options& options, std::ostream& err) {
  const auto run = read_results(options.report / "results.json");
  if (run.shard)
    throw InputError(describe({.where = options.report.string(),
                               .tried = "compare it",
                               .answer = "it is one shard of a run",
                               .remedy = "knetsim-report merge joins the shards first"}));
  const auto comparison = compare(run, read_history(options.history, run.started));
  const auto code = finish(run, comparison, options.report, err);
  if (!options.dry) append_night(options.history, run, code == kExitGreen);
  return code;
}

int merge_command(const Options& options, std::ostream& err) {
  auto files = options.parts;
  for (auto& file : files)
    if (fs::is_directory(file)) file /= "results.json";
  const auto run = merge(files, options.report);
  return finish(run, compare(run, {}), options.report, err);
}

int dispatch(const CLI::App& app, const Options& options, std::ostream& out, std::ostream& err) try {
  if (app.got_subcommand("run")) return run_command(options, out, err);
  if (app.got_subcommand("collect")) return collect_command(options, err);
  if (app.got_subcommand("compare")) return compare_command(options, err);
  return merge_command(options, err);
} catch (const std::exception& error) {
  err << "knetsim-report: " << error.what() << '\n';
  return kExitUnreadable;
}

/// Parses, makes the report, tells why it is red on `err`, and returns the exit code.
int run(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  CLI::App app{"What a run of the suites says: report.html, summary.md, junit.xml, annotations, figures, one verdict",
               "knetsim-report"};
  app.set_version_flag("--version", fmt::format("knetsim-report {}", version()));
  app.require_subcommand(1);
  app.footer("Exit codes: 0 green, 1 red, 2 the input couldn't be read. docs/reports.md tells more.");
  Options options;
  add_run(app, options);
  add_collect(app, options);
  add_compare(app, options);
  add_merge(app, options);
  try {
    auto reversed = arguments;
    std::reverse(reversed.begin(), reversed.end());
    app.parse(std::move(reversed));
  } catch (const CLI::Success& asked) {
    app.exit(asked, out, err);
    return kExitGreen;
  } catch (const CLI::ParseError& error) {
    err << fmt::format("knetsim-report: {}\n  knetsim-report --help lists what there is\n", error.what());
    return kExitUnreadable;
  }
  return dispatch(app, options, out, err);
}

}  // namespace

}  // namespace knetsim::report

int main(int argc, char** argv) {
  return knetsim::exit_code_after_output("knetsim-report",
                                         knetsim::report::run({argv + 1, argv + argc}, std::cout, std::cerr));
}
