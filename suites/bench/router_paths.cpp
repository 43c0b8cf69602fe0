#include "router_paths.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/network.h"
#include "knetsim/sys/ready.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::bench {

namespace {

constexpr std::uint16_t kRouterPort = 55671;
const std::filesystem::path kState = kStateDirectory;

using Json = nlohmann::json;

void configure(const NetNs& netns, const char* address) {
  auto socket = netns.run([] { return netlink::Socket::here(); });
  const auto link = netlink::find_link(socket, "eth0");
  netlink::set_up(socket, link->index);
  netlink::add_address(socket, link->index, {.address = parse_network(address)});
}

/// An authority and one certificate, for both routers.
void make_certificates() {
  const auto run = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    const auto result = exec({.argv = arguments, .directory = kState});
    if (!result.ok()) throw Error("openssl: " + result.err);
  };
  run({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=10.9.0.1", "-keyout", "key.pem",
       "-out", "cert.pem"});
}

Json router(const char* id) { return Json::array({"router", {{"id", id}, {"mode", "interior"}}}); }

Json profile() {
  return Json::array({"sslProfile",
                      {{"name", "bench"},
                       {"caCertFile", kState / "cert.pem"},
                       {"certFile", kState / "cert.pem"},
                       {"privateKeyFile", kState / "key.pem"}}});
}

std::filesystem::path write_config(const std::string& name, Json entities) {
  auto file = kState / (name + ".json");
  write_file_atomically(file, entities.dump(1));
  return file;
}

std::filesystem::path server_config(bool tls) {
  Json listener = {{"name", "peers"}, {"role", "inter-router"}, {"host", "0.0.0.0"}, {"port", kRouterPort}};
  if (tls) listener.update({{"sslProfile", "bench"}, {"authenticatePeer", true}, {"requireSsl", true}});
  Json config = Json::array({router("server"), Json::array({"listener", listener})});
  config.push_back(Json::array(
      {"tcpConnector", {{"name", "service"}, {"host", "127.0.0.1"}, {"port", kServicePort}, {"address", "service"}}}));
  if (tls) config.push_back(profile());
  return write_config("server", config);
}

std::filesystem::path client_config(bool tls) {
  Json connector = {{"name", "peer"}, {"role", "inter-router"}, {"host", "10.9.0.1"}, {"port", kRouterPort}};
  if (tls) connector.update({{"sslProfile", "bench"}});
  Json config = Json::array({router("client"), Json::array({"connector", connector})});
  config.push_back(Json::array(
      {"tcpListener", {{"name", "entrance"}, {"host", "127.0.0.1"}, {"port", kEntrancePort}, {"address", "service"}}}));
  if (tls) config.push_back(profile());
  return write_config("client", config);
}

}  // namespace

Machines Machines::make() {
  Machines machines{NetNs::create(), NetNs::create()};
  netlink::create_veth({.ns = machines.server, .name = "eth0"}, {.ns = machines.client, .name = "eth0"});
  configure(machines.server, "10.9.0.1/24");
  configure(machines.client, "10.9.0.2/24");
  return machines;
}

Path Path::direct() {
  Path path;
  path.direct_ = true;
  return path;
}

Path Path::relays(const Machines& machines) {
  Path path;
  const auto relay = [&](const NetNs& netns, std::uint16_t port, const std::string& to) {
    path.processes_.push_back(Process::spawn(
        {.argv = {require_program("socat"), "-b262144", fmt::format("TCP-LISTEN:{},fork,reuseaddr", port), "TCP:" + to},
         .netns = &netns},
        kState / "socat.log"));
    wait_until_listening(path.processes_.back(), netns, {port});
  };
  relay(machines.server, kRouterPort, fmt::format("127.0.0.1:{}", kServicePort));
  relay(machines.client, kEntrancePort, fmt::format("10.9.0.1:{}", kRouterPort));
  return path;
}

Path Path::routers(const Machines& machines, const parts::Program& program, bool tls) {
  if (tls) make_certificates();
  Path path;
  path.routers_ = true;
  const auto launch = [&](const NetNs& netns, const std::filesystem::path& config, std::uint16_t port) {
    path.processes_.push_back(parts::launch({.program = program,
                                             .arguments = {"-c", config.string()},
                                             .netns = &netns,
                                             .directory = kState,
                                             .log = kState / "routers.log"}));
    wait_until_listening(path.processes_.back(), netns, {port}, std::chrono::seconds(30));
  };
  launch(machines.server, server_config(tls), kRouterPort);
  launch(machines.client, client_config(tls), kEntrancePort);
  return path;
}

std::deque<double> Path::memory_kib() const {
  std::deque<double> result;
  if (!routers_) return result;
  for (const auto& process : processes_) {
    std::ifstream status(fmt::format("/proc/{}/status", process.pid()));
    for (std::string word; status >> word;)
      if (word == "VmRSS:") {
        double value = 0;
        status >> value;
        result.push_back(value);
      }
  }
  return result;
}

}  // namespace knetsim::bench
