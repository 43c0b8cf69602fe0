#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "terminal.h"

namespace knetsim::cli {

/// One line of `knetsim doctor`.
struct Finding {
  enum class State {
    good,
    bad,       ///< the checks can't run, or not all of them
    optional,  ///< absent, and something else does its work
  };
  std::string group;  ///< "kernel", "privileges", "programs", "parts"
  std::string name;
  State state = State::good;
  std::string detail;  ///< a version, or what the system answered
  std::string remedy;  ///< for the reader to do; empty if it is good
};

/// The name of the finding that says whether a sandbox as a whole can be entered.
inline constexpr const char* kSandboxFinding = "sandbox";

/// Tries each kernel feature for real, in sandboxes that are thrown away. Single-threaded only. (doctor_kernel.cpp)
std::vector<Finding> examine_kernel();

/// Looks for each program that a run starts, and for each part's, and asks for its version. (doctor_programs.cpp)
std::vector<Finding> examine_programs();

/// What the privileges and the kernel's settings say about who may make namespaces. (doctor_kernel.cpp)
struct Machine {
  uid_t user = 0;
  bool may_make_namespaces = false;             ///< as tried
  std::filesystem::path sysctls = "/proc/sys";  ///< tests give another
  std::filesystem::path status = "/proc/self/status";
};
std::vector<Finding> examine_privileges(const Machine& machine);

bool healthy(const std::vector<Finding>& findings);
void print_findings(const std::vector<Finding>& findings, const Terminal& terminal, const Style& style);
/// docs/results-schema.md, "knetsim.doctor/1".
std::string to_json(const std::vector<Finding>& findings);

}  // namespace knetsim::cli
