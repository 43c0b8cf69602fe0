#include "knetsim/emulator/port_forward.h"

#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <csignal>
#include <list>
#include <thread>
#include <vector>

#include "knetsim/sys/error.h"

namespace knetsim {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t kForwardPiece = 32 << 10;  // bytes
constexpr std::size_t kAtATime = 1'000;
constexpr std::chrono::seconds kConnectWithin{10};
constexpr std::chrono::milliseconds kForwardPause{20};

/// The end of one direction is handed on, and the other goes on.
template <typename From, typename To>
asio::awaitable<void> forward(From& from, To& to) {
  std::vector<char> piece(kForwardPiece);
  error_code error;
  for (;;) {
    const auto count =
        co_await from.async_read_some(asio::buffer(piece), asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
    co_await asio::async_write(to, asio::buffer(piece, count), asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
  }
  auto& here = from.lowest_layer();
  auto& there = to.lowest_layer();
  const bool ended = error == asio::error::eof;
  if (ended) there.shutdown(tcp::socket::shutdown_send, error);
  if (ended && !error) co_return;
  // Broken: so is the other direction.
  here.close(error);
  there.close(error);
}

}  // namespace

struct PortForward::Tls {
  ssl::context context{ssl::context::tls_client};
};

struct PortForward::State {
  struct Door {
    Door(asio::io_context& context, const Node& to, std::uint16_t at, std::shared_ptr<Tls> with)
        : acceptor(context), node(to), port(at), tls(std::move(with)) {}
    tcp::acceptor acceptor;
    const Node& node;
    std::uint16_t port;
    std::shared_ptr<Tls> tls;  ///< null: plain
  };

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(context);
  std::list<Door> doors;
  std::size_t open = 0;
  std::thread thread;

  asio::awaitable<void> serve(tcp::socket client, const Door& door) {
    using namespace asio::experimental::awaitable_operators;  // NOLINT(google-build-using-namespace)
    error_code error;
    tcp::socket server(context);
    const tcp::endpoint endpoint(door.node.address(), door.port);
    door.node.netns().run([&] { server.open(endpoint.protocol(), error); });
    if (error) co_return;
    asio::steady_timer patience(context, kConnectWithin);
    error_code ignored;
    const auto first = co_await (server.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error)) ||
                                 patience.async_wait(asio::redirect_error(asio::use_awaitable, ignored)));
    if (first.index() == 1 || error) co_return;  // whoever asked hears it by the end of the connection
    for (auto* socket : {&client, &server}) socket->set_option(tcp::no_delay(true), ignored);
    if (!door.tls) {
      co_await (forward(client, server) && forward(server, client));
      co_return;
    }
    ssl::stream<tcp::socket> secured(std::move(server), door.tls->context);
    co_await secured.async_handshake(ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, error));
    if (!error) co_await (forward(client, secured) && forward(secured, client));
  }

  asio::awaitable<void> welcome(Door& door) {
    for (;;) {
      error_code error;
      auto client = co_await door.acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (error == asio::error::operation_aborted) co_return;
      if (!error) {
        ++open;
        asio::co_spawn(context, serve(std::move(client), door), [this](const std::exception_ptr&) { --open; });
      }
      asio::steady_timer pause(context);
      while (error || open >= kAtATime) {
        error.clear();
        pause.expires_after(kForwardPause);
        co_await pause.async_wait(asio::use_awaitable);
      }
    }
  }
};

PortForward::PortForward() : state_(std::make_unique<State>()) {
  state_->thread = std::thread([state = state_.get()] {
    // Signals are the main thread's.
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    state->context.run();
  });
}

PortForward::~PortForward() {
  state_->context.stop();
  state_->thread.join();
}

void PortForward::add(Fd listener, const Node& node, std::uint16_t port) {
  welcome_at(std::move(listener), node, port, nullptr);
}

void PortForward::add(Fd listener, const Node& node, std::uint16_t port, const std::string& authority,
                      const apiserver::CertifiedKey& shown) {
  auto tls = std::make_shared<Tls>();
  auto& context = tls->context;
  context.add_certificate_authority(asio::buffer(authority));
  context.set_verify_mode(ssl::verify_peer);
  context.set_verify_callback(ssl::host_name_verification("kubernetes"));
  context.use_certificate_chain(asio::buffer(shown.certificate));
  context.use_private_key(asio::buffer(shown.key), ssl::context::pem);
  welcome_at(std::move(listener), node, port, std::move(tls));
}

void PortForward::welcome_at(Fd listener, const Node& node, std::uint16_t port, std::shared_ptr<Tls> tls) {
  int family = 0;
  socklen_t size = sizeof family;
  if (::getsockopt(listener.get(), SOL_SOCKET, SO_DOMAIN, &family, &size) != 0)
    throw SystemError("look at a listening socket");
  asio::co_spawn(
      state_->context,
      [state = state_.get(), fd = std::make_shared<Fd>(std::move(listener)), family, &node, port,
       tls = std::move(tls)]() -> asio::awaitable<void> {
        auto& door = state->doors.emplace_back(state->context, node, port, tls);
        door.acceptor.assign(family == AF_INET6 ? tcp::v6() : tcp::v4(), fd->release());
        co_await state->welcome(door);
      },
      asio::detached);
}

}  // namespace knetsim
