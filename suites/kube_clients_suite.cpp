// Who runs in a lab asks the API over TLS: pods as their service account, as client libraries do it in a cluster,
// people on nodes with a kubeconfig.
//
// Who is accepted is proven in unit-apiserver; here is that the lab hands out what they need. Topology: pair.json.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "knetsim/emulator/cluster_api.h"
#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/ready.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class KubeClients : public EmulationTest {
 protected:
  void SetUp() override {
    boot(topology("pair.json"));
    emulation().start_apis();
  }
  Cluster& only() { return *emulation().clusters().front(); }
  static std::string kubectl(std::vector<std::string> arguments, const std::string& input = {}) {
    const auto result = exec(Emulation::kubectl(std::move(arguments)), kExecTimeout, input);
    EXPECT_TRUE(result.ok()) << result.err;
    return result.out;
  }
  /// What a client library does in a pod (client-go/rest/config.go), in words of sh: the namespace, then the answer to
  /// a question about it, then what is said to who shows no token. The server is asked on its own address.
  std::string in_cluster_client() {
    return fmt::format(
        "cd /var/run/secrets/kubernetes.io/serviceaccount && cat namespace && ask() {{ curl -sS --max-time 20 --cacert "
        "ca.crt --connect-to ::{}:6443 \"$@\" https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/api/v1/"
        "namespaces/$(cat namespace); }} && ask -H \"Authorization: Bearer $(cat token)\" && ask",
        only().etcd_nodes().front()->address().to_string());
  }
};

TEST_F(KubeClients, PodsAskAsTheirServiceAccount) {
  kubectl({"create", "namespace", "shop"});
  kubectl({"create", "-f", "-", "--validate=false"},
          "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: reader, namespace: shop}\n---\napiVersion: v1\nkind: "
          "ServiceAccount\nmetadata: {name: quiet, namespace: shop}\nautomountServiceAccountToken: false\n");
  const auto pod = fmt::format(
      "apiVersion: v1\nkind: Pod\nmetadata: {{name: asker, namespace: shop}}\nspec:\n  nodeName: w1\n  restartPolicy: "
      "Never\n  serviceAccountName: reader\n  containers:\n  - name: a\n    image: curl\n    command:\n    - sh\n    - "
      "-c\n    - '{} && {{ cut -d. -f2 token | tr _- /+ | base64 -d 2>/dev/null; true; }}'\n"
      "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: anonymous, namespace: shop}}\nspec:\n  nodeName: w1\n  "
      "restartPolicy: Never\n  serviceAccountName: quiet\n  containers:\n  - name: a\n    image: busybox\n"
      "    command: [sh, -c, 'ls /var/run/secrets/kubernetes.io/serviceaccount; echo nothing else']\n",
      in_cluster_client());
  kubectl({"create", "-f", "-", "--validate=false"}, pod);
  eventually([&]() -> std::optional<std::string> {
    const auto phases = kubectl({"-n", "shop", "get", "pods", "-o", "jsonpath={.items[*].status.phase}"});
    return phases == "Succeeded Succeeded" ? std::nullopt : std::optional("two pods that have succeeded: " + phases);
  });
  EXPECT_THAT(kubectl({"-n", "shop", "logs", "asker"}),
              AllOf(testing::StartsWith("shop{"), HasSubstr(R"("kubernetes.io/metadata.name":"shop")"),
                    HasSubstr(R"("message":"Unauthorized")"), HasSubstr("system:serviceaccount:shop:reader"),
                    HasSubstr(R"("pod":{"name":"asker")")));
  EXPECT_EQ(kubectl({"-n", "shop", "logs", "anonymous"}), "nothing else\n");
  EXPECT_THAT(kubectl({"-n", "shop", "logs", "anonymous", "--timestamps", "--since=1h"}),
              testing::MatchesRegex("20[0-9-]+T[0-9:]+[.][0-9]+Z nothing else\n"));
}

TEST_F(KubeClients, ContainersOfTheTopologyAskAsNamespaceDefault) {
  const auto asked = only().container("c1").exec({"sh", "-c", in_cluster_client()});
  EXPECT_THAT(asked.out, AllOf(testing::StartsWith("default{"), HasSubstr(R"("kubernetes.io/metadata.name":"default")"),
                               HasSubstr(R"("message":"Unauthorized")")))
      << asked.err;
}

TEST_F(KubeClients, PeopleOnNodesHaveAKubeconfig) {
  const auto server = only().etcd_nodes().front()->address().to_string();
  for (const Node* node : std::initializer_list<const Node*>{only().workers().front(), only().etcd_nodes().front(),
                                                             &only().container("c1")}) {
    const auto asked = node->exec({"kubectl", "get", "nodes,endpoints"});
    EXPECT_THAT(asked.out,
                AllOf(ContainsRegex("node/w1 +Ready "), ContainsRegex("endpoints/kubernetes +" + server + ":6443 ")))
        << node->name() << ": " << asked.err;
  }
  const auto keys = only().etcd_nodes().front()->directory() / "pki";
  for (const char* name : {"apiserver.key", "sa.key", "tokens.csv", "kubeconfig", "kube-proxy.kubeconfig"})
    EXPECT_EQ(std::filesystem::status(keys / name).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)
        << name;
}

TEST_F(KubeClients, NobodyInTheLabIsAnsweredWithoutTls) {
  const auto ports = listening_tcp_ports(only().etcd_nodes().front()->netns());
  EXPECT_THAT(ports, testing::Contains(ClusterApi::kSecurePort));
  EXPECT_THAT(ports, Not(testing::Contains(ClusterApi::port_of(0))));
}

TEST(KubeCredentials, AreMadeWhenSomebodyAsks) {
  auto emulation = Emulation::boot(topology("pair.json"));
  const auto* node = emulation.clusters().front()->etcd_nodes().front();
  EXPECT_FALSE(std::filesystem::exists(node->directory() / "pki"));
  EXPECT_FALSE(std::filesystem::exists("/run/secrets"));
  emulation.start_apis();
  EXPECT_TRUE(std::filesystem::exists(node->directory() / "pki" / "ca.crt"));
}

}  // namespace
}  // namespace knetsim::fixtures
