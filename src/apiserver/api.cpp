#include "api.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>

#include "knetsim/kube/status.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;
using std::string_view_literals::operator""sv;

namespace {

Response plain_text(unsigned status, std::string body) {
  return {.status = status, .content_type = "text/plain; charset=utf-8", .body = std::move(body)};
}

Response page_not_found() { return plain_text(404, "404 page not found\n"); }

Response status_response(const kube::ApiError& error) {
  Response response;
  response.status = static_cast<unsigned>(error.code());
  const auto status = error.status();
  response.body = status.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
  const auto details = status.find("details");
  if (details != status.end() && details->contains("retryAfterSeconds"))
    response.headers.emplace_back("Retry-After", (*details)["retryAfterSeconds"].dump());
  return response;
}

void require(const Target& target, std::string_view verb) {
  if (!target.kind->allows(verb)) throw kube::method_not_allowed();
}

}  // namespace

Response Api::refused(int code, const std::string& message) {
  switch (code) {
    case 401:
      return status_response(kube::unauthorized());
    case 413:
      return status_response(kube::too_large(message));
    case 429:
      return status_response(kube::too_many_requests(message, 1));
    default:
      return status_response(kube::bad_request(message));
  }
}

asio::awaitable<Response> Api::answer(const Request& request) {
  // Metrics are kept for each verb: no client makes up new ones.
  constexpr std::array<std::string_view, 6> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
  std::string verb = std::ranges::find(kMethods, request.method) != kMethods.end() ? request.method : "other";
  std::string resource;
  Response response;
  try {
    response = co_await dispatch(request, verb, resource);
  } catch (const kube::ApiError& error) {
    response = status_response(error);
  } catch (const std::exception& error) {
    spdlog::error("{} {}: {}", request.method, request.path, error.what());
    response = status_response(kube::internal_error(error.what()));
  }
  metrics_.count(verb, resource, response.status);
  spdlog::debug("{} {} {}", request.method, request.path, response.status);
  co_return response;
}

asio::awaitable<Response> Api::dispatch(const Request& request, std::string& verb, std::string& resource) {
  const auto words = path_words(request.path);
  if (!words) throw kube::bad_request("the path can't be decoded");
  if (request.method == "GET" || request.method == "HEAD") {
    if (auto response = co_await health(*words, request)) co_return *std::move(response);
    if (auto response = documents_.find(*words, request)) co_return *std::move(response);
  }
  const bool core = !words->empty() && words->front() == "api";
  const std::size_t before = core ? 2 : 3;
  if (words->size() < before || (!core && words->front() != "apis")) co_return page_not_found();
  const std::string_view group = core ? std::string_view() : std::string_view((*words)[1]);
  const auto& version = (*words)[before - 1];
  if (!kube::has_group_version(group, version)) {
    // A group that is served in another version is known.
    if (core || !documents_.find({"apis", std::string(group)}, request)) co_return page_not_found();
    throw kube::resource_not_found();
  }
  if (words->size() == before) throw kube::method_not_allowed();
  const auto target = target_of(group, version, {words->begin() + static_cast<std::ptrdiff_t>(before), words->end()});
  resource = target.kind->plural;
  co_return co_await at_target(target, request, verb);
}

asio::awaitable<Response> Api::at_target(const Target& target, const Request& request, std::string& verb) {
  if (!target.subresource.empty()) co_return co_await at_subresource(target, request);
  const auto& method = request.method;
  if (target.name.empty()) {
    if (method == "GET" || method == "HEAD") {
      verb = target.watch || request.query.flag("watch") ? "WATCH" : "LIST";
      require(target, verb == "WATCH" ? "watch" : "list");
      co_return reader_.list(target, request);
    }
    if (method == "POST" && (!target.kind->namespaced || !target.ns.empty())) {
      require(target, "create");
      co_return co_await writer_->create(target, request);
    }
    if (method == "DELETE" && (!target.kind->namespaced || !target.ns.empty())) {
      verb = "DELETECOLLECTION";
      require(target, "deletecollection");
      co_return co_await writer_->remove_collection(target, request);
    }
    throw kube::method_not_allowed();
  }
  if (method == "GET" || method == "HEAD") {
    require(target, "get");
    if (!target.watch) co_return reader_.get(target, request);
    // The old form of a watch of one object.
    Request one = request;
    one.query.set("fieldSelector", "metadata.name=" + target.name);
    verb = "WATCH";
    co_return reader_.list(target, one);
  }
  if (method == "PUT") {
    require(target, "update");
    co_return co_await writer_->update(target, request);
  }
  if (method == "PATCH") {
    require(target, "patch");
    co_return co_await writer_->patch(target, request);
  }
  if (method == "DELETE") {
    require(target, "delete");
    co_return co_await writer_->remove(target, request);
  }
  throw kube::method_not_allowed();
}

asio::awaitable<Response> Api::at_subresource(const Target& target, const Request& request) {
  const auto& method = request.method;
  const auto& name = target.subresource;
  if (name == "binding" && method == "POST") co_return co_await writer_->bind(target, request);
  if (name == "eviction" && method == "POST") co_return co_await writer_->evict(target, request);
  if (name == "token" && method == "POST") co_return authentication_->issue(target, request);
  if (name == "exec" || name == "attach" || name == "log" || name == "portforward")
    co_return co_await pod_streams_.open(target, request);
  constexpr std::array kServed{"status"sv,  "scale"sv,    "finalize"sv, "ephemeralcontainers"sv,
                               "binding"sv, "eviction"sv, "token"sv};
  if (std::ranges::find(kServed, name) == kServed.end())
    throw kube::plain_failure(501, fmt::format("{} of {} isn't served by this server", name, target.kind->plural));
  const auto verbs = target.kind->subresource(name)->verbs;
  const auto allows = [&verbs](std::string_view word) {
    return std::find(verbs.begin(), verbs.end(), word) != verbs.end();
  };
  if ((method == "GET" || method == "HEAD") && allows("get"))
    co_return name == "scale" ? writer_->scale(target) : reader_.get(target, request);
  if (method == "PUT" && allows("update")) co_return co_await writer_->update(target, request);
  if (method == "PATCH" && allows("patch")) co_return co_await writer_->patch(target, request);
  throw kube::method_not_allowed();
}

asio::awaitable<std::optional<Response>> Api::health(const std::vector<std::string>& words, const Request& request) {
  if (words.size() != 1) co_return std::nullopt;
  const auto& word = words.front();
  if (word == "metrics") {
    auto response = plain_text(200, metrics_.text(*cache_, reader_.watches(), connections()));
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    co_return response;
  }
  if (word == "livez") co_return plain_text(200, "ok");
  if (word != "healthz" && word != "readyz") co_return std::nullopt;
  std::string ailment = cache_->loaded() ? "" : "nothing was read of etcd yet";
  try {
    if (ailment.empty()) ailment = (co_await client_->health()).value_or("");
  } catch (const etcd::Error& error) {
    ailment = error.what();
  }
  if (!ailment.empty()) {
    spdlog::warn("{}: {}", word, ailment);
    co_return plain_text(500, fmt::format("[-]etcd failed: {}\n{} check failed\n", ailment, word));
  }
  co_return plain_text(
      200, request.query.has("verbose") ? fmt::format("[+]ping ok\n[+]etcd ok\n{} check passed\n", word) : "ok");
}

}  // namespace knetsim::apiserver
