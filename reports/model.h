#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace knetsim::report {

/// What became of a test. `flaky` failed and then passed on its one retry: shown apart, never counted as a pass.
/// `missing` was expected and left no result.
enum class Outcome { passed, failed, skipped, flaky, missing };
std::string_view to_string(Outcome outcome);
std::optional<Outcome> outcome_of(std::string_view word);

/// Why a test failed or was skipped; file is empty and line 0 or -1 where GoogleTest doesn't know them.
struct Reason {
  std::string file;
  int line = 0;
  std::string text;  ///< at most kLongestReason bytes, UTF-8
  bool operator==(const Reason&) const = default;
};
inline constexpr std::size_t kLongestReason = 16 * 1024;

/// The action during which a test failed: from which node to which.
struct FailedStep {
  std::string from;
  std::string to;
  std::string what;
};

/// A part of an emulation and the seconds after its cluster's start at which it stood.
struct BootPart {
  std::string name;  ///< "C0: etcd"
  double seconds = 0;
};

struct TestResult {
  std::string name;  ///< as ctest calls it: <program>:<GoogleTest's name>
  std::vector<std::string> labels = {};
  Outcome outcome = Outcome::missing;
  double seconds = 0;
  std::vector<Reason> reasons = {};  ///< of a failure (a flaky test's first attempt) or a skip
  std::string evidence = {};         ///< a directory, relative to the report's; empty: none
  std::string check = {};            ///< the id of the README's check that it proves; empty: none
  std::string title = {};            ///< the README's words for it
  std::optional<FailedStep> step = {};
  std::vector<BootPart> boot = {};
};

inline constexpr std::size_t kShortCommit = 10;  ///< digits of a commit that people read

/// The program's or Python file's part of a test's name: before the colon.
std::string suite_of(const TestResult& test);
/// The rest.
std::string short_name(const TestResult& test);
/// builtin, real or mixed, from a parameterised test's name; empty: none.
std::string flavour_of(const TestResult& test);

/// One figure of a benchmark.
struct Figure {
  std::string name;  ///< "boot demo up"
  std::string unit;  ///< s, KiB, B/s ...
  double value = 0;  ///< median
  double low = 0;
  double high = 0;

  /// Throughputs, in something per second.
  bool bigger_is_better() const;
};

/// Lines of a layer (src/<layer>, or a top-level directory), from lcov.
struct LayerCoverage {
  std::string layer;
  std::size_t lines = 0;
  std::size_t hit = 0;
};

/// Part `index` (from 0) of `total` of a run that several machines share.
struct Shard {
  std::size_t index = 0;
  std::size_t total = 1;
};

/// One run of the suites: what `results.json` holds.
struct RunResult {
  std::string version;  ///< of knetsim-report
  std::string started;  ///< UTC, 2026-11-23T01:02:03Z
  double seconds = 0;
  std::map<std::string, std::string> facts;  ///< commit, branch, kernel, machine, preset ...
  std::map<std::string, std::string> tools;  ///< program -> version
  std::vector<TestResult> tests;             ///< in ctest's order
  std::vector<std::string> problems;         ///< why the run can't be believed, whatever its tests say
  std::vector<Figure> figures;
  std::vector<LayerCoverage> coverage;
  std::optional<Shard> shard;
  std::vector<std::string> elsewhere;  ///< tests that belong to other shards

  std::size_t count(Outcome outcome) const;
  std::string fact(const std::string& name) const;
  /// Lines that ran, in percent; nullopt without coverage.
  std::optional<double> covered() const;
};

/// The address of a failed test within report.html, whatever writes a link to it.
std::string anchor_of(const RunResult& run, const TestResult& test);

}  // namespace knetsim::report
