#pragma once

#include <chrono>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "knetsim/flannel/config.h"
#include "knetsim/flannel/options.h"
#include "registry.h"

namespace knetsim::flannel {

/// This node's lease: taken, kept, and noticed when it is lost (pkg/subnet/etcd/local_manager.go).
class OwnLease {
 public:
  /// `attributes` is what the others shall read; `previous` what an earlier subnet.env says.
  OwnLease(Registry& registry, const Config& config, LeaseAttributes attributes, LeaseSubnets previous,
           const DaemonOptions& options);

  /// Everybody's leases at the moment at which ours was taken: watch from revision + 1.
  struct Acquired {
    std::vector<RegisteredLease> leases;
    etcd::Revision revision = 0;
  };
  /// Takes the lease that has our public IP, else the subnet of before, else a random free one; in a race, the next.
  /// Waits for etcd if need be. Throws Error if there is no subnet left.
  awaitable<Acquired> acquire();

  const LeaseSubnets& subnets() const noexcept { return lease_.subnets; }
  bool is_ours(const LeaseAttributes& attributes) const;

  /// Renews it, margin before its end, for ever; returns when it has been lost.
  awaitable<void> keep();
  /// Somebody wrote our key: false if that makes it another node's lease.
  bool accept(const RegisteredLease& written);

 private:
  struct Round;
  awaitable<Acquired> attempt();
  awaitable<bool> reuse(const RegisteredLease& found, Round& round);
  awaitable<bool> create(const LeaseSubnets& subnets, Round& round);
  awaitable<void> drop(const RegisteredLease& lease, Round& round);
  LeaseSubnets choose(const std::vector<RegisteredLease>& leases);
  bool fits_config(const LeaseSubnets& subnets) const;
  std::optional<std::string> why_not_previous(const std::vector<RegisteredLease>& leases) const;
  std::chrono::steady_clock::duration time_to_renewal() const;
  awaitable<bool> renew();
  void hold(const etcd::Lease& granted);

  Registry& registry_;
  const Config& config_;
  LeaseSubnets previous_;
  std::chrono::seconds ttl_;
  std::chrono::seconds margin_;
  Lease lease_;
  std::string value_;
  etcd::LeaseId id_ = 0;  ///< 0: a reservation
  etcd::Revision revision_ = 0;
  std::chrono::steady_clock::time_point expiration_;
  std::mt19937 random_{std::random_device{}()};
};

}  // namespace knetsim::flannel
