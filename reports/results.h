#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model.h"

namespace knetsim::report {

/// `knetsim.report/1`, as docs/results-schema.md describes it: what results.json holds.
std::string to_json(const RunResult& run, const std::vector<std::string>& regressions = {});
/// Throws InputError naming file, JSON pointer and remedy.
RunResult read_results(const std::filesystem::path& file);

/// One run from the shards of one. Evidence stays where it is and is named relative to `report`. A shard that is absent
/// or doubled, or of another commit, is a problem of the run, and the tests that nobody ran are missing.
/// Throws InputError for files that can't be used.
RunResult merge(const std::vector<std::filesystem::path>& results, const std::filesystem::path& report);

}  // namespace knetsim::report
