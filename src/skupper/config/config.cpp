#include "knetsim/skupper/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <sstream>

#include "config_text.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "values.h"

namespace knetsim::skupper {

namespace {

RouterMode mode_of(const Values& values) {
  const auto text = values.text("mode", "standalone");
  return text == "interior" ? RouterMode::interior : text == "edge" ? RouterMode::edge : RouterMode::standalone;
}

Role role_of(const Values& values) {
  const auto text = values.text("role", "normal");
  return text == "inter-router" ? Role::inter_router : text == "edge" ? Role::edge : Role::normal;
}

std::chrono::seconds seconds(const Values& values, std::string_view name, std::chrono::seconds otherwise) {
  return std::chrono::seconds(values.number(name, otherwise.count()));
}

RouterSettings router_of(const Values& values) {
  RouterSettings router;
  router.id = values.text("id");
  // It becomes a part of addresses: amqp:/_topo/0/<id>/qdrouter.
  if (router.id.find_first_of(" \t/") != std::string::npos)
    values.complain("id", "has a blank or a slash in it", "use letters, digits and dashes");
  router.mode = mode_of(values);
  router.hello_interval = seconds(values, "helloIntervalSeconds", router.hello_interval);
  router.hello_max_age = seconds(values, "helloMaxAgeSeconds", router.hello_max_age);
  if (router.hello_max_age < router.hello_interval)
    values.complain(values.has("helloMaxAgeSeconds") ? "helloMaxAgeSeconds" : "helloIntervalSeconds",
                    "neighbours would be given up before their next hello can be there",
                    "let helloMaxAgeSeconds be a multiple of helloIntervalSeconds");
  router.ra_interval = seconds(values, "raIntervalSeconds", router.ra_interval);
  router.ra_interval_flux = seconds(values, "raIntervalFluxSeconds", router.ra_interval_flux);
  router.remote_ls_max_age = seconds(values, "remoteLsMaxAgeSeconds", router.remote_ls_max_age);
  router.worker_threads = static_cast<unsigned>(values.number("workerThreads", router.worker_threads));
  const auto automatic = (router.worker_threads + 1) / 2;
  router.data_connections = static_cast<unsigned>(values.number("dataConnectionCount", automatic));
  router.metadata = values.text("metadata");
  return router;
}

ConnectionSettings connection_of(const Values& values) {
  ConnectionSettings connection;
  connection.max_frame_size = static_cast<std::uint32_t>(values.number("maxFrameSize", connection.max_frame_size));
  if (values.has("maxSessionFrames"))
    connection.max_session_frames = static_cast<std::uint32_t>(values.number("maxSessionFrames", 0));
  connection.idle_timeout = seconds(values, "idleTimeoutSeconds", connection.idle_timeout);
  // 0 is "as many as there may be".
  if (const auto sessions = values.number("maxSessions", 0); sessions > 0)
    connection.max_sessions = static_cast<std::uint32_t>(sessions);
  connection.cost = static_cast<unsigned>(values.number("cost", connection.cost));
  connection.ssl_profile = values.text("sslProfile");
  std::istringstream mechanisms(values.text("saslMechanisms"));
  for (std::string one; mechanisms >> one;) connection.sasl_mechanisms.push_back(one);
  return connection;
}

Listener listener_of(const Values& values) {
  return {.name = values.text("name"),
          .host = values.text("host"),
          .port = static_cast<std::uint16_t>(values.number("port", 5672)),
          .role = role_of(values),
          .connection = connection_of(values),
          .handshake_timeout = seconds(values, "initialHandshakeTimeoutSeconds", kHandshakeTimeout),
          .authenticate_peer = values.boolean("authenticatePeer", false),
          .require_ssl = values.boolean("requireSsl", false),
          .http = values.boolean("http", false),
          .healthz = values.boolean("healthz", true),
          .metrics = values.boolean("metrics", true)};
}

Connector connector_of(const Values& values) {
  return {.name = values.text("name"),
          .host = values.text("host", "127.0.0.1"),
          .port = static_cast<std::uint16_t>(values.number("port", 5672)),
          .role = role_of(values),
          .connection = connection_of(values),
          .verify_hostname = values.boolean("verifyHostname", true)};
}

TcpListener tcp_listener_of(const Values& values) {
  return {.name = values.text("name"),
          .host = values.text("host", "0.0.0.0"),
          .port = static_cast<std::uint16_t>(values.number("port", 0)),
          .address = values.text("address"),
          .site_id = values.text("siteId"),
          .backlog = static_cast<int>(values.number("backlog", 0))};
}

TcpConnector tcp_connector_of(const Values& values) {
  return {.name = values.text("name"),
          .host = values.text("host", "127.0.0.1"),
          .port = static_cast<std::uint16_t>(values.number("port", 0)),
          .address = values.text("address"),
          .site_id = values.text("siteId")};
}

SslProfile ssl_profile_of(const Values& values) {
  if (values.has("certFile") != values.has("privateKeyFile"))
    values.complain(values.has("certFile") ? "privateKeyFile" : "certFile", "is missing",
                    "a certificate and its key come together");
  return {.name = values.text("name"),
          .ca_cert_file = values.text("caCertFile"),
          .cert_file = values.text("certFile"),
          .private_key_file = values.text("privateKeyFile"),
          .ciphers = values.text("ciphers"),
          .protocols = values.text("protocols")};
}

/// What no single entity shows.
class Whole {
 public:
  explicit Whole(const std::vector<Values>& all) : all_(all) {}

  void check() const {
    std::map<std::string, const Values*> names;
    const auto& router =
        *std::find_if(all_.begin(), all_.end(), [](const Values& one) { return one.type() == "router"; });
    for (const auto& one : all_) {
      // Entities of all kinds share the names, as skrouterd's do.
      if (const auto name = one.text("name"); !name.empty()) {
        const auto [first, fresh] = names.try_emplace(name, &one);
        if (!fresh)
          one.complain("name",
                       fmt::format("the {} at {} has that name already", first->second->type(), first->second->place()),
                       "give each its own");
      }
      check_role(one, mode_of(router));
      check_profile(one);
    }
  }

 private:
  static void check_role(const Values& one, RouterMode mode) {
    if (one.type() != "listener" && one.type() != "connector") return;
    const auto role = role_of(one);
    // An edge router is the one that connects; an interior one listens to edges and is a peer of interior ones.
    const bool fits =
        role == Role::normal || (role == Role::inter_router && mode == RouterMode::interior) ||
        (role == Role::edge && mode == (one.type() == "listener" ? RouterMode::interior : RouterMode::edge));
    if (!fits)
      one.complain("role", fmt::format("a router of mode {} can't have that", to_string(mode)),
                   role == Role::edge ? "edge connectors belong to edge routers, edge listeners to interior ones"
                                      : "let the router's mode be interior");
  }

  void check_profile(const Values& one) const {
    const auto wanted = one.text("sslProfile");
    if (wanted.empty()) return;
    std::vector<std::string> there;
    for (const auto& other : all_)
      if (other.type() == "sslProfile") there.push_back(other.text("name"));
    if (std::find(there.begin(), there.end(), wanted) == there.end())
      one.complain("sslProfile", "there is no sslProfile of that name",
                   there.empty() ? "add one" : fmt::format("one of {}", fmt::join(there, ", ")));
  }

  const std::vector<Values>& all_;
};

void add(Config& config, const Values& values) {
  const auto& type = values.type();
  if (type == "router") config.router = router_of(values);
  if (type == "listener") config.listeners.push_back(listener_of(values));
  if (type == "connector") config.connectors.push_back(connector_of(values));
  if (type == "tcpListener") config.tcp_listeners.push_back(tcp_listener_of(values));
  if (type == "tcpConnector") config.tcp_connectors.push_back(tcp_connector_of(values));
  if (type == "sslProfile") config.ssl_profiles.push_back(ssl_profile_of(values));
  if (type == "log") config.logs.push_back({.module = values.text("module"), .enable = values.text("enable")});
  config.without_effect.insert(config.without_effect.end(), values.without_effect().begin(),
                               values.without_effect().end());
}

}  // namespace

Config parse_config(std::string_view text, const std::string& file) {
  const auto document =
      read_json({.file = file,
                 .text = config_as_json(text, file),
                 .help = R"(write [["router", {"id": "a", "mode": "interior"}], ["listener", {...}], ...])"},
                {.depth = 64, .refuse_doubled_keys = true});
  std::vector<Values> all;
  std::optional<std::string> router;
  for (const auto& entity : JsonPlace(document).elements()) {
    const auto& values = all.emplace_back(entity);
    if (values.type() != "router") continue;
    if (router) values.complain("id", fmt::format("there is a router already, {}", *router), "keep one of them");
    router = values.place();
  }
  if (!router)
    throw InputError(fmt::format(
        "{}: there is no router entity\n  remedy: add [\"router\", {{\"id\": \"a\", \"mode\": \"interior\"}}]", file));
  Whole(all).check();
  std::set<std::string> names;
  for (const auto& values : all)
    if (auto name = values.text("name"); !name.empty()) names.insert(std::move(name));
  for (auto& values : all) values.name_unless_named(names);
  Config config;
  for (const auto& values : all) add(config, values);
  return config;
}

Config read_config(const std::filesystem::path& path) { return parse_config(read_file(path), path.string()); }

std::string to_string(RouterMode mode) {
  constexpr std::array<const char*, 3> kModes{"standalone", "interior", "edge"};
  return kModes.at(static_cast<std::size_t>(mode));
}

std::string to_string(Role role) {
  constexpr std::array<const char*, 3> kRoles{"normal", "inter-router", "edge"};
  return kRoles.at(static_cast<std::size_t>(role));
}

}  // namespace knetsim::skupper
