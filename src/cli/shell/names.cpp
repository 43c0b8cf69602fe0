#include "names.h"

#include <fmt/format.h>

#include "knetsim/sys/error.h"
#include "knetsim/sys/process.h"
#include "verbs.h"

namespace knetsim::cli::shell {

namespace {

void check_name(Topology& topology, const std::string& name, const std::string& pointer) {
  const auto place = topology.source.place(pointer);
  if (name == "py" || find_verb(name) != nullptr)
    throw InputError(
        fmt::format("{}: \"{}\": is a verb of the prompt, where this node couldn't be reached\n"
                    "  remedy: choose another name",
                    place, name));
  if (find_program(name))
    topology.remarks.push_back(
        fmt::format("{}: \"{}\": is a program's name as well; at the prompt it means the node, sh {} runs the program",
                    place, name, name));
}

}  // namespace

void check_names(Topology& topology) {
  for (std::size_t i = 0; i < topology.clusters.size(); ++i) {
    const auto& cluster = topology.clusters[i];
    for (std::size_t j = 0; j < cluster.etcd.size(); ++j)
      check_name(topology, cluster.etcd[j].name, fmt::format("/clusters/{}/etcd/{}/name", i, j));
    for (std::size_t j = 0; j < cluster.workers.size(); ++j)
      check_name(topology, cluster.workers[j].name, fmt::format("/clusters/{}/workers/{}/name", i, j));
  }
}

}  // namespace knetsim::cli::shell
