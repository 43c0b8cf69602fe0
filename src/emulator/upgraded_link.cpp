#include "upgraded_link.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <chrono>
#include <utility>

namespace knetsim {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds kAnswerWithin{10};
constexpr std::chrono::seconds kPartWithin{2};

class WebSocketLink final : public UpgradedLink {
 public:
  WebSocketLink(KubeletStream stream, Upgrade upgrade, std::string protocol, std::size_t longest_message)
      : socket_(std::move(stream)), upgrade_(std::move(upgrade)), buffer_(longest_message) {
    transport().expires_never();
    socket_.set_option(websocket::stream_base::timeout{kAnswerWithin, websocket::stream_base::none(), false});
    socket_.set_option(websocket::stream_base::decorator(
        [chosen = std::move(protocol)](auto& response) { response.set(http::field::sec_websocket_protocol, chosen); }));
    socket_.read_message_max(longest_message);
    socket_.auto_fragment(false);
    socket_.binary(true);
  }

  asio::awaitable<bool> accept() override {
    error_code error;
    co_await socket_.async_accept(upgrade_, asio::redirect_error(asio::use_awaitable, error));
    co_return !error;
  }
  asio::awaitable<std::optional<std::string>> read() override {
    error_code error;
    co_await socket_.async_read(buffer_, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return std::nullopt;
    auto message = beast::buffers_to_string(buffer_.data());
    buffer_.consume(buffer_.size());
    co_return message;
  }
  asio::awaitable<bool> write(std::string bytes) override {
    error_code error;
    co_await socket_.async_write(asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
    co_return !error;
  }
  asio::awaitable<void> part() override {
    error_code ignored;
    co_await socket_.async_close(websocket::close_code::normal, asio::redirect_error(asio::use_awaitable, ignored));
  }
  beast::tcp_stream& transport() override { return beast::get_lowest_layer(socket_); }

 private:
  websocket::stream<KubeletStream> socket_;
  Upgrade upgrade_;
  beast::flat_buffer buffer_;
};

class SpdyLink final : public UpgradedLink {
 public:
  SpdyLink(KubeletStream stream, std::string protocol) : stream_(std::move(stream)), protocol_(std::move(protocol)) {
    transport().expires_never();
  }

  asio::awaitable<bool> accept() override {
    co_return co_await write(
        fmt::format("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                    "X-Stream-Protocol-Version: {}\r\n\r\n",
                    protocol_));
  }
  asio::awaitable<std::optional<std::string>> read() override {
    error_code error;
    const auto count =
        co_await stream_.async_read_some(asio::buffer(piece_), asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return std::nullopt;
    co_return std::string(piece_.data(), count);
  }
  asio::awaitable<bool> write(std::string bytes) override {
    error_code error;
    co_await asio::async_write(stream_, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
    co_return !error;
  }
  asio::awaitable<void> part() override {
    error_code ignored;
    transport().expires_after(kPartWithin);
    co_await stream_.async_shutdown(asio::redirect_error(asio::use_awaitable, ignored));
  }
  beast::tcp_stream& transport() override { return beast::get_lowest_layer(stream_); }

 private:
  KubeletStream stream_;
  std::string protocol_;
  std::array<char, 32 << 10> piece_{};
};

}  // namespace

asio::awaitable<void> Turns::take() {
  error_code ignored;
  while (taken_) co_await next_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  taken_ = true;
}

void Turns::give() {
  taken_ = false;
  next_.cancel_one();
}

std::unique_ptr<UpgradedLink> websocket_link(KubeletStream stream, Upgrade upgrade, std::string protocol,
                                             std::size_t longest_message) {
  return std::make_unique<WebSocketLink>(std::move(stream), std::move(upgrade), std::move(protocol), longest_message);
}

std::unique_ptr<UpgradedLink> spdy_link(KubeletStream stream, std::string protocol) {
  return std::make_unique<SpdyLink>(std::move(stream), std::move(protocol));
}

}  // namespace knetsim
