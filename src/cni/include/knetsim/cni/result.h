#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/sys/network.h"

namespace knetsim::cni {

struct Interface {
  std::string name;
  std::string mac;
  std::string sandbox;  ///< the container's namespace path; empty: on the worker

  bool operator==(const Interface&) const = default;
};

struct IpConfig {
  Network address;  ///< host bits kept: 11.13.0.2/20
  std::optional<Address> gateway;
  std::optional<std::size_t> interface;  ///< which of Result::interfaces has it

  bool operator==(const IpConfig&) const = default;
};

struct ResultRoute {
  Network destination;
  std::optional<Address> gateway;

  bool operator==(const ResultRoute&) const = default;
};

struct Dns {
  std::vector<std::string> nameservers;
  std::string domain;
  std::vector<std::string> search;
  std::vector<std::string> options;

  bool operator==(const Dns&) const = default;
};

/// What ADD has done, in the shape of CNI 1.0.0 ("Success"), whichever version the plugin spoke.
struct Result {
  std::string cni_version;
  std::vector<Interface> interfaces;
  std::vector<IpConfig> ips;
  std::vector<ResultRoute> routes;
  Dns dns;

  /// The container's own addresses, in the result's order.
  std::vector<Address> addresses() const;
  /// The worker's end of the container's link ("veth1a2b3c4d"): the interface outside that isn't the bridge; empty if
  /// the result names none.
  std::string host_interface(std::string_view bridge = "cni0") const;

  bool operator==(const Result&) const = default;
};

/// From a plugin's stdout; versions 0.3.0 to 1.0.0. Throws InputError saying what is wrong with it.
Result parse_result(std::string_view json);
/// As the result's own cni_version spells it (0.3.x and 0.4.0 have "version" in each of the ips).
std::string to_json(const Result& result);

}  // namespace knetsim::cni
