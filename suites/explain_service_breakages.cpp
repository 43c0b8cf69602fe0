// Services of Kubernetes that are broken: they need an API, a proxy on each worker, and time to write.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "explain_breakages.h"
#include "knetsim/apiserver/client.h"
#include "knetsim/emulator/cluster_api.h"
#include "knetsim/nft/ruleset.h"
#include "knetsim/sys/eventually.h"

namespace knetsim::suites {

namespace {

using explain::Disposition;
using explain::Protocol;
using nlohmann::json;

constexpr std::uint16_t kServicePort = 80;
constexpr const char* kServicesPath = "/api/v1/namespaces/default/services";
constexpr const char* kSlicesPath = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
constexpr const char* kMergePatch = "application/merge-patch+json";

apiserver::Client api() { return {parse_address("127.0.0.1"), ClusterApi::port_of(0)}; }

/// Until the worker's kernel has something of this Service in this set.
void wait_for(const Worker& worker, const std::string& set, const std::string& name) {
  eventually([&]() -> std::optional<std::string> {
    try {
      for (const auto& one : nft::list_elements(worker.netns(), {{nft::Family::ip, "kube-proxy"}, set}))
        if (one.comment.starts_with("default/" + name)) return std::nullopt;
    } catch (const nft::Error&) {
      // The proxy hasn't made its table yet.
    }
    return fmt::format("{} of {} in {}", name, worker.name(), set);
  });
}

/// A Service with an endpoint that no controller wrote: the scene's server. What is asked is its address.
void make_service(Scene& scene, const std::string& name, const json& spec, bool ready = true) {
  scene.emulation.start_apis();
  auto client = api();
  json service{{"metadata", {{"name", name}}}};
  service["spec"] = spec;
  service["spec"]["ports"] = json::array({json{{"port", kServicePort}, {"targetPort", scene.served}}});
  const auto made = client.must("POST", kServicesPath, service).body;
  const json endpoint{{"addresses", json::array({scene.server.address().to_string()})},
                      {"nodeName", scene.far.name()},
                      {"conditions", {{"ready", ready}}}};
  client.must("POST", kSlicesPath,
              {{"metadata", {{"name", name + "-1"}, {"labels", {{"kubernetes.io/service-name", name}}}}},
               {"addressType", "IPv4"},
               {"endpoints", json::array({endpoint})},
               {"ports", json::array({json{{"name", ""}, {"protocol", "TCP"}, {"port", scene.served}}})}});
  scene.target = parse_address(made["spec"]["clusterIP"].get<std::string>());
  scene.port = kServicePort;
}

void change_service(const json& patch, const std::string& part = "") {
  api().must("PATCH", fmt::format("{}/web{}", kServicesPath, part), patch, kMergePatch);
}

void kill_proxy(Scene& scene) {
  auto& proxy = *scene.emulation.cluster("C0").kube_proxy(scene.near);
  proxy.expect_end();
  proxy.kill();
}

}  // namespace

std::vector<Breakage> service_breakages() {
  const std::vector<Protocol> tcp{Protocol::tcp};
  return {
      {"AServiceOfWhichNoEndpointIsReady", "1", Disposition::no_endpoint, tcp, false,
       [](Scene& scene) {
         make_service(scene, "web", json::object());
         wait_for(scene.near, "endpoints", "web");
       },
       [](Scene& scene) {
         make_service(scene, "late", json::object(), false);
         wait_for(scene.near, "no-endpoints", "late");
         return Verdict{scene.near.name()};
       },
       "kubectl get endpointslices -n default -l kubernetes.io/service-name=late"},
      {"AProxyThatIsDead", "19", Disposition::dropped_by_rule, tcp, false,
       [](Scene& scene) {
         make_service(scene, "web", json::object());
         wait_for(scene.near, "endpoints", "web");
         kill_proxy(scene);
       },
       [](Scene& scene) {
         make_service(scene, "late", json::object());
         wait_for(scene.far, "endpoints", "late");
         return Verdict{scene.near.name()};
       },
       "restart "},
      {"AServiceThatIsServedOnItsOwnNodeOnly", "20", Disposition::local_policy_no_endpoint, tcp, false,
       [](Scene& scene) {
         make_service(scene, "web", {{"internalTrafficPolicy", "Cluster"}});
         wait_for(scene.near, "endpoints", "web");
       },
       [](Scene& scene) {
         change_service({{"spec", {{"internalTrafficPolicy", "Local"}}}});
         wait_for(scene.near, "no-local-endpoints", "web");
         return Verdict{scene.near.name()};
       },
       "internalTrafficPolicy"},
      {"AClientOutsideTheSourceRanges", "21", Disposition::dropped_by_rule, tcp, false,
       [](Scene& scene) {
         make_service(scene, "web",
                      {{"type", "LoadBalancer"},
                       {"loadBalancerSourceRanges", json::array({scene.client.address().to_string() + "/32"})}});
         scene.target = parse_address("9.9.9.9");
         change_service({{"status", {{"loadBalancer", {{"ingress", json::array({json{{"ip", "9.9.9.9"}}})}}}}}},
                        "/status");
         wait_for(scene.near, "firewall-allowed", "web");
       },
       [](Scene& scene) {
         change_service({{"spec", {{"loadBalancerSourceRanges", json::array({"192.0.2.0/24"})}}}});
         eventually([&]() -> std::optional<std::string> {
           for (const auto& one :
                nft::list_elements(scene.near.netns(), {{nft::Family::ip, "kube-proxy"}, "firewall-allowed"}))
             if (one.key.to_string().find("192.0.2") != std::string::npos) return std::nullopt;
           return "the new range";
         });
         return Verdict{scene.near.name()};
       },
       "loadBalancerSourceRanges"},
  };
}

}  // namespace knetsim::suites
