#include "kubelet_server.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <optional>

#include "knetsim/sys/error.h"
#include "kubelet_connection.h"
#include "kubelet_tls.h"

namespace knetsim {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// On every address of both families; of IPv4 alone where the kernel has no IPv6.
Fd listen_on_all(const std::string& node) {
  Fd socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const bool v6 = static_cast<bool>(socket);
  if (!v6) socket = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  const int off = 0;
  sockaddr_in6 any6{};
  any6.sin6_family = AF_INET6;
  any6.sin6_port = htons(KubeletServer::kPort);
  sockaddr_in any4{};
  any4.sin_family = AF_INET;
  any4.sin_port = htons(KubeletServer::kPort);
  const auto* address = v6 ? reinterpret_cast<const sockaddr*>(&any6) : reinterpret_cast<const sockaddr*>(&any4);
  if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      (v6 && ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) ||
      ::bind(socket.get(), address, v6 ? sizeof any6 : sizeof any4) != 0 || ::listen(socket.get(), SOMAXCONN) != 0)
    throw SystemError("listen for the kubelet's clients", fmt::format("{}, port {}", node, KubeletServer::kPort));
  return socket;
}

/// A peer whose node was cut off is gone within two minutes.
void notice_dead_peers(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  const int idle = 60;
  const int interval = 10;
  const int count = 6;
  const int fd = socket.native_handle();
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

}  // namespace

KubeletServer::KubeletServer(PodRuntime& pods) : pods_(&pods), work_(asio::make_work_guard(context_)) {
  thread_ = std::thread([this] {
    // Signals are the main thread's; a pipe or a connection that is closed is an error like others.
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    context_.run();
  });
}

KubeletServer::~KubeletServer() {
  asio::post(context_, [this] {
    stopping_ = true;
    error_code ignored;
    for (auto& acceptor : acceptors_) acceptor.close(ignored);
    for (const auto& connection : connections_) connection->end();
    work_.reset();
  });
  thread_.join();
}

void KubeletServer::listen(const std::string& node, const NetNs& netns, Identity identity) {
  auto socket = netns.run([&] { return listen_on_all(node); });
  int domain = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) throw SystemError("look at a socket");
  Acceptor acceptor(context_, domain == AF_INET6 ? tcp::v6() : tcp::v4(), socket.get());
  (void)socket.release();
  asio::post(context_, [this, node, identity = std::move(identity), acceptor = std::move(acceptor)]() mutable {
    auto& kept = acceptors_.emplace_back(std::move(acceptor));
    asio::co_spawn(context_, accept(kept, node, std::move(identity)), asio::detached);
  });
}

asio::awaitable<void> KubeletServer::accept(Acceptor& acceptor, std::string node, Identity identity) {
  std::optional<asio::ssl::context> tls;
  while (!stopping_) {
    error_code error;
    auto socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (stopping_) break;
    if (error) {
      // Out of descriptors, for example: without a pause this would spin.
      asio::steady_timer pause(context_, std::chrono::milliseconds(100));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    if (connections_.size() >= kMostConnections) continue;
    try {
      if (!tls) tls = kubelet_tls(identity());
    } catch (const std::exception&) {
      continue;  // no memory, for example: who came is hung up on
    }
    notice_dead_peers(socket);
    const auto connection = std::make_shared<KubeletConnection>(KubeletStream(std::move(socket), *tls), node, *pods_);
    connections_.insert(connection);
    asio::co_spawn(context_, connection->run(), [this, connection](const std::exception_ptr&) {
      connection->end();
      connections_.erase(connection);
    });
  }
}

}  // namespace knetsim
