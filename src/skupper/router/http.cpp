#include "router/http.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <utility>

namespace knetsim::skupper::router {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

constexpr std::chrono::seconds kPatience{10};
constexpr std::size_t kMaxRequest = 8192;

http::response<http::string_body> answer(const http::request<http::empty_body>& request, const HttpPages& pages) {
  const auto target = request.target().substr(0, request.target().find('?'));
  const auto* page = target == "/healthz" ? &pages.healthz : target == "/metrics" ? &pages.metrics : nullptr;
  auto status = http::status::ok;
  if (!page || !*page) {
    status = http::status::not_found;
  } else if (request.method() != http::verb::get && request.method() != http::verb::head) {
    status = http::status::method_not_allowed;
  }
  http::response<http::string_body> response(status, request.version());
  response.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
  response.body() = status == http::status::ok ? (*page)() : std::string(http::obsolete_reason(status)) + "\n";
  response.prepare_payload();
  if (request.method() == http::verb::head) response.body().clear();
  response.keep_alive(false);
  return response;
}

std::string peer_of(const asio::ip::tcp::socket& socket) {
  boost::system::error_code error;
  const auto peer = socket.remote_endpoint(error);
  return error ? "a peer that has gone" : fmt::format("{}:{}", peer.address().to_string(), peer.port());
}

asio::awaitable<void> converse(asio::ip::tcp::socket socket, const HttpPages& pages, const Log& log) {
  const auto peer = peer_of(socket);
  beast::tcp_stream stream(std::move(socket));
  try {
    stream.expires_after(kPatience);
    beast::flat_buffer buffer(kMaxRequest);
    http::request<http::empty_body> request;
    co_await http::async_read(stream, buffer, request, asio::use_awaitable);
    auto response = answer(request, pages);
    co_await http::async_write(stream, response, asio::use_awaitable);
    boost::system::error_code ignored;
    stream.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  } catch (const boost::system::system_error& error) {  // not HTTP, too slow, or gone
    if (error.code() != http::error::end_of_stream)
      log.warning("HTTP", fmt::format("{}: {}", peer, error.code().message()));
  }
}

}  // namespace

void serve_http(asio::ip::tcp::socket socket, const HttpPages& pages, const Log& log) {
  const auto executor = socket.get_executor();
  asio::co_spawn(executor, converse(std::move(socket), pages, log), asio::detached);
}

}  // namespace knetsim::skupper::router
