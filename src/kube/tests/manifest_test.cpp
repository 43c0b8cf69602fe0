#include "knetsim/kube/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "knetsim/kube/access.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

std::string manifest_refusal(const std::string& text, const ManifestLimits& limits = {}) {
  try {
    read_manifests("web.yaml", text, limits);
    return "";
  } catch (const InputError& error) {
    return error.what();
  }
}

TEST(Manifests, HoldSeveralDocuments) {
  const auto found = read_manifests("web.yaml", R"(---
# nothing but a comment
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {k: "8080"}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: b}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: c}
)");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].object["data"]["k"], "8080");
  EXPECT_EQ(found[0].place(), "web.yaml:4 (document 2)");
  EXPECT_EQ(name_of(found[1].object), "b");
  EXPECT_EQ(found[1].line, 12U);
  EXPECT_EQ(name_of(found[2].object), "c");
}

TEST(Manifests, AreJsonToo) {
  const auto found = read_manifests("a.json", R"({"apiVersion": "v1",
    "kind": "Service", "metadata": {"name": "a"}})");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(name_of(found[0].object), "a");
  EXPECT_THAT(manifest_refusal("{\"apiVersion\": \"v1\", \"kind\": \"Service\",\n \"spec\": {\n\"nope\": 1}}"),
              StartsWith("web.yaml:3: /spec/nope: unknown field \"spec.nope\""));
  EXPECT_THAT(manifest_refusal("{\"a\": }"), StartsWith("web.yaml:1:"));
}

TEST(Manifests, SayFileDocumentAndLineOfWhatIsWrong) {
  const std::string head = "apiVersion: v1\nkind: ConfigMap\n---\napiVersion: v1\nkind: Service\n";
  const std::vector<std::pair<std::string, std::string>> table{
      {head + "spec:\n  ports:\n  - port: 80\n  - prot: TCP\n    port: 81\n",
       "web.yaml:9 (document 2): /spec/ports/1/prot: unknown field \"spec.ports[1].prot\""},
      {head + "spec: {ports: [{port: http}]}\n",
       "web.yaml:4 (document 2): json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of "
       "type int32"},
      {"kind: Service\n", "web.yaml:1: apiVersion isn't set"},
      {"apiVersion: v1\n", "web.yaml:1: kind isn't set"},
      {"apiVersion: v1\nkind: Servise\n",
       "web.yaml:2: /kind: there is no kind \"Servise of v1\" (did you mean Service of v1?)"},
      {"- a\n", "web.yaml:1: an object is a mapping"},
      {"a: b: c\n", "web.yaml: line 1, column"},
      {"a: [\n", "web.yaml: line "},
      {"a: 1\na: 2\n", "web.yaml: line 2, column 1: the key \"a\" stands twice"},
      {"a: *nobody\n", "web.yaml: line 1, column"},
      {",\n", "web.yaml: line 1, column 1: what begins here is no document"},
      {"# a document without content\n---\n,", "web.yaml: line 3, column 1: what begins here is no document"},
      {"a: !!python/object x\n", "web.yaml: line 1, column"},
      {std::string("a: \0b", 5), "web.yaml: line 1, column 1: a NUL byte"}};
  for (const auto& [text, problem] : table) EXPECT_THAT(manifest_refusal(text), StartsWith(problem)) << text;
}

TEST(Manifests, AreBounded) {
  const ManifestLimits small{.size = 100'000, .depth = 20, .nodes = 5'000, .objects = 3};
  EXPECT_THAT(manifest_refusal(std::string(200'000, ' '), small), HasSubstr("at most 100000 are read"));
  std::string deep;
  for (int i = 0; i < 30; ++i) deep += "- ";
  EXPECT_THAT(manifest_refusal(deep, small), HasSubstr("nested deeper than 20 levels"));
  EXPECT_FALSE(manifest_refusal(std::string(90'000, '['), small).empty());
  EXPECT_FALSE(manifest_refusal(std::string(90'000, '{'), small).empty());
  std::string laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) laughs += "*a" + std::to_string(i - 1) + ",";
    laughs += "]\n";
  }
  EXPECT_THAT(manifest_refusal(laughs, small), HasSubstr("more than 5000 values, aliases followed"));
  EXPECT_THAT(manifest_refusal("a: &a [*a]\n", small), HasSubstr("alias"));
  const std::string object = "---\napiVersion: v1\nkind: ConfigMap\n";
  EXPECT_EQ(manifest_refusal(object + object + object, small), "");
  EXPECT_THAT(manifest_refusal(object + object + object + object, small), HasSubstr("more than 3 objects"));
}

TEST(Yaml, TakesScalarsAsGoDoes) {
  const std::vector<std::pair<std::string, json>> table{{"80", 80},
                                                        {"\"80\"", "80"},
                                                        {"'yes'", "yes"},
                                                        {"yes", true},
                                                        {"off", false},
                                                        {"~", nullptr},
                                                        {"null", nullptr},
                                                        {"0644", 420},
                                                        {"0x10", 16},
                                                        {"-3", -3},
                                                        {"1.5", 1.5},
                                                        {"1e3", 1000.0},
                                                        {"10.0.0.1", "10.0.0.1"},
                                                        {"1_000", 1000},
                                                        {"2026-11-28", "2026-11-28"},
                                                        {"|\n  two\n  lines\n", "two\nlines\n"},
                                                        {">-\n  one\n  line\n", "one line"},
                                                        {"12:30", "12:30"},
                                                        {"true", true},
                                                        {"[1, a]", json::array({1, "a"})},
                                                        {"{a: b}", {{"a", "b"}}},
                                                        {"!!str 80", "80"}};
  for (const auto& [text, value] : table) {
    const auto read = read_yaml("a: " + text + "\n");
    EXPECT_EQ(read["a"], value) << text;
  }
  EXPECT_EQ(read_yaml("80: a\ntrue: b\n"), json({{"80", "a"}, {"true", "b"}}));
  EXPECT_EQ(read_yaml("base: &b {x: 1, z: 2}\nown: {<<: *b, z: 3}\n")["own"], json({{"x", 1}, {"z", 3}}));
  EXPECT_EQ(read_yaml("\"<<\": {a: 1}\n"), json({{"<<", {{"a", 1}}}}));
  EXPECT_THROW(read_yaml("a: 1\n---\nb: 2\n"), InputError);
}

}  // namespace
}  // namespace knetsim::kube
