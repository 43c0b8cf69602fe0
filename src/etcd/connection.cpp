#include "connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include "knetsim/etcd/client.h"
#include "knetsim/sys/error.h"

namespace knetsim::etcd {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
namespace ssl = boost::asio::ssl;

namespace {

constexpr int kKeepAliveIdle = 5;      // seconds
constexpr int kKeepAliveInterval = 2;  // seconds
constexpr int kKeepAliveProbes = 3;

void set(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

void watch_for_death(tcp::socket& socket) {
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  const int fd = socket.native_handle();
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdle);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveInterval);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
}

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

template <typename Use>
void use_file(const std::filesystem::path& file, const char* what, Use use) {
  if (file.empty()) return;
  boost::system::error_code error;
  use(file.string(), error);
  if (!error) return;
  throw InputError(describe({.where = file.string(),
                             .tried = std::string("use it as ") + what,
                             .answer = error.message(),
                             .remedy = "give a readable PEM file"}));
}

}  // namespace

bool Connection::usable() {
  if (!stream.socket().is_open() || buffer.size() != 0) return false;
  char byte = 0;
  const ssize_t got = ::recv(stream.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

asio::awaitable<boost::system::error_code> connect(Connection& connection, Endpoint endpoint,
                                                   std::chrono::milliseconds timeout, asio::ssl::context* tls) {
  boost::system::error_code error;
  const auto port = static_cast<unsigned short>(std::stoul(endpoint.port));
  const auto address = asio::ip::make_address(endpoint.host, error);
  connection.stream.expires_after(timeout);
  if (!error) {
    const tcp::endpoint peer(address, port);
    co_await connection.stream.async_connect(peer, asio::redirect_error(asio::use_awaitable, error));
  } else {
    error.clear();
    tcp::resolver resolver(connection.stream.get_executor());
    const auto peers =
        co_await resolver.async_resolve(endpoint.host, endpoint.port, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return error;
    co_await connection.stream.async_connect(peers, asio::redirect_error(asio::use_awaitable, error));
  }
  if (!error) watch_for_death(connection.stream.socket());
  if (!error && endpoint.secure && tls != nullptr) {
    auto& secured = connection.tls.emplace(connection.stream, *tls);
    // Server Name Indication is for names alone: RFC 6066.
    boost::system::error_code is_a_name;
    asio::ip::make_address(endpoint.host, is_a_name);
    if (is_a_name) ::SSL_set_tlsext_host_name(secured.native_handle(), endpoint.host.c_str());
    secured.set_verify_callback(asio::ssl::host_name_verification(endpoint.host));
    co_await secured.async_handshake(asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, error));
  }
  connection.stream.expires_never();
  co_return error;
}

HttpRequest make_request(const Endpoint& endpoint, http::verb verb, const std::string& target, std::string body,
                         const std::string& content_type) {
  HttpRequest request(verb, target, 11);
  request.set(http::field::host, endpoint.authority());
  if (!content_type.empty()) request.set(http::field::content_type, content_type);
  request.body() = std::move(body);
  request.prepare_payload();
  return request;
}

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

std::shared_ptr<ssl::context> make_tls_context(const ClientOptions& options) {
  const auto is_secure = [](const std::string& url) { return parse_endpoint(url).secure; };
  const bool secure = std::any_of(options.endpoints.begin(), options.endpoints.end(), is_secure);
  const auto& tls = options.tls;
  // Files that were given are read even if no endpoint asks for them, as flanneld does: a wrong name is told at once.
  if (!secure && tls.ca.empty() && tls.certificate.empty() && tls.key.empty()) return nullptr;
  if (tls.certificate.empty() != tls.key.empty())
    throw InputError("etcd: a client certificate needs its key, and a key its certificate");
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  context->set_verify_mode(ssl::verify_peer);
  if (tls.ca.empty()) {
    boost::system::error_code ignored;  // nobody is trusted then
    context->set_default_verify_paths(ignored);
  }
  use_file(tls.ca, "the authorities' certificates",
           [&](const auto& file, auto& error) { context->load_verify_file(file, error); });
  use_file(tls.certificate, "the client's certificate",
           [&](const auto& file, auto& error) { context->use_certificate_chain_file(file, error); });
  use_file(tls.key, "the client's key",
           [&](const auto& file, auto& error) { context->use_private_key_file(file, ssl::context::pem, error); });
  return secure ? context : nullptr;
}

}  // namespace knetsim::etcd
