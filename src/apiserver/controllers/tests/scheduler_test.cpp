#include "lab.h"

namespace knetsim::controllers::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

json node(const std::string& name, const json& labels = json::object(), const json& spec = json::object(),
          bool ready = true) {
  json made{{"metadata", {{"name", name}, {"labels", labels}}},
            {"spec", spec},
            {"status", {{"conditions", {{{"type", "Ready"}, {"status", ready ? "True" : "False"}}}}}}};
  made["metadata"]["labels"]["kubernetes.io/hostname"] = name;
  return made;
}

json waiting(const std::string& name, const json& spec = json::object(), const json& labels = {{"app", "web"}}) {
  auto made = pod(name, labels, {}, {});
  made["spec"].update(spec);
  made.erase("status");
  return made;
}

/// Where it comes; empty if nowhere.
std::string place(Lab& lab, const json& what) {
  const auto key = key_of(lab.put(pods(), what));
  lab.settle(kScheduler, key);
  return lab.get(pods(), key)["spec"].value("nodeName", "");
}

TEST(SchedulerTest, SpreadsThePodsOfOneKindOverNodesAndThenAllPods) {
  Lab lab;
  for (const auto* const name : {"w1", "w2", "w3"}) lab.put(nodes(), node(name));
  for (const auto* const name : {"other", "another"}) lab.put(pods(), pod(name, {{"app", "db"}}, {}, "w1"));
  EXPECT_EQ(place(lab, waiting("a")), "w2");
  EXPECT_THAT(lab.events, ElementsAre("Normal Scheduled Successfully assigned shop/a to w2"));
  EXPECT_EQ(place(lab, waiting("b")), "w3");
  EXPECT_EQ(place(lab, waiting("c")), "w1");
}

struct Row {
  const char* name;
  json node_labels;
  json node_spec;
  bool ready;
  json pod_spec;
  const char* obstacle;  ///< empty: none
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class SchedulerFilter : public testing::TestWithParam<Row> {};

TEST_P(SchedulerFilter, SaysWhyAPodCannotBeThere) {
  const auto& row = GetParam();
  Lab lab;
  lab.put(nodes(), node("w1", row.node_labels, row.node_spec, row.ready));
  const auto where = place(lab, waiting("a", row.pod_spec));
  if (std::string(row.obstacle).empty()) {
    EXPECT_EQ(where, "w1");
    return;
  }
  EXPECT_EQ(where, "");
  const auto message = std::string("0/1 nodes are available: 1 ") + row.obstacle + ".";
  EXPECT_THAT(lab.events, ElementsAre("Warning FailedScheduling " + message));
  const auto& condition = lab.get(pods(), "shop/a")["status"]["conditions"].back();
  EXPECT_EQ(condition["reason"], "Unschedulable");
  EXPECT_EQ(condition["message"], message);
}

json required_affinity(const char* op, const json& values) {
  json expression{{"key", "disk"}, {"operator", op}};
  if (!values.is_null()) expression["values"] = values;
  return {{"affinity",
           {{"nodeAffinity",
             {{"requiredDuringSchedulingIgnoredDuringExecution",
               {{"nodeSelectorTerms", {{{"matchExpressions", {expression}}}}}}}}}}}};
}

const json kNone = json::object();
const json kTaint{{"taints", {{{"key", "k"}, {"value", "v"}, {"effect", "NoSchedule"}}}}};
constexpr auto kAffinity = "node(s) didn't match Pod's node affinity/selector";

INSTANTIATE_TEST_SUITE_P(
    All, SchedulerFilter,
    testing::Values(
        Row{"fine", kNone, kNone, true, kNone, ""},
        Row{"not_ready", kNone, kNone, false, kNone, "node(s) had untolerated taint {node.kubernetes.io/not-ready: }"},
        Row{"cordoned", kNone, {{"unschedulable", true}}, true, kNone, "node(s) were unschedulable"},
        Row{"tainted", kNone, kTaint, true, kNone, "node(s) had untolerated taint {k: v}"},
        Row{"tolerated",
            kNone,
            kTaint,
            true,
            {{"tolerations", {{{"key", "k"}, {"operator", "Equal"}, {"value", "v"}}}}},
            ""},
        Row{"another_value",
            kNone,
            kTaint,
            true,
            {{"tolerations", {{{"key", "k"}, {"operator", "Equal"}, {"value", "w"}}}}},
            "node(s) had untolerated taint {k: v}"},
        Row{"all_tolerated", kNone, kTaint, true, {{"tolerations", {{{"operator", "Exists"}}}}}, ""},
        Row{"preferably_not", kNone, {{"taints", {{{"key", "k"}, {"effect", "PreferNoSchedule"}}}}}, true, kNone, ""},
        Row{"selected", {{"disk", "ssd"}}, kNone, true, {{"nodeSelector", {{"disk", "ssd"}}}}, ""},
        Row{"not_selected", kNone, kNone, true, {{"nodeSelector", {{"disk", "ssd"}}}}, kAffinity},
        Row{"in", {{"disk", "ssd"}}, kNone, true, required_affinity("In", {"ssd", "nvme"}), ""},
        Row{"not_in", {{"disk", "ssd"}}, kNone, true, required_affinity("NotIn", {"ssd"}), kAffinity},
        Row{"exists", kNone, kNone, true, required_affinity("Exists", nullptr), kAffinity},
        Row{"greater", {{"disk", "10"}}, kNone, true, required_affinity("Gt", {"9"}), ""}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(SchedulerTest, KeepsApartWhatDoesNotWantToBeTogether) {
  Lab lab;
  lab.put(nodes(), node("w1"));
  lab.put(nodes(), node("w2"));
  const json apart{
      {"affinity",
       {{"podAntiAffinity",
         {{"requiredDuringSchedulingIgnoredDuringExecution",
           {{{"topologyKey", "kubernetes.io/hostname"}, {"labelSelector", {{"matchLabels", {{"app", "web"}}}}}}}}}}}}};
  EXPECT_EQ(place(lab, waiting("a", apart)), "w1");
  EXPECT_EQ(place(lab, waiting("b", apart)), "w2");
  EXPECT_EQ(place(lab, waiting("c", apart)), "");
  EXPECT_THAT(lab.events.back(), HasSubstr("2 node(s) didn't match pod anti-affinity rules"));
  lab.remove(pods(), "shop/a");
  EXPECT_THAT(lab.concerned(kScheduler), ElementsAre("shop/c")) << "there is room now";
}

TEST(SchedulerTest, KeepsToTheSpreadThatIsAskedFor) {
  Lab lab;
  lab.put(nodes(), node("w1", {{"topology.kubernetes.io/zone", "a"}}));
  lab.put(nodes(), node("w2", {{"topology.kubernetes.io/zone", "b"}}, {{"unschedulable", true}}));
  const json spread{{"topologySpreadConstraints",
                     {{{"maxSkew", 1},
                       {"topologyKey", "topology.kubernetes.io/zone"},
                       {"whenUnsatisfiable", "DoNotSchedule"},
                       {"labelSelector", {{"matchLabels", {{"app", "web"}}}}}}}}};
  EXPECT_EQ(place(lab, waiting("a", spread)), "w1");
  EXPECT_EQ(place(lab, waiting("b", spread)), "");
  EXPECT_THAT(lab.events.back(), HasSubstr("1 node(s) didn't match pod topology spread constraints"));
}

TEST(SchedulerTest, LooksAgainWhenANodeCanTakePods) {
  Lab lab;
  auto one = lab.put(nodes(), node("w1", {}, {{"unschedulable", true}}));
  EXPECT_EQ(place(lab, waiting("a")), "");
  one["status"]["nodeInfo"] = {{"kernelVersion", "6"}};
  lab.change(nodes(), one);
  EXPECT_THAT(lab.concerned(kScheduler), IsEmpty());
  one["spec"].erase("unschedulable");
  lab.change(nodes(), one);
  EXPECT_THAT(lab.concerned(kScheduler), ElementsAre("shop/a"));
  lab.settle(kScheduler, "shop/a");
  EXPECT_EQ(lab.get(pods(), "shop/a")["spec"]["nodeName"], "w1");
}

TEST(SchedulerTest, LeavesToOthersWhatIsTheirs) {
  Lab lab;
  lab.put(nodes(), node("w1"));
  EXPECT_EQ(place(lab, waiting("a", {{"schedulerName", "mine"}})), "");
  EXPECT_THAT(lab.events, IsEmpty());
}

}  // namespace
}  // namespace knetsim::controllers::test
