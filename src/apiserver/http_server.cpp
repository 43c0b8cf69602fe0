#include "http_server.h"

#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "http_connection.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;

asio::awaitable<void> HttpServer::serve(asio::ip::tcp::acceptor& acceptor) {
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
    const bool full = *count_ >= limits_.connections;
    ++*count_;
    auto connection = std::make_shared<HttpConnection>(std::move(socket), *api_, limits_);
    asio::co_spawn(acceptor.get_executor(),
                   full ? HttpConnection::turn_away(connection) : HttpConnection::run(connection),
                   [count = count_](const std::exception_ptr& failure) {
                     --*count;
                     if (!failure) return;
                     try {
                       std::rethrow_exception(failure);
                     } catch (const std::exception& reason) {
                       spdlog::error("connection: {}", reason.what());
                     }
                   });
  }
}

}  // namespace knetsim::apiserver
