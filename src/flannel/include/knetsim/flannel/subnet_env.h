#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "knetsim/sys/network.h"

namespace knetsim::flannel {

/// What the daemon tells the CNI plugin on its node (flannel's pkg/subnet/subnet.go: WriteSubnetFile).
struct SubnetEnv {
  std::optional<Network> network;  ///< FLANNEL_NETWORK
  std::optional<Network> subnet;   ///< FLANNEL_SUBNET: the subnet's first address and its length, "10.5.52.1/24"
  std::optional<Network> ipv6_network;
  std::optional<Network> ipv6_subnet;
  std::optional<unsigned> mtu;  ///< FLANNEL_MTU
  std::optional<bool> ip_masq;  ///< FLANNEL_IPMASQ: the daemon masquerades
  bool operator==(const SubnetEnv&) const = default;
};

std::string to_text(const SubnetEnv& env);
/// Ignores lines that it doesn't know. Throws InputError naming the line that can't be read.
SubnetEnv parse_subnet_env(std::string_view text);

/// Throws SystemError (ENOENT) or InputError naming the file.
SubnetEnv read_subnet_env(const std::filesystem::path& path);
/// Makes the directory if need be; atomic; mode 0644.
void write_subnet_env(const std::filesystem::path& path, const SubnetEnv& env);

}  // namespace knetsim::flannel
