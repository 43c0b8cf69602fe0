#include "tcp_load.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <vector>

#include "harness.h"
#include "knetsim/sys/error.h"

namespace knetsim::bench {

namespace {

using boost::asio::ip::tcp;
using std::chrono::steady_clock;

void no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Fd connect(const tcp::endpoint& to) {
  Fd fd(::socket(to.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), to.data(), static_cast<socklen_t>(to.size())) != 0)
    throw SystemError("connect", to.address().to_string() + ":" + std::to_string(to.port()));
  no_delay(fd.get());
  return fd;
}

void bounce(FdView fd, std::vector<char>& bytes) {
  if (::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
    throw SystemError("send");
  for (std::size_t received = 0; received < bytes.size();) {
    const auto count = ::recv(fd.get(), bytes.data() + received, bytes.size() - received, 0);
    if (count <= 0) throw Error("the echo has closed the connection");
    received += static_cast<std::size_t>(count);
  }
}

}  // namespace

EchoThread::EchoThread(const NetNs& netns, std::uint16_t port)
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), end_(::eventfd(0, EFD_CLOEXEC)) {
  const tcp::endpoint any(tcp::v4(), port);
  netns.run([&] { listening_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); });
  const int on = 1;
  ::setsockopt(listening_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listening_.get(), any.data(), static_cast<socklen_t>(any.size())) != 0 ||
      ::listen(listening_.get(), SOMAXCONN) != 0)
    throw SystemError("listen for the echo");
  for (const int fd : {listening_.get(), end_.get()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }
  thread_ = std::thread([this] { run(); });
}

EchoThread::~EchoThread() {
  const std::uint64_t one = 1;
  if (::write(end_.get(), &one, sizeof one) < 0) std::terminate();
  thread_.join();
}

void EchoThread::run() {
  std::array<char, 64 * 1024> buffer{};
  for (;;) {
    epoll_event event{};
    if (::epoll_wait(epoll_.get(), &event, 1, -1) != 1) continue;
    const int fd = event.data.fd;
    if (fd == end_.get()) return;
    if (fd == listening_.get()) {
      const int accepted = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
      if (accepted < 0) continue;
      no_delay(accepted);
      event.data.fd = accepted;
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, accepted, &event);
      continue;
    }
    const auto count = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (count <= 0 || ::send(fd, buffer.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL) != count) ::close(fd);
  }
}

RoundTrips round_trips(const NetNs& netns, const Address& address, std::uint16_t port, std::size_t bytes, int count) {
  const auto fd = netns.run([&] { return connect({address, port}); });
  std::vector<char> message(bytes, 'x');
  std::vector<double> times;
  for (int i = -count / 10; i < count; ++i) {
    const auto start = steady_clock::now();
    bounce(fd, message);
    if (i >= 0) times.push_back(seconds_since(start));
  }
  std::sort(times.begin(), times.end());
  return {.p50 = times.at(times.size() / 2), .p99 = times.at(times.size() * 99 / 100)};
}

double connections_per_second(const NetNs& netns, const Address& address, std::uint16_t port, int count,
                              std::chrono::seconds limit) {
  std::vector<char> byte(1, 'x');
  const auto start = steady_clock::now();
  int made = 0;
  netns.run([&] {
    for (; made < count && steady_clock::now() - start < limit; ++made) bounce(connect({address, port}), byte);
  });
  return made / seconds_since(start);
}

}  // namespace knetsim::bench
