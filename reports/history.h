#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model.h"

namespace knetsim::report {

struct Night {
  std::string started;  ///< UTC, 2026-11-23T01:02:03Z
  std::string commit;
  bool green = false;
  std::optional<double> covered;  ///< percent
};

/// A test in one night.
struct Cell {
  std::uint32_t night;  ///< index into History::nights
  Outcome outcome;
  float seconds;
};

struct FigureHistory {
  std::string unit;
  std::vector<std::pair<std::uint32_t, double>> values;  ///< night, value
};

/// What earlier nights have left: a directory with one file a night, `<started>.jsonl`. Its first line is
/// {"schema":"knetsim.history/1", ...}, then comes one line for each test and each figure. docs/results-schema.md has
/// the members.
struct History {
  std::vector<Night> nights;                       ///< in the order of time
  std::map<std::string, std::vector<Cell>> tests;  ///< in the order of nights
  std::map<std::string, FigureHistory> figures;
  std::vector<std::string> problems;  ///< files that can't be used, each with place and remedy
};

/// The nights before `before` (a start time), at most the last `kNights`. A directory that isn't there is an empty
/// history; a file that can't be read is left out, and named among the problems.
History read_history(const std::filesystem::path& directory, const std::string& before);
inline constexpr std::size_t kNights = 100;

/// Adds a night; the same night again replaces it.
void append_night(const std::filesystem::path& directory, const RunResult& run, bool green);

}  // namespace knetsim::report
