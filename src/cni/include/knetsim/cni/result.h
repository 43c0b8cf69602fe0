#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/sys/network.h"

namespace knetsim::cni {

struct Interface {
  std::string name;
  std::string mac = {};
  std::string sandbox = {};  ///< the container's namespace path; empty: on the worker
  // Since 1.1.0:
  std::optional<std::uint32_t> mtu = {};
  std::string socket_path = {};  ///< of a userspace device
  std::string pci_id = {};       ///< of a device handed through

  bool operator==(const Interface&) const = default;
};

struct IpConfig {
  Network address;  ///< host bits kept: 11.13.0.2/20
  std::optional<Address> gateway = {};
  std::optional<std::size_t> interface = {};  ///< which of Result::interfaces has it

  bool operator==(const IpConfig&) const = default;
};

struct ResultRoute {
  Network destination;
  std::optional<Address> gateway = {};
  // Since 1.1.0:
  std::optional<std::uint32_t> mtu = {};
  std::optional<std::uint32_t> advmss = {};
  std::optional<std::uint32_t> priority = {};
  std::optional<std::uint32_t> table = {};
  std::optional<std::uint32_t> scope = {};  ///< as rtnetlink(7) numbers them: 0 global, 253 link, 254 host

  bool operator==(const ResultRoute&) const = default;
};

struct Dns {
  std::vector<std::string> nameservers;
  std::string domain;
  std::vector<std::string> search;
  std::vector<std::string> options;

  bool operator==(const Dns&) const = default;
};

/// What ADD has done, in the shape of CNI 1.1.0 ("Success"), whichever version the plugin spoke.
struct Result {
  std::string cni_version;  ///< what to_json() spells it as
  std::vector<Interface> interfaces = {};
  std::vector<IpConfig> ips = {};
  std::vector<ResultRoute> routes = {};
  Dns dns = {};

  /// The container's own addresses, in the result's order.
  std::vector<Address> addresses() const;
  /// The worker's end of the container's link ("veth1a2b3c4d"): the interface outside that isn't the bridge; empty if
  /// the result names none.
  std::string host_interface(std::string_view bridge = "cni0") const;

  bool operator==(const Result&) const = default;
};

/// From a plugin's stdout, of any version that is supported; one that doesn't say which is of version `asked`. Throws
/// InputError saying what is wrong with it.
Result parse_result(std::string_view json, std::string_view asked = "1.1.0");
/// As the result's own cni_version spells it: before 0.3.0 "ip4" and "ip6" with the first address of a family and its
/// routes, up to 0.4.0 "version" in each of the ips. What that version has no word for is left out. Throws InputError
/// for a result without address before 0.3.0.
std::string to_json(const Result& result);

}  // namespace knetsim::cni
