#pragma once

#include <memory>
#include <vector>

#include "knetsim/emulator/topology.h"
#include "knetsim/emulator/worker.h"
#include "knetsim/etcd/ensemble.h"
#include "knetsim/flannel/launcher.h"

namespace knetsim {

/// The daemon of the first worker and that of the others: different ones in a mixed cluster alone.
struct FlannelPrograms {
  flannel::Program first;
  flannel::Program others;
};

/// Throws InputError if an explicitly wanted real daemon isn't there, or can't work in this cluster.
FlannelPrograms flannel_programs(const FlannelSpec& spec);

/// Writes the cluster's network config to etcd and starts a flannel daemon on each worker. Returns when each has its
/// lease, link and subnet.env. Throws Error with the end of the log if one ends or isn't ready in time.
void start_flannel(const ClusterSpec& spec, const FlannelPrograms& programs, etcd::Ensemble& etcd,
                   const std::vector<std::unique_ptr<Worker>>& workers);

}  // namespace knetsim
