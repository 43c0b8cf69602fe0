#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/sys/json.h"
#include "knetsim/sys/json_source.h"
#include "knetsim/sys/network.h"

namespace knetsim::flannel {

// Network is an alias of a standard type, so argument-dependent lookup doesn't find its to_string from in here.
using knetsim::to_string;

/// How flannel's values in etcd are read, which takes any up to 1.5 MiB; they have a few hundred bytes: as Go's
/// decoder reads them.
inline constexpr JsonRules kStoredJson{.depth = 64,
                                       .size = 1UL << 20,
                                       .refuse_byte_order_mark = true,
                                       .string = 120,
                                       .null_is_absent = true,
                                       .keys_in_any_case = true};

/// The subnets of one address family that leases are taken from: all of length `subnet_length` from `min` to `max`,
/// both base addresses of a subnet.
struct SubnetRange {
  Network network;
  unsigned subnet_length = 0;
  Address min;
  Address max;
};

enum class BackendType { vxlan, host_gw, alloc };

/// As written in configs and leases: "vxlan", "host-gw", "alloc".
std::string to_string(BackendType type);

struct BackendConfig {
  BackendType type = BackendType::vxlan;
  std::uint32_t vni = 1;
  std::uint16_t port = 0;  ///< 0: the kernel's default, 8472
  unsigned mtu = 0;        ///< of the underlay; 0: that of the external interface
  bool gbp = false;
  bool learning = false;
  bool direct_routing = false;  ///< vxlan: a plain route to nodes that are one hop away
};

/// The network config that flannel keeps in etcd (flannel's Documentation/configuration.md, pkg/subnet/config.go).
struct Config {
  std::optional<SubnetRange> v4;  ///< set if EnableIPv4 (the default)
  std::optional<SubnetRange> v6;  ///< set if EnableIPv6
  BackendConfig backend;
  bool nftables = false;  ///< EnableNFTables: rules in nft tables of flannel's own, not in iptables' chains
  std::vector<JsonComplaint> remarks = {};  ///< of members that flannel ignores
};

/// A config that flannel can read, with a backend that isn't there or can't work so: a daemon ends with it, where it
/// waits for any other config to be mended.
class BackendError : public JsonError {
 public:
  explicit BackendError(const JsonError& error) : JsonError(error) {}
};

/// Reads and checks a config, with flannel's defaults and flannel's words for what is wrong; like flannel, it accepts
/// keys, and the backend's type, in any case and ignores unknown ones. Throws InputError, JsonError if it is JSON.
Config parse_config(std::string_view json);

/// "flannel.1", or "flannel-v6.1" for the IPv6 network.
std::string vxlan_link_name(std::uint32_t vni, bool v6);

/// The first `limit` subnets of the range that overlap none of `taken`, in order.
std::vector<Network> free_subnets(const SubnetRange& range, const std::vector<Network>& taken, std::size_t limit = 100);

/// Whether `subnet` is one of the range's: its length, on its boundary, between min and max.
bool fits(const SubnetRange& range, const Network& subnet);

/// How many subnets of the range come before `subnet`, which fits.
std::size_t ordinal(const SubnetRange& range, const Network& subnet);

}  // namespace knetsim::flannel
