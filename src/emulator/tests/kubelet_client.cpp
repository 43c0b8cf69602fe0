#include "kubelet_client.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <stdexcept>

namespace knetsim::test {

namespace asio = boost::asio;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;

namespace {

/// A test that gets no answer fails instead of hanging.
void dial(tcp::socket& socket) {
  socket.connect({asio::ip::address_v4::loopback(), 10250});
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

}  // namespace

StreamClient::StreamClient(const std::string& target, const std::string& protocol) {
  dial(socket());
  socket_.set_option(websocket::stream_base::decorator([&](websocket::request_type& request) {
    request.set(boost::beast::http::field::sec_websocket_protocol, protocol);
  }));
  websocket::response_type answer;
  socket_.handshake(answer, "node", target);
  protocol_ = answer[boost::beast::http::field::sec_websocket_protocol];
  socket_.binary(true);
}

void StreamClient::send(unsigned char channel, std::string_view data) {
  socket_.write(asio::buffer(static_cast<char>(channel) + std::string(data)));
}

std::pair<unsigned char, std::string> StreamClient::next() {
  boost::beast::flat_buffer buffer;
  socket_.read(buffer);
  if (!socket_.got_binary()) throw std::runtime_error("a text message: kubectl takes binary ones alone");
  const auto message = boost::beast::buffers_to_string(buffer.data());
  if (message.empty()) return {0, ""};
  return {static_cast<unsigned char>(message.front()), message.substr(1)};
}

void StreamClient::expect(unsigned char channel, std::string_view text) {
  while (said_[channel].find(text) == std::string::npos) {
    const auto [from, data] = next();
    said_[from] += data;
  }
}

std::map<unsigned char, std::string> StreamClient::rest() {
  try {
    for (;;) {
      const auto [channel, data] = next();
      said_[channel] += data;
    }
  } catch (const boost::system::system_error& error) {
    if (error.code() != websocket::error::closed) throw;
  }
  return said_;
}

void StreamClient::vanish() { socket().close(); }

std::string kubelet_answer(const std::string& bytes) {
  asio::io_context context;
  tcp::socket socket(context);
  dial(socket);
  boost::system::error_code error;
  asio::write(socket, asio::buffer(bytes), error);
  std::string answer;
  asio::read(socket, asio::dynamic_buffer(answer), error);
  return answer;
}

}  // namespace knetsim::test
