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
#include "knetsim/kube/access.h"
#include "knetsim/kube/kinds.h"
#include "knetsim/netlink/route.h"
#include "knetsim/parts/launcher.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/ready.h"
#include "knetsim/sys/text.h"
#include "kube_objects.h"
#include "kubelet_server.h"
#include "pod_runtime.h"
#include "real_kubernetes.h"

namespace knetsim {

namespace {

constexpr std::chrono::milliseconds kReadinessPause{50};
constexpr std::chrono::milliseconds kPatienceWithReal{120'000};  // it takes seconds on an idle machine
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

ClusterApi::ClusterApi(const Node& node, std::uint16_t port, std::vector<std::string> etcd_endpoints,
                       Credentials& credentials, std::string cluster, std::vector<Fd> secure_listeners)
    : node_(&node),
      credentials_(&credentials),
      cluster_(std::move(cluster)),
      port_(port),
      etcd_(std::move(etcd_endpoints)),
      listener_(listen_on(port)),
      secure_listeners_(std::move(secure_listeners)),
      client_(kLoopback, port) {}

std::string ClusterApi::url_of(std::size_t index) { return fmt::format("http://127.0.0.1:{}", port_of(index)); }

std::string ClusterApi::secure_url_of(const Address& node) {
  return fmt::format("https://{}:{}", node.is_v6() ? "[" + node.to_string() + "]" : node.to_string(), kSecurePort);
}

std::filesystem::path ClusterApi::kubeconfig_in(const Node& node) { return node.directory() / "pki" / "kubeconfig"; }

std::filesystem::path ClusterApi::proxy_kubeconfig_in(const Node& node) {
  return node.directory() / "pki" / "kube-proxy.kubeconfig";
}

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
  options.secure_port = kSecurePort;
  if (node_->address().is_v6()) options.bind_address = boost::asio::ip::address_v6::any();
  auto addresses = node_->addresses();
  addresses.push_back(advance(options.ranges.ipv4.network(), 1));  // of the Service kubernetes
  const auto files = credentials_->write_for(node_->directory() / "pki", {node_->name(), kube_name(node_->name())},
                                             std::move(addresses));
  options.tls_cert_file = files.certificate;
  options.tls_key_file = files.key;
  options.client_ca_file = files.client_authority;
  options.service_account_key_file = files.signing_key;
  options.token_auth_file = files.tokens;
  options.kubelet_client_certificate = files.kubelet_client_certificate;
  options.kubelet_client_key = files.kubelet_client_key;
  options.kubelet_certificate_authority = files.client_authority;
  std::vector<FdView> kept{listener_};
  for (const auto& each : secure_listeners_) {
    options.secure_listen_fds.push_back(each.get());
    kept.emplace_back(each);
  }
  credentials_->write_kubeconfig(kubeconfig_in(*node_), cluster_);
  credentials_->write_kubeconfig(proxy_kubeconfig_in(*node_), cluster_,
                                 {.user = "system:kube-proxy", .groups = {"system:node-proxier"}});
  credentials_->write_service_account();
  const auto log = node_->directory() / "apiserver.log";
  const auto program = parts::resolve(parts::kApiServer);
  const bool real = program.flavour == parts::Flavour::real;
  if (real) open_doors();
  const auto launch = [=, this] {
    const auto written = std::filesystem::exists(log) ? std::filesystem::file_size(log) : 0;
    auto process = std::make_shared<Process>(
        parts::launch({.program = program,
                       .arguments = real ? kube_apiserver_arguments(options) : apiserver::to_arguments(options),
                       .netns = &node_->netns(),
                       .directory = node_->directory(),
                       .log = log,
                       .kept = real ? std::vector<FdView>{} : kept}));
    wait_until_ready(*process,
                     {.deed = "served",
                      .probe = [&]() -> std::optional<std::string> {
                        if (real) return why_not_ready();
                        if (read_file(log).find("serving on", written) != std::string::npos) return std::nullopt;
                        return "the API server's line \"serving on\"";
                      },
                      .watched = log,
                      .look_again = real ? kReadinessPause : Readiness().look_again},
                     real ? kPatienceWithReal : kDefaultBudget);
    return Daemon::Handle(process);
  };
  auto running = launch();
  server_.emplace(node_->name() + " apiserver", std::move(running), launch);
}

// A real one has no plain port, and takes no socket of others.
void ClusterApi::open_doors() {
  doors_ = std::make_unique<PortForward>();
  doors_->add(duplicate(listener_), *node_, kSecurePort, credentials_->authority(), credentials_->admin());
  for (const auto& each : secure_listeners_) doors_->add(duplicate(each), *node_, kSecurePort);
}

std::optional<std::string> ClusterApi::why_not_ready() const {
  try {
    const auto answer = apiserver::Client(kLoopback, port_).ask("GET", "/readyz");
    if (answer.good()) return std::nullopt;
    return fmt::format("the API server's readiness: {}", answer.complaint());
  } catch (const Error&) {
    return "the API server's answer";
  }
}

void ClusterApi::start_controllers() {
  // The port that they need is outside of all nodes, and it listens: while the server is away they wait.
  const auto program = parts::resolve(parts::kControllers);
  const bool real = program.flavour == parts::Flavour::real;
  const auto own = fmt::format("--master=http://127.0.0.1:{}", port_);
  const auto start = [this](std::optional<Daemon>& daemon, const std::string& name, const parts::Program& which,
                            const std::vector<std::string>& arguments) {
    const auto launch = [this, name, which, arguments] {
      return std::make_shared<Process>(parts::launch({.program = which,
                                                      .arguments = arguments,
                                                      .directory = node_->directory(),
                                                      .log = node_->directory() / (name + ".log")}));
    };
    auto running = launch();
    daemon.emplace(node_->name() + " " + name, std::move(running), launch);
  };
  if (!real) return start(controllers_, "controllers", program, {own});
  const auto keys = node_->directory() / "pki";
  const auto config = keys / "controllers.kubeconfig";
  write_file_atomically(config, kubeconfig({{cluster_, fmt::format("http://127.0.0.1:{}", port_)}}), 0600);
  start(controllers_, "controllers", program,
        kube_controller_manager_arguments(config, keys / "sa.key", keys / "ca.crt"));
  // It places no pods.
  start(scheduler_, "scheduler", parts::resolve(parts::kControllers, parts::Flavour::builtin),
        {own, "--controllers=scheduler"});
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
Daemon* ClusterApi::scheduler() { return scheduler_ ? &*scheduler_ : nullptr; }

std::string ClusterApi::put(const std::string& collection, const nlohmann::json& object) {
  constexpr std::chrono::milliseconds kLookAgain{50};
  constexpr std::chrono::seconds kPatienceWithReal{120};  // it takes seconds on an idle machine

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

void ClusterApi::apply(const kube::Manifest& manifest) const {
  const auto& object = manifest.object;
  const auto& version = kube::text_at(object, "apiVersion");
  const auto slash = version.find('/');
  const auto* const known = kube::kind_of(version, kube::text_at(object, "kind"));
  if (known == nullptr) throw InputError(manifest.place() + ": it is of no kind that is known");
  const auto& kind = *known;
  auto ns = kube::namespace_of(object);
  if (ns.empty() && kind.namespaced) ns = "default";
  auto collection = fmt::format("/{}/{}", slash == std::string::npos ? "api" : "apis", version);
  if (kind.namespaced) collection += "/namespaces/" + ns;
  collection += fmt::format("/{}", kind.plural);
  apiserver::Client client(kLoopback, port_);
  constexpr const char* kWords = "?fieldManager=knetsim&fieldValidation=Strict";
  const auto& name = kube::name_of(object);
  const auto answer = name.empty() ? client.ask("POST", collection + kWords, object)
                                   : client.ask("PATCH", fmt::format("{}/{}{}&force=true", collection, name, kWords),
                                                object, "application/apply-patch+yaml");
  if (answer.good()) return;
  throw InputError(fmt::format("{}: {} {} is refused: {}", manifest.place(), kind.kind, excerpt(kube::name_of(object)),
                               answer.complaint()));
}

nlohmann::json ClusterApi::ask(const std::string& path) const {
  return apiserver::Client(kLoopback, port_).must("GET", path).body;
}

// Pods ask the server, and the underlay doesn't know their addresses.
void ClusterApi::route_to_pods_of(const Worker& worker) const {
  auto socket = node_->netlink();
  for (const auto& subnet : pod_subnets(worker))
    for (const auto& address : worker.addresses())
      if (address.is_v6() == is_v6(subnet))
        netlink::replace_route(socket, {.destination = canonical(subnet), .gateway = address});
}

void ClusterApi::publish(const Worker& worker) {
  route_to_pods_of(worker);
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

}  // namespace knetsim
