#include "router/router.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "knetsim/skupper/version.h"
#include "knetsim/sys/error.h"
#include "router/metrics.h"
#include "router/socket.h"
#include "wire/address.h"

namespace knetsim::skupper::router {

namespace {

constexpr std::uint32_t kSessionFrames = 640;
constexpr int kFailure = 1;

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

}  // namespace

Router::Router(Config config)
    : config_(with_id(std::move(config))),
      log_(config_.logs),
      flows_(config_.router.id, config_.router.mode == RouterMode::edge, log_),
      shards_(make_shards(config_.router.worker_threads)),
      engine_(engine_settings(config_.router)),
      timer_(core().context()) {
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
  boost::asio::signal_set signals(core().context(), SIGINT, SIGTERM);
  signals.async_wait([this](const boost::system::error_code& error, int number) {
    if (error) return;
    log_.notice("MAIN", fmt::format("Shutting down on {}", number == SIGINT ? "SIGINT" : "SIGTERM"));
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
  std::vector<std::thread> threads;
  for (auto shard = std::next(shards_.begin()); shard != shards_.end(); ++shard)
    threads.emplace_back([&worker = **shard] { worker.run(); });
  core().post([this] {
    for (const auto& connector : config_.connectors) connect(connector);
    poll();
    adjust_tcp_listeners();
  });
  log_.notice("SERVER", fmt::format("Operational, {} Threads Running (process ID {})", shards_.size(), ::getpid()));
  core().run();
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
  // The open performative tells half of it, so that the peer is never just too late.
  settings.open.idle_timeout_ms = static_cast<std::uint32_t>(limits.idle_timeout.count()) * 1'000 / 2;
  settings.open.cost = limits.cost;
  settings.session_frames = limits.max_session_frames.value_or(kSessionFrames);
  settings.sasl_mechanisms = limits.sasl_mechanisms;
  return settings;
}

void Router::listen(const Listener& listener) {
  auto accepted = [this, &listener](boost::asio::ip::tcp::socket socket) {
    listener.http ? serve_http(std::move(socket), pages_.at(listener.name), log_)
                  : serve_amqp(listener, std::move(socket));
  };
  if (listener.http) {
    auto& pages = pages_[listener.name];
    if (listener.healthz) pages.healthz = [] { return "OK\n"; };
    if (listener.metrics)
      pages.metrics = [this] { return metrics(core().view(), flows_.counters(), connections_.size()); };
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
  connection->start();
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
