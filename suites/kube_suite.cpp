// A lab speaks Kubernetes: its workers and containers are Nodes and Pods to the real kubectl, from the prompt, from
// another terminal and from a test.
//
// What the server answers is proven in unit-apiserver; here is that clusters are wired to it. KNETSIM_KUBECTL names the
// program; else it is the one on PATH.
//
// Topology: demo.json, or pair.json where one cluster will do.

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/prompt.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kConfigMap =
    R"({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes"}, "data": {"a": "1"}})";

class Kube : public EmulationTest {
 protected:
  void stand(const std::string& topology_name) {
    boot(topology(topology_name));
    emulation().start_apis();
  }
  /// What kubectl prints; a test fails if it fails.
  static std::string kubectl(std::vector<std::string> arguments, const std::string& input = {}) {
    const auto result = exec(Emulation::kubectl(std::move(arguments)), kExecTimeout, input);
    EXPECT_TRUE(result.ok()) << result.err;
    return result.out;
  }
};

TEST_F(Kube, ShowsTheWorkersAndContainersOfEachCluster) {
  stand("demo.json");
  EXPECT_THAT(kubectl({"get", "nodes", "-o", "wide"}),
              AllOf(ContainsRegex("c0w1 +Ready .* 10\\.0\\.0\\.3 "), ContainsRegex("c0w3 +Ready .* 10\\.0\\.0\\.5 "),
                    Not(HasSubstr("c1w1"))));
  const auto& c1 = cluster("C1").container("c1");
  EXPECT_THAT(kubectl({"--context", "C1", "get", "pods", "-A", "-o", "wide"}),
              ContainsRegex("default +c1 +1/1 +Running +0 +[0-9]+s +" + c1.address().to_string() + " +c1w1 "));
  EXPECT_EQ(kubectl({"get", "node", "c0w1", "-o", "jsonpath={.metadata.annotations.knetsim\\.io/name}"}), "C0w1");
}

TEST_F(Kube, FollowsContainersThatComeAndGo) {
  stand("pair.json");
  auto& only = *emulation().clusters().front();
  const auto& made = only.create_container(only.workers().front()->name(), "late");
  EXPECT_EQ(kubectl({"get", "pod", "late", "-o", "jsonpath={.status.podIP}"}), made.address().to_string());
  only.delete_container("late");
  EXPECT_EQ(kubectl({"get", "pod", "late", "--ignore-not-found"}), "");
}

TEST_F(Kube, KeepsWhatWasAcknowledgedWhenItsServerIsKilled) {
  stand("pair.json");
  auto& server = emulation().clusters().front()->api().server();
  EXPECT_THAT(kubectl({"create", "-f", "-"}, kConfigMap), HasSubstr("configmap/notes created"));
  server.kill();
  server.restart();
  EXPECT_EQ(kubectl({"get", "configmap", "notes", "-o", "jsonpath={.data.a}"}), "1");
  EXPECT_THAT(kubectl({"get", "nodes"}), ContainsRegex("w1 +Ready"));
  emulation().clusters().front()->create_container("w1", "afterwards");
  EXPECT_THAT(kubectl({"get", "pods"}), HasSubstr("afterwards"));
}

TEST_F(Kube, IsNotThereWhereTheTopologySaysSo) {
  auto quiet = topology("pair.json");
  for (auto& cluster : quiet.clusters) cluster.api = false;
  boot(std::move(quiet));
  try {
    emulation().start_apis();
    FAIL() << "an API came up";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no cluster of this network has a Kubernetes API"));
  }
}

TEST_F(Kube, AServerThatDiesIsToldOf) {
  stand("pair.json");
  auto& server = emulation().clusters().front()->api().server();
  server.process().signal(SIGKILL);
  server.process().wait(std::chrono::seconds(10));
  EXPECT_THAT(emulation().ailments(), testing::ElementsAre(HasSubstr("apiserver ended without having been told to")));
  server.restart();
}

TEST(KubeAtThePrompt, TakesKubectlsWordsAsTheyAreTyped) {
  Prompt prompt("pair");
  EXPECT_THAT(prompt.type("kubectl get pods"), ContainsRegex("c1 +1/1 +Running"));
  EXPECT_THAT(prompt.type("kubectl get pod c1 -o name"), HasSubstr("pod/c1")) << "a name is no address here";
  EXPECT_THAT(prompt.type("kubectl get pods -o name | wc -l"), HasSubstr("3"));
  prompt.type("create w1/c_9");
  EXPECT_THAT(prompt.type("kubectl get pods"), ContainsRegex("c-9 +1/1 +Running"));
  EXPECT_THAT(prompt.type("create w1/c-9"), HasSubstr("to Kubernetes, containers \"c_9\" and \"c-9\" have one name"));
  EXPECT_THAT(prompt.type("kubectl get pods"), ContainsRegex("c-9 +1/1 +Running"));
  prompt.type("delete w1/c_9");
  EXPECT_THAT(prompt.type("kubectl get pods"), Not(HasSubstr("c-9")));
}

TEST(KubeAtThePrompt, HasAServerThatIsKilledAndRestartedLikeAnyDaemon) {
  Prompt prompt("pair");
  prompt.type("kubectl get nodes");
  EXPECT_THAT(prompt.type("kill e1 apiserver"), Not(HasSubstr("no program")));
  EXPECT_THAT(prompt.type("kubectl get nodes"), HasSubstr("restart e1 apiserver"));
  prompt.type("restart e1 apiserver");
  EXPECT_THAT(prompt.type("kubectl get nodes"), ContainsRegex("w1 +Ready"));
}

TEST(KubeAtThePrompt, AnswersOtherTerminalsInTheirOwnDirectory) {
  Prompt prompt("pair", {"--name", "mine"});
  // Not where the lab was started.
  const auto before = std::filesystem::current_path();
  const auto elsewhere = before / "elsewhere";
  std::filesystem::create_directories(elsewhere);
  std::filesystem::current_path(elsewhere);
  std::ofstream("notes.json") << kConfigMap;
  const auto made = knetsim({"kubectl", "create", "-f", "notes.json"});
  std::filesystem::current_path(before);
  std::filesystem::remove_all(elsewhere);
  EXPECT_EQ(made.status.code(), 0) << made.err;
  EXPECT_THAT(knetsim({"kubectl", "--lab", "mine", "get", "configmap", "notes", "-o", "jsonpath={.data.a}"}).out, "1");
  EXPECT_EQ(knetsim({"kubectl", "get", "pod", "nobody"}).status.code(), 1);
  EXPECT_THAT(knetsim({"kubectl", "--lab", "other", "get", "pods"}).err, HasSubstr("other"));
}

}  // namespace
}  // namespace knetsim::fixtures
