// ReplicaSets and Deployments.
#include <algorithm>

#include "knetsim/kube/access.h"
#include "lab.h"
#include "workload.h"

namespace knetsim::controllers::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

json workload(const char* kind, int replicas) {
  return {{"apiVersion", "apps/v1"},
          {"kind", kind},
          {"metadata", {{"name", "web"}, {"namespace", "shop"}}},
          {"spec",
           {{"replicas", replicas},
            {"selector", {{"matchLabels", {{"app", "web"}}}}},
            {"template",
             {{"metadata", {{"labels", {{"app", "web"}}}}},
              {"spec", {{"containers", {{{"name", "c"}, {"image", "pause:1"}}}}}}}}}}};
}

/// A lab with somebody who plays kubelet, and controllers that act on all keys until nothing changes.
class Workloads : public testing::Test {
 protected:
  /// One step of each controller in turn, pods come and go at once.
  void settle(bool ready = true) {
    for (int round = 0; round < 60; ++round) {
      bool done = true;
      for (const auto* controller : {&kDeployments, &kReplicaSets})
        for (const auto* object : lab.all(controller == &kDeployments ? deployments() : replica_sets()))
          done = step(*controller, key_of(*object)) && done;
      for (const auto& name : names(pods())) done = run_pod(name, ready) && done;
      watch_limits();
      if (done) return;
    }
    ADD_FAILURE() << "it finds no rest";
  }
  bool step(const Controller& controller, const std::string& key) {
    const auto before = lab.writes;
    lab.once(controller, key);
    return lab.writes == before;
  }
  std::vector<std::string> names(const kube::Kind& kind) {
    std::vector<std::string> all;
    for (const auto* object : lab.all(kind)) all.push_back(key_of(*object));
    return all;
  }
  bool run_pod(const std::string& key, bool ready) {
    auto object = lab.get(pods(), key);
    if (is_pod_ready(object) == ready && kube::text_at(object, "status", "phase") == "Running") return true;
    object["status"]["phase"] = "Running";
    object["status"]["conditions"] = {{{"type", "Ready"},
                                       {"status", ready ? "True" : "False"},
                                       {"lastTransitionTime", kube::timestamp(lab.view.now)}}};
    lab.change(pods(), object);
    return false;
  }
  void watch_limits() {
    most = std::max(most, lab.all(pods()).size());
    const auto available = static_cast<std::size_t>(
        std::ranges::count_if(lab.all(pods()), [](const auto* each) { return is_pod_ready(*each); }));
    least = std::min(least, available);
  }
  std::vector<std::string> images() {
    std::vector<std::string> all;
    for (const auto* each : lab.all(pods())) all.push_back((*each)["spec"]["containers"][0]["image"]);
    return all;
  }
  json deployment() { return lab.get(deployments(), "shop/web"); }
  void set_image(const char* image) {
    auto changed = deployment();
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = image;
    update(changed);
  }
  void update(json changed) {
    changed["metadata"]["generation"] = kube::number_at(changed, "metadata", "generation") + 1;
    lab.change(deployments(), changed);
  }
  std::string progress() {
    const auto object = deployment();
    for (const auto& each : object["status"]["conditions"])
      if (each["type"] == "Progressing") return each["reason"];
    return {};
  }

  Lab lab;
  std::size_t most = 0;
  std::size_t least = 1'000;
};

TEST_F(Workloads, AReplicaSetHasAsManyPodsAsItAsksFor) {
  lab.put(replica_sets(), workload("ReplicaSet", 3));
  settle();
  EXPECT_THAT(names(pods()), SizeIs(3));
  const auto& made = *lab.all(pods()).front();
  EXPECT_THAT(kube::name_of(made), StartsWith("web-"));
  EXPECT_EQ(controller_of(made)["name"], "web");
  EXPECT_EQ(made["metadata"]["labels"]["app"], "web");
  EXPECT_THAT(lab.events, Contains("Normal SuccessfulCreate Created pod: " + kube::name_of(made)));
  const auto status = lab.get(replica_sets(), "shop/web")["status"];
  for (const auto* const count : {"replicas", "readyReplicas", "availableReplicas", "fullyLabeledReplicas"})
    EXPECT_EQ(status[count], 3) << count;
  lab.remove(pods(), key_of(made));
  EXPECT_THAT(lab.concerned(kReplicaSets), ElementsAre("shop/web"));
  settle();
  EXPECT_THAT(names(pods()), SizeIs(3));
}

TEST_F(Workloads, AReplicaSetTakesAwayFirstWhatIsOfLeastUse) {
  lab.put(replica_sets(), workload("ReplicaSet", 2));
  settle();
  const auto kept = names(pods());
  auto set = lab.get(replica_sets(), "shop/web");
  set["spec"]["replicas"] = 3;
  lab.change(replica_sets(), set);
  lab.once(kReplicaSets, "shop/web");
  set = lab.get(replica_sets(), "shop/web");
  set["spec"]["replicas"] = 2;
  lab.change(replica_sets(), set);
  settle();
  EXPECT_EQ(names(pods()), kept) << "the third never was ready";
}

TEST_F(Workloads, AReplicaSetAdoptsWhatNobodyControlsAndReleasesWhatNoLongerMatches) {
  lab.put(pods(), pod("stray", {{"app", "web"}}, {}, {}));
  lab.put(replica_sets(), workload("ReplicaSet", 2));
  settle();
  EXPECT_THAT(names(pods()), SizeIs(2));
  EXPECT_EQ(controller_of(lab.get(pods(), "shop/stray"))["name"], "web");
  auto stray = lab.get(pods(), "shop/stray");
  stray["metadata"]["labels"]["app"] = "other";
  lab.change(pods(), stray);
  settle();
  EXPECT_TRUE(controller_of(lab.get(pods(), "shop/stray")).is_null());
  EXPECT_THAT(names(pods()), SizeIs(3));
}

TEST_F(Workloads, ADeploymentMakesAReplicaSetAndTellsOfIt) {
  lab.put(deployments(), workload("Deployment", 3));
  settle();
  ASSERT_THAT(names(replica_sets()), SizeIs(1));
  const auto& set = *lab.all(replica_sets()).front();
  const auto hash = kube::text_at(set, "metadata", "labels", "pod-template-hash");
  EXPECT_EQ(kube::name_of(set), "web-" + hash);
  EXPECT_EQ(lab.all(pods()).front()->at("metadata")["labels"]["pod-template-hash"], hash);
  EXPECT_EQ(set["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
  EXPECT_EQ(deployment()["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
  EXPECT_THAT(lab.events, Contains("Normal ScalingReplicaSet Scaled up replica set web-" + hash + " from 0 to 3"));
  const auto status = deployment()["status"];
  for (const auto* const count : {"replicas", "updatedReplicas", "readyReplicas", "availableReplicas"})
    EXPECT_EQ(status[count], 3) << count;
  EXPECT_EQ(progress(), "NewReplicaSetAvailable");
}

TEST_F(Workloads, ADeploymentRollsWithinItsLimits) {
  lab.put(deployments(), workload("Deployment", 8));
  settle();
  most = 0;
  least = 1'000;
  set_image("pause:2");
  settle();
  EXPECT_THAT(images(), testing::AllOf(SizeIs(8), testing::Each("pause:2")));
  EXPECT_LE(most, 10U) << "maxSurge 25%";
  EXPECT_GT(most, 8U);
  EXPECT_GE(least, 6U) << "maxUnavailable 25%";
  EXPECT_EQ(deployment()["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
}

TEST_F(Workloads, ADeploymentWhoseNewPodsAreNotReadyKeepsTheOldOnes) {
  lab.put(deployments(), workload("Deployment", 4));
  settle();
  set_image("broken");
  for (int round = 0; round < 20; ++round) {
    step(kDeployments, "shop/web");
    for (const auto& name : names(replica_sets())) step(kReplicaSets, name);
  }
  EXPECT_EQ(std::ranges::count(images(), "pause:1"), 3);
  EXPECT_EQ(std::ranges::count(images(), "broken"), 2);
  EXPECT_EQ(progress(), "ReplicaSetUpdated");
  EXPECT_EQ(lab.decide(kDeployments, "shop/web").again_after, std::chrono::seconds(600));
  lab.view.now += std::chrono::seconds(600);
  lab.settle(kDeployments, "shop/web");
  EXPECT_EQ(progress(), "ProgressDeadlineExceeded");
}

TEST_F(Workloads, ADeploymentThatGoesBackTakesItsOldReplicaSet) {
  lab.put(deployments(), workload("Deployment", 2));
  settle();
  const auto first = names(replica_sets()).front();
  set_image("pause:2");
  settle();
  set_image("pause:1");
  settle();
  EXPECT_THAT(names(replica_sets()), SizeIs(2));
  const auto& annotations = lab.get(replica_sets(), first)["metadata"]["annotations"];
  EXPECT_EQ(annotations["deployment.kubernetes.io/revision"], "3");
  EXPECT_EQ(annotations["deployment.kubernetes.io/revision-history"], "1");
  EXPECT_EQ(lab.get(replica_sets(), first)["spec"]["replicas"], 2);
}

TEST_F(Workloads, ADeploymentThatRecreatesHasNoTwoKindsOfPodsAtOnce) {
  auto made = workload("Deployment", 3);
  made["spec"]["strategy"] = {{"type", "Recreate"}};
  lab.put(deployments(), made);
  settle();
  set_image("pause:2");
  for (int round = 0; round < 20; ++round) {
    step(kDeployments, "shop/web");
    for (const auto& name : names(replica_sets())) step(kReplicaSets, name);
    const auto now = images();
    EXPECT_TRUE(std::ranges::adjacent_find(now, std::not_equal_to<>()) == now.end());
  }
  EXPECT_THAT(images(), ElementsAre("pause:2", "pause:2", "pause:2"));
}

TEST_F(Workloads, ADeploymentIsScaledAndForgetsOldReplicaSets) {
  auto made = workload("Deployment", 2);
  made["spec"]["revisionHistoryLimit"] = 1;
  lab.put(deployments(), made);
  settle();
  auto scaled = deployment();
  scaled["spec"]["replicas"] = 5;
  update(scaled);
  settle();
  EXPECT_THAT(names(pods()), SizeIs(5));
  EXPECT_THAT(lab.events.back(), HasSubstr("Created pod"));
  for (const auto* const image : {"pause:2", "pause:3", "pause:4"}) {
    set_image(image);
    settle();
  }
  EXPECT_THAT(names(replica_sets()), SizeIs(2));
}

TEST_F(Workloads, ADeploymentThatIsPausedIsOnlyScaled) {
  lab.put(deployments(), workload("Deployment", 2));
  settle();
  auto paused = deployment();
  paused["spec"]["paused"] = true;
  paused["spec"]["replicas"] = 3;
  update(paused);
  set_image("pause:2");
  settle();
  EXPECT_THAT(images(), ElementsAre("pause:1", "pause:1", "pause:1"));
  EXPECT_EQ(progress(), "DeploymentPaused");
}

TEST(IntOrPercent, RoundsAsItIsTold) {
  EXPECT_EQ(int_or_percent("25%", 3, true), 1);
  EXPECT_EQ(int_or_percent("25%", 3, false), 0);
  EXPECT_EQ(int_or_percent(2, 3, true), 2);
}

}  // namespace
}  // namespace knetsim::controllers::test
