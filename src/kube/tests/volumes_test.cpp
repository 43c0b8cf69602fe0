// Volumes of pods: what a server makes of them, and its words for those that it refuses.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "knetsim/kube/kinds.h"
#include "knetsim/kube/prepare.h"
#include "knetsim/kube/reader.h"

namespace knetsim::kube::test {
namespace {

using nlohmann::json;

json made_with(const std::string& volumes, const std::string& mounts) {
  const auto& pods = must_be("pods");
  const auto sent = json::parse(fmt::format(
      R"({{"metadata":{{"name":"p"}},"spec":{{"volumes":{},"containers":[{{"name":"c","image":"x","volumeMounts":{}}}]}}}})",
      volumes, mounts));
  return prepare_create(pods, read_object(pods, sent, FieldValidation::strict).object,
                        {.ns = "shop", .name = {}, .uid = "u", .suffix = {}, .now = {}});
}

struct VolumeCase {
  const char* volumes;
  const char* mounts;
  const char* complaint;
};

TEST(Volumes, AreRefusedInUpstreamsWords) {
  const std::vector<VolumeCase> table{
      {R"([{"name":"v","configMap":{}}])", "[]", "spec.volumes[0].configMap.name: Required value"},
      {R"([{"name":"v","secret":{}}])", "[]", "spec.volumes[0].secret.secretName: Required value"},
      {R"([{"name":"v","configMap":{"name":"a","defaultMode":512}}])", "[]",
       "spec.volumes[0].configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both "
       "inclusive"},
      {R"([{"name":"v","configMap":{"name":"a","items":[{"path":"p"}]}}])", "[]",
       "spec.volumes[0].configMap.items[0].key: Required value"},
      {R"([{"name":"v","configMap":{"name":"a","items":[{"key":"k"}]}}])", "[]",
       "spec.volumes[0].configMap.items[0].path: Required value"},
      {R"([{"name":"v","configMap":{"name":"a","items":[{"key":"k","path":"/etc/passwd"}]}}])", "[]",
       "spec.volumes[0].configMap.items[0].path: Invalid value: \"/etc/passwd\": must be a relative path"},
      {R"([{"name":"v","secret":{"secretName":"a","items":[{"key":"k","path":"a/../../b"}]}}])", "[]",
       "spec.volumes[0].secret.items[0].path: Invalid value: \"a/../../b\": must not contain '..'"},
      {R"([{"name":"v","secret":{"secretName":"a","items":[{"key":"k","path":"..data"}]}}])", "[]",
       "spec.volumes[0].secret.items[0].path: Invalid value: \"..data\": must not start with '..'"},
      {R"([{"name":"v","secret":{"secretName":"a","items":[{"key":"k","path":"p","mode":-1}]}}])", "[]",
       "spec.volumes[0].secret.items[0].mode: Invalid value: -1: must be a number between 0 and 0777 (octal), both "
       "inclusive"},
      {R"([{"name":"v","emptyDir":{},"configMap":{"name":"a"}}])", "[]",
       "spec.volumes[0].configMap: Forbidden: may not specify more than 1 volume type"},
      {R"([{"name":"v","downwardAPI":{"items":[{"path":"p"}]}}])", "[]",
       "spec.volumes[0].downwardAPI.items[0]: Required value: one of fieldRef and resourceFieldRef is required"},
      {R"([{"name":"v","projected":{"sources":[{"configMap":{"items":[]}}]}}])", "[]",
       "spec.volumes[0].projected.sources[0].configMap.name: Required value"},
      {R"([{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t","expirationSeconds":5}}]}}])", "[]",
       "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 5: may not "
       "specify a duration less than 10 minutes"},
      {R"([{"name":"v","hostPath":{"path":"/a/../b"}}])", "[]",
       "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"},
      {R"([{"name":"v","persistentVolumeClaim":{"claimName":""}}])", "[]",
       "spec.volumes[0].persistentVolumeClaim.claimName: Required value"},
      {R"([{"name":"v"},{"name":"v"}])", "[]", "spec.volumes[1].name: Duplicate value: \"v\""},
      {R"([{"name":"v"}])", R"([{"name":"w","mountPath":"/a"}])",
       "spec.containers[0].volumeMounts[0].name: Not found: \"w\""},
      {R"([{"name":"v"}])", R"([{"name":"v","mountPath":"/a"},{"name":"v","mountPath":"/a"}])",
       "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique"},
      {R"([{"name":"v"}])", R"([{"name":"v","mountPath":"/a","subPath":"/b"}])",
       "spec.containers[0].volumeMounts[0].subPath: Invalid value: \"/b\": must be a relative path"},
      {R"([{"name":"v"}])", R"([{"name":"v","mountPath":"/a","subPath":"b/.."}])",
       "spec.containers[0].volumeMounts[0].subPath: Invalid value: \"b/..\": must not contain '..'"},
      {R"([{"name":"v"}])", R"x([{"name":"v","mountPath":"/a","subPath":"b","subPathExpr":"$(B)"}])x",
       "spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: \"$(B)\": subPathExpr and subPath are mutually "
       "exclusive"},
  };
  for (const auto& [volumes, mounts, complaint] : table) {
    try {
      made_with(volumes, mounts);
      ADD_FAILURE() << "taken: " << volumes << mounts;
    } catch (const ApiError& error) {
      EXPECT_EQ(error.what(), fmt::format("Pod \"p\" is invalid: {}", complaint));
    }
  }
}

TEST(Volumes, AreTakenWithWhatUpstreamAdds) {
  const auto pod = made_with(
      R"([{"name":"a"},{"name":"b","configMap":{"name":"x","items":[{"key":"k","path":"d/..x/f"}]}},
          {"name":"c","projected":{"sources":[{"secret":{"name":"s"}},{"serviceAccountToken":{"path":"token"}}]}},
          {"name":"d","hostPath":{"path":"/var/log"}}])",
      R"([{"name":"a","mountPath":"/a","subPath":"x/y"},{"name":"b","mountPath":"/b","mountPropagation":"None"}])");
  const auto& volumes = pod["spec"]["volumes"];
  EXPECT_EQ(volumes[0]["emptyDir"], json::object());
  EXPECT_EQ(volumes[1]["configMap"]["defaultMode"], 0644);
  EXPECT_EQ(volumes[2]["projected"]["defaultMode"], 0644);
  EXPECT_EQ(volumes[3]["hostPath"]["type"], "");
}

}  // namespace
}  // namespace knetsim::kube::test
