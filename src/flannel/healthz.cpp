#include "healthz.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>

#include "knetsim/sys/error.h"

namespace knetsim::flannel {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr std::chrono::seconds kPatience{10};

http::response<http::string_body> answer(const http::request<http::empty_body>& request) {
  auto status = http::status::ok;
  if (request.target() != "/healthz") {
    status = http::status::not_found;
  } else if (request.method() != http::verb::get && request.method() != http::verb::head) {
    status = http::status::method_not_allowed;
  }
  http::response<http::string_body> response(status, request.version());
  response.set(http::field::content_type, "text/plain; charset=utf-8");
  response.body() =
      status == http::status::ok ? "flanneld is running" : std::string(http::obsolete_reason(status)) + "\n";
  response.prepare_payload();
  if (request.method() == http::verb::head) response.body().clear();
  response.keep_alive(false);
  return response;
}

asio::awaitable<void> converse(tcp::socket socket) {
  beast::tcp_stream stream(std::move(socket));
  try {
    stream.expires_after(kPatience);
    beast::flat_buffer buffer(8192);
    http::request<http::empty_body> request;
    co_await http::async_read(stream, buffer, request, asio::use_awaitable);
    auto response = answer(request);
    co_await http::async_write(stream, response, asio::use_awaitable);
    boost::system::error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  } catch (const boost::system::system_error& error) {
    spdlog::debug("healthz: {}", error.what());
  }
}

}  // namespace

tcp::acceptor listen_healthz(asio::any_io_executor executor, const Address& address, std::uint16_t port) {
  try {
    tcp::acceptor acceptor(executor, tcp::endpoint(address, port));
    spdlog::info("Start healthz server on {}:{}", address.to_string(), port);
    return acceptor;
  } catch (const boost::system::system_error& error) {
    throw Error(describe({.tried = fmt::format("start the healthz server on {}:{}", address.to_string(), port),
                          .answer = error.code().message(),
                          .remedy = "choose another -healthz-ip or -healthz-port"}));
  }
}

asio::awaitable<void> serve_healthz(tcp::acceptor acceptor) {
  for (;;) {
    boost::system::error_code error;
    auto socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (!error) {
      asio::co_spawn(acceptor.get_executor(), converse(std::move(socket)), asio::detached);
      continue;
    }
    // Out of descriptors, for example: without a pause this would spin.
    spdlog::error("healthz: {}", error.message());
    asio::steady_timer pause(acceptor.get_executor(), std::chrono::seconds(1));
    co_await pause.async_wait(asio::use_awaitable);
  }
}

}  // namespace knetsim::flannel
