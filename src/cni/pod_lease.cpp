#include "knetsim/cni/pod_lease.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "knetsim/sys/error.h"

namespace knetsim::cni {

namespace {

InputError refusal(std::string_view where, const std::string& answer) {
  return InputError(describe({.where = {},
                              .tried = fmt::format("use {}", where),
                              .answer = answer,
                              .remedy = "start a flannel daemon on this worker and wait for that file"}));
}

template <typename T>
const T& require(const std::optional<T>& value, std::string_view key, std::string_view where) {
  if (!value) throw refusal(where, fmt::format("{} is missing", key));
  return *value;
}

Network require_family(const std::optional<Network>& value, std::string_view key, bool v6, std::string_view where) {
  const auto& network = require(value, key, where);
  if (is_v6(network) != v6)
    throw refusal(where, fmt::format("{}: {} is of the other address family", key, knetsim::to_string(network)));
  return canonical(network);
}

}  // namespace

PodLease pod_lease_of(const flannel::SubnetEnv& env, std::string_view where) {
  PodLease lease;
  if (env.network || env.subnet)
    lease.subnets.push_back({.network = require_family(env.network, "FLANNEL_NETWORK", false, where),
                             .subnet = require_family(env.subnet, "FLANNEL_SUBNET", false, where)});
  if (env.ipv6_network || env.ipv6_subnet)
    lease.subnets.push_back({.network = require_family(env.ipv6_network, "FLANNEL_IPV6_NETWORK", true, where),
                             .subnet = require_family(env.ipv6_subnet, "FLANNEL_IPV6_SUBNET", true, where)});
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
