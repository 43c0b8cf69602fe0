#include "http_server.h"

#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "http_connection.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;

template <typename Stream>
void HttpServer::start(Stream stream) {
  const bool full = *count_ >= limits_.connections;
  ++*count_;
  const auto executor = stream.get_executor();
  const auto connection = std::make_shared<HttpConnection<Stream>>(std::move(stream), *api_, *authentication_, limits_);
  auto task = full ? connection->turn_away() : connection->run();
  asio::co_spawn(executor, std::move(task), [connection, count = count_](const std::exception_ptr& failure) {
    --*count;
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& reason) {
      spdlog::error("connection: {}", reason.what());
    }
  });
}

asio::awaitable<void> HttpServer::serve(asio::ip::tcp::acceptor& acceptor, asio::ssl::context* tls) {
  for (;;) {
    boost::system::error_code error;
    auto socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      // Out of descriptors, for example: without a pause this would spin.
      spdlog::error("accept: {}", error.message());
      asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(100));
      co_await pause.async_wait(asio::use_awaitable);
      continue;
    }
    socket.set_option(asio::ip::tcp::no_delay(true), error);
    socket.set_option(asio::socket_base::keep_alive(true), error);
    if (tls == nullptr)
      start(PlainStream(std::move(socket)));
    else
      start(TlsStream(std::move(socket), *tls));
  }
}

}  // namespace knetsim::apiserver
