#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace knetsim::report {

/// `ctest ...` as somebody types it: what a report of its tests needs to know.
struct TestRun {
  std::filesystem::path artefacts;  ///< where the suites leave their results: the `out` of knetsim_suite()
  bool partial = false;             ///< only some tests were asked for (-R, -L, --rerun-failed ...)
  int exit_code = 0;                ///< of ctest; 128 + N if signal N ended it, as shells have it
};

/// Whether only some of the tests are asked for by these arguments of ctest(1).
bool asks_for_some(const std::vector<std::string>& arguments);

/// Lists the tests, removes what an earlier run has left, runs them on this terminal, and leaves beside their results
/// what collect() reads. `command` is ctest and its arguments; SIGINT and SIGTERM are handed on to it. Throws
/// InputError if it isn't ctest, can't list its tests, has none of a knetsim_suite(), or ends without a result, as it
/// does when interrupted.
TestRun run_tests(const std::vector<std::string>& command);

}  // namespace knetsim::report
