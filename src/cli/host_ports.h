#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/emulator/emulation.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/network.h"

namespace knetsim::cli {

/// Ports of the host that lead into a lab, all of them on its loopback.
struct HostPortOptions {
  std::string api;                   ///< "127.0.0.1:0": where the Kubernetes APIs are offered; empty: nowhere
  std::vector<std::string> publish;  ///< "8080:30080", "8080:C1:30080"
};

/// They are opened before the sandbox is entered, and stay the host's.
class HostPorts {
 public:
  /// Throws InputError naming option, value and remedy: of what can't be read, isn't loopback or is taken, of a cluster
  /// that there isn't.
  static HostPorts open(const HostPortOptions& options, const Topology& topology);

  bool any_api() const noexcept { return !apis_.empty(); }
  /// Between the emulation's two steps.
  void hand_over_apis(Emulation& emulation);
  /// Of the APIs, for a kubeconfig on the host.
  std::vector<KubeContext> contexts() const;
  /// Lets the published ones lead to the first workers' ports, as long as the emulation stands.
  void publish(Emulation& emulation);

 private:
  struct Api {
    std::string cluster;
    Fd listener;
    std::string url;
  };
  struct Published {
    std::string cluster;
    Fd listener;
    std::uint16_t node_port;
  };

  std::vector<Api> apis_;
  std::vector<Published> published_;
};

}  // namespace knetsim::cli
