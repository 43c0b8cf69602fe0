#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace knetsim::apiserver::test {

using Headers = std::vector<std::pair<std::string, std::string>>;
inline constexpr std::chrono::milliseconds kPatience{20'000};

struct Answer {
  unsigned status = 0;
  std::string body;
  boost::beast::http::fields headers;
  nlohmann::json json() const { return nlohmann::json::parse(body); }
  std::string header(std::string_view name) const { return std::string(headers[{name.data(), name.size()}]); }
};

/// Asks the server on 127.0.0.1:8001, over one connection that is kept.
class Client {
 public:
  Answer send(const std::string& method, const std::string& target, const std::string& body = {},
              const Headers& headers = {});
  Answer get(const std::string& target, const Headers& headers = {}) { return send("GET", target, {}, headers); }
  Answer post(const std::string& target, const nlohmann::json& body) { return send("POST", target, body.dump()); }
  Answer put(const std::string& target, const nlohmann::json& body) { return send("PUT", target, body.dump()); }
  /// A merge patch.
  Answer merge(const std::string& target, const nlohmann::json& body) {
    return send("PATCH", target, body.dump(), {{"Content-Type", "application/merge-patch+json"}});
  }
  Answer remove(const std::string& target, const std::string& body = {}) { return send("DELETE", target, body); }

 private:
  boost::asio::io_context context_;
  std::unique_ptr<boost::beast::tcp_stream> stream_;
  boost::beast::flat_buffer buffer_;
};

/// One watch, line by line.
class Watch {
 public:
  explicit Watch(const std::string& target, const Headers& headers = {});
  unsigned status() const { return parser_.get().result_int(); }
  /// Nullopt at the end of the stream, or if nothing comes in time: ended() tells.
  std::optional<nlohmann::json> next(std::chrono::milliseconds patience = kPatience);
  bool ended() const noexcept { return ended_; }
  /// "ADDED a", "BOOKMARK": the next ones, as many as asked for, or up to the end.
  std::vector<std::string> events(std::size_t count);

 private:
  bool read_some(std::chrono::milliseconds patience);

  boost::asio::io_context context_;
  boost::beast::tcp_stream stream_{context_};
  boost::beast::flat_buffer buffer_;
  boost::beast::http::response_parser<boost::beast::http::buffer_body> parser_;
  std::string text_;
  bool ended_ = false;
};

/// What came back for some bytes that were sent as they are, up to the end of the connection.
std::string exchange_raw(const std::string& bytes, std::chrono::milliseconds patience = kPatience);

}  // namespace knetsim::apiserver::test
