#pragma once

#include <filesystem>
#include <string>
#include <utility>
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

/// Where something failed: indexes into `places`.
struct FailureEnds {
  std::vector<std::size_t> places;
  /// True: from where to where is known, from the matcher ("path: w1/c1 -> w2/c2" in its message) or else from the step
  /// that failed. False: these are only the nodes that the message names, by name or address; no packet need have gone
  /// between them.
  bool known = false;
};
FailureEnds ends_of_failure(const std::vector<Place>& places, const TestResult& test);

/// Everything that lies between them, the ends included; of ends that aren't known to be such, they alone.
std::vector<std::size_t> path_between(const std::vector<Place>& places, const FailureEnds& ends);

/// The two nodes to look at first: the workers of the ends, each end's own node if it isn't on a worker; if there is
/// but one, another of its kind beside it. Names, empty if there is none.
std::pair<std::string, std::string> nodes_to_compare(const std::vector<Place>& places, const FailureEnds& ends);

/// The picture, with the failing path marked. Nothing without places.
void write_topology(Out& out, const std::vector<Place>& places, const FailureEnds& ends);

}  // namespace knetsim::report::html
