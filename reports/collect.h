#pragma once

#include <filesystem>
#include <string_view>

#include "model.h"

namespace knetsim::report {

/// Where a run left its artefacts, and how to look at them. Below `run`:
///
///   registered.json   what must bring a result: ctest --show-only=json-v1
///   ctest.xml         what ctest reports: ctest --output-junit
///   xml/              GoogleTest's own result of each test
///   <program>/<test>/ evidence of failed tests
///
/// and, if they are there: ctest.log (ctest --output-log), facts.json (ci/facts), all.json (as registered.json, of all
/// shards), retry/ (ctest.xml, ctest.log and xml/ of the second attempt of what failed), bench/*.json, coverage.info.
struct Source {
  std::filesystem::path run;
  std::filesystem::path allowed_skips;  ///< empty: no skip is allowed
  std::filesystem::path root;           ///< of the source tree: source files are named relative to it
  std::filesystem::path report;         ///< where the report will stand: evidence is named relative to it
  bool partial = false;                 ///< only some tests were asked for
};

/// Reads it and judges each test and the run. Throws InputError or SystemError if there is no readable ctest result.
RunResult collect(const Source& source);

/// Of knetsim-report: "0.1.0"
std::string_view version();

}  // namespace knetsim::report
