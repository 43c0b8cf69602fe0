#include "tests/tcp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "knetsim/sys/error.h"

namespace knetsim::skupper {

namespace {

constexpr timeval kPatience{20, 0};
constexpr std::size_t kPiece = 64 * 1024;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

Fd new_socket() {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throw SystemError("make a socket");
  return fd;
}

}  // namespace

TcpPeer::TcpPeer(Fd fd, std::function<void()> closing) : fd_(std::move(fd)), closing_(std::move(closing)) {
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  const int on = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

TcpPeer::~TcpPeer() {
  if (fd_ && closing_) closing_();
}

TcpPeer TcpPeer::connect(std::uint16_t port) {
  TcpPeer peer(new_socket());
  const auto address = loopback(port);
  if (::connect(peer.fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)  // NOLINT
    throw SystemError("connect", "127.0.0.1:" + std::to_string(port));
  return peer;
}

void TcpPeer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) throw SystemError("send");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string TcpPeer::receive_some() {
  std::string bytes(kPiece, '\0');
  const auto count = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
  if (count < 0) throw SystemError("receive");
  bytes.resize(static_cast<std::size_t>(count));
  return bytes;
}

std::string TcpPeer::receive(std::size_t bytes) {
  std::string all(bytes, '\0');
  std::size_t filled = 0;
  while (filled < bytes) {
    const auto count = ::recv(fd_.get(), all.data() + filled, bytes - filled, 0);
    if (count < 0) throw SystemError("receive");
    if (count == 0) throw Error("the stream ended after " + std::to_string(filled) + " bytes");
    filled += static_cast<std::size_t>(count);
  }
  return all;
}

std::string TcpPeer::receive_to_end() {
  std::string all;
  for (;;) {
    const auto some = receive_some();
    if (some.empty()) return all;
    all += some;
  }
}

std::string http_get(std::uint16_t port, std::string_view page) {
  auto peer = TcpPeer::connect(port);
  peer.send("GET " + std::string(page) + " HTTP/1.1\r\nHost: router\r\n\r\n");
  return peer.receive_to_end();
}

std::string name_of(FdView socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)  // NOLINT
    throw SystemError("ask a socket for its name");
  return "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

std::string TcpPeer::name() const { return name_of(fd_); }

void TcpPeer::finish() { ::shutdown(fd_.get(), SHUT_WR); }

void TcpPeer::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  if (closing_) closing_();
  fd_.reset();
}

std::string TcpPeer::wait_for_end() {
  try {
    receive_to_end();
    return "closed";
  } catch (const SystemError& error) {
    if (error.error() != ECONNRESET) throw;
    return "reset";
  }
}

Fd listen_on(std::uint16_t port) {
  auto listening = new_socket();
  const int on = 1;
  ::setsockopt(listening.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto address = loopback(port);
  if (::bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||  // NOLINT
      ::listen(listening.get(), SOMAXCONN) != 0)
    throw SystemError("listen", "127.0.0.1:" + std::to_string(port));
  return listening;
}

struct TcpService::State {
  Fd listening;
  Handler handler;
  std::atomic<bool> ends = false;
  std::mutex mutex;
  std::vector<std::thread> threads;  // guarded by mutex
  std::set<int> fds;                 // guarded by mutex; open ones
  std::atomic<std::size_t> connections = 0;
  std::thread acceptor;

  void serve(int fd) {
    TcpPeer peer(Fd(fd), [this, fd] {
      const std::lock_guard lock(mutex);
      fds.erase(fd);
    });
    try {
      handler(peer);
    } catch (const Error&) {
      // The connection broke: what the test is about is seen at its other end.
    }
  }

  void accept() {
    for (;;) {
      const int fd = ::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++connections;
      const std::lock_guard lock(mutex);
      fds.insert(fd);
      threads.emplace_back([this, fd] { serve(fd); });
    }
  }
};

TcpService::TcpService(std::uint16_t port, Handler handler) : state_(std::make_unique<State>()) {
  state_->handler = std::move(handler);
  state_->listening = listen_on(port);
  state_->acceptor = std::thread([state = state_.get()] { state->accept(); });
}

TcpService::TcpService(TcpService&&) noexcept = default;

TcpService::~TcpService() {
  if (!state_) return;
  ::shutdown(state_->listening.get(), SHUT_RDWR);
  state_->acceptor.join();
  {
    const std::lock_guard lock(state_->mutex);
    for (const int fd : state_->fds) ::shutdown(fd, SHUT_RDWR);
  }
  for (auto& thread : state_->threads) thread.join();
}

std::size_t TcpService::connections() const { return state_->connections; }

TcpService::Handler TcpService::echo() {
  return [](TcpPeer& peer) {
    for (;;) {
      const auto some = peer.receive_some();
      if (some.empty()) return;
      peer.send(some);
    }
  };
}

TcpService::Handler TcpService::greet(std::string greeting) {
  return [greeting = std::move(greeting)](TcpPeer& peer) { peer.send(greeting); };
}

std::string pattern(std::size_t bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string result;
  result.reserve(bytes + sizeof(std::uint64_t));
  while (result.size() < bytes) {
    const auto word = random();
    result.append(reinterpret_cast<const char*>(&word), sizeof word);  // NOLINT
  }
  result.resize(bytes);
  return result;
}

}  // namespace knetsim::skupper
