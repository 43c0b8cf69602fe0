#pragma once

#include <memory>
#include <vector>

#include "knetsim/cni/plugins.h"
#include "knetsim/emulator/topology.h"
#include "knetsim/emulator/worker.h"
#include "knetsim/etcd/ensemble.h"
#include "knetsim/flannel/launcher.h"

namespace knetsim {

/// The CNI plugins of the worker with this number, as spec or environment have them. Throws InputError if they can't be
/// had.
cni::Plugins plugins_of(const ClusterSpec& spec, std::size_t worker);

/// The flannel daemon of each worker, in their order. Throws InputError if an explicitly wanted real daemon isn't
/// there, or can't work in this cluster.
std::vector<parts::Program> flannel_programs(const ClusterSpec& spec);

/// Writes the cluster's network config to etcd and starts a flannel daemon on each worker. Returns when each has its
/// lease, link and subnet.env. Throws Error with the end of the log if one ends or isn't ready in time.
void start_flannel(const ClusterSpec& spec, const std::vector<parts::Program>& programs, etcd::Ensemble& etcd,
                   const std::vector<std::unique_ptr<Worker>>& workers);

}  // namespace knetsim
