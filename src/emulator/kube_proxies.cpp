#include "kube_proxies.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "knetsim/flannel/config.h"
#include "knetsim/kube/allocate.h"
#include "knetsim/parts/launcher.h"
#include "kube_objects.h"

namespace knetsim {

std::vector<Network> pod_networks(const ClusterSpec& spec) {
  std::vector<Network> networks;
  if (spec.flannel) {
    const auto config = flannel::parse_config(spec.flannel->config);
    for (const auto& range : {config.v4, config.v6})
      if (range) networks.push_back(range->network);
  }
  for (const auto& worker : spec.workers)
    for (const auto& subnet : worker.pod_subnets) networks.push_back(canonical(subnet));
  return networks;
}

std::vector<std::string> kube_proxy_arguments(parts::Flavour flavour, const std::string& node, const ClusterSpec& spec,
                                              const std::filesystem::path& kubeconfig) {
  std::vector<std::string> pods;
  for (const auto& network : pod_networks(spec)) pods.push_back(to_string(network));
  std::vector<std::string> arguments{"--kubeconfig=" + kubeconfig.string(), "--hostname-override=" + kube_name(node),
                                     "--proxy-mode=nftables"};
  if (!pods.empty()) arguments.push_back(fmt::format("--cluster-cidr={}", fmt::join(pods, ",")));
  if (flavour == parts::Flavour::real)
    for (const char* setting : {"max-per-core=0", "min=0", "tcp-timeout-established=0s", "tcp-timeout-close-wait=0s"})
      arguments.push_back(fmt::format("--conntrack-{}", setting));
  else
    arguments.push_back(fmt::format("--service-cluster-ip-range={}", to_string(Network(kube::ServiceRanges{}.ipv4))));
  return arguments;
}

Daemon start_kube_proxy(const Worker& worker, const ClusterSpec& spec, const parts::Program& program,
                        const std::filesystem::path& kubeconfig) {
  const auto arguments = kube_proxy_arguments(program.flavour, worker.name(), spec, kubeconfig);
  const auto launch = [program, arguments, netns = &worker.netns(), directory = worker.directory()] {
    return std::make_shared<Process>(parts::launch({.program = program,
                                                    .arguments = arguments,
                                                    .netns = netns,
                                                    .directory = directory,
                                                    .log = directory / "kube-proxy.log"}));
  };
  auto running = launch();
  return {worker.name() + " kube-proxy", std::move(running), launch};
}

}  // namespace knetsim
