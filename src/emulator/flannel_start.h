#pragma once

#include <memory>
#include <vector>

#include "knetsim/emulator/topology.h"
#include "knetsim/emulator/worker.h"
#include "knetsim/etcd/ensemble.h"

namespace knetsim {

/// Writes the cluster's network config to etcd and starts a flannel daemon on each worker. Returns when each has its
/// lease, link and subnet.env. Throws InputError if an explicitly wanted real daemon isn't there, Error with the end of
/// the log if one ends or isn't ready in time.
void start_flannel(const ClusterSpec& spec, etcd::Ensemble& etcd, const std::vector<std::unique_ptr<Worker>>& workers);

}  // namespace knetsim
