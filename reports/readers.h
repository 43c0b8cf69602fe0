#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model.h"

namespace knetsim::report {

// Every reader throws InputError that names the file, the place in it and the remedy, or SystemError if the file can't
// be read. What a program printed may hold any bytes: texts come out as UTF-8. Those of ctest and GoogleTest are in
// test_readers.cpp.

/// A test that a run must bring a result of: `ctest --show-only=json-v1`.
struct Registered {
  std::string name;
  std::string xml;  ///< name of its GoogleTest result file, without directory; empty: it isn't a GoogleTest
  std::vector<std::string> labels;
  double timeout = 0;                        ///< s; 0: unknown
  std::string filter = {};                   ///< --gtest_filter: which case that file must hold; empty: not told
  std::string program = {};                  ///< the name of the program that is run; empty: not told
  std::filesystem::path xml_directory = {};  ///< of that result file, as it was registered
};
std::vector<Registered> read_registered(const std::filesystem::path& file);
/// The same of what ctest --show-only=json-v1 has printed; errors name it `source`.
std::vector<Registered> read_registered_text(const std::string& text, const std::string& source);

/// What ctest says of a test: `ctest --output-junit`. `skipped` is everything that didn't run, whatever the cause.
struct Reported {
  std::string name;
  Outcome outcome = Outcome::skipped;
  double seconds = 0;
  std::string output;   ///< the end of what it printed
  std::string message;  ///< ctest's own, "Unable to find executable"
};
struct CtestRun {
  std::string started;  ///< local time, "2026-11-30T07:11:39"; empty: not told
  double seconds = 0;
  std::vector<Reported> tests;
};
CtestRun read_ctest(const std::filesystem::path& file);

/// Test -> how it failed ("Timeout", "SEGFAULT"), which ctest tells only on its console: `--output-log`.
std::map<std::string, std::string> read_endings(const std::filesystem::path& file);

/// One GoogleTest result file: `--gtest_output=xml:FILE`.
struct GtestResult {
  enum class Verdict { passed, failed, skipped, empty } verdict = Verdict::empty;
  std::vector<Reason> reasons;
  std::map<std::string, std::string> properties = {};  ///< RecordProperty
  std::vector<std::string> ran = {};                   ///< "Suite.Test/parameter" of each case that ran
  std::string started = {};                            ///< local time, "2026-11-30T07:11:39.329"; empty: not told
};
GtestResult read_gtest(const std::filesystem::path& file);
std::string_view to_string(GtestResult::Verdict verdict);

/// What ci/facts wrote: {"schema": "knetsim.facts/1", "facts": {...}, "tools": {...}}.
void read_facts(const std::filesystem::path& file, RunResult& into);

/// The figures of a `bench-* --json` or of a Google Benchmark file.
std::vector<Figure> read_bench(const std::filesystem::path& file);

/// lcov's tracefile (geninfo(1), FILES) as lines of each layer. Paths count from `root`.
std::vector<LayerCoverage> read_lcov(const std::filesystem::path& file, const std::filesystem::path& root);

/// ci/allowed-skips.txt: one name or glob (*, ?) a line, and after a # the reason, which must be there.
class AllowedSkips {
 public:
  AllowedSkips(const std::string& text, std::string name);
  static AllowedSkips read(const std::filesystem::path& file);

  /// Of the file; empty: there is none.
  const std::string& name() const noexcept { return name_; }
  bool allow(const std::string& test) const;
  /// Lines without a reason, and doubled ones.
  const std::vector<std::string>& problems() const noexcept { return problems_; }
  /// Lines that match none of these tests.
  std::vector<std::string> rotten(const std::vector<std::string>& tests) const;

 private:
  std::string name_;
  std::vector<std::string> patterns_;
  std::vector<std::string> problems_;
};

}  // namespace knetsim::report
