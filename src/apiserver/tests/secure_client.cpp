#include "secure_client.h"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

namespace knetsim::apiserver::test {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;

namespace {

template <typename Begin>
error_code finish_secure(asio::io_context& context, Begin begin) {
  error_code result = asio::error::would_block;
  begin([&result](error_code error, auto...) { result = error; });
  context.restart();
  context.run();
  return result;
}

void check_secure(const error_code& error) {
  if (error) throw boost::system::system_error(error);
}

}  // namespace

SecureClient::SecureClient(const std::string& authority, const std::string& called, std::optional<CertifiedKey> shown)
    : tls_(ssl::context::tls_client), called_(called) {
  tls_.add_certificate_authority(asio::buffer(authority));
  tls_.set_verify_mode(ssl::verify_peer);
  if (!shown) return;
  tls_.use_certificate_chain(asio::buffer(shown->certificate));
  tls_.use_private_key(asio::buffer(shown->key), ssl::context::pem);
}

void SecureClient::connect() {
  stream_ = std::make_unique<Stream>(context_, tls_);
  buffer_.clear();
  stream_->set_verify_callback(ssl::host_name_verification(called_));
  auto& transport = beast::get_lowest_layer(*stream_);
  transport.expires_after(kPatience);
  const asio::ip::tcp::endpoint server(asio::ip::make_address("127.0.0.1"), 6443);
  check_secure(finish_secure(context_, [&](auto done) { transport.async_connect(server, done); }));
  check_secure(finish_secure(context_, [&](auto done) { stream_->async_handshake(ssl::stream_base::client, done); }));
}

Answer SecureClient::send(const std::string& method, const std::string& target, const std::string& body,
                          const Headers& headers) {
  http::request<http::string_body> request;
  request.method_string(method);
  request.target(target);
  request.version(11);
  request.set(http::field::host, "kubernetes");
  request.set(http::field::accept, "application/json");
  if (!body.empty()) request.set(http::field::content_type, "application/json");
  for (const auto& [name, value] : headers) request.set(name, value);
  request.body() = body;
  request.prepare_payload();
  if (!stream_) connect();
  beast::get_lowest_layer(*stream_).expires_after(kPatience);
  http::response_parser<http::string_body> parser;
  check_secure(finish_secure(context_, [&](auto done) { http::async_write(*stream_, request, done); }));
  const auto read = finish_secure(context_, [&](auto done) { http::async_read(*stream_, buffer_, parser, done); });
  if (read || !parser.get().keep_alive()) stream_.reset();
  check_secure(read);
  auto response = parser.release();
  return {response.result_int(), std::move(response.body()), std::move(response.base())};
}

void SecureClient::begin(const std::string& bytes) {
  check_secure(finish_secure(context_, [&](auto done) { asio::async_write(*stream_, asio::buffer(bytes), done); }));
}

std::string SecureClient::exchange_raw(const std::string& bytes) {
  connect();
  begin(bytes);
  std::string text;
  std::array<char, 4'096> piece{};
  for (;;) {
    std::size_t count = 0;
    const auto error = finish_secure(context_, [&](auto done) {
      stream_->async_read_some(asio::buffer(piece), [&count, done](error_code result, std::size_t size) mutable {
        count = size;
        done(result);
      });
    });
    text.append(piece.data(), count);
    if (error == beast::error::timeout) throw boost::system::system_error(error);
    if (error) break;
  }
  stream_.reset();
  return text;
}

}  // namespace knetsim::apiserver::test
