#include "daemon.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <filesystem>

#include "knetsim/kube/access.h"
#include "knetsim/kube/time.h"
#include "knetsim/netlink/address.h"
#include "knetsim/sys/error.h"

namespace knetsim::kubeproxy {

namespace asio = boost::asio;
using kube::list_at;
using kube::member;
using kube::text_at;

namespace {

constexpr auto kOurs = "!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name";
constexpr auto kTriggered = "endpoints.kubernetes.io/last-change-trigger-time";
constexpr auto kProcessName = "knetsim-kube-pr";  // what the kernel keeps of it
constexpr std::chrono::milliseconds kFirstPause{1'000};
constexpr std::chrono::milliseconds kLongestPause{30'000};
constexpr double kPatienceSeconds = 60;
constexpr std::size_t kMostComplaints = 10'000;

NetNs namespace_of(const DaemonOptions& options) {
  if (options.netns.empty()) return NetNs::current();
  if (!std::filesystem::exists(options.netns))
    throw InputError(fmt::format("invalid value \"{}\" for --netns: there is no such file", options.netns));
  return NetNs::open(options.netns);
}

bool has_sctp(const NetNs& netns) {
  return netns.run([] { return std::filesystem::exists("/proc/sys/net/netfilter/nf_conntrack_sctp_timeout_closed"); });
}

bool is_going(const nlohmann::json& node) {
  if (member(node, "metadata", "deletionTimestamp").is_string()) return true;
  const auto& taints = list_at(node, "spec", "taints");
  return std::ranges::any_of(
      taints, [](const auto& taint) { return text_at(taint, "key") == "ToBeDeletedByClusterAutoscaler"; });
}

std::string iso_time(double seconds) {
  const auto whole = std::chrono::sys_seconds(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
  return kube::timestamp(whole);
}

}  // namespace

KubeProxy::KubeProxy(asio::io_context& context, DaemonOptions options)
    : context_(&context),
      options_(std::move(options)),
      netns_(namespace_of(options_)),
      timer_(context),
      proxier_(
          netns_, facts_of(nullptr), [this](const std::string& key) { return services_.find(key); },
          [this](const std::string& key) { return slices_.find(key); },
          [this](const std::string& object, const std::string& why) { complain(object, why); }),
      services_(follow({.path = "/api/v1/services", .labels = kOurs, .fields = "spec.clusterIP!=None"},
                       [this](const json* before, const json* now) {
                         const auto& object = now != nullptr ? *now : *before;
                         ++measures_.service_changes;
                         ++measures_.service_changes_pending;
                         services_seen_ = std::max(services_seen_, apiserver::revision_of(object));
                         proxier_.service_changed(apiserver::Informer::key_of(object));
                       })),
      slices_(follow({.path = "/apis/discovery.k8s.io/v1/endpointslices", .labels = kOurs},
                     [this](const json* before, const json* now) {
                       const auto& object = now != nullptr ? *now : *before;
                       ++measures_.endpoint_changes;
                       ++measures_.endpoint_changes_pending;
                       slices_seen_ = std::max(slices_seen_, apiserver::revision_of(object));
                       if (const auto time =
                               kube::parse_timestamp(text_at(object, "metadata", "annotations", kTriggered));
                           now != nullptr && time)
                         triggers_.push_back(std::chrono::duration<double>(time->time_since_epoch()).count());
                       proxier_.slice_changed(apiserver::Informer::key_of(object), before, now);
                     })),
      nodes_(follow({.path = "/api/v1/nodes", .fields = "metadata.name=" + options_.node},
                    [this](const json*, const json* now) { node_changed(now); })) {
  if (options_.healthz)
    servers_.emplace_back(context, netns_, *options_.healthz, [this](const std::string& path) { return health(path); });
  if (options_.metrics)
    servers_.emplace_back(context, netns_, *options_.metrics,
                          [this](const std::string& path) { return metrics(path); });
  if (options_.node_port_networks.empty()) return;
  addresses_.emplace(netns_, netlink::Groups::addresses);
  whenever_readable(*addresses_, [this] {
    if (addresses_->read().empty() || !nodes_.listed()) return;
    node_changed(nodes_.find(options_.node));
    queue();
  });
}

template <typename Monitor>
void KubeProxy::whenever_readable(const Monitor& monitor, std::function<void()> act) {
  auto descriptor = std::make_shared<asio::posix::stream_descriptor>(*context_, ::dup(monitor.fd().get()));
  struct Wait {
    std::shared_ptr<asio::posix::stream_descriptor> descriptor;
    std::function<void()> act;
    void operator()(const boost::system::error_code& error) const {
      if (error) return;
      act();
      descriptor->async_wait(asio::posix::stream_descriptor::wait_read, *this);
    }
  };
  descriptor->async_wait(asio::posix::stream_descriptor::wait_read, Wait{descriptor, std::move(act)});
}

apiserver::Informer KubeProxy::follow(apiserver::Collection collection,
                                      std::function<void(const json*, const json*)> changed) {
  const auto path = collection.path;
  return {
      *context_, options_.access, std::move(collection),
      apiserver::InformerCalls{.changed =
                                   [this, changed = std::move(changed)](const json* before, const json* now) {
                                     changed(before, now);
                                     queue();
                                   },
                               .listed = [this] { queue(); },
                               .interrupted = [path](const std::string& why) { spdlog::warn("{}: {}", path, why); }}};
}

NodeFacts KubeProxy::facts_of(const json* node) const {
  NodeFacts facts{.name = options_.node,
                  .pod_networks = options_.cluster_networks,
                  .service_networks = options_.service_networks,
                  .masquerade_all = options_.masquerade_all,
                  .external_ips = options_.external_ips,
                  .sctp = has_sctp(netns_)};
  if (options_.detection == LocalDetection::bridge) facts.pod_bridge = options_.pod_bridge;
  if (options_.detection != LocalDetection::cluster_cidr) facts.pod_networks.clear();
  if (node == nullptr) return facts;
  facts.zone = text_at(*node, "metadata", "labels", "topology.kubernetes.io/zone");
  const auto parsed = [](const std::string& text) -> std::optional<Address> {
    boost::system::error_code error;
    auto address = boost::asio::ip::make_address(text, error);
    return error ? std::nullopt : std::optional(address);
  };
  for (const auto& each : list_at(*node, "status", "addresses"))
    if (const auto& type = text_at(each, "type"); type == "InternalIP" || type == "ExternalIP")
      if (const auto address = parsed(text_at(each, "address"))) facts.addresses.push_back(*address);
  if (options_.detection == LocalDetection::node_cidr)
    for (const auto& each : list_at(*node, "spec", "podCIDRs")) {
      try {
        facts.pod_networks.push_back(canonical(parse_network(kube::text_in(each))));
      } catch (const InputError&) {
        // Nobody can be in a network that is none.
      }
    }
  if (options_.node_port_networks.empty()) {
    for (const bool v6 : {false, true})
      if (const auto first = std::ranges::find(facts.addresses, v6, [](const Address& one) { return one.is_v6(); });
          first != facts.addresses.end())
        facts.node_port_addresses.push_back(*first);
    return facts;
  }
  netlink::Socket socket(netns_, "kube-proxy");
  for (const auto& each : netlink::list_addresses(socket)) {
    const auto address = address_of(each.address);
    const bool wanted = std::ranges::any_of(options_.node_port_networks,
                                            [&](const Network& network) { return contains(network, address); });
    if (wanted && !address.is_loopback() && !(address.is_v6() && address.to_v6().is_link_local()))
      facts.node_port_addresses.push_back(address);
  }
  std::ranges::sort(facts.node_port_addresses);
  return facts;
}

void KubeProxy::node_changed(const json* node) {
  eligible_ = node == nullptr || !is_going(*node);
  const auto addresses = proxier_.node().node_port_addresses;
  proxier_.set_node(facts_of(node));
  if (proxier_.node().node_port_addresses != addresses) health_checks_.clear();  // they listen there
}

void KubeProxy::complain(const std::string& object, const std::string& why) {
  // Said once, for as long as that can be remembered.
  if (complaints_.size() >= kMostComplaints) complaints_.clear();
  if (complaints_.insert(object + ": " + why).second) spdlog::warn("{}: {}", object, why);
}

void KubeProxy::queue() {
  measures_.last_queued = seconds_since_1970();
  if (waiting_since_ == 0) waiting_since_ = measures_.last_queued;
  if (std::exchange(queued_, true)) return;
  asio::post(*context_, [this] {
    queued_ = false;
    sync();
  });
}

void KubeProxy::sync() {
  if (!services_.listed() || !slices_.listed() || !nodes_.listed()) return;
  if (proxier_.in_step()) {
    waiting_since_ = 0;
    return;
  }
  const auto begin = std::chrono::steady_clock::now();
  try {
    const auto synced = proxier_.sync();
    succeeded(synced, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  } catch (const Error& error) {
    failed(error.what());
  }
}

void KubeProxy::succeeded(const Synced& synced, double seconds) {
  auto& m = measures_;
  const auto now = seconds_since_1970();
  m.syncs.add(seconds);
  (synced.whole ? m.full_syncs : m.partial_syncs).add(seconds);
  for (const double trigger : std::exchange(triggers_, {})) m.network_programming.add(std::max(0.0, now - trigger));
  if (synced.reconciled) m.reconciliations.add(synced.reconcile_seconds);
  m.flows_deleted += synced.forgotten;
  m.last_sync = now;
  m.service_changes_pending = m.endpoint_changes_pending = 0;
  m.services_revision = services_seen_;
  m.slices_revision = slices_seen_;
  m.without_local_internal = proxier_.without_local(false);
  m.without_local_external = proxier_.without_local(true);
  waiting_since_ = 0;
  pause_ = std::chrono::milliseconds(0);
  failure_.clear();
  serve_health_checks();
  spdlog::debug("wrote {} entries in {} batches after {:.1f} ms{}", synced.written.entries, synced.written.batches,
                seconds * 1'000, synced.written.whole ? ", the whole table" : "");
  if (!std::exchange(first_, false)) return;
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin_).count();
  spdlog::info("in step with {} after {} ms: {} services, {} slices, {}",
               options_.kubeconfig.empty() ? options_.master : options_.kubeconfig, took, services_.objects().size(),
               slices_.objects().size(),
               synced.written.batches == 0 ? std::string("all of it stood already")
                                           : fmt::format("{} entries written", synced.written.entries));
  watch_tables();
}

void KubeProxy::failed(const std::string& why) {
  ++measures_.sync_failures;
  if (std::exchange(failure_, why) != why) spdlog::error("{}", why);
  pause_ = pause_.count() == 0 ? kFirstPause : std::min(2 * pause_, kLongestPause);
  timer_.expires_after(pause_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) sync();
  });
}

void KubeProxy::watch_tables() {
  monitor_.emplace(netns_, kTableName, kProcessName);
  // What happened before it listened.
  proxier_.doubt();
  queue();
  whenever_readable(*monitor_, [this] {
    if (!monitor_->read()) return;
    spdlog::warn("somebody has changed table {}: looking at it", kTableName);
    proxier_.doubt();
    queue();
  });
}

void KubeProxy::serve_health_checks() {
  const auto& wanted = proxier_.health_checks();
  std::erase_if(health_checks_, [&](const auto& one) {
    const auto found = wanted.find(one.first);
    return found == wanted.end() || found->second.port != one.second.first;
  });
  for (const auto& [key, check] : wanted) {
    if (health_checks_.contains(key)) continue;
    auto& [port, servers] = health_checks_[key];
    port = check.port;
    for (const auto& address : proxier_.node().node_port_addresses) {
      try {
        servers.emplace_back(*context_, netns_, asio::ip::tcp::endpoint(address, port),
                             [this, key = key](const std::string&) { return health_check(key); });
      } catch (const Error& error) {
        complain(key, error.what());
      }
    }
  }
}

bool KubeProxy::healthy() const {
  return waiting_since_ == 0 || seconds_since_1970() - waiting_since_ < kPatienceSeconds;
}

StatusAnswer KubeProxy::health(const std::string& path) {
  if (path != "/healthz" && path != "/livez") return {.status = 404, .body = "404 page not found\n"};
  const bool with_node = path == "/healthz";
  const bool good = healthy() && (eligible_ || !with_node);
  auto& m = measures_;
  ++(with_node ? (good ? m.healthz_good : m.healthz_bad) : (good ? m.livez_good : m.livez_bad));
  const auto now = seconds_since_1970();
  const json told{{"lastUpdated", iso_time(healthy() ? now : m.last_sync)}, {"currentTime", iso_time(now)}};
  auto body = told;
  if (with_node) body["nodeEligible"] = eligible_;
  return {.status = good ? 200U : 503U,
          .type = "application/json",
          .body = body.dump(),
          .headers = {{"X-Content-Type-Options", "nosniff"}}};
}

StatusAnswer KubeProxy::metrics(const std::string& path) const {
  if (path == "/metrics") return {.type = "text/plain; version=0.0.4", .body = measures_.text()};
  if (path == "/proxyMode") return {.body = "nftables"};
  if (path == "/healthz") return {.body = "ok"};
  // What a test waits for: changes up to these revisions are in the kernel.
  if (path == "/acknowledged")
    return {
        .type = "application/json",
        .body = json{{"services", measures_.services_revision}, {"endpointslices", measures_.slices_revision}}.dump()};
  return {.status = 404, .body = "404 page not found\n"};
}

StatusAnswer KubeProxy::health_check(const std::string& service) const {
  const auto& checks = proxier_.health_checks();
  const auto found = checks.find(service);
  const auto endpoints = found == checks.end() ? 0 : found->second.endpoints;
  const auto slash = service.find('/');
  const json body{{"service", {{"namespace", service.substr(0, slash)}, {"name", service.substr(slash + 1)}}},
                  {"localEndpoints", endpoints},
                  {"serviceProxyHealthy", healthy()}};
  return {.status = endpoints != 0 && healthy() ? 200U : 503U,
          .type = "application/json",
          .body = body.dump(),
          .headers = {{"X-Content-Type-Options", "nosniff"},
                      {"X-Load-Balancing-Endpoint-Weight", std::to_string(endpoints)}}};
}

}  // namespace knetsim::kubeproxy
