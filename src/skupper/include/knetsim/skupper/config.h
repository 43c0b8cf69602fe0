#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knetsim::skupper {

enum class RouterMode { standalone, interior, edge };
/// What a listener's or connector's peers are: AMQP clients, routers of the same network, edge routers.
enum class Role { normal, inter_router, edge };

/// The router itself. Defaults here and below are skrouterd's (skrouter.json of skupper-router).
struct RouterSettings {
  std::string id;  ///< empty: not given, one is made up at start
  RouterMode mode = RouterMode::standalone;
  std::chrono::seconds hello_interval{1};
  std::chrono::seconds hello_max_age{3};  ///< a neighbour that wasn't heard of for so long is gone
  std::chrono::seconds ra_interval{30};
  std::chrono::seconds ra_interval_flux{4};
  std::chrono::seconds remote_ls_max_age{60};
  unsigned worker_threads = 4;
  /// Per inter-router connector, besides the control connection. "auto", the default: half the threads, rounded up.
  unsigned data_connections = 2;
  std::string metadata = {};
};

/// Limits and credentials of an AMQP connection, either end.
struct ConnectionSettings {
  std::uint32_t max_frame_size = 16'384;  ///< bytes
  std::optional<std::uint32_t> max_session_frames;
  std::uint32_t max_sessions = 32'768;
  std::chrono::seconds idle_timeout{16};
  unsigned cost = 1;
  std::string ssl_profile = {};                ///< a name of Config::ssl_profiles; empty: plain TCP
  std::vector<std::string> sasl_mechanisms{};  ///< empty: whatever there is
};

inline constexpr std::chrono::seconds kHandshakeTimeout{10};

struct Listener {
  std::string name;
  std::string host;        ///< name or literal; empty: all addresses
  std::uint16_t port = 0;  ///< 0: the kernel's choice
  Role role = Role::normal;
  ConnectionSettings connection = {};
  /// Of AMQP: how long a peer may take until it has introduced itself (OPEN); 0: for ever. Unlike skrouterd's, which
  /// has no limit unless it is given one.
  std::chrono::seconds handshake_timeout = kHandshakeTimeout;
  bool authenticate_peer = false;
  bool require_ssl = false;
  bool http = false;  ///< serves HTTP instead of AMQP: /healthz and /metrics as the next two say
  bool healthz = true;
  bool metrics = true;
};

struct Connector {
  std::string name;
  std::string host;
  std::uint16_t port = 0;
  Role role = Role::normal;
  ConnectionSettings connection = {};
  bool verify_hostname = true;
};

/// Takes in TCP connections to the service `address`; listens only while that has a consumer somewhere.
struct TcpListener {
  std::string name;
  std::string host;        ///< name or literal; empty: all addresses
  std::uint16_t port = 0;  ///< 0: the kernel's choice
  std::string address;
  std::string site_id = {};
  int backlog = 0;  ///< of listen(2); 0: as much as the kernel allows
};

/// Serves the service `address` with TCP connections to host and port.
struct TcpConnector {
  std::string name;
  std::string host;
  std::uint16_t port = 0;
  std::string address;
  std::string site_id = {};
};

struct SslProfile {
  std::string name;
  std::filesystem::path ca_cert_file = {};  ///< empty: peers aren't verified against a CA of ours
  std::filesystem::path cert_file = {};
  std::filesystem::path private_key_file = {};
  std::string ciphers = {};    ///< OpenSSL's notation; empty: OpenSSL's default
  std::string protocols = {};  ///< "TLSv1.2 TLSv1.3"; empty: OpenSSL's default
};

enum class LogLevel { debug, info, notice, warning, error, critical };

/// One `log` entity: "DEFAULT" or a module, and which levels it writes, as skrouterd's -l option: "info+", "none".
struct LogSetting {
  std::string module;
  std::string enable;
};

/// A skrouterd configuration: what a router is told in its JSON file.
struct Config {
  RouterSettings router;
  std::vector<Listener> listeners = {};
  std::vector<Connector> connectors = {};
  std::vector<TcpListener> tcp_listeners = {};
  std::vector<TcpConnector> tcp_connectors = {};
  std::vector<SslProfile> ssl_profiles = {};
  std::vector<LogSetting> logs = {};
  /// Attributes that are known and in order, but have no effect here; one line each, for the log.
  std::vector<std::string> without_effect = {};
};

/// Reads a JSON list of [entity, attributes] as skrouterd does: values may be strings or numbers, lines that begin with
/// # are comments. `file` is what errors call it. Throws InputError naming file, line, entity, attribute, value and
/// remedy: for unknown entities and attributes, wrong types, values out of range, missing or doubled names, references
/// to nothing, and for what skrouterd could do and we can't.
Config parse_config(std::string_view text, const std::string& file);
/// Throws SystemError if the file can't be read.
Config read_config(const std::filesystem::path& path);

/// As written in a config: "interior", "inter-router".
std::string to_string(RouterMode mode);
std::string to_string(Role role);

}  // namespace knetsim::skupper
