// What the emulation writes into the API is what a real server would take and print.
#include "../kube_objects.h"

#include <gmock/gmock.h>

#include "knetsim/emulator/cluster_api.h"
#include "knetsim/kube/kinds.h"
#include "knetsim/kube/prepare.h"

namespace knetsim {
namespace {

using nlohmann::json;
using testing::ElementsAre;

constexpr kube::Time kNow{std::chrono::seconds(1'764'500'000)};

json taken(const kube::Kind& kind, const json& object, const std::string& ns = {}) {
  return kube::prepare_create(kind, object, {.ns = ns, .name = {}, .uid = "u", .suffix = "abcde", .now = kNow});
}

NodeFacts a_worker() {
  return {.name = "C0w1",
          .addresses = {parse_address("10.0.0.3"), parse_address("fd00::3")},
          .pod_subnets = {parse_network("11.10.0.1/20")},
          .kernel = "6.18.0"};
}

PodFacts a_container() {
  return {.name = "c1",
          .node = "C0w1",
          .addresses = {parse_address("11.10.0.2")},
          .node_address = parse_address("10.0.0.3")};
}

std::vector<std::string> cells(const kube::Kind& kind, const json& object) {
  std::vector<std::string> texts;
  for (const auto& cell : kind.row(object, kNow))
    texts.push_back(cell.is_string() ? cell.get<std::string>() : cell.dump());
  return texts;
}

TEST(KubeObjectsTest, AWorkerIsAReadyNodeInLowerCase) {
  const auto node = node_object(a_worker(), kNow);
  EXPECT_NO_THROW(taken(kube::must_be("nodes"), node));
  auto stored = node;
  stored["metadata"]["creationTimestamp"] = kube::timestamp(kNow);
  EXPECT_THAT(cells(kube::must_be("nodes"), stored),
              ElementsAre("c0w1", "Ready", "<none>", "0s", "v1.32.0-knetsim", "10.0.0.3", "<none>",
                          "knetsim worker (network namespace)", "6.18.0", "netns://1"));
  EXPECT_EQ(node["metadata"]["annotations"]["knetsim.io/name"], "C0w1");
  EXPECT_EQ(node["spec"]["podCIDRs"], json({"11.10.0.0/20"}));
}

TEST(KubeObjectsTest, AContainerIsAPodThatRunsOnItsNode) {
  const auto pod = pod_object(a_container(), kNow);
  EXPECT_NO_THROW(taken(kube::must_be("pods"), pod, "default"));
  auto stored = pod;
  stored["metadata"]["creationTimestamp"] = kube::timestamp(kNow);
  EXPECT_THAT(cells(kube::must_be("pods"), stored),
              ElementsAre("c1", "1/1", "Running", "0", "0s", "11.10.0.2", "c0w1", "<none>", "<none>"));
}

TEST(KubeObjectsTest, AContainerWhoseProgramEndedIsNotReady) {
  auto facts = a_container();
  facts.command = {"nginx"};
  facts.running = false;
  const auto pod = pod_object(facts, kNow);
  EXPECT_NO_THROW(taken(kube::must_be("pods"), pod, "default"));
  EXPECT_EQ(kube::must_be("pods").row(pod, kNow).at(1), "0/1");
  EXPECT_EQ(pod["status"]["containerStatuses"][0]["ready"], false);
  EXPECT_EQ(pod["status"]["conditions"][0]["status"], "False");
}

TEST(KubeObjectsTest, AKubeconfigHasAContextForEachClusterAndBeginsWithTheFirst) {
  const auto config = json::parse(kubeconfig({{"C0", ClusterApi::url_of(0)}, {"C1", ClusterApi::url_of(1)}}));
  EXPECT_EQ(config["current-context"], "C0");
  EXPECT_EQ(config["clusters"][1], json({{"name", "C1"}, {"cluster", {{"server", "http://127.0.0.1:8002"}}}}));
  EXPECT_EQ(config["contexts"][1]["context"]["cluster"], "C1");
}

}  // namespace
}  // namespace knetsim
