#include "collect.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "json_file.h"
#include "judge.h"
#include "knetsim/sys/error.h"
#include "statistics.h"
#include "text.h"

namespace knetsim::report {

namespace fs = std::filesystem;

namespace {

/// When a run began, in local time; where the clocks were put back meanwhile, by as much earlier. Empty: not known.
std::string earliest_start(const CtestRun& run) {
  constexpr const char* kForm = "%Y-%m-%dT%H:%M:%S";
  std::tm began{};
  if (::strptime(run.started.c_str(), kForm, &began) == nullptr) return {};
  // A time that the clocks showed twice is the first of the two: daylight saving's, if there was one then.
  const auto wanted = began;
  began.tm_isdst = 1;
  auto at = std::mktime(&began);
  if (began.tm_isdst != 1) {
    began = wanted;
    began.tm_isdst = -1;
    at = std::mktime(&began);
  }
  const auto end = at + static_cast<std::time_t>(std::min(run.seconds, 1e9));
  at += std::min(0L, fmt::localtime(end).tm_gmtoff - began.tm_gmtoff);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}", fmt::localtime(at));
}

/// One attempt at all tests: ctest's result and, beside it, those of GoogleTest.
class Attempts {
 public:
  explicit Attempts(const fs::path& directory) : xml_(directory / "xml"), ctest_(read_ctest(directory / "ctest.xml")) {
    if (fs::exists(directory / "ctest.log")) endings_ = read_endings(directory / "ctest.log");
    for (const auto& test : ctest_.tests) by_name_.emplace(test.name, &test);
    not_before_ = earliest_start(ctest_);
  }

  const CtestRun& ctest() const noexcept { return ctest_; }

  std::optional<Attempt> of(const Registered& test) const {
    const auto found = by_name_.find(test.name);
    if (found == by_name_.end()) return std::nullopt;
    const auto ending = endings_.find(test.name);
    Attempt attempt{*found->second, ending == endings_.end() ? "" : ending->second, {}, {}, not_before_};
    if (test.xml.empty()) return attempt;
    attempt.gtest_file = (xml_ / test.xml).string();
    try {
      attempt.gtest = read_gtest(attempt.gtest_file);
    } catch (const Error&) {
      // Absent or cut off: the program died. What that means is for the judge to say.
    }
    return attempt;
  }

 private:
  fs::path xml_;
  CtestRun ctest_;
  std::string not_before_;
  std::map<std::string, std::string> endings_;
  std::unordered_map<std::string_view, const Reported*> by_name_;
};

std::string property(const Attempt& attempt, const char* name) {
  if (!attempt.gtest) return {};
  const auto found = attempt.gtest->properties.find(name);
  return found == attempt.gtest->properties.end() ? std::string{} : found->second;
}

/// Has `read` take a note in JSON apart. A note that isn't understood is none.
template <typename Read>
void take_note(const Attempt& attempt, const char* name, Read read) {
  try {
    const auto text = property(attempt, name);
    if (text.empty()) return;
    const auto document = read_json({.text = text}, {.depth = 8, .size = 1U << 20U});
    read(JsonPlace(document));
  } catch (const InputError&) {
    return;
  }
}

/// What fixtures noted in the XML: docs/results-schema.md.
void take_notes(const Attempt& attempt, TestResult& test) {
  test.check = property(attempt, "check");
  test.title = property(attempt, "title");
  take_note(attempt, "failed_step", [&](const JsonPlace& at) {
    test.step = FailedStep{at["from"].string(), at["to"].string(), at["what"].string()};
  });
  take_note(attempt, "boot", [&](const JsonPlace& at) {
    decltype(test.boot) parts;
    for (const auto& [part, seconds] : at.members()) parts.push_back({std::string(part), seconds.real()});
    test.boot = std::move(parts);
  });
  std::stable_sort(test.boot.begin(), test.boot.end(),
                   [](const auto& one, const auto& other) { return one.seconds < other.seconds; });
}

/// <program>/<test>, as fixtures name the directory.
fs::path usual_place(const TestResult& test) {
  auto name = short_name(test);
  std::replace(name.begin(), name.end(), '/', '-');
  return fs::path(suite_of(test)) / name;
}

/// `place` is what the test itself named; empty: nothing.
void find_evidence(const Source& source, fs::path place, TestResult& test) {
  // Artefacts may have been carried elsewhere since: only the last two names count.
  place = place.empty() ? usual_place(test) : place.parent_path().filename() / place.filename();
  const auto directory = source.run / place;
  std::error_code absent;
  if (!fs::is_directory(directory, absent)) return;
  // A directory older than the list of tests is what an earlier run has left.
  if (fs::last_write_time(directory) < fs::last_write_time(source.run / "registered.json")) return;
  test.evidence =
      fs::absolute(directory).lexically_normal().lexically_relative(fs::absolute(source.report).lexically_normal());
}

void shorten_paths(const fs::path& root, TestResult& test) {
  const auto prefix = fs::absolute(root).lexically_normal().string() + "/";
  for (auto& reason : test.reasons) {
    if (!root.empty() && reason.file.starts_with(prefix)) reason.file.erase(0, prefix.size());
    // The compiler was called in the build tree, below the source tree.
    while (reason.file.starts_with("../")) reason.file.erase(0, 3);
  }
}

void read_optional_files(const Source& source, RunResult& run) {
  if (fs::exists(source.run / "facts.json")) read_facts(source.run / "facts.json", run);
  if (run.started.empty()) run.started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  if (fs::is_directory(source.run / "bench")) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(source.run / "bench"))
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const auto& file : files)
      for (auto& figure : read_bench(file)) run.figures.push_back(std::move(figure));
  }
  if (fs::exists(source.run / "coverage.info"))
    run.coverage = read_lcov(source.run / "coverage.info", fs::absolute(source.root).lexically_normal());
}

/// Every README test boots the same network: how long that took is a figure of each night.
void add_boot_figure(RunResult& run) {
  std::vector<double> seconds;
  for (const auto& test : run.tests)
    if (suite_of(test) == "suite-readme" && !test.boot.empty()) seconds.push_back(test.boot.back().seconds);
  if (seconds.empty()) return;
  const auto [low, high] = std::minmax_element(seconds.begin(), seconds.end());
  run.figures.push_back({"boot of the README's network", "s", median(seconds), *low, *high});
}

void note_other_shards(const Source& source, const std::vector<Registered>& registered, RunResult& run) {
  if (!run.shard) return;
  std::unordered_set<std::string_view> ours;
  for (const auto& test : registered) ours.insert(test.name);
  for (auto& test : read_registered(source.run / "all.json"))
    if (!ours.contains(test.name)) run.elsewhere.push_back(std::move(test.name));
}

}  // namespace

RunResult collect(const Source& source) {
  const auto registered = read_registered(source.run / "registered.json");
  const Attempts first(source.run);
  std::optional<Attempts> second;
  if (fs::exists(source.run / "retry/ctest.xml")) second.emplace(source.run / "retry");

  RunResult run;
  run.version = version();
  run.seconds = first.ctest().seconds;
  read_optional_files(source, run);
  note_other_shards(source, registered, run);
  std::vector<std::string> contradictions;
  for (const auto& one : registered) {
    const auto attempt = first.of(one);
    if (!attempt) continue;
    TestResult test{.name = one.name, .labels = one.labels};
    judge_attempt(one, *attempt, test, contradictions);
    const bool ours = !wrong_subject(one, *attempt);
    if (ours) take_notes(*attempt, test);
    const auto retry = second ? second->of(one) : std::nullopt;
    if (retry) judge_retry(one, *retry, test);
    if (test.outcome != Outcome::passed) find_evidence(source, ours ? property(*attempt, "evidence") : "", test);
    shorten_paths(source.root, test);
    run.tests.push_back(std::move(test));
  }
  add_boot_figure(run);
  const auto allowed = source.allowed_skips.empty() ? AllowedSkips("", "") : AllowedSkips::read(source.allowed_skips);
  // One shard can't know whether a line is of use to another.
  judge_run(registered, first.ctest().tests, allowed, source.partial || run.shard, run);
  run.problems.insert(run.problems.end(), contradictions.begin(), contradictions.end());
  return run;
}

std::string_view version() { return KNETSIM_VERSION; }

}  // namespace knetsim::report
