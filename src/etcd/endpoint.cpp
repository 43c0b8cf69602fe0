#include "endpoint.h"

#include <charconv>

#include "knetsim/etcd/client.h"
#include "knetsim/sys/error.h"

namespace knetsim::etcd {
namespace {

constexpr std::string_view kDefaultPort = "2379";

[[noreturn]] void refuse(std::string_view text, std::string_view reason) {
  throw InputError("etcd endpoint \"" + std::string(text) + "\": " + std::string(reason) +
                   "\n  remedy: write it as http://10.0.0.1:2379");
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0 && port <= 65'535;
}

}  // namespace

std::string Endpoint::authority() const {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
}

Endpoint parse_endpoint(std::string_view text) {
  std::string_view rest = text;
  bool secure = false;
  if (const auto scheme_end = rest.find("://"); scheme_end != std::string_view::npos) {
    const std::string_view scheme = rest.substr(0, scheme_end);
    secure = scheme == "https";
    if (!secure && scheme != "http") refuse(text, "unknown scheme");
    rest.remove_prefix(scheme_end + 3);
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);

  std::string_view host;
  std::string_view port = kDefaultPort;
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) refuse(text, "\"]\" is missing");
    host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    if (!rest.empty()) {
      if (!rest.starts_with(':')) refuse(text, "something follows \"]\" that isn't a port");
      port = rest.substr(1);
    }
  } else if (const auto colon = rest.find(':'); colon != std::string_view::npos) {
    host = rest.substr(0, colon);
    port = rest.substr(colon + 1);
  } else {
    host = rest;
  }
  if (host.empty()) refuse(text, "it names no host");
  if (host.find_first_of("/?#@ \t\r\n") != std::string_view::npos) refuse(text, "that isn't a host");
  if (!is_port(port)) refuse(text, "that isn't a port");
  return {std::string(host), std::string(port), secure};
}

std::string host_of(const std::string& endpoint) { return parse_endpoint(endpoint).host; }

std::vector<std::string> parse_endpoints(const std::string& text) {
  std::vector<std::string> urls;
  std::string_view rest = text;
  while (true) {
    const auto comma = rest.find(',');
    urls.push_back(parse_endpoint(rest.substr(0, comma)).url());
    if (comma == std::string_view::npos) return urls;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace knetsim::etcd
