#include "router/router.h"

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string_view>
#include <thread>

#include "knetsim/sys/error.h"
#include "wire/address.h"

namespace knetsim::skupper::router {

namespace {

/// 128 MiB in frames of 16 KiB: what skrouterd takes between routers, too.
constexpr std::uint32_t kSessionFrames = 8'192;
constexpr int kFailure = 1;
/// Of Prometheus's text format.
constexpr const char* kPlainText = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::size_t kMaxStrangers = 1'024;
constexpr std::chrono::seconds kHouseEvery{1};

routing::Settings engine_settings(const RouterSettings& router) {
  using namespace std::chrono;
  const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  return {.id = router.id,
          .instance = now / 1'000,
          .first_sequence = now % 1'000,
          .hello_interval = router.hello_interval,
          .hello_max_age = router.hello_max_age,
          .ra_interval = router.ra_interval,
          .ra_interval_flux = router.ra_interval_flux,
          .remote_ls_max_age = router.remote_ls_max_age};
}

std::vector<std::unique_ptr<Shard>> make_shards(unsigned count) {
  std::vector<std::unique_ptr<Shard>> shards;
  for (unsigned i = 0; i < std::max(count, 1U); ++i) shards.push_back(std::make_unique<Shard>());
  return shards;
}

const SslProfile& profile_of(const Config& config, const std::string& name) {
  return *std::find_if(config.ssl_profiles.begin(), config.ssl_profiles.end(),
                       [&](const SslProfile& one) { return one.name == name; });
}

Config with_id(Config config) {
  if (config.router.id.empty()) config.router.id = fmt::format("Standalone_{:08x}", ::getpid());
  return config;
}

std::string metric(std::string_view name, std::string_view type, std::string_view help, std::int64_t value) {
  return fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
}

/// The state of a router in Prometheus's text format: skrouterd's names (qdr_...) where it has such a figure.
std::string metrics(const View& view, const Flows::Counters& counters, std::size_t connections) {
  const auto count = [](const std::atomic<std::uint64_t>& value) { return static_cast<std::int64_t>(value.load()); };
  return metric("qdr_connections_total", "gauge", "AMQP connections with routers.",
                static_cast<std::int64_t>(connections)) +
         metric("qdr_routers_total", "gauge", "Other routers that can be reached.",
                static_cast<std::int64_t>(view.table.routes.size())) +
         metric("qdr_addresses_total", "gauge", "Addresses that have a consumer.",
                static_cast<std::int64_t>(view.table.addresses.size())) +
         metric("qdr_streaming_links", "gauge", "Links that carry streams to other routers.", counters.links.load()) +
         metric("qdr_tcp_endpoints", "gauge", "TCP connections with clients and services.", counters.open.load()) +
         metric("qdr_tcp_accepted_total", "counter", "Connections of clients.", count(counters.accepted)) +
         metric("qdr_tcp_connected_total", "counter", "Connections to services that were tried.",
                count(counters.connected)) +
         metric("qdr_tcp_refused_total", "counter", "Connections to services that failed.", count(counters.refused)) +
         metric("qdr_transit_streams_total", "counter", "Streams that were passed on to another router.",
                count(counters.transit));
}

}  // namespace

std::string version() { return KNETSIM_VERSION; }

Router::Router(Config config)
    : config_(with_id(std::move(config))),
      log_(config_.logs),
      flows_(config_.router.id, config_.router.mode == RouterMode::edge, log_),
      shards_(make_shards(config_.router.worker_threads)),
      engine_(engine_settings(config_.router)),
      timer_(core().context()),
      house_timer_(core().context()) {
  for (const auto& connector : config_.connectors)
    if (const auto& name = connector.connection.ssl_profile; !name.empty())
      client_tls_[connector.name] = client_domain(profile_of(config_, name), connector.verify_hostname);
  for (const auto& listener : config_.listeners)
    if (const auto& name = listener.connection.ssl_profile; !name.empty())
      server_tls_[listener.name] =
          server_domain(profile_of(config_, name), listener.authenticate_peer, listener.require_ssl);
}

Router::~Router() = default;

void Router::log_start() {
  const auto& router = config_.router;
  log_.info("SERVER", "Container Name: " + router.id);
  log_.info("ROUTER", fmt::format("Router started in {} mode, area=0 id={}", to_string(router.mode), router.id));
  log_.info("ROUTER", "Version: " + version());
  for (const auto& line : config_.without_effect) log_.info("AGENT", line);
}

int Router::run() {
  boost::asio::signal_set signals(core().context(), SIGINT, SIGTERM, SIGQUIT);
  signals.async_wait([this](const boost::system::error_code& error, int number) {
    if (error) return;
    log_.notice("MAIN", fmt::format("Shutting down on {}", number == SIGINT    ? "SIGINT"
                                                           : number == SIGQUIT ? "SIGQUIT"
                                                                               : "SIGTERM"));
    core().stop();
  });
  log_start();
  for (const auto& connector : config_.tcp_connectors) {
    auto service = std::make_shared<Service>();
    service->config = connector;
    services_[connector.address].push_back(std::move(service));
    engine_.add_consumer(wire::mobile_key(connector.address));
    log_.info("TCP_ADAPTOR",
              fmt::format("Configured TcpConnector for {}, {}:{}", connector.address, connector.host, connector.port));
  }
  try {
    for (const auto& listener : config_.listeners) listen(listener);
  } catch (const Error& error) {
    log_.critical("SERVER", error.what());
    return kFailure;
  }
  publish();
  const auto failed = [this](const std::exception& error) {
    log_.critical("SERVER", fmt::format("Internal error: {}", error.what()));
  };
  std::vector<std::thread> threads;
  for (auto shard = std::next(shards_.begin()); shard != shards_.end(); ++shard)
    threads.emplace_back([&worker = **shard, &failed] { worker.run(failed); });
  core().post([this] {
    for (const auto& connector : config_.connectors) connect(connector);
    poll();
    adjust_tcp_listeners();
  });
  log_.notice("SERVER", fmt::format("Operational, {} Threads Running (process ID {})", shards_.size(), ::getpid()));
  core().run(failed);
  for (const auto& shard : shards_) shard->stop();
  for (auto& thread : threads) thread.join();
  return exit_code_;
}

RouterConnection::Settings Router::settings(const ConnectionSettings& limits, Role role) {
  RouterConnection::Settings settings;
  settings.id = next_connection_++;
  settings.role = role;
  settings.cost = limits.cost;
  settings.open = wire::router_open(config_.router.id, static_cast<std::int64_t>(settings.id));
  settings.open.max_frame_size = limits.max_frame_size;
  settings.open.channel_max = static_cast<std::uint16_t>(limits.max_sessions - 1);
  // The open performative tells half of it, so that the peer is never just too late.
  settings.open.idle_timeout_ms = static_cast<std::uint32_t>(limits.idle_timeout.count()) * 1'000 / 2;
  settings.open.cost = limits.cost;
  settings.session_frames = limits.max_session_frames.value_or(kSessionFrames);
  settings.sasl_mechanisms = limits.sasl_mechanisms;
  return settings;
}

void Router::listen(const Listener& listener) {
  auto accepted = [this, &listener](boost::asio::ip::tcp::socket socket) {
    listener.http ? serve_http(std::move(socket), pages_.at(listener.name), kPlainText,
                               [this](const std::string& text) { log_.warning("HTTP", text); })
                  : serve_amqp(listener, std::move(socket));
  };
  if (listener.http) {
    auto& pages = pages_[listener.name];
    if (listener.healthz) pages["/healthz"] = [] { return "OK\n"; };
    if (listener.metrics)
      pages["/metrics"] = [this] {
        const auto edges = edges_.size() + (uplink_ ? 1 : 0);
        return metrics(core().view(), flows_.counters(), connections_.size() + edges);
      };
  }
  acceptors_.push_back(std::make_unique<Acceptor>(core(), listener.host, listener.port, 0, std::move(accepted)));
  for (const auto& endpoint : acceptors_.back()->endpoints())
    log_.notice("SERVER", fmt::format("Listening on {} (role={}, name={})", to_string(endpoint),
                                      listener.http ? "http" : to_string(listener.role), listener.name));
}

void Router::serve_amqp(const Listener& listener, boost::asio::ip::tcp::socket socket) {
  auto options = settings(listener.connection, listener.role);
  options.open.access_id = fmt::format("{}:1", listener.name);
  if (const auto tls = server_tls_.find(listener.name); tls != server_tls_.end()) options.tls = tls->second;
  const auto id = options.id;
  auto connection = std::make_shared<RouterConnection>(core(), std::move(socket), std::move(options), flows_, *this);
  log_.info("SERVER", fmt::format("[C{}] Accepted connection to {}:{} from {}", id, listener.host, listener.port,
                                  connection->peer()));
  std::optional<std::chrono::steady_clock::time_point> deadline;
  if (listener.handshake_timeout.count() > 0) deadline = std::chrono::steady_clock::now() + listener.handshake_timeout;
  strangers_[id] = {.connection = connection, .deadline = deadline};
  connection->start();
  if (strangers_.size() > kMaxStrangers) {
    // The oldest: a router that is in earnest needs a moment only.
    const auto oldest = strangers_.extract(strangers_.begin()).mapped().connection.lock();
    if (oldest) oldest->give_up(fmt::format("more than {} connections have said nothing yet", kMaxStrangers));
  }
  keep_house();
}

void Router::keep_house() {
  if (std::exchange(house_is_due_, true)) return;
  house_timer_.expires_after(kHouseEvery);
  house_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    house_is_due_ = false;
    const auto now = std::chrono::steady_clock::now();
    for (const auto& [id, stranger] : strangers_)
      if (const auto connection = stranger.deadline && *stranger.deadline <= now ? stranger.connection.lock() : nullptr)
        connection->give_up("it hasn't introduced itself (AMQP OPEN) in time");
    std::erase_if(strangers_,
                  [&](const auto& entry) { return entry.second.deadline && *entry.second.deadline <= now; });
    // Connections leave holes in the heap, which it doesn't give back by itself.
    if (std::exchange(memory_is_free_, false)) ::malloc_trim(0);
    if (!strangers_.empty()) keep_house();
  });
}

void Router::connect(const Connector& connector) {
  const auto correlator = flows_.new_discriminator();
  if (connector.role == Role::inter_router)
    for (unsigned i = 0; i < config_.router.data_connections; ++i)
      dial(connector, false, next_data_shard(), correlator);
  dial(connector, true, core(), correlator);
}

void Router::dial(const Connector& connector, bool control, Shard& shard, const std::string& correlator) {
  auto connected = [this, &connector, control, &shard, correlator](const std::shared_ptr<Dialler>& dialler,
                                                                   boost::asio::ip::tcp::socket socket) {
    auto options = settings(connector.connection, connector.role);
    options.initiator = true;
    // An edge router takes no part in the routing protocol: the interior would refuse its links.
    options.control = control && connector.role == Role::inter_router;
    options.dialler = dialler;
    options.open.hostname = connector.host;
    options.open.group_correlator = correlator;
    options.open.data = !control;
    options.tls_host = connector.host;
    if (const auto tls = client_tls_.find(connector.name); tls != client_tls_.end()) options.tls = tls->second;
    const auto id = options.id;
    auto connection = std::make_shared<RouterConnection>(shard, std::move(socket), std::move(options), flows_, *this);
    log_.info("SERVER", fmt::format("[C{}] Connected to {}:{}", id, connector.host, connector.port));
    connection->start();
  };
  auto dialler = std::make_shared<Dialler>(shard, control ? &log_ : nullptr, connector, std::move(connected));
  shard.post([dialler] { dialler->dial(); });
}

Shard& Router::next_data_shard() { return *shards_.at(next_shard_++ % shards_.size()); }

}  // namespace knetsim::skupper::router
