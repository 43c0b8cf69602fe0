#pragma once

#include <filesystem>
#include <string>

#include "compare.h"
#include "model.h"

namespace knetsim::report {

/// An empty directory of the running test's own, deleted with this handle.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  /// Writes a file below it, its directories included, and returns its path.
  std::filesystem::path write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

/// A test of `suite-vip` that passed in 100 ms.
TestResult passing(const std::string& name);
TestResult failing(const std::string& name, const std::string& text = "it failed",
                   const std::string& file = "suites/a.cpp");

/// A run with a test of each outcome, an evil message, figures and coverage; its evidence is written below `report`.
RunResult sample_run(const std::filesystem::path& report);
/// Twelve nights before it.
void write_sample_history(const std::filesystem::path& directory);

/// A run of the night `number` (1 is 2026-11-01) with these tests.
RunResult night(int number, std::vector<TestResult> tests);
std::string started(int number);

}  // namespace knetsim::report
