#include "host_ports.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "knetsim/sys/error.h"
#include "knetsim/sys/text.h"

namespace knetsim::cli {

namespace {

InputError refused(std::string_view option, std::string_view value, std::string_view why, std::string_view remedy) {
  return InputError(fmt::format("{} {}: {}\n  remedy: {}", option, excerpt(value), why, remedy));
}

std::optional<std::uint16_t> port_in(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), port);
  return code == std::errc{} && end == text.data() + text.size() ? std::optional(port) : std::nullopt;
}

struct Place {
  Address address;
  std::uint16_t port;
};

Place place_in(const std::string& text) {
  constexpr std::string_view kRemedy = "as --api 127.0.0.1:0, which takes any port that is free";
  const auto colon = text.rfind(':');
  auto host = text.substr(0, std::min(colon, text.size()));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto port = colon == std::string::npos ? std::nullopt : port_in(std::string_view(text).substr(colon + 1));
  if (!port) throw refused("--api", text, "it isn't ADDRESS:PORT", kRemedy);
  try {
    const auto address = parse_address(host);
    if (!address.is_loopback())
      throw refused("--api", text, "other machines could reach it there", "give an address of loopback, as 127.0.0.1");
    return {address, *port};
  } catch (const InputError&) {
    if (boost::system::error_code error; boost::asio::ip::make_address(host, error), !error) throw;
    throw refused("--api", text, "it isn't ADDRESS:PORT", kRemedy);
  }
}

Fd listen_on(const Place& place, std::string_view option, std::string_view value) {
  sockaddr_storage address{};
  socklen_t size = 0;
  if (place.address.is_v6()) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(place.port);
    const auto bytes = place.address.to_v6().to_bytes();
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<unsigned char*>(&v6.sin6_addr));
    size = sizeof v6;
  } else {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(place.port);
    v4.sin_addr.s_addr = htonl(place.address.to_v4().to_uint());
    size = sizeof v4;
  }
  Fd socket(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (socket && ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
      ::listen(socket.get(), SOMAXCONN) == 0)
    return socket;
  throw refused(option, value,
                fmt::format("can't listen on {} port {}: {}", place.address.to_string(), place.port, errno_text(errno)),
                "choose another port of the host's");
}

std::uint16_t port_of(FdView socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw SystemError("ask for the port of a socket");
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace

HostPorts HostPorts::open(const HostPortOptions& options, const Topology& topology) {
  HostPorts ports;
  if (!options.api.empty()) {
    auto place = place_in(options.api);
    for (const auto& cluster : topology.clusters) {
      if (!offers_api(cluster)) continue;
      auto listener = listen_on(place, "--api", options.api);
      const auto host = place.address.is_v6() ? "[" + place.address.to_string() + "]" : place.address.to_string();
      const auto url = fmt::format("https://{}:{}", host, port_of(listener));
      ports.apis_.push_back({cluster.name, std::move(listener), url});
      if (place.port != 0) ++place.port;  // the next cluster's
    }
    if (ports.apis_.empty())
      throw refused("--api", options.api, "no cluster of this network has a Kubernetes API",
                    "add \"etcd\" to one in the topology");
  }
  for (const auto& text : options.publish) {
    constexpr std::string_view kRemedy = "as --publish 8080:30080, or 8080:C1:30080 for another cluster than the first";
    const auto first = text.find(':');
    const auto last = text.rfind(':');
    const auto host = first == std::string::npos ? std::nullopt : port_in(std::string_view(text).substr(0, first));
    const auto node = first == std::string::npos ? std::nullopt : port_in(std::string_view(text).substr(last + 1));
    if (!host || !node || *node == 0) throw refused("--publish", text, "it isn't HOSTPORT:NODEPORT", kRemedy);
    const auto wanted = first == last ? std::string() : text.substr(first + 1, last - first - 1);
    const auto cluster = std::ranges::find_if(topology.clusters, [&](const ClusterSpec& one) {
      return !one.workers.empty() && (first == last || one.name == wanted);
    });
    if (cluster == topology.clusters.end())
      throw refused("--publish", text, "there is no such cluster with a worker", kRemedy);
    ports.published_.push_back(
        {cluster->name, listen_on({boost::asio::ip::address_v4::loopback(), *host}, "--publish", text), *node});
  }
  return ports;
}

void HostPorts::hand_over_apis(Emulation& emulation) {
  for (auto& api : apis_) emulation.cluster(api.cluster).serve_api_on(std::move(api.listener));
}

std::vector<KubeContext> HostPorts::contexts() const {
  std::vector<KubeContext> contexts;
  for (const auto& api : apis_) contexts.push_back({api.cluster, api.url});
  return contexts;
}

void HostPorts::publish(Emulation& emulation) {
  for (auto& one : published_)
    emulation.publish(std::move(one.listener), *emulation.cluster(one.cluster).workers().front(), one.node_port);
  published_.clear();
}

}  // namespace knetsim::cli
