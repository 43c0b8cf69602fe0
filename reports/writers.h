#pragma once

#include <filesystem>
#include <string>

#include "compare.h"
#include "model.h"

namespace knetsim::report {

/// In junit.cpp: JUnit's XML as Jenkins and GitLab read it. A flaky test is a failure there, a missing one an error;
/// what makes the run red beside its tests is a test case of its own.
std::string junit_xml(const RunResult& run, const Comparison& comparison);

/// In summary.cpp: for GITHUB_STEP_SUMMARY, which takes 1 MiB: verdict, then what changed since last night.
std::string summary_markdown(const RunResult& run, const Comparison& comparison);
inline constexpr std::size_t kLongestSummary = 1'000'000;

/// GitHub workflow commands, one a line, for new failures only.
std::string annotations(const RunResult& run, const Comparison& comparison);

/// The figures that github-action-benchmark takes as customSmallerIsBetter, or as customBiggerIsBetter.
std::string benchmark_json(const RunResult& run, bool bigger_is_better);

/// In html/page.cpp: the whole page in one file. Evidence is read from below `report`, the directory where the page
/// will stand.
std::string html_page(const RunResult& run, const Comparison& comparison, const std::filesystem::path& report);

/// All of them, and results.json, as files in `report`: report.html summary.md junit.xml annotations.txt bench.json
/// bench-bigger.json.
void write_report(const std::filesystem::path& report, const RunResult& run, const Comparison& comparison);

}  // namespace knetsim::report
