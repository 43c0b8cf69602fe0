#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/sys/network.h"

namespace knetsim::flannel {

/// What the daemon tells the CNI plugin on its node (flannel's pkg/subnet/subnet.go: WriteSubnetFile).
struct SubnetEnv {
  std::vector<Network> networks =
      {};  ///< FLANNEL_NETWORK, separated by commas; flannel's releases of 2023 wrote several
  std::optional<Network> subnet = {};  ///< FLANNEL_SUBNET: the subnet's first address and its length, "10.5.52.1/24"
  std::vector<Network> ipv6_networks = {};
  std::optional<Network> ipv6_subnet = {};
  std::optional<unsigned> mtu = {};  ///< FLANNEL_MTU
  std::optional<bool> ip_masq = {};  ///< FLANNEL_IPMASQ: the daemon masquerades
  bool operator==(const SubnetEnv&) const = default;
};

std::string to_text(const SubnetEnv& env);
/// As the real plugin's reader does (cni-plugin, loadFlannelSubnetEnv): lines that it doesn't know are skipped, the
/// last of a key counts, no blanks are trimmed but a line's CR, doubled networks are one, FLANNEL_IPMASQ is true only
/// if it says so. Throws InputError naming the line that can't be read.
SubnetEnv parse_subnet_env(std::string_view text);

/// Throws SystemError (ENOENT) or InputError naming the file.
SubnetEnv read_subnet_env(const std::filesystem::path& path);
/// Makes the directory if need be; atomic; mode 0644.
void write_subnet_env(const std::filesystem::path& path, const SubnetEnv& env);

}  // namespace knetsim::flannel
