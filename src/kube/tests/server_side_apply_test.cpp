// Server-side apply, as upstream's own tests have it.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "written.h"

namespace knetsim::kube::test {
namespace {

using testing::ElementsAre;

struct ApplyStep {
  const char* manager;
  const char* how;  // apply, force, merge
  const char* what;
};
struct ApplyCase {
  const char* what;
  const char* plural;
  const char* group;
  std::vector<ApplyStep> steps;
  const char* path;    // of what is looked at
  const char* result;  // or, of the last step, the refusal
  const char* owners;
};

#define CM(data) "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"},\"data\":" data "}"
#define BARE "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"}}"
#define SVC(spec) "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"x\"},\"spec\":" spec "}"
#define DEP(containers)                                                                                        \
  "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"x\"},\"spec\":{\"selector\":{" \
  "\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{"            \
  "\"containers\":" containers "}}}}"
#define FIN(list) "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\",\"finalizers\":" list "}}"

const std::vector<ApplyCase> apply_cases{
    {"what isn't there is made",
     "configmaps",
     "",
     {{"a", "apply", CM(R"({"k":"1"})")}},
     "/data",
     R"({"k":"1"})",
     "a Apply: .data.k"},
    {"a field that is no longer named goes",
     "configmaps",
     "",
     {{"a", "apply", CM(R"({"k":"1","l":"2"})")}, {"a", "apply", CM(R"({"k":"1"})")}},
     "/data",
     R"({"k":"1"})",
     "a Apply: .data.k"},
    {"unless somebody else names it too",
     "configmaps",
     "",
     {{"a", "apply", CM(R"({"k":"1","l":"2"})")},
      {"b", "apply", CM(R"({"l":"2"})")},
      {"a", "apply", CM(R"({"k":"1"})")}},
     "/data",
     R"({"k":"1","l":"2"})",
     "b Apply: .data.l; a Apply: .data.k"},
    {"or somebody has written it since",
     "configmaps",
     "",
     {{"a", "apply", CM(R"({"k":"1","l":"2"})")},
      {"b", "merge", R"({"data":{"l":"3"}})"},
      {"a", "apply", CM(R"({"k":"1"})")}},
     "/data",
     R"({"k":"1","l":"3"})",
     "a Apply: .data.k; b Update: .data.l"},
    {"the last field takes the map along",
     "configmaps",
     "",
     {{"a", "apply", CM(R"({"k":"1"})")}, {"a", "apply", BARE}},
     "/data",
     "null",
     ""},
    {"fields of others stay",
     "configmaps",
     "",
     {{"b", "apply", CM(R"({"l":"2"})")}, {"a", "apply", CM(R"({"k":"1"})")}},
     "/data",
     R"({"k":"1","l":"2"})",
     "b Apply: .data.l; a Apply: .data.k"},
    {"another value is a conflict",
     "configmaps",
     "",
     {{"b", "apply", CM(R"({"k":"2"})")}, {"a", "apply", CM(R"({"k":"1"})")}},
     nullptr,
     "Apply failed with 1 conflict: conflict with \"b\": .data.k",
     "b Apply: .data.k"},
    {"with one who has written it too",
     "configmaps",
     "",
     {{"b", "apply", CM(R"({"k":"2"})")}, {"c", "merge", R"({"data":{"k":"3"}})"}, {"a", "apply", CM(R"({"k":"1"})")}},
     nullptr,
     "Apply failed with 1 conflict: conflict with \"c\" using v1: .data.k",
     "c Update: .data.k"},
    {"several are sorted",
     "configmaps",
     "",
     {{"c", "apply", CM(R"({"m":"2","l":"2"})")},
      {"b", "apply", CM(R"({"k":"2"})")},
      {"a", "apply", CM(R"({"k":"1","l":"1","m":"1"})")}},
     nullptr,
     "Apply failed with 3 conflicts: conflicts with \"b\":\n- .data.k\nconflicts with \"c\":\n- .data.l\n- .data.m",
     "c Apply: .data.l .data.m; b Apply: .data.k"},
    {"which force decides",
     "configmaps",
     "",
     {{"b", "apply", CM(R"({"k":"2","l":"2"})")}, {"a", "force", CM(R"({"k":"1"})")}},
     "/data",
     R"({"k":"1","l":"2"})",
     "b Apply: .data.l; a Apply: .data.k"},
    {"the same value is shared",
     "configmaps",
     "",
     {{"b", "apply", CM(R"({"k":"1"})")}, {"a", "apply", CM(R"({"k":"1"})")}},
     "/data",
     R"({"k":"1"})",
     "a Apply: .data.k; b Apply: .data.k"},
    {"ports are told by port and protocol",
     "services",
     "",
     {{"a", "apply", SVC(R"({"ports":[{"port":53,"name":"t"},{"port":53,"protocol":"UDP","name":"u"}]})")},
      {"a", "apply", SVC(R"({"ports":[{"port":53,"protocol":"UDP","name":"v"}]})")}},
     "/spec/ports",
     R"([{"name":"v","port":53,"protocol":"UDP","targetPort":53}])",
     "a Apply: .spec.ports[port=53,protocol=\"UDP\"] .spec.ports[port=53,protocol=\"UDP\"].name "
     ".spec.ports[port=53,protocol=\"UDP\"].port .spec.ports[port=53,protocol=\"UDP\"].protocol"},
    {"an element that stands twice is refused",
     "services",
     "",
     {{"a", "apply", SVC(R"({"ports":[{"port":53},{"port":53}]})")}},
     nullptr,
     "failed to create typed patch object (/x; /v1, Kind=Service): .spec.ports: duplicate entries for key "
     "[port=53,protocol=\"TCP\"]",
     ""},
    {"one without its key too",
     "services",
     "",
     {{"a", "apply", SVC(R"({"ports":[{"name":"x"}]})")}},
     nullptr,
     "failed to create typed patch object (/x; /v1, Kind=Service): .spec.ports: element 0: associative list with keys "
     "has an element "
     "that omits key field \"port\" (and doesn't have default value)",
     ""},
    {"a selector is atomic",
     "services",
     "",
     {{"b", "apply", SVC(R"({"selector":{"x":"y"},"ports":[{"port":80}]})")},
      {"a", "apply", SVC(R"({"selector":{"z":"y"},"ports":[{"port":80}]})")}},
     nullptr,
     "Apply failed with 1 conflict: conflict with \"b\": .spec.selector",
     "b Apply: .spec.selector .spec.ports[port=80,protocol=\"TCP\"] .spec.ports[port=80,protocol=\"TCP\"].port"},
    {"and is taken whole",
     "services",
     "",
     {{"b", "apply", SVC(R"({"selector":{"x":"y"},"ports":[{"port":80}]})")},
      {"a", "force", SVC(R"({"selector":{"z":"y"}})")}},
     "/spec/selector",
     R"({"z":"y"})",
     "b Apply: .spec.ports[port=80,protocol=\"TCP\"] .spec.ports[port=80,protocol=\"TCP\"].port; a Apply: "
     ".spec.selector"},
    {"what nobody names keeps its default",
     "services",
     "",
     {{"a", "apply", SVC(R"({"sessionAffinity":"ClientIP","ports":[{"port":80}]})")},
      {"a", "apply", SVC(R"({"ports":[{"port":80}]})")}},
     "/spec/sessionAffinity",
     R"("None")",
     "a Apply: .spec.ports[port=80,protocol=\"TCP\"] .spec.ports[port=80,protocol=\"TCP\"].port"},
    {"sets are merged by value",
     "configmaps",
     "",
     {{"a", "apply", FIN(R"(["x/a","x/b"])")},
      {"b", "apply", FIN(R"(["x/b","x/c"])")},
      {"a", "apply", FIN(R"(["x/d"])")}},
     "/metadata/finalizers",
     R"(["x/b","x/c","x/d"])",
     "b Apply: .metadata.finalizers[=\"x/b\"] .metadata.finalizers[=\"x/c\"]; a Apply: .metadata.finalizers[=\"x/d\"]"},
    {"elements of two owners are one list, in the order of the last",
     "deployments",
     "apps",
     {{"a", "apply", DEP(R"([{"name":"m","image":"1"},{"name":"o","image":"1"},{"name":"n","image":"1"}])")},
      {"b", "apply", DEP(R"([{"name":"n","terminationMessagePath":"/x"},{"name":"m"}])")}},
     "/spec/template/spec/containers",
     R"(["o","n","m"])",
     nullptr},
    {"a type that isn't the schema's",
     "services",
     "",
     {{"a", "apply", SVC(R"({"ports":"none"})")}},
     nullptr,
     "failed to create typed patch object (/x; /v1, Kind=Service): json: cannot unmarshal string into Go struct field "
     "ServiceSpec.spec.ports of type []v1.ServicePort",
     ""},
    {"fields that aren't there",
     "services",
     "",
     {{"a", "apply", SVC(R"({"selctor":{"a":"b"},"ports":[{"port":80}]})")}},
     nullptr,
     "failed to create typed patch object (/x; /v1, Kind=Service): .spec.selctor: field not declared in schema",
     ""},
    {"another kind",
     "services",
     "",
     {{"a", "apply", CM("{}")}},
     nullptr,
     "invalid object type: /v1, Kind=ConfigMap",
     ""},
    {"managedFields in it",
     "configmaps",
     "",
     {{"a", "apply", R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","managedFields":[]}})"}},
     nullptr,
     "metadata.managedFields must be nil",
     ""},
};

TEST(ServerSideApply, DoesAsUpstream) {
  for (const auto& row : apply_cases) {
    SCOPED_TRACE(row.what);
    Written written(row.plural, row.group);
    std::string refusal;
    try {
      for (const auto& [manager, how, what] : row.steps) {
        const auto body = json::parse(what);
        if (std::string_view(how) == "merge")
          written.patch(manager, PatchType::merge, body);
        else
          written.apply(manager, body, std::string_view(how) == "force");
      }
    } catch (const ApiError& error) {
      refusal = error.what();
    }
    if (row.path == nullptr) {
      EXPECT_EQ(refusal, row.result);
    } else {
      EXPECT_EQ(refusal, "");
      const json::json_pointer path(row.path);
      auto result = written.object().contains(path) ? written.object().at(path) : json();
      if (path.back() == "containers")
        for (auto& container : result) container = json(container["name"]);
      EXPECT_EQ(result, json::parse(row.result));
    }
    if (row.owners != nullptr) {
      EXPECT_EQ(fmt::format("{}", fmt::join(written.owners(), "; ")), row.owners);
    }
  }
}

TEST(ServerSideApply, WritesNothingWhereOnlyTheSpellingIsAnother) {
  Written written("deployments", "apps");
  const auto config = json::parse(DEP(R"([{"name":"c","image":"x","resources":{"limits":{"cpu":"0.5"}}}])"));
  written.apply("a", config);
  const auto before = written.object();
  written.apply("a", config);
  EXPECT_EQ(written.object(), before) << "500m is what it is kept as";
}

TEST(ServerSideApply, TakesOverWhatKubectlHasAppliedBefore) {
  const auto text = config_map({{"a", "1"}, {"b", "2"}}).dump();
  const json noted{{"annotations", {{"kubectl.kubernetes.io/last-applied-configuration", text}}}};
  Written written("configmaps");
  written.update("kubectl-client-side-apply", config_map({{"a", "1"}, {"b", "2"}}, noted));
  written.patch("other", PatchType::merge, {{"data", {{"b", "3"}}}});
  EXPECT_THROW(written.apply("kubectl", config_map({{"a", "9"}, {"b", "9"}})), ApiError)
      << "b is somebody else's by now";
  EXPECT_THROW(written.apply("mine", config_map({{"a", "9"}})), ApiError) << "this isn't kubectl";
  written.apply("kubectl", config_map({{"a", "9"}}));
  EXPECT_EQ(written.object()["data"], json({{"a", "9"}, {"b", "3"}}));
  const auto& last =
      text_at(written.object(), "metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration");
  EXPECT_EQ(json::parse(last), config_map({{"a", "9"}})) << "it is kept true for clients that go on with it";
}

// ---- properties

json random_service(Luck& luck) {
  json spec{{"ports", json::array()}};
  for (int port = 80; port < 84; ++port) {
    if (luck.below(2) == 0) continue;
    json entry{{"port", port}, {"name", fmt::format("p{}", port)}};
    if (luck.below(2) == 0) entry["targetPort"] = 8000 + luck.below(3);
    if (luck.below(3) == 0) entry["appProtocol"] = "http";
    spec["ports"].push_back(entry);
  }
  if (luck.below(2) == 0) spec["selector"] = {{"app", fmt::format("a{}", luck.below(2))}};
  if (spec["ports"].empty()) spec["ports"] = {{{"port", 80}, {"name", "p80"}}};
  json metadata{{"name", "x"}};
  for (const char* key : {"k", "l", "m"})
    if (luck.below(2) == 0) metadata["labels"][key] = fmt::format("v{}", luck.below(2));
  if (luck.below(3) == 0) metadata["finalizers"] = {fmt::format("x/{}", luck.below(3))};
  return {{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", metadata}, {"spec", spec}};
}

/// All of `part` is in `whole`; lists of objects by "port", others as sets.
void expect_holds(const json& whole, const json& part) {
  if (part.is_object()) {
    for (const auto& [key, value] : part.items()) expect_holds(member(whole, key), value);
  } else if (part.is_array()) {
    for (const auto& element : part) {
      const auto found = std::find_if(whole.begin(), whole.end(), [&](const json& each) {
        return element.is_object() ? each["port"] == element["port"] : each == element;
      });
      ASSERT_NE(found, whole.end()) << element << " in " << whole;
      expect_holds(*found, element);
    }
  } else {
    EXPECT_EQ(whole, part);
  }
}

TEST(ServerSideApply, OfAScaleOwnsTheReplicas) {
  Written written("deployments", "apps");
  written.apply("a", json::parse(DEP(R"([{"name":"c","image":"i"}])")));
  const auto scale = [](int replicas) -> json {
    return {{"apiVersion", "autoscaling/v1"},
            {"kind", "Scale"},
            {"metadata", {{"name", "x"}}},
            {"spec", {{"replicas", replicas}}}};
  };
  const auto applied = [&](const char* manager, const json& config, bool force = false) {
    return with_applied_scale(must_be("deployments", "apps"), written.object(), config,
                              {.manager = manager, .subresource = "scale", .now = kStart + std::chrono::hours(1)},
                              force);
  };
  auto object = applied("scaler", scale(3));
  EXPECT_EQ(object["spec"]["replicas"], 3);
  EXPECT_EQ(object["metadata"]["generation"], 2);
  const auto& own = object["metadata"]["managedFields"].back();
  EXPECT_EQ(own["manager"], "scaler");
  EXPECT_EQ(own["operation"], "Apply");
  EXPECT_EQ(own["subresource"], "scale");
  EXPECT_EQ(own["fieldsV1"], json::parse(R"({"f:spec":{"f:replicas":{}}})"));
  EXPECT_EQ(own["apiVersion"], "apps/v1");

  written.set(object);
  EXPECT_EQ(applied("scaler", scale(3)), object) << "nothing is to be written";
  try {
    applied("other", scale(4));
    ADD_FAILURE() << "it is somebody else's";
  } catch (const ApiError& error) {
    EXPECT_EQ(error.code(), 409);
    EXPECT_THAT(error.what(),
                testing::HasSubstr("conflict with \"scaler\" with subresource \"scale\": .spec.replicas"));
  }
  object = applied("other", scale(4), true);
  EXPECT_EQ(object["spec"]["replicas"], 4);
  EXPECT_EQ(object["metadata"]["managedFields"].dump().find("scaler"), std::string::npos);
  auto wrong = scale(1);
  wrong["kind"] = "Deployment";
  EXPECT_THROW(applied("scaler", wrong), ApiError);
  EXPECT_THROW(applied("scaler", scale(-1)), ApiError);
}

TEST(ServerSideApply, GivesWhatWasAskedForAndNothingTwice) {
  Luck luck;
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    Written written("services");
    std::map<std::string, json> last;
    for (int step = 0; step < 6; ++step) {
      const std::string manager = fmt::format("m{}", luck.below(3));
      const auto config = random_service(luck);
      written.apply(manager, config, true);
      last[manager] = config;
      expect_holds(written.object(), config);
      const auto before = written.object();
      written.apply(manager, config, false);
      EXPECT_EQ(written.object(), before) << "applying the same again changes nothing";
    }
    // One after the other goes; with the last of them everything that was theirs.
    for (const auto& [manager, config] : last)
      written.apply(manager,
                    {{"apiVersion", "v1"},
                     {"kind", "Service"},
                     {"metadata", {{"name", "x"}}},
                     {"spec", {{"ports", {{{"port", 99}, {"name", "last"}}}}}}},
                    true);
    EXPECT_EQ(written.object()["spec"]["ports"].size(), 1U) << written.object();
    EXPECT_FALSE(written.object()["spec"].contains("selector"));
    EXPECT_FALSE(written.object()["metadata"].contains("labels"));
    EXPECT_FALSE(written.object()["metadata"].contains("finalizers"));
  }
}

}  // namespace
}  // namespace knetsim::kube::test
