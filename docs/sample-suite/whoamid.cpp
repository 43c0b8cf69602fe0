// whoamid PORT: tells each client by which address it is seen here. Over TCP it sends a line and closes; over UDP it
// answers each datagram with a line. IPv4.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

int bound_socket(int type, unsigned short port) {
  const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) {
    std::perror("whoamid");
    std::exit(1);
  }
  return fd;
}

std::string line_about(const sockaddr_in& client) {
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, &client.sin_addr, text.data(), text.size());
  return std::string(text.data()) + "\n";
}

void serve_tcp(int listener) {
  sockaddr_in client{};
  socklen_t size = sizeof client;
  const int connection = ::accept4(listener, reinterpret_cast<sockaddr*>(&client), &size, SOCK_CLOEXEC);
  if (connection < 0) return;
  const auto line = line_about(client);
  ::send(connection, line.data(), line.size(), MSG_NOSIGNAL);
  ::close(connection);
}

void serve_udp(int socket) {
  sockaddr_in client{};
  socklen_t size = sizeof client;
  std::array<char, 2048> datagram{};
  if (::recvfrom(socket, datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&client), &size) < 0) return;
  const auto line = line_about(client);
  ::sendto(socket, line.data(), line.size(), 0, reinterpret_cast<const sockaddr*>(&client), size);
}

}  // namespace

int main(int argc, char** argv) {
  const int port = argc == 2 ? std::atoi(argv[1]) : 0;
  if (port < 1 || port > 65535) {
    std::fputs("usage: whoamid PORT\n", stderr);
    return 2;
  }
  const int tcp = bound_socket(SOCK_STREAM, static_cast<unsigned short>(port));
  const int udp = bound_socket(SOCK_DGRAM, static_cast<unsigned short>(port));
  if (::listen(tcp, SOMAXCONN) != 0) {
    std::perror("whoamid");
    return 1;
  }
  for (;;) {
    std::array<pollfd, 2> ready{{{tcp, POLLIN, 0}, {udp, POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), -1) < 0) continue;
    if (ready[0].revents != 0) serve_tcp(tcp);
    if (ready[1].revents != 0) serve_udp(udp);
  }
}
