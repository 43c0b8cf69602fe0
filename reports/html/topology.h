#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "section.h"

namespace knetsim::report::html {

/// A switch or a node of the emulation, as evidence/topology.json has them.
struct Place {
  std::string name;
  std::string kind;  ///< switch, etcd, worker, container
  std::string on;    ///< the switch or the worker that it hangs on; empty: nothing
  std::vector<std::string> addresses;
};

/// Throws InputError if the file isn't what fixtures write.
std::vector<Place> read_topology(const std::filesystem::path& file);

/// The two nodes between which something failed, as far as the failed step or the failure's words name any: indexes
/// into `places`.
std::vector<std::size_t> ends_of_failure(const std::vector<Place>& places, const TestResult& test);

/// Everything that lies between them, the ends included.
std::vector<std::size_t> path_between(const std::vector<Place>& places, const std::vector<std::size_t>& ends);

/// The picture, with the failing path marked. Nothing without a topology.json.
void write_topology(Out& out, const std::filesystem::path& directory, const TestResult& test);

}  // namespace knetsim::report::html
