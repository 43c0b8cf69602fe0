// The cluster addresses and node ports of services, and the objects that are there from the start.
#include <set>
#include <thread>

#include "lab.h"

namespace knetsim::apiserver::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;

class ApiServerServices : public ApiTest {
 protected:
  void serve_shop(const std::vector<std::string>& flags = {}) {
    serve(flags);
    if (client().get("/api/v1/namespaces/shop").status == 404U) make_namespace("shop");
  }
};

TEST_F(ApiServerServices, FindTheClustersOwnObjectsAtTheStart) {
  serve({"--advertise-address=192.0.2.1", "--service-cluster-ip-range=10.97.0.0/16"});
  for (const char* name : {"default", "kube-system", "kube-public", "kube-node-lease"})
    EXPECT_EQ(client().get(std::string("/api/v1/namespaces/") + name).json()["status"]["phase"], "Active") << name;
  auto own = client().get("/api/v1/namespaces/default/services/kubernetes").json();
  EXPECT_EQ(own["spec"]["clusterIP"], "10.97.0.1");
  EXPECT_EQ(own["spec"]["ports"][0]["targetPort"], 6443);
  auto endpoints = client().get("/api/v1/namespaces/default/endpoints/kubernetes").json();
  EXPECT_EQ(endpoints["subsets"][0]["addresses"][0]["ip"], "192.0.2.1");
  const std::string slice = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
  EXPECT_EQ(client().get(slice).json()["endpoints"][0]["addresses"][0], "192.0.2.1");
  serve({"--advertise-address=192.0.2.9", "--service-cluster-ip-range=10.97.0.0/16"});
  Client again;
  EXPECT_EQ(again.get(slice).json()["endpoints"][0]["addresses"][0], "192.0.2.9");
  EXPECT_EQ(again.get("/api/v1/namespaces/default/services/kubernetes").json(), own);
}

TEST_F(ApiServerServices, GetDifferentAddressesAndPortsFromManyClientsAtOnce) {
  // Six node ports for six services, so that a port that two take is one that another goes without.
  serve_shop({"--service-node-port-range=30000-30005", "--service-cluster-ip-range=10.96.0.0/28"});
  std::vector<std::thread> clients;
  for (int i = 0; i < 12; ++i)
    clients.emplace_back([i] {
      Client own;
      own.post(kServices, service("s" + std::to_string(i), {{"type", "NodePort"}}));
    });
  for (auto& each : clients) each.join();
  std::set<std::string> addresses;
  std::set<int> ports;
  auto list = client().get(kServices).json();
  for (const auto& item : list["items"]) {
    addresses.insert(item["spec"]["clusterIP"]);
    ports.insert(item["spec"]["ports"][0]["nodePort"].get<int>());
  }
  EXPECT_EQ(list["items"].size(), 6U);
  EXPECT_EQ(addresses.size(), 6U);
  EXPECT_EQ(ports.size(), 6U);
}

TEST_F(ApiServerServices, KeepWhatTheyHaveAcrossARestartAndGiveItBackWithTheirEnd) {
  serve_shop();
  auto web = client().post(kServices, service("web", {{"type", "NodePort"}})).json();
  const std::string address = web["spec"]["clusterIP"];
  const int port = web["spec"]["ports"][0]["nodePort"];
  serve_shop();
  Client again;
  const auto same_address = service("other", {{"clusterIP", address}});
  const auto refused = again.post(kServices, same_address);
  EXPECT_EQ(refused.status, 422U);
  EXPECT_THAT(refused.body, HasSubstr("provided IP is already allocated"));
  const auto same_port = service("other", {{"type", "NodePort"}, {"ports", {{{"port", 80}, {"nodePort", port}}}}});
  EXPECT_THAT(again.post(kServices, same_port).body, HasSubstr("provided port is already allocated"));
  again.remove(std::string(kServices) + "/web");
  EXPECT_EQ(again.post(kServices, same_address).status, 201U);
  again.remove(std::string(kServices) + "/other");
  EXPECT_EQ(again.post(kServices, same_port).status, 201U);
}

TEST_F(ApiServerServices, GiveTheirPortsBackWhenTheirTypeNeedsNone) {
  serve_shop({"--service-node-port-range=30000-30000"});
  EXPECT_EQ(client().post(kServices, service("a", {{"type", "NodePort"}})).status, 201U);
  EXPECT_EQ(client().merge(std::string(kServices) + "/a", {{"spec", {{"type", "ClusterIP"}}}}).status, 200U);
  EXPECT_EQ(client().post(kServices, service("b", {{"type", "NodePort"}})).status, 201U);
}

}  // namespace
}  // namespace knetsim::apiserver::test
