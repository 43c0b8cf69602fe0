#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "knetsim/netlink/mac.h"
#include "knetsim/sys/network.h"

namespace knetsim::flannel {

using knetsim::to_string;

/// What a lease is for, and what its key in etcd is named after. At least one is set.
struct LeaseSubnets {
  std::optional<Network> v4;
  std::optional<Network> v6;
  bool operator==(const LeaseSubnets&) const = default;
};

/// "10.5.52.0-24", "10.5.52.0-24&fd00:5::-64"; IPv6 only: "0.0.0.0-0&fd00:5::-64".
std::string key_name(const LeaseSubnets& subnets);
/// The reverse, for the part of a key after the last slash; nullopt if it isn't one. Also takes the form in which the
/// colons are written as dashes.
std::optional<LeaseSubnets> parse_key_name(std::string_view name);

/// For messages: "10.5.52.0/24", "10.5.52.0/24 fd00:5::/64".
std::string to_string(const LeaseSubnets& subnets);

/// A VTEP as a lease's BackendData describes it: {"VNI":1,"VtepMAC":"c6:…"}.
struct VtepData {
  std::uint32_t vni = 0;
  netlink::Mac mac;
  bool operator==(const VtepData&) const = default;
};

/// A lease's value in etcd.
struct LeaseAttributes {
  std::optional<Address> public_ip;
  std::optional<Address> public_ipv6;
  std::string backend_type;
  std::optional<VtepData> vtep;     ///< BackendData
  std::optional<VtepData> vtep_v6;  ///< BackendV6Data
  bool operator==(const LeaseAttributes&) const = default;
};

/// {"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{…}}: the bytes that flanneld
/// writes.
std::string to_json(const LeaseAttributes& attributes);
/// Throws InputError saying what is wrong. BackendData of other backends than vxlan is left out.
LeaseAttributes parse_lease_attributes(std::string_view json);

struct Lease {
  LeaseSubnets subnets;
  LeaseAttributes attributes;
  bool operator==(const Lease&) const = default;
};

}  // namespace knetsim::flannel
