#include "client.h"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

namespace knetsim::apiserver::test {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

const asio::ip::tcp::endpoint kServer(asio::ip::make_address("127.0.0.1"), 8001);

/// Runs one operation, which the stream's own time limit ends.
template <typename Begin>
error_code finish(asio::io_context& context, Begin begin) {
  error_code result = asio::error::would_block;
  begin([&result](error_code error, auto...) { result = error; });
  context.restart();
  context.run();
  return result;
}

void check(const error_code& error) {
  if (error) throw boost::system::system_error(error);
}

}  // namespace

Answer Client::send(const std::string& method, const std::string& target, const std::string& body,
                    const Headers& headers) {
  http::request<http::string_body> request;
  request.method_string(method);
  request.target(target);
  request.version(11);
  request.set(http::field::host, "127.0.0.1:8001");
  request.set(http::field::accept, "application/json");
  if (!body.empty()) request.set(http::field::content_type, "application/json");
  for (const auto& [name, value] : headers) request.set(name, value);
  request.body() = body;
  request.prepare_payload();
  if (!stream_) {
    stream_ = std::make_unique<beast::tcp_stream>(context_);
    buffer_.clear();
    stream_->expires_after(kPatience);
    check(finish(context_, [&](auto done) { stream_->async_connect(kServer, done); }));
  }
  stream_->expires_after(kPatience);
  http::response_parser<http::string_body> parser;
  parser.body_limit(1ULL << 30);
  finish(context_, [&](auto done) { http::async_write(*stream_, request, done); });
  // A server that refuses a body may do so before it has read it.
  const auto read = finish(context_, [&](auto done) { http::async_read(*stream_, buffer_, parser, done); });
  if (read || !parser.get().keep_alive()) stream_.reset();
  check(read);
  auto response = parser.release();
  return {response.result_int(), std::move(response.body()), std::move(response.base())};
}

Watch::Watch(const std::string& target, const Headers& headers) {
  http::request<http::string_body> request(http::verb::get, target, 11);
  request.set(http::field::host, "127.0.0.1:8001");
  for (const auto& [name, value] : headers) request.set(name, value);
  stream_.expires_after(kPatience);
  check(finish(context_, [&](auto done) { stream_.async_connect(kServer, done); }));
  check(finish(context_, [&](auto done) { http::async_write(stream_, request, done); }));
  parser_.body_limit(1ULL << 30);
  check(finish(context_, [&](auto done) { http::async_read_header(stream_, buffer_, parser_, done); }));
}

bool Watch::read_some(std::chrono::milliseconds patience) {
  std::array<char, 16'384> piece{};
  parser_.get().body().data = piece.data();
  parser_.get().body().size = piece.size();
  stream_.expires_after(patience);
  const auto error = finish(context_, [&](auto done) { http::async_read_some(stream_, buffer_, parser_, done); });
  text_.append(piece.data(), piece.size() - parser_.get().body().size);
  ended_ = parser_.is_done();
  return !error || error == http::error::need_buffer;
}

std::optional<nlohmann::json> Watch::next(std::chrono::milliseconds patience) {
  for (;;) {
    const auto end = text_.find('\n');
    if (end != std::string::npos) {
      auto line = nlohmann::json::parse(text_.substr(0, end));
      text_.erase(0, end + 1);
      return line;
    }
    if (ended_ || !read_some(patience)) return std::nullopt;
  }
}

std::vector<std::string> Watch::events(std::size_t count) {
  std::vector<std::string> events;
  while (events.size() < count) {
    const auto event = next();
    if (!event) break;
    const auto& object = event->at("object");
    auto word = event->at("type").get<std::string>();
    if (object.contains("metadata") && object["metadata"].contains("name"))
      word += " " + object["metadata"]["name"].get<std::string>();
    events.push_back(std::move(word));
  }
  return events;
}

std::string exchange_raw(const std::string& bytes, std::chrono::milliseconds patience) {
  asio::io_context context;
  beast::tcp_stream stream(context);
  stream.expires_after(patience);
  check(finish(context, [&](auto done) { stream.async_connect(kServer, done); }));
  finish(context, [&](auto done) { asio::async_write(stream, asio::buffer(bytes), done); });
  std::string answer;
  std::array<char, 4'096> piece{};
  for (;;) {
    std::size_t count = 0;
    error_code result;
    stream.async_read_some(asio::buffer(piece), [&](error_code error, std::size_t size) {
      result = error;
      count = size;
    });
    context.restart();
    context.run();
    answer.append(piece.data(), count);
    if (result) return answer;
  }
}

}  // namespace knetsim::apiserver::test
