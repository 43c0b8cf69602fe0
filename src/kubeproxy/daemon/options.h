#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/apiserver/access.h"
#include "knetsim/sys/network.h"

namespace knetsim::kubeproxy {

enum class LocalDetection { none, cluster_cidr, node_cidr, bridge };

/// What the program is told on its command line. Names and meaning are kube-proxy's where it has them.
struct DaemonOptions {
  std::string master = "http://127.0.0.1:8001";
  std::string kubeconfig = {};    ///< in place of `master`
  apiserver::Access access = {};  ///< what one of the two says
  std::string node;               ///< --hostname-override; empty: the host's name in lower case
  std::string netns;              ///< whose packets it directs; empty: its own
  LocalDetection detection = LocalDetection::none;
  std::vector<Network> cluster_networks = {};
  std::string pod_bridge = {};
  std::vector<Network> service_networks = {};
  /// NodePorts are served on the node's addresses in these; none: on the node's primary address of each family.
  std::vector<Network> node_port_networks = {};
  bool masquerade_all = false;
  bool external_ips = true;
  std::optional<boost::asio::ip::tcp::endpoint> healthz;
  std::optional<boost::asio::ip::tcp::endpoint> metrics;
  bool cleanup = false;
  int verbosity = 0;
};

enum class DaemonRequest { run, help, version };

struct DaemonCommandLine {
  DaemonRequest request = DaemonRequest::run;
  DaemonOptions options;
  std::string text;  ///< of help and version
};

/// Throws InputError naming flag, value and remedy.
DaemonCommandLine parse_daemon_command_line(const std::vector<std::string>& arguments);

}  // namespace knetsim::kubeproxy
