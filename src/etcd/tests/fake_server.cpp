#include "fake_server.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "knetsim/sys/error.h"

namespace knetsim::etcd::test {
namespace {

constexpr int kBacklog = 16;

/// One request: its head, and as much of its body as the head announces.
std::string read_request(int fd) {
  std::string request;
  char buffer[4096];
  std::size_t whole = std::string::npos;
  while (request.size() < whole) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got <= 0) break;
    request.append(buffer, static_cast<std::size_t>(got));
    const auto head = request.find("\r\n\r\n");
    if (head == std::string::npos) continue;
    const auto length = request.find("Content-Length: ");
    whole = head + 4 + (length < head ? std::strtoul(request.c_str() + length + 16, nullptr, 10) : 0);
  }
  return request;
}

}  // namespace

FakeServer::FakeServer(const NetNs& netns, std::vector<Reply> replies)
    : replies_(std::move(replies)), stop_(Pipe::create()) {
  listener_ = Fd(netns.run([] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  if (::bind(listener_.get(), generic, length) != 0 || ::listen(listener_.get(), kBacklog) != 0 ||
      ::getsockname(listener_.get(), generic, &length) != 0) {
    throw SystemError("listen on 127.0.0.1");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

FakeServer::~FakeServer() {
  stop_.write.reset();
  thread_.join();
}

std::vector<std::string> FakeServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void FakeServer::serve() {
  for (std::size_t i = 0;; ++i) {
    pollfd events[] = {{listener_.get(), POLLIN, 0}, {stop_.read.get(), POLLIN, 0}};
    ::poll(events, 2, -1);
    if (events[1].revents != 0) return;
    Fd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) continue;
    answer(std::move(connection), replies_[std::min(i, replies_.size() - 1)]);
    ++answered_;
  }
}

void FakeServer::answer(Fd connection, const Reply& reply) {
  std::string request = read_request(connection.get());
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
  }
  const int on = 1;
  ::setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  for (const std::string& piece : reply.pieces) {
    if (::send(connection.get(), piece.data(), piece.size(), MSG_NOSIGNAL) < 0) return;
  }
  if (reply.then == Reply::Then::reset) {
    const linger at_once{1, 0};
    ::setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  if (reply.then == Reply::Then::hold) held_.push_back(std::move(connection));
}

std::string http_answer(int status, const std::string& body) {
  return fmt::format("HTTP/1.1 {} Whatever\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", status,
                     body.size(), body);
}

std::string chunked_head() {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
}

std::string chunk(const std::string& data) { return fmt::format("{:x}\r\n{}\r\n", data.size(), data); }

}  // namespace knetsim::etcd::test
