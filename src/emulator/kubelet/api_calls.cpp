#include "api_calls.h"

#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <deque>
#include <optional>
#include <utility>

#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"

namespace knetsim::kubelet {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds kAnswerIn{10};
constexpr std::chrono::milliseconds kAskAgainAfter{500};
constexpr std::uint64_t kLongestApiAnswer = 64ULL << 20;
constexpr std::size_t kMostWaiting = 10'000;

nlohmann::json body_of(const std::string& text) {
  try {
    return parse_json(text);
  } catch (const Error&) {
    return nullptr;
  }
}

}  // namespace

struct ApiCalls::State : std::enable_shared_from_this<State> {
  State(boost::asio::io_context& in, boost::asio::ip::tcp::endpoint to)
      : context(in), server(std::move(to)), again(in) {}

  boost::asio::io_context& context;
  boost::asio::ip::tcp::endpoint server;
  boost::asio::steady_timer again;
  std::deque<ApiCall> waiting;  // the first of them is asked
  bool busy = false;
  bool ended = false;
  std::optional<beast::tcp_stream> stream;
  beast::flat_buffer buffer;
  http::request<http::string_body> request;
  std::optional<http::response_parser<http::string_body>> parser;

  void next() {
    if (busy || waiting.empty() || ended) return;
    busy = true;
    const auto& call = waiting.front();
    request = {};
    request.method_string(call.method);
    request.target(call.target);
    request.version(11);
    request.set(http::field::host, fmt::format("{}:{}", server.address().to_string(), server.port()));
    request.set(http::field::accept, "application/json");
    request.set(http::field::user_agent, "knetsim-kubelet");
    if (!call.body.is_null()) {
      request.set(http::field::content_type, call.type);
      request.body() = call.body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
    request.keep_alive(false);
    request.prepare_payload();
    buffer.clear();
    parser.emplace();
    parser->body_limit(kLongestApiAnswer);
    stream.emplace(context);
    stream->expires_after(kAnswerIn);
    stream->async_connect(server, [self = shared_from_this()](error_code error) {
      if (error) return self->finish(0);
      http::async_write(*self->stream, self->request, [self](error_code failed, std::size_t) {
        if (failed) return self->finish(0);
        http::async_read(*self->stream, self->buffer, *self->parser, [self](error_code unread, std::size_t) {
          self->finish(unread ? 0 : self->parser->get().result_int());
        });
      });
    });
  }

  void finish(unsigned status) {
    if (ended) return;
    apiserver::Answer answer{.status = status, .body = nullptr};
    if (status != 0) answer.body = body_of(parser->get().body());
    stream.reset();
    constexpr unsigned kTroubled = 500;
    if ((status == 0 || status >= kTroubled) && waiting.front().insist) {
      again.expires_after(kAskAgainAfter);
      again.async_wait([self = shared_from_this()](error_code error) {
        self->busy = false;
        if (!error) self->next();
      });
      return;
    }
    const auto call = std::move(waiting.front());
    waiting.pop_front();
    busy = false;
    if (call.done) call.done(answer);
    next();
  }
};

ApiCalls::ApiCalls(boost::asio::io_context& context, boost::asio::ip::tcp::endpoint server)
    : state_(std::make_shared<State>(context, std::move(server))) {}

ApiCalls::~ApiCalls() {
  state_->ended = true;
  state_->waiting.clear();
  if (state_->stream) state_->stream->close();
  state_->again.cancel();
}

void ApiCalls::ask(ApiCall call) {
  auto& waiting = state_->waiting;
  if (!call.key.empty())
    for (std::size_t i = state_->busy ? 1 : 0; i < waiting.size(); ++i)
      if (waiting[i].key == call.key) {
        waiting[i] = std::move(call);
        return;
      }
  if (waiting.size() >= kMostWaiting && !call.insist) return;  // the server is away, and this can be done without
  waiting.push_back(std::move(call));
  state_->next();
}

}  // namespace knetsim::kubelet
