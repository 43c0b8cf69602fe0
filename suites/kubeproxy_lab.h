#pragma once

// What the suites of kube-proxy share: pair.json with an API, echo servers in its containers, and probes.
//
// c1 on w1, c2 and c3 on w2, e1 is outside of all workers.

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/apiserver/client.h"
#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/nft/types.h"

namespace knetsim::fixtures {

inline constexpr std::uint16_t kServed = 7000;
inline constexpr std::uint16_t kOtherServed = 7001;
inline constexpr auto kServices = "/api/v1/namespaces/default/services";
inline constexpr auto kSlices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
inline const nft::TableId kTable{nft::Family::ip, "kube-proxy"};
inline constexpr auto kQuick = std::chrono::milliseconds(400);

class KubeProxyLab : public EmulationTest {
 protected:
  /// With that kube-proxy on its workers; mixed: the first one's is real.
  void stand(Flavour flavour);

  apiserver::Client& api() { return *api_; }
  EchoServer& s2() { return *s2_; }
  EchoServer& s3() { return *s3_; }
  Container& c1() { return worker("w1").container("c1"); }
  Container& c2() { return worker("w2").container("c2"); }
  Container& c3() { return worker("w2").container("c3"); }
  Node& outside() { return node("e1"); }
  Daemon& proxy(const std::string& name) { return *cluster("C0").kube_proxy(worker(name)); }
  /// Whether that worker's is ours.
  bool is_ours(const std::string& name) const;

  static nlohmann::json port(const char* name = "", const char* protocol = "TCP", int number = 80,
                             int target = kServed);
  /// Endpoints of a slice that no controller writes.
  nlohmann::json endpoint(Container& container, const nlohmann::json& conditions = {{"ready", true}},
                          const nlohmann::json& hints = {});
  static nlohmann::json selecting(const std::string& container);

  /// Makes the service "web" (and, with endpoints, its slice), and returns its address when every worker has it.
  Address serve(const nlohmann::json& spec, const std::vector<nlohmann::json>& endpoints = {},
                const nlohmann::json& status = {});
  void change(const nlohmann::json& patch);
  /// Returns its revision, and doesn't wait.
  std::uint64_t put_slice(const std::vector<nlohmann::json>& endpoints);
  void set_slice(const std::vector<nlohmann::json>& endpoints) { wait(0, put_slice(endpoints)); }
  void forget();

  /// Until both workers' kernels have changes up to these revisions.
  void wait(std::uint64_t services, std::uint64_t slices);
  /// Until the controllers have written what the selector chooses, and the proxies have it.
  void wait_for_selected();

  // Probes: nullopt if it is as it should be.

  /// All of `servers` (2, 3) answer, and nobody else; each saw `source`, if one is given.
  Trouble reaches(const Node& from, const Address& to, std::uint16_t number, const std::set<int>& servers,
                  const std::optional<Address>& source = {});
  static Trouble is_refused(const Node& from, const Address& to, std::uint16_t number);
  /// Neither answered nor refused; and where the worker's proxy is ours, its rule with that comment has counted it.
  Trouble is_dropped(const Node& from, const Address& to, std::uint16_t number, const std::string& on,
                     const std::string& rule);
  /// What the probe says while no worker has any rule; the proxies stand still meanwhile.
  Trouble without_rules(const std::function<Trouble()>& probe);

 private:
  std::uint64_t counted(const std::string& on, const std::string& rule);
  void wait_for_acknowledgement(const std::string& name, std::uint64_t services, std::uint64_t slices);
  void change_mark();
  void wait_for_mark(const std::string& name);

  Flavour flavour_ = Flavour::builtin;
  int mark_ = 0;
  std::optional<Address> mark_ip_;
  std::optional<apiserver::Client> api_;
  std::optional<EchoServer> s2_, s3_, other_;
};

/// The same for each flavour.
class KubeProxies : public KubeProxyLab, public testing::WithParamInterface<Flavour> {
 protected:
  void SetUp() override;
};

}  // namespace knetsim::fixtures
