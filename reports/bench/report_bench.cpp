// bench-report: a report of many results, compared with many nights; time, memory and size of the page.
//
// Budgets: 10,000 results x 100 nights in 3 s and 300 MiB, a page of at most 5 MiB.

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "results.h"
#include "writers.h"

namespace knetsim::report {
namespace {

namespace fs = std::filesystem;

/// Night `number` of `tests` tests: each takes its own time, give or take a few percent; some fail now and then.
RunResult night(std::size_t number, std::size_t tests) {
  RunResult run;
  run.version = "bench";
  run.started = fmt::format("{:04}-01-01T01:00:00Z", 2000 + number);
  run.facts["commit"] = fmt::format("{:040x}", number);
  for (std::size_t i = 0; i < tests; ++i) {
    const auto noise = static_cast<double>((i * 7919 + number * 104'729) % 1000) / 1000;
    TestResult test{
        .name = fmt::format("suite-{}:Family{}.a_sentence_about_behaviour_number_{}/builtin", i % 7, i / 100, i),
        .outcome = (i + 31 * number) % 997 == 0 ? Outcome::failed : Outcome::passed,
        .seconds = 0.05 + 0.001 * static_cast<double>(i % 500) * (1 + 0.1 * noise)};
    if (test.outcome == Outcome::failed) test.reasons = {{"suites/some_suite.cpp", 12, "Expected: x\n  Actual: y"}};
    run.tests.push_back(std::move(test));
  }
  run.figures = {{"boot demo up", "s", 0.4 + 0.001 * static_cast<double>(number % 10), 0.39, 0.45}};
  return run;
}

/// A directory that goes with this handle.
class Scratch {
 public:
  Scratch() : path_(fs::temp_directory_path() / fmt::format("bench-report-{}", ::getpid())) {
    fs::create_directories(path_);
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

/// What `knetsim-report compare` does.
nlohmann::json measure(const fs::path& report, const fs::path& history, int runs) {
  std::vector<double> seconds;
  for (int i = 0; i < runs; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto run = read_results(report / "results.json");
    write_report(report, run, compare(run, read_history(history, run.started)));
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(seconds.begin(), seconds.end());
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {{"seconds", seconds[seconds.size() / 2]},
          {"min", seconds.front()},
          {"max", seconds.back()},
          {"peak_kib", usage.ru_maxrss},
          {"page_bytes", fs::file_size(report / "report.html")}};
}

int run(int argc, char** argv) {
  CLI::App app("What a report of many results and nights costs");
  std::size_t tests = 10'000;
  std::size_t nights = 100;
  int runs = 5;
  std::string file;
  app.add_option("--tests", tests, "results of each night")->check(CLI::Range(1, 1'000'000));
  app.add_option("--nights", nights, "nights before")->check(CLI::Range(0, 1000));
  app.add_option("--runs", runs, "reports to write")->check(CLI::Range(1, 1000));
  app.add_option("--json", file, "write the figures to this file");
  CLI11_PARSE(app, argc, argv);

  const Scratch scratch;
  for (std::size_t number = 0; number < nights; ++number)
    append_night(scratch.path() / "history", night(number, tests), true);
  fs::create_directories(scratch.path() / "report");
  write_file_atomically(scratch.path() / "report/results.json", to_json(night(nights, tests)));
  const auto figures = measure(scratch.path() / "report", scratch.path() / "history", runs);
  const double seconds = figures.at("seconds");
  const double mebibytes = figures.at("peak_kib").get<double>() / 1024;
  const double page = figures.at("page_bytes").get<double>() / 1024 / 1024;
  fmt::print("{} results x {} nights: {:.2f} s ({:.2f} - {:.2f}), {:.0f} MiB, a page of {:.2f} MiB\n", tests, nights,
             seconds, figures.at("min").get<double>(), figures.at("max").get<double>(), mebibytes, page);
  if (file.empty()) return 0;
  const nlohmann::json result{{"name", fmt::format("{}x{}", tests, nights)},
                              {"unit", "s"},
                              {"compare", {{"median", seconds}, {"min", figures["min"]}, {"max", figures["max"]}}}};
  write_file_atomically(file, nlohmann::json{{"schema", 1}, {"bench", "report"}, {"results", {result}}}.dump(2) + "\n");
  return 0;
}

}  // namespace
}  // namespace knetsim::report

int main(int argc, char** argv) try { return knetsim::report::run(argc, argv); } catch (const std::exception& error) {
  std::fprintf(stderr, "bench-report: %s\n", error.what());
  return 2;
}
