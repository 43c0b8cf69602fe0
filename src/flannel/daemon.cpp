#include "daemon.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <exception>

#include "healthz.h"
#include "knetsim/etcd/watcher.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/netlink/address.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/sys/error.h"

namespace knetsim::flannel {

namespace asio = boost::asio;

namespace {

constexpr int kFailure = 1;

std::optional<Network> canonical(const std::optional<Network>& network) {
  return network ? std::optional(knetsim::canonical(*network)) : std::nullopt;
}

std::optional<Network> gateway(const std::optional<Network>& subnet) {
  return subnet ? std::optional(gateway_of(*subnet)) : std::nullopt;
}

}  // namespace

Daemon::Daemon(DaemonOptions options)
    : options_(std::move(options)),
      client_(context_.get_executor(), {.endpoints = options_.etcd_endpoints,
                                        .tls = options_.etcd_tls,
                                        .username = options_.etcd_username,
                                        .password = options_.etcd_password}),
      registry_(client_, options_.etcd_prefix),
      socket_(netlink::Socket::here()) {}

void Daemon::stop(int code) {
  if (exit_code_) return;
  exit_code_ = code;
  context_.stop();
}

void Daemon::spawn(awaitable<void> coroutine) {
  asio::co_spawn(context_, std::move(coroutine), [this](const std::exception_ptr& failure) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      spdlog::error("{}", error.what());
      stop(kFailure);
    }
  });
}

int Daemon::run() {
  asio::signal_set signals(context_, SIGINT, SIGTERM);
  spdlog::info("Installing signal handlers");
  signals.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    spdlog::info("shutdownHandler sent cancel signal...");
    spdlog::info("Exiting cleanly...");
    stop(0);
  });
  if (options_.healthz_port != 0)
    spawn(serve_healthz(listen_healthz(context_.get_executor(), options_.healthz_ip, options_.healthz_port)));
  spawn(work());
  context_.run();
  return exit_code_.value_or(kFailure);
}

LeaseSubnets Daemon::previous_subnets() const {
  try {
    const auto env = read_subnet_env(options_.subnet_file);
    return {canonical(env.subnet), canonical(env.ipv6_subnet)};
  } catch (const SystemError& error) {
    spdlog::debug("no earlier subnet: {}", error.what());
  } catch (const InputError& error) {
    spdlog::error("Couldn't fetch previous subnet from subnet file: {}", error.what());
  }
  return {};
}

void Daemon::make_data_plane() {
  const auto interface = find_external_interface(socket_, options_, config_->v4.has_value(), config_->v6.has_value());
  backend_ = std::make_unique<Backend>(socket_, *config_, interface);
  surroundings_ = look_around(interface);
}

void Daemon::write_subnet_file(const LeaseSubnets& own) const {
  SubnetEnv env;
  if (config_->v4) env.networks = {config_->v4->network};
  env.subnet = gateway(own.v4);
  if (config_->v6) env.ipv6_networks = {config_->v6->network};
  env.ipv6_subnet = gateway(own.v6);
  env.mtu = backend_->mtu();
  env.ip_masq = options_.ip_masq;
  write_subnet_env(options_.subnet_file, env);
  spdlog::info("Wrote subnet file to {}", options_.subnet_file.string());
}

Surroundings Daemon::look_around(const ExternalInterface& interface) {
  Surroundings all;
  for (const auto& entry : netlink::list_addresses(socket_, interface.index)) {
    all.links.push_back(knetsim::canonical(entry.address));
    all.addresses.push_back(address_of(entry.address));
  }
  for (const auto& text : options_.etcd_endpoints) {
    boost::system::error_code is_a_name;
    const auto address = boost::asio::ip::make_address(etcd::host_of(text), is_a_name);
    if (!is_a_name) all.addresses.push_back(address);
  }
  return all;
}

bool Daemon::is_followed(const RegisteredLease& registered) {
  const auto& lease = registered.lease;
  if (lease.subnets == own_->subnets() || own_->is_ours(lease.attributes)) return false;
  const auto name = key_name(lease.subnets);
  const auto reason = why_not_followed(lease, *config_, surroundings_);
  if (reason)
    complaints_.say(name, fmt::format("Ignoring subnet lease {}: {}", name, *reason));
  else
    complaints_.forget(name);
  return !reason;
}

void Daemon::apply(const OwnLease::Acquired& acquired) {
  std::vector<Lease> others;
  for (const auto& item : acquired.leases) {
    if (is_followed(item)) others.push_back(item.lease);
  }
  remote_->reset(others);
}

void Daemon::write_traffic_rules() {
  rules_ = std::make_unique<TrafficManager>(*config_, own_->subnets(),
                                            TrafficRules{.masquerade = options_.ip_masq,
                                                         .random_fully = options_.masq_random_fully,
                                                         .forward = options_.forward_rules});
  try {
    rules_->write();
  } catch (const Error& error) {
    // As flanneld: pods reach each other all the same, unless others' rules are against it.
    spdlog::error("{}", error.what());
  }
}

awaitable<void> Daemon::work() {
  config_ = co_await registry_.await_config();
  make_data_plane();
  own_ = std::make_unique<OwnLease>(registry_, *config_, backend_->attributes(), previous_subnets(), options_);
  remote_ = std::make_unique<RemoteLeases>(*backend_);
  const auto acquired = co_await own_->acquire();

  surroundings_.own = own_->subnets();
  backend_->configure(own_->subnets());
  apply(acquired);
  backend_->forget_strangers();
  write_traffic_rules();
  write_subnet_file(own_->subnets());
  spdlog::info("Running backend.");

  spawn(follow_kernel());
  spawn(follow_rules());
  spawn(keep_lease());
  co_await follow_leases(acquired.revision);
}

void Daemon::lease_is_lost() {
  spdlog::error("Lease has been revoked. Shutting down daemon.");
  stop(0);
}

awaitable<void> Daemon::keep_lease() {
  co_await own_->keep();
  lease_is_lost();
}

void Daemon::handle(const etcd::Event& event) {
  try {
    follow(event);
  } catch (const Error& error) {
    complaints_.say(event.kv.key, fmt::format("can't follow the change of {}: {}", event.kv.key, error.what()));
  }
}

void Daemon::follow(const etcd::Event& event) {
  const auto subnets = registry_.parse_key(event.kv.key);
  if (!subnets) return;
  if (event.type == etcd::Event::Type::remove) return remote_->remove(*subnets);
  const auto lease = registry_.parse(event.kv);
  if (!lease) return;
  if (*subnets == own_->subnets()) {
    if (!own_->accept(*lease)) lease_is_lost();
  } else if (is_followed(*lease)) {
    remote_->put(lease->lease);
  } else {
    // A lease of ours from before, or of a twin: nobody else lives there. Or one that mustn't be followed any more.
    remote_->remove(*subnets);
  }
}

awaitable<etcd::Revision> Daemon::list_again() {
  Backoff backoff(std::chrono::seconds(5));
  for (;;) {
    try {
      auto listing = co_await client_.list(registry_.subnets_prefix());
      OwnLease::Acquired now{registry_.parse(listing.kvs), listing.revision};
      const auto own_key = registry_.key_of(own_->subnets());
      const auto own =
          std::find_if(listing.kvs.begin(), listing.kvs.end(), [&](const auto& kv) { return kv.key == own_key; });
      const bool gone = own == listing.kvs.end();
      const auto lease = gone ? std::nullopt : registry_.parse(*own);
      if (gone || (lease && !own_->accept(*lease)))
        lease_is_lost();
      else
        apply(now);
      co_return listing.revision;
    } catch (const Error& error) {
      spdlog::error("failed to re-list subnets: {}", error.what());
    }
    co_await backoff.wait();
  }
}

awaitable<void> Daemon::follow_leases(etcd::Revision revision) {
  spdlog::info("watching for new subnet leases");
  const auto removes_own = [own_key = registry_.key_of(own_->subnets())](const etcd::Event& event) {
    return event.type == etcd::Event::Type::remove && event.kv.key == own_key;
  };
  for (;;) {
    etcd::WatchOptions watch;
    watch.prefix = registry_.subnets_prefix();
    watch.from = revision + 1;
    watch.on_interruption = [](const std::string& reason, std::chrono::milliseconds delay) {
      spdlog::warn("etcd watch channel closed ({}), reconnecting in {} ms...", reason, delay.count());
    };
    etcd::Watcher watcher(context_.get_executor(), client_.options(), watch);
    try {
      for (;;) {
        const auto changes = co_await watcher.next();
        // Looked for first: peers that go in one transaction with our own lease stay, as the whole data plane does.
        if (std::any_of(changes.events.begin(), changes.events.end(), removes_own)) co_return lease_is_lost();
        for (const auto& event : changes.events) {
          handle(event);
          if (exit_code_) co_return;
        }
      }
    } catch (const etcd::Compacted&) {
      spdlog::warn("Watch of subnet leases failed because etcd index outside history window; re-listing and resuming");
    } catch (const etcd::Error& error) {
      spdlog::warn("Watch of subnet leases failed; re-listing and resuming: {}", error.what());
    }
    revision = co_await list_again();
    if (exit_code_) co_return;
  }
}

awaitable<void> Daemon::follow_rules() {
  asio::posix::stream_descriptor readable(context_, ::dup(rules_->changes().get()));
  for (;;) {
    co_await readable.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    try {
      rules_->heed();
    } catch (const Error& error) {
      spdlog::error("can't put the rules right: {}", error.what());
    }
  }
}

awaitable<void> Daemon::follow_kernel() {
  using netlink::Groups;
  netlink::Monitor monitor(NetNs::current(), Groups::links | Groups::addresses | Groups::routes | Groups::neighbours);
  asio::posix::stream_descriptor readable(context_, ::dup(monitor.fd().get()));
  // What happened before the subscription.
  std::vector<netlink::Event> events{{false, netlink::Resync{}}};
  for (;;) {
    try {
      backend_->heed(events);
    } catch (const Error& error) {
      spdlog::error("can't put the data plane right: {}", error.what());
    }
    co_await readable.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    events = monitor.read();
  }
}

}  // namespace knetsim::flannel
