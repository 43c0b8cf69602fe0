#include "healthz.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "knetsim/sys/error.h"
#include "knetsim/sys/http_pages.h"

namespace knetsim::flannel {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

const HttpPages kPages{{"/healthz", [] { return "flanneld is running"; }}};

void complain(const std::string& text) { spdlog::debug("healthz: {}", text); }

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
      serve_http(std::move(socket), kPages, "text/plain; charset=utf-8", complain);
      continue;
    }
    // Out of descriptors, for example: without a pause this would spin.
    spdlog::error("healthz: {}", error.message());
    asio::steady_timer pause(acceptor.get_executor(), std::chrono::seconds(1));
    co_await pause.async_wait(asio::use_awaitable);
  }
}

}  // namespace knetsim::flannel
