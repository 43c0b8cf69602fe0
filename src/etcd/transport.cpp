#include "transport.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/write.hpp>
#include <utility>

#include "connection.h"
#include "knetsim/sys/text.h"

namespace knetsim::etcd {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

// The leases of all 65,536 subnets of a /8 are 23 MB of JSON. etcd itself takes requests up to 1.5 MiB, and has no
// limit for what it answers.
constexpr std::uint64_t kMaxAnswer = 32ULL << 20;

bool says_unavailable(unsigned status) {
  const auto known = http::int_to_status(status);
  return known == http::status::service_unavailable || known == http::status::gateway_timeout ||
         known == http::status::request_timeout;
}

std::string in_words(const boost::system::error_code& error, std::chrono::milliseconds connect_timeout,
                     std::chrono::milliseconds request_timeout, bool sent) {
  if (error == beast::error::timeout || error == asio::error::timed_out) {
    return sent ? "no answer within " + std::to_string(request_timeout.count()) + " ms"
                : "no connection within " + std::to_string(connect_timeout.count()) + " ms";
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message || error == asio::error::eof)
    return "closed the connection instead of answering in full";
  if (error.category() == http::make_error_code(http::error::bad_version).category())
    return "answered with something that isn't HTTP (" + error.message() + ")";
  return error.message();
}

}  // namespace

Transport::Transport(asio::any_io_executor executor, ClientOptions options)
    : executor_(std::move(executor)), options_(std::move(options)) {
  if (options_.endpoints.empty()) throw InputError("etcd client: no endpoints were given");
  for (const std::string& text : options_.endpoints) endpoints_.push_back(parse_endpoint(text));
  tls_ = make_tls_context(options_);
}

asio::awaitable<Answer> Transport::send(Call call) {
  std::string failures;
  bool maybe_applied = false;
  const std::size_t first = current_;
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    const std::size_t index = (first + i) % endpoints_.size();
    Attempt outcome = co_await attempt(index, call);
    std::string failure;
    if (outcome.error) {
      failure = in_words(outcome.error, options_.connect_timeout, options_.request_timeout, outcome.sent);
    } else if (call.retry == Call::Retry::unavailable && says_unavailable(outcome.answer.status)) {
      failure = "HTTP " + std::to_string(outcome.answer.status) + ": " + excerpt(outcome.answer.body);
    } else {
      current_ = index;
      co_return std::move(outcome.answer);
    }
    failures += (failures.empty() ? "" : "; ") + endpoints_[index].url() + ": " + failure;
    if (outcome.sent && call.retry == Call::Retry::never) {
      maybe_applied = true;
      // Whatever is asked next shouldn't have to wait for the same endpoint first.
      current_ = (index + 1) % endpoints_.size();
      break;
    }
  }
  throw Unavailable(maybe_applied, {.where = "etcd", .tried = "call " + call.target, .answer = std::move(failures)});
}

asio::awaitable<Transport::Attempt> Transport::attempt(std::size_t endpoint, const Call& call) {
  Attempt outcome;
  bool keep = false;
  if (std::unique_ptr<Connection> used = take_idle(endpoint)) {
    outcome = co_await exchange(*used, endpoint, call, keep);
    if (keep) keep_idle(endpoint, std::move(used));
    const bool timed_out = outcome.error == beast::error::timeout;
    if (!outcome.error || timed_out || call.retry == Call::Retry::never) co_return outcome;
    // The server may just have given up the idle connection: that says nothing about the server.
  }
  auto fresh = std::make_unique<Connection>(executor_);
  outcome = Attempt();
  outcome.error = co_await connect(*fresh, endpoints_[endpoint], options_.connect_timeout, tls_.get());
  if (outcome.error) co_return outcome;
  outcome = co_await exchange(*fresh, endpoint, call, keep);
  if (keep) keep_idle(endpoint, std::move(fresh));
  co_return outcome;
}

asio::awaitable<Transport::Attempt> Transport::exchange(Connection& connection, std::size_t endpoint, const Call& call,
                                                        bool& keep) {
  Attempt outcome;
  outcome.sent = true;
  outcome.answer.endpoint = endpoints_[endpoint].url();
  keep = false;

  HttpRequest request = make_request(endpoints_[endpoint], call.verb, call.target, call.body, call.content_type);
  for (const auto& [name, value] : call.headers) request.set(name, value);
  connection.stream.expires_after(options_.request_timeout);
  auto told = asio::redirect_error(asio::use_awaitable, outcome.error);
  co_await connection.over([&](auto& stream) { return http::async_write(stream, request, told); });
  if (outcome.error) co_return outcome;

  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswer);
  co_await connection.over([&](auto& stream) { return http::async_read(stream, connection.buffer, parser, told); });
  if (outcome.error) co_return outcome;
  connection.stream.expires_never();
  keep = parser.get().keep_alive();
  outcome.answer.status = parser.get().result_int();
  outcome.answer.body = std::move(parser.get().body());
  outcome.answer.headers = std::move(parser.get().base());
  co_return outcome;
}

std::unique_ptr<Connection> Transport::take_idle(std::size_t endpoint) {
  for (auto it = idle_.begin(); it != idle_.end();) {
    if (it->endpoint != endpoint) {
      ++it;
      continue;
    }
    std::unique_ptr<Connection> connection = std::move(it->connection);
    it = idle_.erase(it);
    if (connection->usable()) return connection;
  }
  return nullptr;
}

void Transport::keep_idle(std::size_t endpoint, std::unique_ptr<Connection> connection) {
  if (options_.idle_connections == 0) return;
  if (idle_.size() >= options_.idle_connections) idle_.erase(idle_.begin());
  connection->buffer.shrink_to_fit();
  idle_.push_back({endpoint, std::move(connection)});
}

}  // namespace knetsim::etcd
