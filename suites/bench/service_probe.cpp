#include "service_probe.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/route.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/error.h"

namespace knetsim::bench {

namespace {

using boost::asio::ip::tcp;

constexpr timeval kConnectPatience{2, 0};

Fd tcp_socket(const NetNs& netns) {
  Fd fd(netns.run([] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }));
  if (!fd) throw SystemError("make a socket");
  return fd;
}

void set_option(const Fd& fd, int option, const auto& value) {
  if (::setsockopt(fd.get(), SOL_SOCKET, option, &value, sizeof value) != 0) throw SystemError("set a socket's option");
}

}  // namespace

ServiceProbe::ServiceProbe() : netns_(NetNs::create()) {
  netlink::Socket socket(netns_);
  const auto lo = netlink::get_link(socket, "lo").index;
  // All of a network that the loopback has an address of is local.
  netlink::add_address(socket, lo, {.address = parse_network("11.0.0.1/8")});
  netlink::add_route(socket, {.destination = parse_network("10.96.0.0/16"), .interface = lo});
  listener_ = tcp_socket(netns_);
  const tcp::endpoint everywhere(tcp::v4(), kEndpointPort);
  if (::bind(listener_.get(), everywhere.data(), static_cast<socklen_t>(everywhere.size())) != 0 ||
      ::listen(listener_.get(), 16) != 0)
    throw SystemError("listen for connections");
  set_option(listener_, SO_RCVTIMEO, kConnectPatience);
}

Address ServiceProbe::service(std::uint32_t number) {
  static const auto first = parse_address("10.96.1.0");
  return advance(first, number);
}

Address ServiceProbe::endpoint(std::uint32_t service, std::uint32_t number) {
  static const auto first = parse_address("11.1.0.1");
  return advance(first, kEndpoints * service + number);
}

std::string ServiceProbe::node(std::uint32_t service, std::uint32_t number) {
  return fmt::format("node-{}", (service + number) % 100);
}

double ServiceProbe::connect(std::uint32_t service) const {
  const tcp::endpoint to(ServiceProbe::service(service), kServicePort);
  const Fd client = tcp_socket(netns_);
  set_option(client, SO_SNDTIMEO, kConnectPatience);
  set_option(client, SO_LINGER, linger{1, 0});  // nobody waits for stray segments
  const auto begin = std::chrono::steady_clock::now();
  const int result = ::connect(client.get(), to.data(), static_cast<socklen_t>(to.size()));
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
  if (result != 0) throw SystemError(fmt::format("connect to service {} ({})", service, to.address().to_string()));
  const Fd server(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!server) throw SystemError("accept a connection");
  set_option(server, SO_LINGER, linger{1, 0});
  tcp::endpoint by;
  auto size = static_cast<socklen_t>(by.capacity());
  if (::getsockname(server.get(), by.data(), &size) != 0) throw SystemError("ask who has answered");
  for (std::uint32_t i = 0; i < kEndpoints; ++i)
    if (by.address() == endpoint(service, i)) return took.count();
  throw Error(
      fmt::format("service {} was answered by {}, which is none of its own", service, by.address().to_string()));
}

void ServiceProbe::require_answers(std::uint32_t services) const {
  for (const auto number : {0U, services / 2, services - 1}) connect(number);
}

}  // namespace knetsim::bench
