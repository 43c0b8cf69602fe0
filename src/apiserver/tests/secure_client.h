#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <memory>
#include <optional>
#include <string>

#include "client.h"
#include "knetsim/apiserver/pki.h"

namespace knetsim::apiserver::test {

/// Asks the server over TLS, on 127.0.0.1:6443, as somebody.
class SecureClient {
 public:
  /// `called`: what the server's certificate must say that it is; `shown`: a certificate of our own.
  SecureClient(const std::string& authority, const std::string& called, std::optional<CertifiedKey> shown = {});

  /// Throws boost::system::system_error, also if the server isn't whom it says it is.
  Answer send(const std::string& method, const std::string& target, const std::string& body = {},
              const Headers& headers = {});
  Answer get(const std::string& target, const Headers& headers = {}) { return send("GET", target, {}, headers); }
  Answer get_as(const std::string& token, const std::string& target) {
    return get(target, {{"Authorization", "Bearer " + token}});
  }
  /// Only a connection and the handshake.
  void connect();
  /// Sends these bytes, and reads nothing.
  void begin(const std::string& bytes);
  /// Sends these bytes, reads up to the end of the connection.
  std::string exchange_raw(const std::string& bytes);

 private:
  using Stream = boost::beast::ssl_stream<boost::beast::tcp_stream>;
  boost::asio::io_context context_;
  boost::asio::ssl::context tls_;
  std::string called_;
  std::unique_ptr<Stream> stream_;
  boost::beast::flat_buffer buffer_;
};

}  // namespace knetsim::apiserver::test
