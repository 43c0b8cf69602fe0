#include "connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

namespace knetsim::etcd {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

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

}  // namespace knetsim::etcd
