#include "documents.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "knetsim/kube/discovery.h"
#include "knetsim/kube/kinds.h"
#include "knetsim/kube/openapi.h"
#include "media.h"

namespace knetsim::apiserver {

using nlohmann::json;

namespace {

std::string written(const json& document) { return document.dump() + '\n'; }
std::string written(std::string bytes) { return bytes; }

Response plain(const json& body) { return {.body = written(body)}; }

/// The document, or 304 if the client has it.
Response fresh(const std::string& body, const std::string& etag, std::string type, const Request& request) {
  Response response;
  response.content_type = std::move(type);
  response.headers = {{"Etag", etag}, {"Vary", "Accept"}};
  if (request.if_none_match == etag)
    response.status = 304;
  else
    response.body = body;
  return response;
}

json version_document() {
  return {{"major", "1"},        {"minor", "32"},           {"gitVersion", "v1.32.0+knetsim." KNETSIM_VERSION},
          {"gitCommit", ""},     {"gitTreeState", "clean"}, {"buildDate", "1970-01-01T00:00:00Z"},
          {"goVersion", "none"}, {"compiler", "gcc"},       {"platform", "linux/amd64"}};
}

json root_paths() {
  json paths = json::array({"/api", "/api/v1", "/apis"});
  std::string last;
  for (const auto& kind : kube::kinds()) {
    if (kind.group.empty() || kind.group == last) continue;
    last = kind.group;
    paths.push_back(fmt::format("/apis/{}", kind.group));
    paths.push_back(fmt::format("/apis/{}", kind.api_version()));
  }
  for (const char* path : {"/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"})
    paths.push_back(path);
  return {{"paths", paths}};
}

}  // namespace

template <typename Make>
const Documents::Text& Documents::text(const std::string& key, Make make) {
  auto& text = texts_[key];
  if (text.body.empty()) {
    text.body = written(make());
    text.etag = kube::etag(text.body);
  }
  return text;
}

Response Documents::aggregated(bool core, const std::string& version, const Request& request) {
  const auto& [body, etag] = text(fmt::format("{} {}", core ? "api" : "apis", version),
                                  [&] { return kube::aggregated_discovery(core, version); });
  return fresh(body, etag, kube::aggregated_discovery_type(version), request);
}

std::optional<Response> Documents::openapi(const std::vector<std::string>& words, const Request& request) {
  if (words[1] == "v2") {
    const auto& [body, etag] = text("openapi v2", kube::openapi_v2);
    return fresh(body, etag, kube::kOpenapiV2Type, request);
  }
  if (words.size() == 2) {
    const auto& [body, etag] = text("openapi", kube::openapi_index);
    return fresh(body, etag, "application/json", request);
  }
  const auto path = fmt::format("{}", fmt::join(words.begin() + 2, words.end(), "/"));
  const auto key = "openapi " + path;
  if (!texts_.contains(key)) {
    // Asked once for what there is; a path that nobody serves leaves nothing behind.
    const auto document = kube::openapi_document(path);
    if (!document) return std::nullopt;
    text(key, [&document] { return *document; });
  }
  const auto& [body, etag] = texts_.at(key);
  return fresh(body, etag, "application/json", request);
}

std::optional<Response> Documents::find(const std::vector<std::string>& words, const Request& request) {
  if (words.empty()) return plain(root_paths());
  const auto& first = words.front();
  if (first == "version" && words.size() == 1) return plain(version_document());
  if (first == "openapi" && words.size() > 1 && (words[1] == "v3" || (words[1] == "v2" && words.size() == 2)))
    return openapi(words, request);
  if (first != "api" && first != "apis") return std::nullopt;
  const bool core = first == "api";
  if (words.size() == 1) {
    const auto version = accepted_discovery(request.accept);
    if (!version.empty()) return aggregated(core, version, request);
    return plain(core ? kube::api_versions(address_) : kube::api_group_list());
  }
  std::optional<json> document;
  if (core && words.size() == 2) document = kube::api_resource_list("", words[1]);
  if (!core && words.size() == 2) document = kube::api_group(words[1]);
  if (!core && words.size() == 3) document = kube::api_resource_list(words[1], words[2]);
  if (!document) return std::nullopt;
  return plain(*document);
}

}  // namespace knetsim::apiserver
