// DaemonSets and StatefulSets.
#include "knetsim/kube/access.h"
#include "knetsim/kube/patch.h"
#include "lab.h"

namespace knetsim::controllers::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

json set_of(const char* kind, const json& spec) {
  json made{{"apiVersion", "apps/v1"},
            {"kind", kind},
            {"metadata", {{"name", "web"}, {"namespace", "shop"}}},
            {"spec",
             {{"selector", {{"matchLabels", {{"app", "web"}}}}},
              {"template",
               {{"metadata", {{"labels", {{"app", "web"}}}}},
                {"spec", {{"containers", {{{"name", "c"}, {"image", "pause:1"}}}}}}}}}}};
  made["spec"].update(spec);
  return made;
}

class Sets : public testing::Test {
 protected:
  void SetUp() override {
    for (const auto* const name : {"w1", "w2"}) add_node(name);
  }
  void add_node(const std::string& name, const json& spec = json::object()) {
    lab.put(nodes(), {{"metadata", {{"name", name}}},
                      {"spec", spec},
                      {"status", {{"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}}});
  }
  /// Until it rests; scheduler and kubelets act at once.
  void settle(const Controller& controller) {
    for (int round = 0; round < 60; ++round) {
      const auto before = lab.writes;
      lab.once(controller, "shop/web");
      watch();
      if (lab.writes == before && !run_pods()) return;
    }
    ADD_FAILURE() << "it finds no rest";
  }
  bool run_pods() {
    bool any = false;
    std::vector<std::string> keys;
    for (const auto* object : lab.all(pods())) keys.push_back(key_of(*object));
    for (const auto& key : keys) {
      lab.settle(kScheduler, key);
      auto object = lab.get(pods(), key);
      if (kube::text_at(object, "status", "phase") == "Running" || kube::text_at(object, "spec", "nodeName").empty())
        continue;
      object["status"]["phase"] = "Running";
      object["status"]["conditions"] = {{{"type", "Ready"}, {"status", "True"}}};
      lab.change(pods(), object);
      any = true;
    }
    return any;
  }
  void watch() { least = std::min(least, lab.all(pods()).size()); }
  std::vector<std::string> places() {
    std::vector<std::string> all;
    for (const auto* object : lab.all(pods())) all.push_back(kube::text_at(*object, "spec", "nodeName"));
    std::ranges::sort(all);
    return all;
  }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const auto* object : lab.all(pods())) all.push_back(kube::name_of(*object));
    return all;
  }
  std::vector<std::string> images() {
    std::vector<std::string> all;
    for (const auto* object : lab.all(pods())) all.push_back((*object)["spec"]["containers"][0]["image"]);
    return all;
  }
  void set_image(const kube::Kind& kind, const char* image) {
    auto changed = lab.get(kind, "shop/web");
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = image;
    lab.change(kind, changed);
  }

  /// "1 pause:1": the revisions that are kept, by number.
  std::vector<std::string> revisions() {
    std::vector<std::string> all;
    for (const auto* object : lab.all(controller_revisions()))
      all.push_back((*object)["revision"].dump() + " " +
                    (*object)["data"]["spec"]["template"]["spec"]["containers"][0]["image"].get<std::string>());
    std::ranges::sort(all);
    return all;
  }
  /// As kubectl rollout undo does it.
  void undo_to(const kube::Kind& kind, int revision) {
    for (const auto* object : lab.all(controller_revisions())) {
      if ((*object)["revision"] != revision) continue;
      const auto patch = (*object)["data"];
      lab.change(kind, kube::patched(kind, kube::PatchType::strategic, lab.get(kind, "shop/web"), patch));
      return;
    }
    ADD_FAILURE() << "no revision " << revision;
  }
  void keeps_history(const kube::Kind& kind, const Controller& controller, json set) {
    set["spec"]["revisionHistoryLimit"] = 2;
    set["metadata"]["annotations"] = {{"kubernetes.io/change-cause", "the first"}};
    lab.put(kind, set);
    settle(controller);
    EXPECT_THAT(revisions(), ElementsAre("1 pause:1"));
    const auto& first = *lab.all(controller_revisions()).front();
    EXPECT_TRUE(is_controlled_by(first, lab.get(kind, "shop/web")));
    EXPECT_EQ(first["metadata"]["labels"]["app"], "web");
    EXPECT_EQ(first["metadata"]["annotations"]["kubernetes.io/change-cause"], "the first");
    set_image(kind, "pause:2");
    settle(controller);
    EXPECT_THAT(revisions(), ElementsAre("1 pause:1", "2 pause:2"));
    undo_to(kind, 1);
    settle(controller);
    EXPECT_THAT(images(), ElementsAre("pause:1", "pause:1"));
    EXPECT_THAT(revisions(), ElementsAre("2 pause:2", "3 pause:1")) << "it is the newest again";
    for (const auto* const image : {"pause:3", "pause:4"}) {
      set_image(kind, image);
      settle(controller);
    }
    EXPECT_THAT(revisions(), ElementsAre("3 pause:1", "4 pause:3", "5 pause:4"));
    const auto gone = key_of(*lab.all(controller_revisions()).front());
    lab.remove(controller_revisions(), gone);
    EXPECT_THAT(lab.concerned(controller), ElementsAre("shop/web"));
  }

  Lab lab;
  std::size_t least = 1'000;
};

TEST_F(Sets, ADaemonSetHasOnePodOnEachNode) {
  lab.put(daemon_sets(), set_of("DaemonSet", json::object()));
  settle(kDaemonSets);
  EXPECT_THAT(places(), ElementsAre("w1", "w2"));
  add_node("w3", {{"unschedulable", true}});
  EXPECT_THAT(lab.concerned(kDaemonSets), ElementsAre("shop/web"));
  add_node("w4", {{"taints", {{{"key", "k"}, {"effect", "NoSchedule"}}}}});
  settle(kDaemonSets);
  EXPECT_THAT(places(), ElementsAre("w1", "w2", "w3")) << "cordoned is no obstacle, a taint of somebody's is";
  const auto status = lab.get(daemon_sets(), "shop/web")["status"];
  for (const auto* const count : {"desiredNumberScheduled", "currentNumberScheduled", "numberReady", "numberAvailable"})
    EXPECT_EQ(status[count], 3) << count;
  lab.remove(nodes(), "w1");
  settle(kDaemonSets);
  EXPECT_THAT(places(), ElementsAre("w2", "w3"));
}

TEST_F(Sets, ADaemonSetIsRenewedNodeByNode) {
  lab.put(daemon_sets(), set_of("DaemonSet", json::object()));
  settle(kDaemonSets);
  least = 1'000;
  set_image(daemon_sets(), "pause:2");
  settle(kDaemonSets);
  EXPECT_THAT(images(), ElementsAre("pause:2", "pause:2"));
  EXPECT_EQ(least, 1U);
  EXPECT_EQ(lab.get(daemon_sets(), "shop/web")["status"]["updatedNumberScheduled"], 2);
}

TEST_F(Sets, ADaemonSetKeepsTheTemplatesThatItHad) {
  keeps_history(daemon_sets(), kDaemonSets, set_of("DaemonSet", json::object()));
}

TEST_F(Sets, AStatefulSetKeepsTheTemplatesThatItHad) {
  keeps_history(stateful_sets(), kStatefulSets, set_of("StatefulSet", {{"replicas", 2}}));
}

TEST_F(Sets, TwoTemplatesOfOneHashHaveRevisionsOfTheirOwn) {
  lab.put(daemon_sets(), set_of("DaemonSet", json::object()));
  settle(kDaemonSets);
  const auto name = kube::name_of(*lab.all(controller_revisions()).front());
  // Somebody else's, under the name that comes next.
  set_image(daemon_sets(), "pause:2");
  auto other = *lab.all(controller_revisions()).front();
  for (const auto& write : lab.decide(kDaemonSets, "shop/web").writes)
    if (write.kind == &controller_revisions()) other["metadata"]["name"] = kube::name_of(write.body);
  ASSERT_NE(kube::name_of(other), name);
  other["metadata"].erase("ownerReferences");
  other["metadata"]["labels"] = {{"app", "other"}};
  lab.change(controller_revisions(), other);
  settle(kDaemonSets);
  EXPECT_THAT(lab.all(controller_revisions()), SizeIs(3));
  EXPECT_THAT(images(), ElementsAre("pause:2", "pause:2"));
}

TEST_F(Sets, AStatefulSetMakesOneAfterTheOther) {
  lab.put(stateful_sets(), set_of("StatefulSet", {{"replicas", 3}, {"serviceName", "peers"}}));
  lab.once(kStatefulSets, "shop/web");
  lab.once(kStatefulSets, "shop/web");
  EXPECT_THAT(names(), ElementsAre("web-0")) << "the first isn't ready yet";
  settle(kStatefulSets);
  EXPECT_THAT(names(), ElementsAre("web-0", "web-1", "web-2"));
  const auto& last = lab.get(pods(), "shop/web-2");
  EXPECT_EQ(last["spec"]["hostname"], "web-2");
  EXPECT_EQ(last["spec"]["subdomain"], "peers");
  EXPECT_EQ(last["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"], "web-2");
  const auto& status = lab.get(stateful_sets(), "shop/web")["status"];
  EXPECT_EQ(status["readyReplicas"], 3);
  EXPECT_EQ(status["currentRevision"], status["updateRevision"]);
  lab.remove(pods(), "shop/web-1");
  settle(kStatefulSets);
  EXPECT_THAT(names(), ElementsAre("web-0", "web-1", "web-2"));
}

TEST_F(Sets, AStatefulSetThatIsParallelMakesThemAtOnce) {
  lab.put(stateful_sets(), set_of("StatefulSet", {{"replicas", 3}, {"podManagementPolicy", "Parallel"}}));
  lab.once(kStatefulSets, "shop/web");
  EXPECT_THAT(names(), SizeIs(3));
  auto set = lab.get(stateful_sets(), "shop/web");
  set["spec"]["replicas"] = 2'000'000'000;
  lab.change(stateful_sets(), set);
  lab.once(kStatefulSets, "shop/web");
  EXPECT_THAT(names(), SizeIs(103)) << "as many as can be made while others wait";
}

TEST_F(Sets, AStatefulSetIsThinnedOutAndRenewedFromItsEnd) {
  lab.put(stateful_sets(), set_of("StatefulSet", {{"replicas", 3}}));
  settle(kStatefulSets);
  auto set = lab.get(stateful_sets(), "shop/web");
  set["spec"]["replicas"] = 2;
  lab.change(stateful_sets(), set);
  settle(kStatefulSets);
  EXPECT_THAT(names(), ElementsAre("web-0", "web-1"));
  set_image(stateful_sets(), "pause:2");
  lab.once(kStatefulSets, "shop/web");
  EXPECT_THAT(names(), ElementsAre("web-0")) << "the last first, one at a time";
  settle(kStatefulSets);
  EXPECT_THAT(images(), ElementsAre("pause:2", "pause:2"));
  const auto& status = lab.get(stateful_sets(), "shop/web")["status"];
  EXPECT_EQ(status["currentRevision"], status["updateRevision"]);
  EXPECT_EQ(status["updatedReplicas"], 2);
}

TEST_F(Sets, AStatefulSetKeepsWhatIsBelowItsPartition) {
  lab.put(
      stateful_sets(),
      set_of("StatefulSet", {{"replicas", 2},
                             {"updateStrategy", {{"type", "RollingUpdate"}, {"rollingUpdate", {{"partition", 1}}}}}}));
  settle(kStatefulSets);
  set_image(stateful_sets(), "pause:2");
  settle(kStatefulSets);
  EXPECT_THAT(images(), ElementsAre("pause:1", "pause:2"));
  for (const auto* const pod : {"shop/web-0", "shop/web-1"}) {
    lab.remove(pods(), pod);
    settle(kStatefulSets);
    EXPECT_THAT(images(), ElementsAre("pause:1", "pause:2")) << pod << " comes back as it was";
  }
}

}  // namespace
}  // namespace knetsim::controllers::test
