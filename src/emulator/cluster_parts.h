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

/// The program for this part in each of `places`, in their order. Throws InputError if an explicitly wanted real one
/// isn't there, or can't work here.
std::vector<parts::Program> programs_of(const parts::Part& part, parts::Flavour flavour, std::size_t places);

/// Writes the cluster's network config to etcd and starts a flannel daemon on each worker. Returns when each has its
/// lease, link and subnet.env. Throws Error with the end of the log if one ends or isn't ready in time.
void start_flannel(const ClusterSpec& spec, const std::vector<parts::Program>& programs, etcd::Ensemble& etcd,
                   const std::vector<std::unique_ptr<Worker>>& workers);

}  // namespace knetsim
