#include "knetsim/cni/pod_lease.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "knetsim/sys/error.h"

namespace knetsim::cni {

namespace {

InputError refusal(std::string_view where, const std::string& answer) {
  return InputError(describe({.tried = fmt::format("use {}", where),
                              .answer = answer,
                              .remedy = "start a flannel daemon on this worker and wait for that file"}));
}

template <typename T>
const T& require(const std::optional<T>& value, std::string_view key, std::string_view where) {
  if (!value) throw refusal(where, fmt::format("{} is missing", key));
  return *value;
}

}  // namespace

PodLease pod_lease_of(const flannel::SubnetEnv& env, std::string_view where) {
  PodLease lease{.networks = env.networks, .subnets = {}};
  lease.networks.insert(lease.networks.end(), env.ipv6_networks.begin(), env.ipv6_networks.end());
  for (const auto& subnet : {env.subnet, env.ipv6_subnet})
    if (subnet) lease.subnets.push_back(canonical(*subnet));
  // The real plugin asks for one of either family, and not for a pair.
  if (lease.networks.empty()) throw refusal(where, "FLANNEL_NETWORK and FLANNEL_IPV6_NETWORK are missing");
  if (lease.subnets.empty()) throw refusal(where, "FLANNEL_SUBNET and FLANNEL_IPV6_SUBNET are missing");
  lease.mtu = require(env.mtu, "FLANNEL_MTU", where);
  lease.ip_masq = require(env.ip_masq, "FLANNEL_IPMASQ", where);
  return lease;
}

PodLease read_pod_lease(const std::filesystem::path& subnet_env) {
  try {
    return pod_lease_of(flannel::read_subnet_env(subnet_env), subnet_env.string());
  } catch (const SystemError& error) {
    throw refusal(subnet_env.string(), errno_text(error.error()));
  }
}

}  // namespace knetsim::cni
