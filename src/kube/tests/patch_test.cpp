#include "knetsim/kube/patch.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace knetsim::kube {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json parsed(const char* text) { return json::parse(text); }

struct StrategicCase {
  const char* what;
  const char* plural;
  const char* group;
  const char* original;
  const char* patch;
  const char* result;
};

const std::vector<StrategicCase> strategic_cases{
    {"an element is merged by its key", "services", "", R"({"spec":{"ports":[{"port":80,"name":"a"},{"port":81}]}})",
     R"({"spec":{"ports":[{"port":81,"name":"b"}]}})",
     R"({"spec":{"ports":[{"port":80,"name":"a"},{"port":81,"name":"b"}]}})"},
    {"a new element goes before those that the patch doesn't name", "services", "",
     R"({"spec":{"ports":[{"port":80}]}})", R"({"spec":{"ports":[{"port":443}]}})",
     R"({"spec":{"ports":[{"port":443},{"port":80}]}})"},
    {"an order that is asked for", "services", "", R"({"spec":{"ports":[{"port":80},{"port":81}]}})",
     R"({"spec":{"$setElementOrder/ports":[{"port":81},{"port":82},{"port":80}],"ports":[{"port":82}]}})",
     R"({"spec":{"ports":[{"port":81},{"port":82},{"port":80}]}})"},
    {"an order alone", "services", "", R"({"spec":{"ports":[{"port":80},{"port":81}]}})",
     R"({"spec":{"$setElementOrder/ports":[{"port":81},{"port":80}]}})",
     R"({"spec":{"ports":[{"port":81},{"port":80}]}})"},
    {"an element is deleted", "services", "", R"({"spec":{"ports":[{"port":80},{"port":81}]}})",
     R"({"spec":{"ports":[{"port":80,"$patch":"delete"}]}})", R"({"spec":{"ports":[{"port":81}]}})"},
    {"a list is replaced", "services", "", R"({"spec":{"ports":[{"port":80},{"port":81}]}})",
     R"({"spec":{"ports":[{"port":82},{"$patch":"replace"}]}})", R"({"spec":{"ports":[{"port":82}]}})"},
    {"null deletes a member", "services", "", R"({"spec":{"selector":{"a":"b","c":"d"}}})",
     R"({"spec":{"selector":{"a":null}}})", R"({"spec":{"selector":{"c":"d"}}})"},
    {"null in a new map isn't kept", "services", "", R"({})", R"({"spec":{"selector":{"a":null,"b":"c"}}})",
     R"({"spec":{"selector":{"b":"c"}}})"},
    {"a map is replaced", "services", "", R"({"spec":{"selector":{"a":"b"}}})",
     R"({"spec":{"selector":{"$patch":"replace","c":"d"}}})", R"({"spec":{"selector":{"c":"d"}}})"},
    {"a list without a key is replaced whole", "nodes", "", R"({"spec":{"taints":[{"key":"a"}]}})",
     R"({"spec":{"taints":[{"key":"b"}]}})", R"({"spec":{"taints":[{"key":"b"}]}})"},
    {"finalizers are a set", "configmaps", "", R"({"metadata":{"finalizers":["a","b"]}})",
     R"({"metadata":{"finalizers":["b","c"]}})", R"({"metadata":{"finalizers":["a","b","c"]}})"},
    {"members of a set are deleted", "configmaps", "", R"({"metadata":{"finalizers":["a","b"]}})",
     R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a"]}})", R"({"metadata":{"finalizers":["b"]}})"},
    {"deep in a template", "deployments", "apps",
     R"({"spec":{"template":{"spec":{"containers":[{"name":"a","image":"x","env":[{"name":"K","value":"1"}]}]}}}})",
     R"({"spec":{"template":{"spec":{"containers":[{"name":"a","image":"y","env":[{"name":"L","value":"2"}]}]}}}})",
     R"({"spec":{"template":{"spec":{"containers":[{"name":"a","image":"y","env":[{"name":"L","value":"2"},{"name":"K","value":"1"}]}]}}}})"},
    {"keys that are retained", "deployments", "apps",
     R"({"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}}})",
     R"({"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}})",
     R"({"spec":{"strategy":{"type":"Recreate"}}})"},
    {"conditions by type", "pods", "",
     R"({"status":{"conditions":[{"type":"Ready","status":"False"},{"type":"A","status":"True"}]}})",
     R"({"status":{"conditions":[{"type":"Ready","status":"True"}]}})",
     R"({"status":{"conditions":[{"type":"Ready","status":"True"},{"type":"A","status":"True"}]}})"}};

TEST(StrategicMerge, DoesAsUpstream) {
  for (const auto& each : strategic_cases) {
    SCOPED_TRACE(each.what);
    EXPECT_EQ(
        patched(must_be(each.plural, each.group), PatchType::strategic, parsed(each.original), parsed(each.patch)),
        parsed(each.result));
  }
}

int refused_with(PatchType type, const json& object, const json& patch) {
  try {
    patched(must_be("services"), type, object, patch);
    return 0;
  } catch (const ApiError& error) {
    return error.code();
  }
}

TEST(Patches, ThatAreNoneOrDontFitAreRefused) {
  const auto service = parsed(R"({"metadata":{"name":"a"},"spec":{"ports":[{"port":80}]}})");
  EXPECT_EQ(refused_with(PatchType::strategic, service, parsed(R"({"spec":{"ports":[{"name":"x"}]}})")), 400)
      << "no merge key";
  EXPECT_EQ(refused_with(PatchType::strategic, service, parsed(R"({"spec":{"ports":["x"]}})")), 400);
  EXPECT_EQ(refused_with(PatchType::strategic, service, parsed(R"({"spec":{"$patch":"explode"}})")), 400);
  EXPECT_EQ(refused_with(PatchType::strategic, service, parsed("[]")), 400);
  EXPECT_EQ(refused_with(PatchType::merge, service, parsed("3")), 400);
  EXPECT_EQ(refused_with(PatchType::json, service, parsed("{}")), 400);
  EXPECT_EQ(refused_with(PatchType::json, service, parsed(R"([{"op":"remove","path":"/nope"}])")), 422);
  EXPECT_EQ(refused_with(PatchType::json, service, parsed(R"([{"op":"explode","path":"/spec"}])")), 422);
  EXPECT_EQ(refused_with(PatchType::json, service, parsed(R"([{"op":"replace","path":"","value":[]}])")), 422);
}

TEST(JsonPatch, AppliesAllOrNothing) {
  const auto service = parsed(R"({"spec":{"ports":[{"port":80}]}})");
  EXPECT_EQ(
      patched(
          must_be("services"), PatchType::json, service,
          parsed(
              R"([{"op":"add","path":"/spec/ports/-","value":{"port":81}},{"op":"test","path":"/spec/ports/1/port","value":81},
                              {"op":"move","from":"/spec/ports/0","path":"/spec/ports/1"},{"op":"copy","from":"/spec","path":"/status"}])")),
      parsed(R"({"spec":{"ports":[{"port":81},{"port":80}]},"status":{"ports":[{"port":81},{"port":80}]}})"));
  EXPECT_EQ(refused_with(PatchType::json, service,
                         parsed(R"([{"op":"remove","path":"/spec"},{"op":"remove","path":"/spec"}])")),
            422);
}

TEST(JsonPatch, CannotMakeAnObjectGrowWithoutEnd) {
  auto doubling = json::array();
  for (int i = 0; i < 60; ++i)
    doubling.push_back({{"op", "copy"}, {"from", "/data"}, {"path", fmt::format("/data/k{}", i)}});
  EXPECT_EQ(refused_with(PatchType::json, {{"data", {{"a", "b"}}}}, doubling), 422);
  json large = json::object();
  for (int i = 0; i < 40'000; ++i) large[std::to_string(i)] = "";
  auto there_and_back = json::array();
  for (int i = 0; i < 100; ++i) {
    there_and_back.push_back({{"op", "move"}, {"from", "/data"}, {"path", "/x"}});
    there_and_back.push_back({{"op", "move"}, {"from", "/x"}, {"path", "/data"}});
  }
  EXPECT_EQ(refused_with(PatchType::json, {{"data", large}}, there_and_back), 422) << "moving costs as copying does";
  const std::vector<json> insertions(1'000, json{{"op", "add"}, {"path", "/x/0"}, {"value", 1}});
  EXPECT_EQ(refused_with(PatchType::json, {{"x", std::vector<int>(100'000)}}, json(insertions)), 422)
      << "each moves all that stand behind it";
  const std::vector<json> many(10'001, json{{"op", "test"}, {"path", "/a"}, {"value", 1}});
  EXPECT_EQ(refused_with(PatchType::json, {{"a", 1}}, json(many)), 413);
}

TEST(StrategicMerge, OfLongListsTakesNoTimeToSpeakOf) {
  auto ports = json::array();
  for (int i = 0; i < 20'000; ++i) ports.push_back({{"port", i}});
  const json service{{"spec", {{"ports", ports}}}};
  std::reverse(ports.begin(), ports.end());
  const auto result = patched(must_be("services"), PatchType::strategic, service, {{"spec", {{"ports", ports}}}});
  EXPECT_EQ(result["spec"]["ports"], ports);
}

}  // namespace
}  // namespace knetsim::kube
