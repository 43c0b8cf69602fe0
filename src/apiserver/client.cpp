#include "knetsim/apiserver/client.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <chrono>

#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"
#include "knetsim/sys/text.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds kAnswerBudget{10};
constexpr std::chrono::seconds kIdle{10};  // the server waits longer for the next question
constexpr std::uint64_t kLongestAnswer = 64ULL << 20;

nlohmann::json read(const std::string& text) {
  try {
    return parse_json(text);
  } catch (const Error&) {  // a page of a proxy, say: the status tells what it is
    return nullptr;
  }
}

}  // namespace

struct Client::Connection {
  tcp::endpoint server;
  asio::io_context context;
  beast::tcp_stream stream{context};
  beast::flat_buffer buffer;
  std::chrono::steady_clock::time_point used;

  explicit Connection(tcp::endpoint to) : server(std::move(to)) {}

  /// Runs one operation, which the stream's own time limit ends.
  template <typename Begin>
  void finish(Begin begin) {
    error_code outcome = asio::error::would_block;
    begin([&outcome](const error_code& error, auto...) { outcome = error; });
    context.restart();
    context.run();
    if (outcome) throw boost::system::system_error(outcome);
  }

  http::response<http::string_body> exchange(const http::request<http::string_body>& request) {
    if (!is_fresh()) drop();
    stream.expires_after(kAnswerBudget);
    if (!stream.socket().is_open()) finish([&](auto done) { stream.async_connect(server, done); });
    http::response_parser<http::string_body> parser;
    parser.body_limit(kLongestAnswer);
    finish([&](auto done) { http::async_write(stream, request, done); });
    finish([&](auto done) { http::async_read(stream, buffer, parser, done); });
    used = std::chrono::steady_clock::now();
    if (!parser.get().keep_alive()) drop();
    return parser.release();
  }

  /// Nothing waits on it: neither the end of a server that has ended meanwhile, nor what nobody has asked for.
  bool is_fresh() {
    if (!stream.socket().is_open() || std::chrono::steady_clock::now() - used > kIdle) return false;
    char byte = 0;
    return ::recv(stream.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
  }

  void drop() {
    stream.close();
    buffer.clear();
  }
};

std::string Answer::complaint() const {
  const auto message = body.is_object() ? body.find("message") : body.end();
  return message != body.end() && message->is_string() ? excerpt(message->get<std::string>(), 1'000)
                                                       : fmt::format("HTTP status {}", status);
}

Client::Client(Address address, std::uint16_t port)
    : authority_(fmt::format("{}:{}", address.is_v6() ? "[" + address.to_string() + "]" : address.to_string(), port)),
      connection_(std::make_unique<Connection>(tcp::endpoint(address, port))) {}

Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Answer Client::ask(const std::string& method, const std::string& target, const nlohmann::json& body,
                   const std::string& type) {
  http::request<http::string_body> request;
  request.method_string(method);
  request.target(target);
  request.version(11);
  request.set(http::field::host, authority_);
  request.set(http::field::accept, "application/json");
  request.set(http::field::user_agent, program_invocation_short_name);
  if (!body.is_null()) {
    request.set(http::field::content_type, type);
    request.body() = body.dump();
  }
  request.keep_alive(true);
  request.prepare_payload();
  try {
    const auto response = connection_->exchange(request);
    return {.status = response.result_int(), .body = read(response.body())};
  } catch (const boost::system::system_error& error) {
    connection_->drop();
    throw Error(describe({.where = "the API server on " + authority_,
                          .tried = fmt::format("ask {} {}", method, target),
                          .answer = error.code().message(),
                          .remedy = "see its log"}));
  }
}

Answer Client::must(const std::string& method, const std::string& target, const nlohmann::json& body,
                    const std::string& type, unsigned allowed) {
  auto answer = ask(method, target, body, type);
  if (answer.good() || answer.status == allowed) return answer;
  throw Error(describe({.where = "the API server on " + authority_,
                        .tried = fmt::format("{} {}", method, target),
                        .answer = answer.complaint(),
                        .remedy = {}}));
}

}  // namespace knetsim::apiserver
