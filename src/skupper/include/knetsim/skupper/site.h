#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace knetsim::skupper {

/// Where routers of other sites, AMQP clients, edge routers and browsers find a site's router; the original's.
inline constexpr std::uint16_t kInterRouterPort = 55'671;
inline constexpr std::uint16_t kAmqpPort = 5'672;
inline constexpr std::uint16_t kEdgePort = 45'671;
inline constexpr std::uint16_t kHttpPort = 9'090;

/// A router of another site that this one connects to.
struct Remote {
  std::string id;
  std::string host;
  unsigned cost = 1;
};

/// A service whose home is this site: TCP connections to host and port serve it.
struct LocalService {
  std::string name;  ///< of the connector; `address` is what it serves
  std::string address;
  std::string host;
  std::uint16_t port = 0;
};

/// A service of another site: reached at this site's router, on `listen_port`.
struct RemoteService {
  std::string address;
  std::uint16_t listen_port = 0;
  std::string host = {};  ///< to listen on; empty: skrouterd's default, all IPv4 addresses
};

/// One cluster, as its router sees the world.
struct Site {
  std::string id;
  std::vector<Remote> remotes = {};
  std::vector<LocalService> local_services = {};
  std::vector<RemoteService> remote_services = {};
};

/// The router config of the site, a JSON text for skrouterd and ours alike, with the entities that the original wrote.
std::string to_config(const Site& site);

}  // namespace knetsim::skupper
