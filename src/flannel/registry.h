#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "complaints.h"
#include "knetsim/etcd/client.h"
#include "knetsim/flannel/config.h"
#include "knetsim/flannel/lease.h"

namespace knetsim::flannel {

using boost::asio::awaitable;

/// A lease as it lies in etcd.
struct RegisteredLease {
  Lease lease;
  etcd::Revision create_revision = 0;
  etcd::Revision mod_revision = 0;
  bool reservation = false;  ///< without a time to live: somebody put it there by hand
};

/// flannel's keys in etcd v3 (pkg/subnet/etcd): <prefix>/config and <prefix>/subnets/<key name>.
class Registry {
 public:
  Registry(etcd::Client& client, std::string prefix) : client_(client), prefix_(std::move(prefix)) {}

  etcd::Client& client() const noexcept { return client_; }
  std::string config_key() const { return prefix_ + "/config"; }
  std::string subnets_prefix() const { return prefix_ + "/subnets/"; }
  std::string key_of(const LeaseSubnets& subnets) const { return subnets_prefix() + key_name(subnets); }

  /// The subnets that a key is for; complains and returns nullopt if it isn't a lease's key.
  std::optional<LeaseSubnets> parse_key(const std::string& key);
  /// Complains and returns nullopt if key or value aren't a lease's.
  std::optional<RegisteredLease> parse(const etcd::KeyValue& kv);
  std::vector<RegisteredLease> parse(const std::vector<etcd::KeyValue>& kvs);

  /// Waits until there is a config that can be read; says in the log why it waits. Throws InputError for a
  /// BackendError.
  awaitable<Config> await_config();

 private:
  etcd::Client& client_;
  std::string prefix_;
  Complaints complaints_;
};

/// Delays that double from 100 ms up to a limit, for what has to be tried again.
class Backoff {
 public:
  explicit Backoff(std::chrono::milliseconds limit) : limit_(limit) {}
  awaitable<void> wait();
  void reset() noexcept { next_ = kFirst; }

 private:
  static constexpr std::chrono::milliseconds kFirst{100};
  std::chrono::milliseconds limit_;
  std::chrono::milliseconds next_ = kFirst;
};

}  // namespace knetsim::flannel
