#include "knetsim/emulator/cluster_api.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "knetsim/apiserver/options.h"
#include "knetsim/emulator/worker.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/parts/launcher.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/ready.h"
#include "kube_objects.h"
#include "kubelet_server.h"

namespace knetsim {

namespace {

const nlohmann::json kAtOnce{{"gracePeriodSeconds", 0}};
const nlohmann::json::json_pointer kContainer("/metadata/labels/knetsim.io~1container");
const Address kLoopback = boost::asio::ip::address_v4::loopback();

Fd listen_on(std::uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0)
    throw SystemError("listen for the API", fmt::format("127.0.0.1:{}", port));
  return socket;
}

std::chrono::sys_seconds now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

std::string kernel_release() {
  utsname names{};
  return ::uname(&names) == 0 ? std::string(names.release) : std::string();
}

std::vector<Network> pod_subnets(const Worker& worker) {
  std::vector<Network> subnets;
  if (!std::filesystem::exists(worker.subnet_file())) return subnets;
  const auto env = flannel::read_subnet_env(worker.subnet_file());
  for (const auto& subnet : {env.subnet, env.ipv6_subnet})
    if (subnet) subnets.push_back(*subnet);
  return subnets;
}

}  // namespace

ClusterApi::ClusterApi(const Node& node, std::uint16_t port, std::vector<std::string> etcd_endpoints)
    : node_(&node),
      port_(port),
      etcd_(std::move(etcd_endpoints)),
      listener_(listen_on(port)),
      client_(kLoopback, port) {}

std::string ClusterApi::url_of(std::size_t index) { return fmt::format("http://127.0.0.1:{}", port_of(index)); }

void ClusterApi::start() {
  if (!server_) start_server();
  start_controllers();
}

void ClusterApi::start_server() {
  apiserver::ServerOptions options;
  options.etcd_servers = etcd_;
  options.listen_port = port_;
  options.listen_fd = listener_.get();
  options.advertise_address = node_->address();
  options.node_address = node_->address();
  const auto log = node_->directory() / "apiserver.log";
  const auto launch = [=, this] {
    const auto written = std::filesystem::exists(log) ? std::filesystem::file_size(log) : 0;
    auto process = std::make_shared<Process>(parts::launch({.program = parts::find_own("knetsim-apiserver"),
                                                            .arguments = apiserver::to_arguments(options),
                                                            .netns = &node_->netns(),
                                                            .directory = node_->directory(),
                                                            .log = log,
                                                            .kept = {listener_}}));
    wait_until_ready(*process, {.deed = "served",
                                .probe = [&]() -> std::optional<std::string> {
                                  if (read_file(log).find("serving on", written) != std::string::npos)
                                    return std::nullopt;
                                  return "the API server's line \"serving on\"";
                                },
                                .watched = log});
    return Daemon::Handle(process);
  };
  auto running = launch();
  server_.emplace(node_->name() + " apiserver", std::move(running), launch);
}

void ClusterApi::start_controllers() {
  // The port that they need is outside of all nodes, and it listens: while the server is away they wait.
  const auto launch = [this] {
    return std::make_shared<Process>(parts::launch({.program = parts::find_own("knetsim-controllers"),
                                                    .arguments = {fmt::format("--master=http://127.0.0.1:{}", port_)},
                                                    .directory = node_->directory(),
                                                    .log = node_->directory() / "controllers.log"}));
  };
  auto running = launch();
  controllers_.emplace(node_->name() + " controllers", std::move(running), launch);
}

Daemon& ClusterApi::of(std::optional<Daemon>& daemon, const char* what) const {
  if (!daemon)
    throw InputError(describe({.where = node_->name(),
                               .tried = fmt::format("find its {}", what),
                               .answer = "nobody has asked the API for anything yet",
                               .remedy = "use it first"}));
  return *daemon;
}

Daemon& ClusterApi::server() { return of(server_, "API server"); }
Daemon& ClusterApi::controllers() { return of(controllers_, "controllers"); }

std::string ClusterApi::put(const std::string& collection, const nlohmann::json& object) {
  constexpr unsigned kConflict = 409;
  constexpr unsigned kNotFound = 404;
  const auto one = collection + "/" + object.at("metadata").at("name").get<std::string>();
  auto made = client_.must("POST", collection, object, "application/json", kConflict);
  if (made.status == kConflict) {
    // An older one, or somebody's who applied it before: what stands here is what counts.
    refuse_anothers(one, object);
    client_.must("DELETE", one, kAtOnce, "application/json", kNotFound);
    made = client_.must("POST", collection, object);
  }
  client_.must("PATCH", one + "/status", {{"status", object.at("status")}}, "application/merge-patch+json");
  return made.body.at("metadata").at("uid").get<std::string>();
}

void ClusterApi::refuse_anothers(const std::string& one, const nlohmann::json& object) {
  const auto there = container_of(one);
  const auto wanted = object.value(kContainer, "");
  if (there.empty() || there == wanted) return;
  throw InputError(fmt::format("to Kubernetes, containers \"{}\" and \"{}\" have one name\n  remedy: choose another",
                               there, wanted));
}

std::string ClusterApi::container_of(const std::string& pod) {
  return client_.ask("GET", pod).body.value(kContainer, "");
}

void ClusterApi::publish(const Worker& worker) {
  put("/api/v1/nodes", node_object({.name = worker.name(),
                                    .addresses = worker.addresses(),
                                    .pod_subnets = pod_subnets(worker),
                                    .kernel = kernel_release(),
                                    .kubelet_port = KubeletServer::kPort},
                                   now()));
}

std::string ClusterApi::publish(const Container& container, const Worker& worker) {
  return put("/api/v1/namespaces/default/pods", pod_object({.name = container.short_name(),
                                                            .node = worker.name(),
                                                            .addresses = container.addresses(),
                                                            .node_address = worker.address()},
                                                           now()));
}

void ClusterApi::withdraw(const Container& container) {
  constexpr unsigned kNotFound = 404;
  const auto pod = "/api/v1/namespaces/default/pods/" + kube_name(container.short_name());
  if (const auto whose = container_of(pod); !whose.empty() && whose != container.short_name()) return;
  client_.must("DELETE", pod, kAtOnce, "application/json", kNotFound);
}

std::string kubeconfig(const std::vector<KubeContext>& contexts) {
  using Json = nlohmann::json;
  auto clusters = Json::array();
  auto listed = Json::array();
  for (const auto& [name, url] : contexts) {
    clusters.push_back({{"name", name}, {"cluster", {{"server", url}}}});
    listed.push_back({{"name", name}, {"context", {{"cluster", name}, {"user", "knetsim"}}}});
  }
  auto users = Json::array();
  users.push_back({{"name", "knetsim"}, {"user", Json::object()}});
  // YAML takes JSON as it is.
  return Json{{"apiVersion", "v1"},   {"kind", "Config"},
              {"clusters", clusters}, {"contexts", listed},
              {"users", users},       {"current-context", contexts.empty() ? "" : contexts.front().name}}
             .dump(2) +
         "\n";
}

}  // namespace knetsim
