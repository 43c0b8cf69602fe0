#include "knetsim/kube/prepare.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "knetsim/kube/access.h"
#include "knetsim/kube/reader.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

const Time kNow = *parse_timestamp("2026-11-28T14:00:00Z");

json made(const Kind& kind, const json& object) {
  return prepare_create(kind, read_object(kind, object, FieldValidation::strict).object,
                        {.ns = kind.namespaced ? "shop" : "", .name = {}, .uid = "u1", .suffix = "abcde", .now = kNow});
}

/// "422 spec.ports, spec.type": the fields that are complained about.
std::string complaints(const Kind& kind, const json& object) {
  try {
    made(kind, object);
    return "";
  } catch (const ApiError& error) {
    std::string fields = std::to_string(error.code());
    const auto status = error.status();
    for (const auto& cause : list_at(status, "details", "causes")) fields += " " + text_at(cause, "field");
    return fields;
  }
}

json named(json object) {
  object["metadata"]["name"] = "a";
  return object;
}

json pod_with(json container) { return named({{"spec", {{"containers", json::array({std::move(container)})}}}}); }

json deployment(const char* image = "x:1") {
  return named({{"spec",
                 {{"selector", {{"matchLabels", {{"app", "a"}}}}},
                  {"template",
                   {{"metadata", {{"labels", {{"app", "a"}}}}},
                    {"spec", {{"containers", json::array({{{"name", "c"}, {"image", image}}})}}}}}}}});
}

json service_of(json spec) { return named({{"spec", std::move(spec)}}); }
json with_port(json spec, json port = {{"port", 80}}) {
  spec["ports"] = json::array({std::move(port)});
  return spec;
}

TEST(Validation, EphemeralContainersOnlyComeAndDoLittle) {
  const auto& pods = must_be("pods");
  const auto pod = made(pods, pod_with({{"name", "c"}, {"image", "x"}}));
  const auto with = [&](const json& old, const json& list) {
    auto sent = old;
    sent["spec"]["ephemeralContainers"] = list;
    return prepare_ephemeral_containers(pods, old, read_object(pods, sent, FieldValidation::strict).object);
  };
  const auto refused = [&](const json& old, const json& list) -> std::string {
    try {
      with(old, list);
      return "taken";
    } catch (const ApiError& error) {
      return error.what();
    }
  };
  const json debugger{{"name", "d"}, {"image", "busybox"}, {"targetContainerName", "c"}, {"stdin", true}};
  const auto debugged = with(pod, json::array({debugger}));
  EXPECT_EQ(debugged["spec"]["ephemeralContainers"][0]["imagePullPolicy"], "Always");
  EXPECT_EQ(debugged["spec"]["containers"], pod["spec"]["containers"]);
  auto other = debugged["spec"]["ephemeralContainers"][0];
  EXPECT_EQ(with(debugged, {other, {{"name", "e"}, {"image", "x"}}})["spec"]["ephemeralContainers"].size(), 2U);
  EXPECT_THAT(refused(debugged, json::array()), HasSubstr("existing ephemeral containers \"d\" may not be removed"));
  other["image"] = "another";
  EXPECT_THAT(refused(debugged, json::array({other})),
              HasSubstr("existing ephemeral containers \"d\" may not be changed"));
  EXPECT_THAT(refused(pod, json::array({{{"name", "d"}, {"image", "x"}, {"targetContainerName", "z"}}})),
              HasSubstr("spec.ephemeralContainers[0].targetContainerName: Not found: \"z\""));
  EXPECT_THAT(refused(pod, json::array({{{"name", "d"}, {"image", "x"}, {"ports", {{{"containerPort", 1}}}}}})),
              HasSubstr("spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container"));
  EXPECT_THAT(refused(pod, json::array({{{"name", "c"}, {"image", "x"}}})), HasSubstr("Duplicate value: \"c\""));
  auto young = pod;
  young["spec"]["ephemeralContainers"] = json::array({debugger});
  EXPECT_EQ(complaints(pods, young), "422 spec.ephemeralContainers");

  // Who writes the pod itself keeps them, and may not touch them.
  auto labelled = pod;
  labelled["metadata"]["labels"]["a"] = "b";
  labelled["metadata"].erase("resourceVersion");
  EXPECT_EQ(prepare_update(pods, debugged, labelled)["spec"], debugged["spec"]);
  labelled["spec"]["ephemeralContainers"] = json::array({other});
  EXPECT_THROW(prepare_update(pods, debugged, labelled), ApiError);
}

TEST(Validation, NamesTheFieldsAsUpstream) {
  const auto& services = must_be("services");
  const auto& pods = must_be("pods");
  const auto& deployments = must_be("deployments", "apps");
  const auto& policies = must_be("networkpolicies", "networking.k8s.io");
  const auto& slices = must_be("endpointslices", "discovery.k8s.io");
  const auto& ingresses = must_be("ingresses", "networking.k8s.io");
  struct Case {
    const Kind& kind;
    json object;
    std::string complaint;
  };
  auto without_selector = deployment();
  without_selector["spec"].erase("selector");
  auto other_labels = deployment();
  other_labels["spec"]["template"]["metadata"]["labels"]["app"] = "b";
  auto one_shot = deployment();
  one_shot["spec"]["template"]["spec"]["restartPolicy"] = "Never";
  auto negative = deployment();
  negative["spec"]["replicas"] = -1;
  const std::vector<Case> table{
      {services, service_of(with_port({{"type", "X"}})), "422 spec.type"},
      {services, service_of(with_port({}, {{"port", 0}, {"targetPort", 1}})), "422 spec.ports[0].port"},
      {services, service_of(with_port({}, {{"port", 80}, {"protocol", "ICMP"}})), "422 spec.ports[0].protocol"},
      {services, service_of(with_port({}, {{"port", 80}, {"targetPort", "a_b"}})), "422 spec.ports[0].targetPort"},
      {services, service_of(with_port({}, {{"port", 80}, {"nodePort", 30000}})), "422 spec.ports[0].nodePort"},
      {services, service_of({{"ports", json::array({{{"name", "a"}, {"port", 80}}, {{"name", "b"}, {"port", 80}}})}}),
       "422 spec.ports[1]"},
      {services, service_of({{"ports", json::array({{{"name", "a"}, {"port", 80}}, {{"name", "a"}, {"port", 81}}})}}),
       "422 spec.ports[1].name"},
      {services, service_of(with_port({{"sessionAffinity", "Sometimes"}})), "422 spec.sessionAffinity"},
      {services, service_of(with_port({{"externalTrafficPolicy", "Local"}})), "422 spec.externalTrafficPolicy"},
      {services, service_of(with_port({{"externalIPs", {"127.0.0.1"}}})), "422 spec.externalIPs[0]"},
      {services, service_of(with_port({{"type", "NodePort"}, {"clusterIP", "None"}})), "422 spec.clusterIPs[0]"},
      {services, service_of({{"type", "ExternalName"}}), "422 spec.externalName"},
      {services, service_of(with_port({{"selector", {{"a b", "c"}}}})), "422 spec.selector"},
      {services, service_of({{"clusterIP", "None"}}), ""},
      {pods, named({{"spec", json::object()}}), "422 spec.containers"},
      {pods, pod_with({{"image", "x"}}), "422 spec.containers[0].name"},
      {pods, pod_with({{"name", "c"}}), "422 spec.containers[0].image"},
      {pods, pod_with({{"name", "c"}, {"image", "x"}, {"ports", json::array({{{"containerPort", 70000}}})}}),
       "422 spec.containers[0].ports[0].containerPort"},
      {pods,
       pod_with({{"name", "c"}, {"image", "x"}, {"volumeMounts", json::array({{{"name", "v"}, {"mountPath", "/v"}}})}}),
       "422 spec.containers[0].volumeMounts[0].name"},
      {pods, pod_with({{"name", "c"}, {"image", "x"}, {"readinessProbe", json::object()}}),
       "422 spec.containers[0].readinessProbe"},
      {pods, pod_with({{"name", "c"}, {"image", "x"}}), ""},
      {deployments, without_selector, "422 spec.selector"},
      {deployments, other_labels, "422 spec.template.metadata.labels"},
      {deployments, one_shot, "422 spec.template.spec.restartPolicy"},
      {deployments, negative, "422 spec.replicas"},
      {deployments, deployment(), ""},
      {policies, named({{"spec", {{"podSelector", json::object()}, {"policyTypes", {"Sideways"}}}}}),
       "422 spec.policyTypes[0]"},
      {policies,
       named({{"spec",
               {{"podSelector", json::object()},
                {"ingress", json::array({{{"from", json::array({json::object()})}}})}}}}),
       "422 spec.ingress[0].from[0]"},
      {policies,
       named({{"spec",
               {{"podSelector", json::object()},
                {"egress", json::array({{{"ports", json::array({{{"port", 80}, {"endPort", 79}}})}}})}}}}),
       "422 spec.egress[0].ports[0].endPort"},
      {policies,
       named(
           {{"spec",
             {{"podSelector", json::object()},
              {"egress",
               json::array({{{"to", json::array({{{"ipBlock",
                                                   {{"cidr", "10.0.0.0/8"}, {"except", {"192.0.2.0/24"}}}}}})}}})}}}}),
       "422 spec.egress[0].to[0].ipBlock.except[0]"},
      {slices, named({{"endpoints", json::array()}}), "422 addressType"},
      {slices, named({{"addressType", "IPv4"}, {"endpoints", json::array({json::object()})}}),
       "422 endpoints[0].addresses"},
      {ingresses, named({{"spec", json::object()}}), "422 spec"},
      {must_be("configmaps"), named({{"data", {{"a/b", "c"}}}}), "422 data[a/b]"},
      {must_be("nodes"), {{"metadata", {{"name", "C0w1"}}}}, "422 metadata.name"},
      {must_be("configmaps"), {{"metadata", {{"name", "a"}, {"labels", {{"x", "-"}}}}}}, "422 metadata.labels"}};
  for (const auto& [kind, object, complaint] : table) EXPECT_EQ(complaints(kind, object), complaint) << object.dump();
}

TEST(Updates, CountTheChangesOfWhatIsWanted) {
  const auto& kind = must_be("deployments", "apps");
  const auto old = made(kind, deployment());
  EXPECT_EQ(number_at(old, "metadata", "generation"), 1);
  auto labelled = old;
  labelled["metadata"]["labels"]["x"] = "y";
  EXPECT_EQ(number_at(prepare_update(kind, old, labelled), "metadata", "generation"), 1);
  auto scaled = old;
  scaled["spec"]["replicas"] = 3;
  scaled["status"]["replicas"] = 9;
  const auto after = prepare_update(kind, old, scaled);
  EXPECT_EQ(number_at(after, "metadata", "generation"), 2);
  EXPECT_EQ(after["status"], old["status"]) << "status has a door of its own";
  EXPECT_EQ(prepare_update(kind, old, old), old) << "nothing to write";
}

TEST(Updates, OfStatusLeaveTheRestAlone) {
  const auto& kind = must_be("deployments", "apps");
  const auto old = made(kind, deployment());
  auto changed = old;
  changed["spec"]["replicas"] = 3;
  changed["metadata"]["labels"]["x"] = "y";
  changed["status"]["replicas"] = 2;
  const auto after = prepare_status_update(kind, old, changed);
  EXPECT_EQ(after["spec"], old["spec"]);
  EXPECT_EQ(after["metadata"], old["metadata"]);
  EXPECT_EQ(number_at(after, "status", "replicas"), 2);
}

TEST(Updates, OfWhatMayNotChangeAreRefused) {
  const auto refused = [](const Kind& kind, const json& old, const json& changed) -> std::string {
    try {
      prepare_update(kind, old, changed);
      return "";
    } catch (const ApiError& error) {
      return error.what();
    }
  };
  const auto& deployments = must_be("deployments", "apps");
  const auto old = made(deployments, deployment());
  auto reselected = old;
  reselected["spec"]["selector"]["matchLabels"]["b"] = "c";
  reselected["spec"]["template"]["metadata"]["labels"]["b"] = "c";
  EXPECT_THAT(refused(deployments, old, reselected),
              HasSubstr("spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"a\", "
                        "\"b\":\"c\"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable"));
  const auto& pods = must_be("pods");
  const auto pod = made(pods, pod_with({{"name", "c"}, {"image", "x"}}));
  auto other_image = pod;
  other_image["spec"]["containers"][0]["image"] = "y";
  EXPECT_EQ(refused(pods, pod, other_image), "");
  auto other_command = pod;
  other_command["spec"]["containers"][0]["command"] = {"z"};
  EXPECT_THAT(refused(pods, pod, other_command),
              HasSubstr("spec: Forbidden: pod updates may not change fields other than"));
  const auto& config_maps = must_be("configmaps");
  const auto fixed = made(config_maps, named({{"data", {{"a", "b"}}}, {"immutable", true}}));
  auto thawed = fixed;
  thawed["data"]["a"] = "c";
  EXPECT_THAT(refused(config_maps, fixed, thawed),
              HasSubstr("data: Forbidden: field is immutable when `immutable` is set"));
  const auto& slices = must_be("endpointslices", "discovery.k8s.io");
  const auto slice = made(slices, named({{"addressType", "IPv4"}, {"endpoints", json::array()}}));
  auto six = slice;
  six["addressType"] = "IPv6";
  EXPECT_THAT(refused(slices, slice, six), HasSubstr("addressType: Invalid value: \"IPv6\": field is immutable"));
}

TEST(Services, LoseWithTheirTypeWhatWentWithIt) {
  const auto& kind = must_be("services");
  auto old = made(kind, service_of(with_port({{"type", "LoadBalancer"}, {"externalTrafficPolicy", "Local"}})));
  old["spec"]["clusterIP"] = "10.96.0.9";
  old["spec"]["clusterIPs"] = json::array({"10.96.0.9"});
  old["spec"]["ports"][0]["nodePort"] = 30001;
  old["spec"]["healthCheckNodePort"] = 30002;
  auto plain = old;
  plain["spec"]["type"] = "ClusterIP";
  const auto after = prepare_update(kind, old, plain);
  for (const auto* const gone : {"externalTrafficPolicy", "healthCheckNodePort", "allocateLoadBalancerNodePorts"})
    EXPECT_FALSE(after["spec"].contains(gone)) << gone;
  EXPECT_FALSE(after["spec"]["ports"][0].contains("nodePort"));
  EXPECT_EQ(after["spec"]["clusterIP"], "10.96.0.9");
}

TEST(Services, KeepWhatAPutDoesntMention) {
  const auto& kind = must_be("services");
  auto old = made(kind, service_of(with_port({{"type", "NodePort"}})));
  old["spec"]["clusterIP"] = "10.96.0.9";
  old["spec"]["clusterIPs"] = json::array({"10.96.0.9"});
  old["spec"]["ports"][0]["nodePort"] = 30001;
  const auto after = prepare_update(
      kind, old, read_object(kind, service_of(with_port({{"type", "NodePort"}})), FieldValidation::strict).object);
  EXPECT_EQ(after["spec"], old["spec"]);
}

TEST(Deletion, WaitsForFinalizersAndForGrace) {
  const auto& pods = must_be("pods");
  auto pod = made(pods, pod_with({{"name", "c"}, {"image", "x"}}));
  EXPECT_TRUE(prepare_delete(pods, pod, {}, kNow).now) << "a pod without a node goes at once";
  pod = bound_pod(pods, pod, "w1", kNow);
  const auto graceful = prepare_delete(pods, pod, {}, kNow);
  EXPECT_FALSE(graceful.now);
  EXPECT_EQ(text_at(graceful.object, "metadata", "deletionTimestamp"), "2026-11-28T14:00:30Z");
  EXPECT_EQ(number_at(graceful.object, "metadata", "deletionGracePeriodSeconds"), 30);
  EXPECT_FALSE(is_gone(pods, graceful.object));
  EXPECT_TRUE(prepare_delete(pods, graceful.object, {.grace_seconds = 0, .propagation = {}}, kNow).now);
  const auto shorter = prepare_delete(pods, graceful.object, {.grace_seconds = 5, .propagation = {}}, kNow);
  EXPECT_EQ(text_at(shorter.object, "metadata", "deletionTimestamp"), "2026-11-28T14:00:05Z");
  EXPECT_EQ(prepare_delete(pods, shorter.object, {.grace_seconds = 60, .propagation = {}}, kNow).object,
            shorter.object);

  const auto& config_maps = must_be("configmaps");
  auto held = made(config_maps, {{"metadata", {{"name", "a"}, {"finalizers", {"example.org/x"}}}}});
  const auto waiting = prepare_delete(config_maps, held, {}, kNow);
  EXPECT_FALSE(waiting.now);
  EXPECT_FALSE(is_gone(config_maps, waiting.object));
  auto released = waiting.object;
  released["metadata"].erase("finalizers");
  EXPECT_TRUE(is_gone(config_maps, prepare_update(config_maps, waiting.object, released)));
  const auto orphaning =
      prepare_delete(config_maps, made(config_maps, named({})), {.grace_seconds = {}, .propagation = "Orphan"}, kNow);
  EXPECT_THAT(orphaning.object["metadata"]["finalizers"], ElementsAre("orphan"));

  const auto& namespaces = must_be("namespaces");
  const auto ending = prepare_delete(namespaces, made(namespaces, named({})), {}, kNow);
  EXPECT_EQ(text_at(ending.object, "status", "phase"), "Terminating");
  EXPECT_FALSE(is_gone(namespaces, ending.object));
  auto finalized = ending.object;
  finalized["spec"].erase("finalizers");
  EXPECT_EQ(prepare_update(namespaces, ending.object, finalized)["spec"], ending.object["spec"])
      << "only subresource finalize";
  EXPECT_TRUE(is_gone(namespaces, prepare_finalize(namespaces, ending.object, finalized)));
}

TEST(Binding, HappensOnce) {
  const auto& pods = must_be("pods");
  const auto pod = bound_pod(pods, made(pods, pod_with({{"name", "c"}, {"image", "x"}})), "w1", kNow);
  EXPECT_EQ(text_at(pod, "spec", "nodeName"), "w1");
  EXPECT_EQ(pod["status"]["conditions"].back()["type"], "PodScheduled");
  EXPECT_THROW(bound_pod(pods, pod, "w2", kNow), ApiError);
}

TEST(Names, OfGeneratedOnesAreGood) {
  EXPECT_EQ(name_suffix(0), "bbbbb");
  const auto object = made(must_be("configmaps"), {{"metadata", {{"generateName", std::string(80, 'a')}}}});
  EXPECT_EQ(name_of(object), std::string(58, 'a') + "abcde");
}

TEST(Prepare, AJobKnowsItsPodsByItsUid) {
  const auto& jobs = must_be("jobs", "batch");
  const auto make = [&](const char* policy, const char* completion_mode) {
    return made(
        jobs,
        {{"metadata", {{"name", "sums"}}},
         {"spec",
          {{"completionMode", completion_mode},
           {"template", {{"spec", {{"restartPolicy", policy}, {"containers", {{{"name", "c"}, {"image", "x"}}}}}}}}}}});
  };
  const auto job = make("Never", "NonIndexed");
  const auto& uid = text_at(job, "metadata", "uid");
  EXPECT_EQ(text_at(job, "spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"), uid);
  EXPECT_EQ(text_at(job, "spec", "template", "metadata", "labels", "job-name"), "sums");
  EXPECT_EQ(job["spec"]["completions"], 1);
  EXPECT_EQ(job["spec"]["parallelism"], 1);
  EXPECT_EQ(job["spec"]["backoffLimit"], 6);
  try {
    make("Always", "NonIndexed");
    ADD_FAILURE();
  } catch (const ApiError& error) {
    EXPECT_STREQ(error.what(),
                 "Job.batch \"sums\" is invalid: spec.template.spec.restartPolicy: Required value: valid values: "
                 "\"OnFailure\", \"Never\"");
  }
  EXPECT_EQ(make("Never", "Indexed")["spec"]["completionMode"], "Indexed");
  EXPECT_THROW(make("Never", "Sorted"), ApiError);
  auto ended = job;
  ended["status"] = {{"succeeded", 1},
                     {"startTime", "2026-11-30T12:00:00Z"},
                     {"completionTime", "2026-11-30T12:00:07Z"},
                     {"conditions", {{{"type", "Complete"}, {"status", "True"}}}}};
  const auto cells = jobs.row(ended, {});
  EXPECT_EQ(json(std::vector<json>(cells.begin() + 1, cells.begin() + 4)), json({"Complete", "1/1", "7s"}));
  auto changed = job;
  changed["spec"]["template"]["spec"]["containers"][0]["image"] = "y";
  EXPECT_THROW(prepare_update(jobs, job, changed), ApiError) << "it is what it was made as";
}

}  // namespace
}  // namespace knetsim::kube
