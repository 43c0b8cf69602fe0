#include "status_server.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>

#include "knetsim/sys/error.h"

namespace knetsim::kubeproxy {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds kPatience{10};
constexpr std::size_t kMostConnections = 256;
constexpr std::uint32_t kLongestHeader = 16U << 10;
constexpr std::uint64_t kLongestBody = 1U << 10;

}  // namespace

struct StatusServer::State {
  State(asio::io_context& context, Answer answers) : acceptor(context), answer(std::move(answers)) {}

  tcp::acceptor acceptor;
  Answer answer;
  std::size_t connections = 0;
  bool over = false;

  static asio::awaitable<void> serve(std::shared_ptr<State> self);
  static asio::awaitable<void> talk(std::shared_ptr<State> self, tcp::socket socket);
};

asio::awaitable<void> StatusServer::State::talk(std::shared_ptr<State> self, tcp::socket socket) {
  beast::tcp_stream stream(std::move(socket));
  beast::flat_buffer buffer;
  bool more = true;
  while (more && !self->over) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(kLongestHeader);
    parser.body_limit(kLongestBody);
    stream.expires_after(kPatience);
    error_code error;
    co_await http::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
    if (error || self->over) break;
    const auto& request = parser.get();
    const auto target = request.target();
    const std::string path(target.substr(0, target.find('?')));
    auto said = request.method() == http::verb::get || request.method() == http::verb::head
                    ? self->answer(path)
                    : StatusAnswer{.status = 405, .body = "only GET\n"};
    http::response<http::string_body> response(static_cast<http::status>(said.status), request.version());
    response.set(http::field::content_type, said.type);
    for (const auto& [name, value] : said.headers) response.set(name, value);
    response.keep_alive(request.keep_alive());
    response.body() = std::move(said.body);
    response.prepare_payload();
    if (request.method() == http::verb::head) response.body().clear();
    more = response.keep_alive();
    stream.expires_after(kPatience);
    co_await http::async_write(stream, response, asio::redirect_error(asio::use_awaitable, error));
    more = more && !error;
  }
  --self->connections;
}

asio::awaitable<void> StatusServer::State::serve(std::shared_ptr<State> self) {
  while (!self->over) {
    error_code error;
    auto socket = co_await self->acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (self->over) co_return;
    if (error || self->connections >= kMostConnections) {
      // Out of descriptors, for example: without a pause this would spin.
      asio::steady_timer pause(self->acceptor.get_executor(), std::chrono::milliseconds(100));
      error_code ignored;
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      continue;
    }
    ++self->connections;
    asio::co_spawn(self->acceptor.get_executor(), talk(self, std::move(socket)), asio::detached);
  }
}

StatusServer::StatusServer(asio::io_context& context, const NetNs& netns, const tcp::endpoint& where, Answer answer)
    : state_(std::make_shared<State>(context, std::move(answer))) {
  auto& acceptor = state_->acceptor;
  try {
    netns.run([&] {
      acceptor.open(where.protocol());
      acceptor.set_option(asio::socket_base::reuse_address(true));
      acceptor.bind(where);
      acceptor.listen();
    });
  } catch (const boost::system::system_error& error) {
    throw Error(describe({.where = "kube-proxy",
                          .tried = fmt::format("listen on {}:{}", where.address().to_string(), where.port()),
                          .answer = error.code().message(),
                          .remedy = "is there another kube-proxy on this worker?"}));
  }
  asio::co_spawn(context, State::serve(state_), asio::detached);
}

StatusServer::StatusServer(StatusServer&&) noexcept = default;
StatusServer& StatusServer::operator=(StatusServer&& other) noexcept {
  StatusServer old(std::move(*this));
  state_ = std::move(other.state_);
  return *this;
}

StatusServer::~StatusServer() {
  if (!state_) return;
  state_->over = true;
  error_code ignored;
  state_->acceptor.close(ignored);
}

}  // namespace knetsim::kubeproxy
