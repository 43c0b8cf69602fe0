// What is applied to a lab's API is acted upon: each API has its controllers.
//
// What they decide is proven in unit-controllers; here is that labs are wired to them.
//
// Topology: pair.json.

#include <gmock/gmock.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/prompt.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/sys/eventually.h"

namespace knetsim::fixtures {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class KubeControllers : public EmulationTest {
 protected:
  void SetUp() override {
    boot(topology("pair.json"));
    emulation().start_apis();
  }
  static ExecResult run(std::vector<std::string> arguments, const std::string& input = {}) {
    return exec(Emulation::kubectl(std::move(arguments)), kExecTimeout, input);
  }
  /// Until kubectl prints what matches.
  static void shows(const std::string& expression, const std::vector<std::string>& arguments) {
    eventually([&]() -> std::optional<std::string> {
      const auto result = run(arguments);
      if (testing::Matches(ContainsRegex(expression))(result.out)) return std::nullopt;
      return expression + " in: " + result.out + result.err;
    });
  }
};

TEST_F(KubeControllers, GiveAServiceTheContainersThatItSelects) {
  const auto& made = cluster("C0").container("c1");
  const auto applied = run({"apply", "--validate=false", "-f", "-"},
                           R"({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {
                                "selector": {"knetsim.io/container": "c1"}, "ports": [{"port": 80}]}})");
  ASSERT_TRUE(applied.ok()) << applied.err;
  shows("web-[a-z0-9]+ +IPv4 +80 +" + made.address().to_string(), {"get", "endpointslices"});
  shows("web +" + made.address().to_string() + ":80", {"get", "endpoints"});
  emulation().clusters().front()->delete_container("c1");
  shows("web-[a-z0-9]+ +IPv4 +<unset> +<unset>", {"get", "endpointslices"});
}

TEST_F(KubeControllers, EndANamespace) {
  ASSERT_TRUE(run({"create", "-f", "-", "--validate=false"},
                  R"({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})")
                  .ok());
  ASSERT_TRUE(run({"-n", "shop", "create", "-f", "-", "--validate=false"},
                  R"({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes"}})")
                  .ok());
  const auto deleted = run({"delete", "namespace", "shop", "--timeout=20s"});
  EXPECT_TRUE(deleted.ok()) << deleted.err;
  EXPECT_THAT(run({"get", "namespaces"}).out, Not(HasSubstr("shop")));
}

TEST_F(KubeControllers, RollADeploymentOutThatRunsOnTheWorkers) {
  ASSERT_TRUE(
      run({"create", "-f", "-", "--validate=false"},
          R"({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 2,
                      "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
                      "spec": {"containers": [{"name": "web", "image": "agnhost", "args": ["netexec"]}]}}}})")
          .ok());
  const auto rolled_out = run({"rollout", "status", "deployment", "web", "--timeout=30s"});
  EXPECT_TRUE(rolled_out.ok()) << rolled_out.out << rolled_out.err;
  // One on each worker, with an address of its pod network.
  EXPECT_THAT(run({"get", "pods", "-l", "app=web", "-o", "wide"}).out,
              testing::AllOf(ContainsRegex("web-.* 1/1 +Running .* w1 "), ContainsRegex("web-.* 1/1 +Running .* w2 ")));
  ASSERT_TRUE(run({"expose", "deployment", "web", "--port=80", "--target-port=8080"}).ok());
  shows("web +[0-9.]+:8080,[0-9.]+:8080", {"get", "endpoints"});
  ASSERT_TRUE(run({"delete", "deployment", "web", "--cascade=foreground", "--timeout=30s"}).ok());
  EXPECT_THAT(run({"get", "pods"}).out, Not(HasSubstr("web-")));
}

TEST_F(KubeControllers, ReplaceWhatIsDrainedFromANode) {
  ASSERT_TRUE(
      run({"create", "-f", "-", "--validate=false"},
          R"({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 2,
                      "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
                      "spec": {"containers": [{"name": "web", "image": "pause"}]}}}})")
          .ok());
  ASSERT_TRUE(run({"rollout", "status", "deployment", "web", "--timeout=30s"}).ok());
  // c1 is of the topology, and of no controller.
  const auto refused = run({"drain", "w1", "--timeout=30s"});
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(refused.err, ContainsRegex("use --force to override.*c1"));
  const auto drained = run({"drain", "w1", "--force", "--timeout=30s"});
  EXPECT_TRUE(drained.ok()) << drained.err;
  // Before 1.22 kubectl looks for an API group policy, finds none, and deletes.
  const auto version = nlohmann::json::parse(run({"version", "--client", "-o", "json"}).out);
  constexpr int kEvicts = 22;
  const auto evicts = std::stoi(version.at("clientVersion").at("minor").get<std::string>()) >= kEvicts;
  const std::string done = evicts ? " evicted" : " deleted";
  EXPECT_THAT(drained.out, testing::AllOf(ContainsRegex("pod/web-[-a-z0-9]+" + done), HasSubstr("pod/c1" + done)));
  ASSERT_TRUE(run({"rollout", "status", "deployment", "web", "--timeout=30s"}).ok());
  EXPECT_THAT(run({"get", "pods", "-o", "wide"}).out,
              testing::AllOf(ContainsRegex("web-.* w2 .*\n.*web-.* w2 "), Not(HasSubstr(" w1 "))));
  EXPECT_THAT(run({"get", "nodes"}).out, HasSubstr("Ready,SchedulingDisabled"));
  EXPECT_TRUE(run({"uncordon", "w1"}).ok());
  ASSERT_TRUE(run({"scale", "deployment", "web", "--replicas=3"}).ok());
  shows("web-.* w1 ", {"get", "pods", "-o", "wide"});
}

TEST_F(KubeControllers, AreToldOfWhenTheyDieAndGoOnWhenTheyAreRestarted) {
  auto& controllers = emulation().clusters().front()->api().controllers();
  controllers.process().signal(SIGKILL);
  controllers.process().wait(std::chrono::seconds(10));
  EXPECT_THAT(emulation().ailments(), testing::ElementsAre(HasSubstr("controllers ended without having been told to")));
  controllers.restart();
  ASSERT_TRUE(run({"create", "-f", "-", "--validate=false"},
                  R"({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "late"}})")
                  .ok());
  EXPECT_TRUE(run({"delete", "namespace", "late", "--timeout=20s"}).ok());
}

}  // namespace
}  // namespace knetsim::fixtures
