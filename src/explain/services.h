#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "judge.h"
#include "knetsim/emulator/emulation.h"
#include "knetsim/explain/explanation.h"
#include "knetsim/kubeproxy/services.h"
#include "knetsim/kubeproxy/vip.h"

namespace knetsim::explain {

/// A Service of a cluster's Kubernetes API and who stands behind it, as the API has it.
struct KnownService {
  struct Port {
    std::string name;
    Protocol protocol = Protocol::tcp;
    std::uint16_t port = 0;
    std::uint16_t node_port = 0;   ///< 0: none
    std::string target_port = {};  ///< as it is written: "8080", "http"
  };
  struct Endpoint {
    Address address;
    std::uint16_t port = 0;
    bool ready = true;
    std::string node = {};
  };

  std::string name;                     ///< "default/web"
  std::string context = {};             ///< what kubectl is to be told of the cluster: "--context C1 "; empty: nothing
  std::vector<Address> addresses = {};  ///< of all kinds
  std::vector<Port> ports = {};
  std::vector<Network> source_ranges = {};
  std::string selector = {};  ///< "app=web"; empty: none
  std::size_t selected = 0;   ///< how many Pods that is, of
  std::size_t pods = 0;       ///< all in the namespace
  std::vector<std::string> slices = {};
  std::vector<Endpoint> endpoints = {};  ///< of all ports

  bool has_address(const Address& address) const;
  /// nullptr: it has no such port.
  const Port* port_at(Protocol protocol, std::uint16_t port, bool node_port) const;
};

/// "default/web, port 80 (http)"
std::string to_string(const KnownService& service, const KnownService::Port* port);

/// "Service default/web, port 80 (http): 2 of 3 endpoints are ready"
std::string summary_of(const KnownService& service, const Question& question);

// Of the source's own cluster. One whose API nobody has asked for yet has none. These throw Error if it doesn't answer.

/// Whether this is how Services are called: "svc/web", "web.default", "web.default.svc"; where no API is, the first.
/// nullopt: it isn't, or, where it needn't be one, there is none. Throws InputError if there is none of that name, or
/// none with an address of its own.
std::optional<KnownService> service_named(Emulation& emulation, const std::string& from, std::string_view name);
/// The one whose address and port this is, or the NodePort of a node; nullopt: nobody's.
std::optional<KnownService> service_at(Emulation& emulation, const Question& question, bool of_node);
/// Whether the source's cluster has an API that may be asked.
bool has_services(Emulation& emulation, const std::string& from);

/// In service_causes.cpp. Says of a packet that was lost in the turn of a container that is gone whose turn that was,
/// and how the virtual address is given those that are there; leaves other causes as they are. `turn`: where it was
/// sent.
void tell_of_vip(Cause& cause, const kubeproxy::Vip& vip, const Address& turn, const Owners& owners);

/// In service_causes.cpp. Says of a loss what a Service has to do with it: whose the rule is, what is missing, and how
/// it is put right. Where no Service is known, that the address is nobody's. `dropping` is the rule that dropped it;
/// nullptr: none did.
void tell_of_service(Cause& cause, const KnownService* service, const Question& question, const Step* dropping,
                     const PlaceFacts& there);

}  // namespace knetsim::explain
