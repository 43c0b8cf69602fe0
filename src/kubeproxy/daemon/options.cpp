#include "options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/algorithm/string/case_conv.hpp>
#include <boost/asio/ip/host_name.hpp>
#include <charconv>

#include "knetsim/sys/error.h"
#include "knetsim/sys/text.h"

namespace knetsim::kubeproxy {

using boost::asio::ip::tcp;

namespace {

/// "10.0.0.1:80", "[::1]:80", ":80" (any address), "none" (nowhere)
std::optional<tcp::endpoint> endpoint_of(std::string_view text, const char* flag, std::string_view example) {
  if (text.empty() || text == "none") return std::nullopt;
  const InputError refusal(
      fmt::format("invalid value {} for {}: give ADDRESS:PORT, as in {}", excerpt(text), flag, example));
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) throw refusal;
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (code != std::errc{} || end != digits.data() + digits.size()) throw refusal;
  try {
    return tcp::endpoint(parse_address(host.empty() ? "0.0.0.0" : host), port);
  } catch (const InputError&) {
    throw refusal;
  }
}

/// "http://127.0.0.1:8001", "http://[::1]:8001/"
tcp::endpoint api_server_of(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  constexpr auto kExample = "http://127.0.0.1:8001";
  auto rest = url;
  if (!rest.starts_with(kScheme))
    throw InputError(
        fmt::format("invalid value {} for --master: give http://ADDRESS:PORT, as in {}", excerpt(url), kExample));
  rest.remove_prefix(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  try {
    if (const auto endpoint = endpoint_of(rest, "--master", kExample); endpoint && endpoint->port() != 0)
      return *endpoint;
  } catch (const InputError&) {
    // The whole URL is what was given.
  }
  throw InputError(
      fmt::format("invalid value {} for --master: give http://ADDRESS:PORT, as in {}", excerpt(url), kExample));
}

std::vector<Network> networks_of(const std::vector<std::string>& texts, const char* flag) {
  std::vector<Network> networks;
  for (const auto& text : texts) {
    try {
      networks.push_back(canonical(parse_network(text)));
    } catch (const InputError&) {
      throw InputError(
          fmt::format("invalid value {} for {}: give networks, as in 10.0.0.0/8,fd00::/48", excerpt(text), flag));
    }
  }
  return networks;
}

LocalDetection detection_of(const std::string& mode, const DaemonOptions& options) {
  if (mode == "NodeCIDR") return LocalDetection::node_cidr;
  if (mode == "BridgeInterface") {
    if (options.pod_bridge.empty() || options.pod_bridge.size() > 15)
      throw InputError("--detect-local-mode=BridgeInterface needs --pod-bridge-interface, as in cni0");
    return LocalDetection::bridge;
  }
  return options.cluster_networks.empty() ? LocalDetection::none : LocalDetection::cluster_cidr;
}

}  // namespace

DaemonCommandLine parse_daemon_command_line(const std::vector<std::string>& arguments) {
  DaemonCommandLine result;
  auto& options = result.options;
  CLI::App app(
      "knetsim-kube-proxy: directs what is sent to Kubernetes services to their endpoints, by nftables\n\n"
      "As kube-proxy does it in mode nftables, in the tables ip kube-proxy and ip6 kube-proxy, with a layout whose "
      "cost\n"
      "doesn't grow with the number of services.",
      "knetsim-kube-proxy");
  std::string mode = "nftables";
  std::string detection = "ClusterCIDR";
  std::string healthz = "0.0.0.0:10256";
  std::string metrics = "127.0.0.1:10249";
  std::vector<std::string> cluster;
  std::vector<std::string> services;
  std::vector<std::string> node_ports;
  bool version = false;
  auto* const master =
      app.add_option("--master", options.master, "the API server, in plain HTTP (http://127.0.0.1:8001)");
  app.add_option("--kubeconfig", options.kubeconfig,
                 "where the API server is, whom to trust and what to show it, in place of --master")
      ->excludes(master);
  app.add_option("--hostname-override", options.node, "the name of this worker's Node (the host's name)");
  app.add_option("--netns", options.netns,
                 "the network namespace to serve, as in /run/netns/C0w1; the API is asked from its own (its own)");
  app.add_option("--proxy-mode", mode, "nftables: there is no other")->check(CLI::IsMember({"nftables"}));
  app.add_option("--cluster-cidr", cluster, "the pods' networks: who else speaks to a service is masqueraded (none)")
      ->delimiter(',');
  app.add_option("--detect-local-mode", detection,
                 "how pods are told from others: ClusterCIDR, NodeCIDR, BridgeInterface (ClusterCIDR)")
      ->check(CLI::IsMember({"ClusterCIDR", "NodeCIDR", "BridgeInterface"}));
  app.add_option("--pod-bridge-interface", options.pod_bridge, "of BridgeInterface");
  app.add_option("--service-cluster-ip-range", services,
                 "where cluster IPs come from: those that aren't given to a service are dropped (none)")
      ->delimiter(',');
  app.add_option("--nodeport-addresses", node_ports,
                 "NodePorts are served on this node's addresses in these networks, or \"primary\" (primary)")
      ->delimiter(',');
  app.add_flag("--masquerade-all", options.masquerade_all, "masquerade all that speak to cluster IPs");
  app.add_flag("--allow-service-external-ips,!--no-allow-service-external-ips", options.external_ips,
               "serve spec.externalIPs, which Kubernetes deprecates (yes)");
  app.add_option("--healthz-bind-address", healthz, "/healthz and /livez, or \"none\" (0.0.0.0:10256)");
  app.add_option("--metrics-bind-address", metrics, "/metrics and /proxyMode, or \"none\" (127.0.0.1:10249)");
  app.add_flag("--cleanup", options.cleanup, "take the tables away, and end");
  app.add_option("-v,--v", options.verbosity, "1: log every write (0)")->check(CLI::Range(0, 10));
  app.add_flag("--version", version, "print the version");
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    return {.request = DaemonRequest::help, .options = {}, .text = app.help()};
  } catch (const CLI::ParseError& error) {
    throw InputError(fmt::format("{}\n  remedy: knetsim-kube-proxy --help lists what there is", error.what()));
  }
  if (version)
    return {.request = DaemonRequest::version,
            .options = {},
            .text = fmt::format("knetsim-kube-proxy {}\n", KNETSIM_VERSION)};
  options.access = options.kubeconfig.empty() ? apiserver::Access{api_server_of(options.master)}
                                              : apiserver::read_kubeconfig(options.kubeconfig);
  if (options.node.empty()) options.node = boost::algorithm::to_lower_copy(boost::asio::ip::host_name());
  options.cluster_networks = networks_of(cluster, "--cluster-cidr");
  options.service_networks = networks_of(services, "--service-cluster-ip-range");
  std::erase(node_ports, "primary");
  options.node_port_networks = networks_of(node_ports, "--nodeport-addresses");
  options.detection = detection_of(detection, options);
  options.healthz = endpoint_of(healthz, "--healthz-bind-address", "0.0.0.0:10256");
  options.metrics = endpoint_of(metrics, "--metrics-bind-address", "127.0.0.1:10249");
  return result;
}

}  // namespace knetsim::kubeproxy
