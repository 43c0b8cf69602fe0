// A topology's manifests are there when its boot is done, and a test applies its own.
//
// How manifests are read is proven in unit-kube, what is refused of a topology in unit-emulator. Topology: pair.json.

#include <gmock/gmock.h>

#include <filesystem>
#include <string>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/kube_matchers.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kService = R"(apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
)";
constexpr const char* kDeployment = R"(---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: server
        image: agnhost
        args: [netexec]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}}
)";

constexpr const char* kShop = R"(apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: prices, namespace: shop}, data: {tea: "2"}}
)";

class KubeManifests : public EmulationTest {
 protected:
  static std::filesystem::path file(const std::string& name, const std::string& content) {
    const auto path = std::filesystem::path(kStateDirectory) / name;
    write_file_atomically(path, content);
    return path;
  }
};

TEST_F(KubeManifests, AreThereWhenTheBootIsDone) {
  auto served = topology("pair.json");
  served.clusters.front().manifests = {file("web.yaml", std::string(kService) + kDeployment), file("shop.yaml", kShop)};
  boot(std::move(served));
  EXPECT_EQ(cluster().ask_api("/apis/apps/v1/namespaces/default/deployments/web")["spec"]["replicas"], 3);
  EXPECT_THAT(cluster(), Eventually(HasReadyEndpoints("web", 3)));
  EXPECT_THAT(cluster(), Not(HasReadyEndpoints("web", 2)));
  EXPECT_THAT(cluster(), HasReadyEndpoints("shop/web", 0));

  EXPECT_EQ(cluster().ask_api("/api/v1/namespaces/shop/configmaps/prices")["data"]["tea"], "2");

  // Whoever has changed it meanwhile.
  EXPECT_TRUE(exec(Emulation::kubectl({"scale", "deployment/web", "--replicas=2"})).ok());
  auto fewer = std::string(kDeployment);
  fewer.replace(fewer.find("replicas: 3"), 11, "replicas: 1");
  cluster().apply(file("fewer.yaml", fewer));
  EXPECT_THAT(cluster(), Eventually(HasReadyEndpoints("web", 1)));
}

TEST_F(KubeManifests, AreRefusedWithTheirPlace) {
  boot(topology("pair.json"));
  const auto refusal = [&](const std::string& document) -> std::string {
    try {
      cluster().apply(file("bad.yaml", std::string(kService) + "---\n" + document));
      return "nothing";
    } catch (const InputError& error) {
      return error.what();
    }
  };
  // What can't be read is told before anything is applied.
  EXPECT_THAT(refusal("{apiVersion: v1, kind: Service, metadata: {name: b}, spec: {prots: []}}"),
              AllOf(HasSubstr("bad.yaml"), HasSubstr("document 2"), HasSubstr("prots")));
  EXPECT_EQ(cluster().api().ask("/api/v1/namespaces/default/services")["items"].size(), 1U);
  // What only the server knows, after what stands before it.
  EXPECT_THAT(
      refusal("{apiVersion: v1, kind: Service, metadata: {name: b}, spec: {clusterIP: 10.97.0.1, ports: [{port: "
              "80}]}}"),
      AllOf(HasSubstr("bad.yaml"), HasSubstr("document 2"), HasSubstr("Service \"b\""),
            HasSubstr("spec.clusterIPs: Invalid value")));
  EXPECT_EQ(cluster().ask_api("/api/v1/namespaces/default/services")["items"].size(), 2U);
  EXPECT_THROW(cluster().apply("/no/such.yaml"), SystemError);
  auto lacking = topology("pair.json");
  lacking.clusters.front().manifests = {"/no/such.yaml"};
  EXPECT_THROW(Emulation::plug(std::move(lacking)), Error) << "before anything is started";
}

}  // namespace
}  // namespace knetsim::fixtures
