#include "kubelet_client.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <stdexcept>

namespace knetsim::test {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
namespace websocket = boost::beast::websocket;

const apiserver::Authority& kubelet_authority() {
  static const apiserver::Authority authority("the tests");
  return authority;
}

KubeletIdentity kubelet_w1() {
  return {.own = kubelet_authority().for_server({.user = "system:node:w1"}, {"w1"}, {asio::ip::address_v4::loopback()}),
          .client_authority = kubelet_authority().certificate()};
}

apiserver::CertifiedKey master() {
  return kubelet_authority().for_client({.user = "kube-apiserver-kubelet-client", .groups = {"system:masters"}});
}

namespace {

// Of a context these are taken when a stream is made of it.
ssl::context dial_context(const std::optional<apiserver::CertifiedKey>& shown) {
  ssl::context context(ssl::context::tls_client);
  context.add_certificate_authority(asio::buffer(kubelet_authority().certificate()));
  context.set_verify_mode(ssl::verify_peer);
  if (shown) {
    context.use_certificate_chain(asio::buffer(shown->certificate));
    context.use_private_key(asio::buffer(shown->key), ssl::context::pem);
  }
  return context;
}

}  // namespace

KubeletDial::KubeletDial(const std::optional<apiserver::CertifiedKey>& shown)
    : tls_(dial_context(shown)), stream_(context_, tls_) {
  stream_.set_verify_callback(ssl::host_name_verification("w1"));
  auto& socket = stream_.next_layer();
  socket.connect({asio::ip::address_v4::loopback(), 10250});
  // A test that gets no answer fails instead of hanging.
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  stream_.handshake(ssl::stream_base::client);
}

void KubeletDial::send(std::string_view bytes) { asio::write(stream_, asio::buffer(bytes)); }

StreamClient::StreamClient(const std::string& target, const std::string& protocol) {
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

std::string kubelet_answer(const std::string& bytes, const std::optional<apiserver::CertifiedKey>& shown) {
  std::string answer;
  try {
    KubeletDial dial(shown);
    boost::system::error_code error;
    asio::write(dial.stream(), asio::buffer(bytes), error);
    asio::read(dial.stream(), asio::dynamic_buffer(answer), error);
  } catch (const boost::system::system_error&) {
    // Before it was asked.
  }
  return answer;
}

}  // namespace knetsim::test
