#include "pod_streams.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/algorithm/string/predicate.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <limits>
#include <utility>
#include <vector>

#include "knetsim/kube/access.h"
#include "knetsim/kube/status.h"
#include "relay.h"
#include "version.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;
using asio::ip::tcp;
using nlohmann::json;

namespace {

constexpr std::chrono::seconds kDialPatience{10};
constexpr std::int64_t kUsualPort = 10250;

std::vector<std::string> names_of(const json& pod, const char* list) {
  std::vector<std::string> names;
  for (const auto& one : kube::list_at(pod, "spec", list)) names.push_back(kube::text_at(one, "name"));
  return names;
}

/// As k8s.io/kubernetes/pkg/registry/core/pod has it.
std::string container_of(const json& pod, const std::string& name_of_pod, const std::string& wanted) {
  const auto containers = names_of(pod, "containers");
  const auto init = names_of(pod, "initContainers");
  if (wanted.empty()) {
    if (containers.size() == 1 && init.empty()) return containers.front();
    if (containers.empty())
      throw kube::bad_request(fmt::format("a container name must be specified for pod {}", name_of_pod));
    auto message = fmt::format("a container name must be specified for pod {}, choose one of: [{}]", name_of_pod,
                               fmt::join(containers, " "));
    if (!init.empty()) message += fmt::format(" or one of the init containers: [{}]", fmt::join(init, " "));
    throw kube::bad_request(message);
  }
  for (const auto& names : {containers, init, names_of(pod, "ephemeralContainers")})
    for (const auto& name : names)
      if (name == wanted) return wanted;
  throw kube::bad_request(fmt::format("container {} is not valid for pod {}", wanted, name_of_pod));
}

/// What kubelets call what the API's clients say.
std::string kubelet_query(const std::string& subresource, const Query& query) {
  std::vector<std::string> words;
  if (subresource == "log") {
    for (const auto* word :
         {"follow", "previous", "timestamps", "sinceSeconds", "sinceTime", "tailLines", "limitBytes"})
      if (query.has(word)) words.push_back(fmt::format("{}={}", word, percent_encoded(query[word])));
  } else {
    for (const auto& word : query.all("command")) words.push_back("command=" + percent_encoded(word));
    for (const auto& [ours, kubelets] :
         {std::pair("stdin", "input"), {"stdout", "output"}, {"stderr", "error"}, {"tty", "tty"}})
      if (query.flag(ours)) words.push_back(fmt::format("{}=1", kubelets));
  }
  return fmt::format("{}", fmt::join(words, "&"));
}

void require_streams(const Target& target, const Query& query) {
  if (!query.flag("stdin") && !query.flag("stdout") && !query.flag("stderr"))
    throw kube::bad_request("you must specify at least 1 of stdin, stdout, stderr");
  if (target.subresource == "exec" && query.all("command").empty())
    throw kube::bad_request("you must specify at least 1 command for the container");
}

/// WebSockets begin with a GET; SPDY is what clients spoke before, and kubectl speaks when a WebSocket was refused.
bool is_upgraded(const Request& request) {
  return boost::algorithm::iequals(request.upgrade, "SPDY/3.1") ||
         (request.upgrade == "websocket" && request.method == "GET");
}

kube::ApiError not_dialled(const tcp::endpoint& endpoint, const boost::system::error_code& error) {
  const auto host = endpoint.address().to_string();
  const bool late = error == boost::beast::error::timeout;
  return kube::plain_failure(
      500,
      fmt::format("error dialing backend: dial tcp {}:{}: {}", endpoint.address().is_v6() ? "[" + host + "]" : host,
                  endpoint.port(), (late ? make_error_code(boost::system::errc::timed_out) : error).message()));
}

asio::awaitable<TlsStream> dial(asio::any_io_executor executor, asio::ssl::context& tls, tcp::endpoint endpoint) {
  TlsStream stream(executor, tls);
  auto& transport = boost::beast::get_lowest_layer(stream);
  boost::system::error_code error;
  transport.expires_after(kDialPatience);
  co_await transport.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
  if (error) throw not_dialled(endpoint, error);
  boost::system::error_code ignored;
  transport.socket().set_option(tcp::no_delay(true), ignored);
  transport.socket().set_option(asio::socket_base::keep_alive(true), ignored);
  stream.set_verify_callback(asio::ssl::host_name_verification(endpoint.address().to_string()));
  co_await stream.async_handshake(asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, error));
  if (error) throw not_dialled(endpoint, error);
  transport.expires_never();
  co_return stream;
}

}  // namespace

std::optional<KubeletCall> kubelet_call(const json& pod, const Target& target, const Query& query) {
  const bool forward = target.subresource == "portforward";
  const auto container = forward ? std::string() : container_of(pod, target.name, query["container"]);
  if (target.subresource != "log" && !forward) require_streams(target, query);
  const auto& node = kube::text_at(pod, "spec", "nodeName");
  if (node.empty()) {
    if (target.subresource == "log") return std::nullopt;
    throw kube::bad_request(fmt::format("pod {} does not have a host assigned", target.name));
  }
  if (forward)
    return KubeletCall{
        .node = std::move(node),
        .target = fmt::format("/portForward/{}/{}", percent_encoded(target.ns), percent_encoded(target.name))};
  return KubeletCall{
      .node = node,
      .target = fmt::format("/{}/{}/{}/{}?{}", target.subresource == "log" ? "containerLogs" : target.subresource,
                            percent_encoded(target.ns), percent_encoded(target.name), percent_encoded(container),
                            kubelet_query(target.subresource, query))};
}

tcp::endpoint kubelet_endpoint(const json& node) {
  const auto told = kube::number_at(node, "status", "daemonEndpoints", "kubeletEndpoint", "Port");
  const auto port = told == 0 ? kUsualPort : told;
  for (const auto& each : kube::list_at(node, "status", "addresses")) {
    if (kube::text_at(each, "type") != "InternalIP") continue;
    boost::system::error_code error;
    const auto address = asio::ip::make_address(kube::text_at(each, "address"), error);
    if (!error && port > 0 && port <= std::numeric_limits<std::uint16_t>::max())
      return {address, static_cast<std::uint16_t>(port)};
  }
  throw kube::plain_failure(500,
                            fmt::format("node {} has no InternalIP, or no port of its kubelet", kube::name_of(node)));
}

asio::awaitable<Response> PodStreams::open(const Target& target, const Request& request) {
  if (request.method != "GET" && (request.method != "POST" || target.subresource == "log"))
    throw kube::method_not_allowed();
  const auto pod = cache_->find(*target.kind, cache_key(target.ns, target.name));
  if (!pod) throw kube::not_found(*target.kind, target.name);
  const auto call = kubelet_call(object_of(*target.kind, *pod), target, request.query);
  if (!call) co_return Response{.content_type = "text/plain"};
  const auto& nodes = kube::must_be("nodes");
  const auto node = cache_->find(nodes, cache_key("", call->node));
  if (!node) throw kube::not_found(nodes, call->node);
  auto backend = co_await dial(executor_, *kubelets_, kubelet_endpoint(object_of(nodes, *node)));
  if (target.subresource != "log" && !is_upgraded(request)) throw kube::bad_request("Upgrade request required");
  auto head = fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n", call->target, call->node);
  if (target.subresource == "log") {
    head += "Connection: close\r\n";
  } else {
    head += fmt::format("Connection: Upgrade\r\nUpgrade: {}\r\n", request.upgrade);
    for (const auto& [name, value] : request.upgrade_fields) head += fmt::format("{}: {}\r\n", name, value);
  }
  Response response;
  response.relay = std::make_shared<Relay>(Relay{.backend = std::move(backend), .request = head + "\r\n"});
  co_return response;
}

}  // namespace knetsim::apiserver
