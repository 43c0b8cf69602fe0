#include "registry.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "knetsim/sys/error.h"

namespace knetsim::flannel {

namespace asio = boost::asio;

awaitable<void> Backoff::wait() {
  asio::steady_timer timer(co_await asio::this_coro::executor, next_);
  next_ = std::min(next_ * 2, limit_);
  co_await timer.async_wait(asio::use_awaitable);
}

std::optional<LeaseSubnets> Registry::parse_key(const std::string& key) {
  const auto prefix = subnets_prefix();
  auto subnets = key.starts_with(prefix) ? parse_key_name(std::string_view(key).substr(prefix.size())) : std::nullopt;
  if (!subnets) complaints_.say(key, "Ignoring bad subnet node: failed to parse subnet key " + key);
  return subnets;
}

std::optional<RegisteredLease> Registry::parse(const etcd::KeyValue& kv) {
  const auto subnets = parse_key(kv.key);
  if (!subnets) return std::nullopt;
  try {
    RegisteredLease lease{
        {*subnets, parse_lease_attributes(kv.value)}, kv.create_revision, kv.mod_revision, kv.lease == 0};
    complaints_.forget(kv.key);
    return lease;
  } catch (const InputError& error) {
    complaints_.say(kv.key, fmt::format("Ignoring bad subnet node: {}: {}", kv.key, error.what()));
    return std::nullopt;
  }
}

std::vector<RegisteredLease> Registry::parse(const std::vector<etcd::KeyValue>& kvs) {
  std::vector<RegisteredLease> leases;
  leases.reserve(kvs.size());
  for (const auto& kv : kvs) {
    if (auto lease = parse(kv)) leases.push_back(std::move(*lease));
  }
  return leases;
}

namespace {

/// The key's value, among all that begin like it; throws InputError.
std::optional<Config> read_config(const std::vector<etcd::KeyValue>& kvs, const std::string& key) {
  const auto kv = std::find_if(kvs.begin(), kvs.end(), [&](const auto& item) { return item.key == key; });
  if (kv == kvs.end()) {
    spdlog::error(
        "Couldn't fetch network config: flannel config not found in etcd store. Did you create your config using "
        "etcdv3 "
        "API? (no key {})",
        key);
    return std::nullopt;
  }
  try {
    auto config = parse_config(kv->value);
    for (const auto& remark : config.remarks)
      spdlog::warn("{}: {}: {}", key, JsonSource{}.place(remark.pointer), remark.problem);
    return config;
  } catch (const BackendError& error) {
    // Known to be final by flanneld too.
    throw InputError(fmt::format("Error fetching backend: {}: {}", key, error.what()));
  } catch (const InputError& error) {
    spdlog::error("Couldn't fetch network config: {}: {}", key, error.what());
    return std::nullopt;
  }
}

awaitable<void> await_change(etcd::Client& client, const std::string& key, etcd::Revision since) {
  auto watcher = client.watch(key, since + 1);
  for (;;) {
    const auto changes = co_await watcher.next();
    for (const auto& event : changes.events) {
      if (event.kv.key == key && event.type == etcd::Event::Type::put) co_return;
    }
  }
}

}  // namespace

awaitable<Config> Registry::await_config() {
  const auto key = config_key();
  // flanneld asks once a second; so does this where etcd itself can't be reached. Else the change is awaited.
  Backoff backoff(std::chrono::seconds(1));
  for (;;) {
    bool unreachable = false;
    try {
      const auto listing = co_await client_.list(key);
      backoff.reset();
      if (const auto config = read_config(listing.kvs, key)) {
        spdlog::info("Found network config - Backend type: {}", to_string(config->backend.type));
        co_return *config;
      }
      co_await await_change(client_, key, listing.revision);
    } catch (const etcd::Compacted&) {
      spdlog::debug("the wait for {} fell behind compaction", key);
    } catch (const etcd::Error& error) {
      spdlog::error("Couldn't fetch network config: {}", error.what());
      unreachable = true;
    }
    if (unreachable) co_await backoff.wait();
  }
}

}  // namespace knetsim::flannel
