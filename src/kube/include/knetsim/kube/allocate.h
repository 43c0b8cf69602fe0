#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace knetsim::kube {

struct ServiceRanges {
  boost::asio::ip::network_v4 ipv4 = boost::asio::ip::make_network_v4("10.96.0.0/16");
  std::optional<boost::asio::ip::network_v6> ipv6 = {};
  std::uint16_t first_node_port = 30000;
  std::uint16_t last_node_port = 32767;
};

/// What is taken already, by others than the service itself. TCP and UDP don't share node ports.
struct Taken {
  std::function<bool(const boost::asio::ip::address&)> address;
  std::function<bool(std::uint16_t port, const std::string& protocol)> node_port;
};

/// What a service holds.
struct Holdings {
  std::vector<boost::asio::ip::address> addresses;
  std::vector<std::pair<std::uint16_t, std::string>> node_ports;  ///< with protocol; a health check's is TCP
};
Holdings holdings(const nlohmann::json& service);

/// Gives a service what its type needs and it hasn't: clusterIP(s), ipFamilies, node ports, the health check's port.
/// `random` picks where the search for a free one begins. Throws ApiError 422 for what was asked for and is taken or
/// outside the range, 500 where none is left. `old`: what it is to replace, or null.
void allocate(nlohmann::json& service, const nlohmann::json* old, const ServiceRanges& ranges, const Taken& taken,
              const std::function<std::uint64_t()>& random);

}  // namespace knetsim::kube
