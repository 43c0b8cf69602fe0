#include "own_lease.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "knetsim/sys/error.h"
#include "remote_leases.h"

namespace knetsim::flannel {

namespace asio = boost::asio;
using std::chrono::seconds;

/// What one attempt to take a lease knows.
struct OwnLease::Round {
  etcd::Lease granted;
  std::vector<RegisteredLease> leases;
  etcd::Revision revision = 0;
};

namespace {

bool overlap(const std::optional<Network>& a, const std::optional<Network>& b) { return a && b && overlaps(*a, *b); }

bool overlap(const LeaseSubnets& a, const LeaseSubnets& b) { return overlap(a.v4, b.v4) || overlap(a.v6, b.v6); }

std::vector<Network> taken(const std::vector<RegisteredLease>& leases, const Config& config,
                           std::optional<Network> LeaseSubnets::*family) {
  std::vector<Network> networks;
  for (const auto& item : leases) {
    const auto room = taking_room(item.lease.subnets, config);
    if (const auto& network = room.*family) networks.push_back(*network);
  }
  return networks;
}

constexpr seconds kRetry{60};

// The transactions are made by functions and not inside co_await expressions: gcc 12 mishandles braced lists there.

etcd::Txn put_if_unchanged(const std::string& prefix, const std::string& key, etcd::Revision revision,
                           const std::string& value, etcd::LeaseId lease) {
  const etcd::Get all{prefix, true};
  return {{etcd::mod_revision_is(key, revision)}, {etcd::Put{key, value, lease}, all}, {all}};
}

etcd::Txn remove_if_unchanged(const std::string& prefix, const std::string& key, etcd::Revision revision) {
  const etcd::Get all{prefix, true};
  return {{etcd::mod_revision_is(key, revision)}, {etcd::Remove{key}, all}, {all}};
}

etcd::Txn put_if_absent(const std::string& prefix, const std::string& key, const std::string& value,
                        etcd::LeaseId lease) {
  const etcd::Get all{prefix, true};
  return {{etcd::absent(key)}, {etcd::Put{key, value, lease}, all}, {all}};
}

etcd::Txn renewal(const std::string& key, etcd::Revision revision, const std::string& value, etcd::LeaseId lease) {
  return {{etcd::mod_revision_is(key, revision)}, {etcd::Put{key, value, lease}}, {etcd::Get{key, false}}};
}

}  // namespace

OwnLease::OwnLease(Registry& registry, const Config& config, LeaseAttributes attributes, LeaseSubnets previous,
                   const DaemonOptions& options)
    : registry_(registry),
      config_(config),
      previous_(std::move(previous)),
      ttl_(options.lease_ttl),
      margin_(options.lease_renew_margin),
      lease_{{}, std::move(attributes)},
      value_(to_json(lease_.attributes)) {}

bool OwnLease::is_ours(const LeaseAttributes& attributes) const {
  const auto& mine = lease_.attributes;
  return mine.public_ip ? attributes.public_ip == mine.public_ip : attributes.public_ipv6 == mine.public_ipv6;
}

bool OwnLease::fits_config(const LeaseSubnets& subnets) const {
  const auto suits = [](const std::optional<SubnetRange>& range, const std::optional<Network>& subnet) {
    return range ? subnet && fits(*range, *subnet) : !subnet;
  };
  return suits(config_.v4, subnets.v4) && suits(config_.v6, subnets.v6);
}

std::optional<std::string> OwnLease::why_not_previous(const std::vector<RegisteredLease>& leases) const {
  if (!fits_config(previous_)) return "that is not compatible with the Etcd network config";
  const auto rival = std::find_if(leases.begin(), leases.end(), [&](const auto& item) {
    return overlap(taking_room(item.lease.subnets, config_), previous_);
  });
  if (rival != leases.end()) return "that " + to_string(rival->lease.subnets) + " has taken";
  return std::nullopt;
}

LeaseSubnets OwnLease::choose(const std::vector<RegisteredLease>& leases) {
  if (previous_.v4 || previous_.v6) {
    const auto reason = why_not_previous(leases);
    if (!reason) {
      spdlog::info("Found previously leased subnet ({}), reusing", to_string(previous_));
      return previous_;
    }
    spdlog::error("Found previously leased subnet ({}) {}, ignoring", to_string(previous_), *reason);
    previous_ = {};
  }
  const auto pick = [&](const SubnetRange& range, const std::vector<Network>& busy, std::optional<std::size_t> place) {
    spdlog::info("Picking subnet in range {} ... {}", range.min.to_string(), range.max.to_string());
    const auto free = free_subnets(range, busy);
    if (free.empty())
      throw Error(fmt::format("out of subnets: {} leases fill {} ... {}; widen SubnetMin and SubnetMax, or the network",
                              busy.size(), range.min.to_string(), range.max.to_string()));
    if (place) {
      const auto same = [&](const Network& subnet) { return ordinal(range, subnet) == *place; };
      if (const auto found = std::find_if(free.begin(), free.end(), same); found != free.end()) return *found;
    }
    return free[std::uniform_int_distribution<std::size_t>(0, free.size() - 1)(random_)];
  };
  LeaseSubnets chosen;
  std::optional<std::size_t> place;
  if (config_.v4) {
    chosen.v4 = pick(*config_.v4, taken(leases, config_, &LeaseSubnets::v4), {});
    place = ordinal(*config_.v4, *chosen.v4);
  }
  // With the same place in both ranges, two daemons that choose the same IPv4 subnet want the same key, and etcd itself
  // lets only one have it.
  if (config_.v6) chosen.v6 = pick(*config_.v6, taken(leases, config_, &LeaseSubnets::v6), place);
  return chosen;
}

void OwnLease::hold(const etcd::Lease& granted) {
  id_ = granted.id;
  expiration_ = std::chrono::steady_clock::now() + granted.ttl;
}

awaitable<bool> OwnLease::reuse(const RegisteredLease& found, Round& round) {
  spdlog::info(
      "Found lease ({}) for current IP ({}), reusing", to_string(found.lease.subnets),
      (lease_.attributes.public_ip ? *lease_.attributes.public_ip : *lease_.attributes.public_ipv6).to_string());
  auto txn = put_if_unchanged(registry_.subnets_prefix(), registry_.key_of(found.lease.subnets), found.mod_revision,
                              value_, found.reservation ? 0 : round.granted.id);
  const auto result = co_await registry_.client().txn(std::move(txn));
  round.leases = registry_.parse(result.results.back().kvs);
  round.revision = result.revision;
  if (!result.succeeded) co_return false;
  lease_.subnets = found.lease.subnets;
  revision_ = result.revision;
  hold(round.granted);
  if (found.reservation) {
    id_ = 0;
    co_await registry_.client().revoke(round.granted.id);
  }
  co_return true;
}

awaitable<void> OwnLease::drop(const RegisteredLease& lease, Round& round) {
  auto txn = remove_if_unchanged(registry_.subnets_prefix(), registry_.key_of(lease.lease.subnets), lease.mod_revision);
  const auto result = co_await registry_.client().txn(std::move(txn));
  round.leases = registry_.parse(result.results.back().kvs);
}

awaitable<bool> OwnLease::create(const LeaseSubnets& subnets, Round& round) {
  auto txn = put_if_absent(registry_.subnets_prefix(), registry_.key_of(subnets), value_, round.granted.id);
  const auto result = co_await registry_.client().txn(std::move(txn));
  round.leases = registry_.parse(result.results.back().kvs);
  round.revision = result.revision;
  if (!result.succeeded) {
    spdlog::info("{} was taken by another node meanwhile; choosing again", to_string(subnets));
    co_return false;
  }
  // Of two that overlap (other lengths, other halves of a dual-stack key) the later one yields. Both see the same
  // order.
  const auto rival = std::find_if(round.leases.begin(), round.leases.end(), [&](const auto& item) {
    return item.create_revision < result.revision && overlap(taking_room(item.lease.subnets, config_), subnets);
  });
  if (rival != round.leases.end()) {
    spdlog::info("{} overlaps {}; choosing again", to_string(subnets), to_string(rival->lease.subnets));
    const RegisteredLease yielded{{subnets, lease_.attributes}, result.revision, result.revision, false};
    co_await drop(yielded, round);
    co_return false;
  }
  spdlog::info(
      "Allocated lease ({}) to current node ({})", to_string(subnets),
      (lease_.attributes.public_ip ? *lease_.attributes.public_ip : *lease_.attributes.public_ipv6).to_string());
  lease_.subnets = subnets;
  revision_ = result.revision;
  hold(round.granted);
  co_return true;
}

awaitable<OwnLease::Acquired> OwnLease::attempt() {
  Round round;
  const auto listing = co_await registry_.client().list(registry_.subnets_prefix());
  round.leases = registry_.parse(listing.kvs);
  for (;;) {
    const auto mine = std::find_if(round.leases.begin(), round.leases.end(),
                                   [this](const auto& item) { return is_ours(item.lease.attributes); });
    const auto found = mine == round.leases.end() ? std::nullopt : std::optional(*mine);
    if (found && !fits_config(found->lease.subnets)) {
      spdlog::info("Found lease ({}) for current IP but not compatible with current config, deleting",
                   to_string(found->lease.subnets));
      co_await drop(*found, round);
      continue;
    }
    const auto wanted = found ? found->lease.subnets : choose(round.leases);
    // Not before: a daemon that finds no subnet leaves nothing behind.
    if (round.granted.id == 0) round.granted = co_await registry_.client().grant(ttl_);
    const bool done = found ? co_await reuse(*found, round) : co_await create(wanted, round);
    if (done) co_return Acquired{std::move(round.leases), round.revision};
  }
}

awaitable<OwnLease::Acquired> OwnLease::acquire() {
  Backoff backoff(seconds(5));
  for (;;) {
    try {
      co_return co_await attempt();
    } catch (const etcd::Error& error) {
      spdlog::error("failed to acquire lease (trying again): {}", error.what());
    }
    co_await backoff.wait();
  }
}

bool OwnLease::accept(const RegisteredLease& written) {
  if (!is_ours(written.lease.attributes)) {
    spdlog::error("Lease {} was taken over by {}", to_string(written.lease.subnets), to_json(written.lease.attributes));
    return false;
  }
  revision_ = std::max(revision_, written.mod_revision);
  return true;
}

std::chrono::steady_clock::duration OwnLease::time_to_renewal() const {
  return expiration_ - margin_ - std::chrono::steady_clock::now();
}

/// False if it is another's by now, or gone.
awaitable<bool> OwnLease::renew() {
  auto& client = registry_.client();
  const auto key = registry_.key_of(lease_.subnets);
  const auto granted = co_await client.grant(ttl_);
  for (;;) {
    auto txn = renewal(key, revision_, value_, granted.id);
    const auto result = co_await client.txn(std::move(txn));
    if (result.succeeded) {
      revision_ = std::max(revision_, result.revision);
      hold(granted);
      spdlog::info("Lease renewed, new expiration: {:%Y-%m-%d %H:%M:%S}",
                   fmt::gmtime(std::time(nullptr) + granted.ttl.count()));
      co_return true;
    }
    const auto& kvs = result.results.front().kvs;
    if (kvs.empty()) co_return false;
    if (const auto written = registry_.parse(kvs.front()); written && !accept(*written)) co_return false;
    // Ours, or nobody's that can be read: what lies there now is the one to replace.
    revision_ = kvs.front().mod_revision;
  }
}

awaitable<void> OwnLease::keep() {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  if (id_ == 0) {
    timer.expires_at(std::chrono::steady_clock::time_point::max());
    co_await timer.async_wait(asio::use_awaitable);
  }
  spdlog::info("Waiting for {} to renew lease", std::chrono::duration_cast<seconds>(time_to_renewal()));
  auto delay = time_to_renewal();
  for (;;) {
    timer.expires_after(std::max(delay, std::chrono::steady_clock::duration::zero()));
    co_await timer.async_wait(asio::use_awaitable);
    try {
      if (!co_await renew()) co_return;
      delay = time_to_renewal();
    } catch (const etcd::Error& error) {
      // flanneld's minute, or less when the end is near.
      const auto left = expiration_ - std::chrono::steady_clock::now();
      delay = std::clamp<std::chrono::steady_clock::duration>(left / 4, seconds(1), kRetry);
      spdlog::error("Error renewing lease (trying again in {}): {}", std::chrono::duration_cast<seconds>(delay),
                    error.what());
    }
  }
}

}  // namespace knetsim::flannel
