// Who owns which field, against what a real API server kept after the same writes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "recordings.h"
#include "written.h"

namespace knetsim::kube::test {
namespace {

using recordings::recording;
using testing::ElementsAre;
using testing::IsEmpty;

std::string word_of(const std::string& query, const std::string& word) {
  const auto at = query.find(word + "=");
  return at == std::string::npos ? "" : query.substr(at + word.size() + 1, query.find('&', at) - at - word.size() - 1);
}

void do_step(Written& written, const json& step) {
  const auto& query = text_at(step, "query");
  const auto manager = word_of(query, "fieldManager");
  const auto& type = text_at(step, "type");
  const auto& body = step["body"];
  if (type == "application/apply-patch+yaml") return written.apply(manager, body, word_of(query, "force") == "true");
  if (type == "application/json") {
    if (body["metadata"].contains("resourceVersion")) written.set_version(body["metadata"]["resourceVersion"]);
    return written.update(manager, body);
  }
  if (type == "application/json-patch+json") {
    for (const auto& operation : body)
      if (operation["path"] == "/metadata/resourceVersion") written.set_version(operation["value"]);
    return written.patch(manager, PatchType::json, body);
  }
  const bool merge = type == "application/merge-patch+json";
  if (member(body, "metadata", "resourceVersion").is_string()) written.set_version(body["metadata"]["resourceVersion"]);
  written.patch(manager, merge ? PatchType::merge : PatchType::strategic, body);
}

json without_moments(json fields) {
  for (auto& entry : fields)
    if (entry.contains("time")) entry["time"] = "some";
  return fields;
}

TEST(ManagedFields, AreThoseOfARealServerAfterTheSameWrites) {
  for (const auto& [name, sequence] : recording("managed-fields").items()) {
    SCOPED_TRACE(name);
    Written written(sequence["kind"].get<std::string>());
    for (const auto& step : sequence["steps"]) {
      SCOPED_TRACE(step["command"]);
      if (!step.contains("refusal")) {
        do_step(written, step);
        continue;
      }
      try {
        do_step(written, step);
        ADD_FAILURE() << "not refused";
      } catch (const ApiError& error) {
        EXPECT_EQ(error.status(), step["refusal"]);
      }
    }
    EXPECT_EQ(without_moments(written.object()["metadata"]["managedFields"]), without_moments(sequence["after"]));
  }
}

TEST(ManagedFields, NameWhoeverChangedAFieldLast) {
  Written written("configmaps");
  written.update("one", config_map({{"a", "1"}, {"b", "2"}}));
  EXPECT_THAT(written.owners(), ElementsAre("one Update: .data .data.a .data.b"));
  written.patch("two", PatchType::merge, {{"data", {{"b", "3"}, {"c", "4"}}}});
  EXPECT_THAT(written.owners(), ElementsAre("one Update: .data .data.a", "two Update: .data.b .data.c"));
  written.patch("three", PatchType::merge, {{"data", {{"a", nullptr}}}});
  EXPECT_THAT(written.owners(), ElementsAre("one Update: .data", "two Update: .data.b .data.c"));
  const auto before = written.object();
  written.update("four", before);
  EXPECT_EQ(written.object(), before) << "nothing was changed";
  written.patch("two", PatchType::merge, {{"data", {{"b", "5"}}}});
  EXPECT_EQ(written.object()["data"]["b"], "5") << "by whom it was already";
}

TEST(ManagedFields, KeepPartsOfAnObjectApart) {
  Written written("deployments", "apps");
  const json pod{{"metadata", {{"labels", {{"app", "web"}}}}},
                 {"spec", {{"containers", {{{"name", "c"}, {"image", "x"}}}}}}};
  written.update("one", {{"metadata", {{"name", "web"}}},
                         {"spec", {{"selector", {{"matchLabels", {{"app", "web"}}}}}, {"template", pod}}}});
  written.update_status("two", {{"replicas", 1}});
  written.scale("three", 3);
  ASSERT_EQ(written.owners().size(), 3U);
  EXPECT_THAT(written.owners()[0], testing::HasSubstr(".spec.template.spec.containers[name=\"c\"]"));
  EXPECT_THAT(written.owners()[0], testing::HasSubstr(".spec.template.spec.containers[name=\"c\"].image"));
  EXPECT_THAT(written.owners()[0], testing::HasSubstr(".spec.selector "));
  EXPECT_THAT(written.owners()[0], testing::Not(testing::HasSubstr(".spec.replicas")));
  EXPECT_EQ(written.owners()[1], "two Update status: .status.replicas");
  EXPECT_EQ(written.owners()[2], "three Update scale: .spec.replicas");
}

TEST(ManagedFields, LeaveTheStatusToWhoeverWritesIt) {
  Written written("pods");
  written.update("one", {{"metadata", {{"name", "p"}}},
                         {"spec", {{"containers", {{{"name", "c"}, {"image", "x"}}}}}},
                         {"status", {{"phase", "Running"}}}});
  ASSERT_EQ(written.object()["status"]["phase"], "Pending") << "that is of the server";
  ASSERT_EQ(written.owners().size(), 1U);
  EXPECT_THAT(written.owners()[0], testing::Not(testing::HasSubstr(".status")));
}

TEST(ManagedFields, OfManyAreTheLatestTen) {
  Written written("configmaps");
  written.update("w00", config_map({{"a", "1"}}));
  for (int i = 1; i < 15; ++i)
    written.patch(fmt::format("w{:02}", i), PatchType::merge, {{"data", {{fmt::format("k{:02}", i), "x"}}}});
  const auto owners = written.owners();
  ASSERT_EQ(owners.size(), 10U);
  EXPECT_EQ(owners.front(), "ancient-changes Update: .data .data.a .data.k01 .data.k02 .data.k03 .data.k04 .data.k05");
  EXPECT_EQ(owners.back(), "w14 Update: .data.k14");
  EXPECT_EQ(written.object()["metadata"]["managedFields"][0]["time"], timestamp(kStart + std::chrono::seconds(6)))
      << "the latest of those";
}

TEST(ManagedFields, AreTakenAwayAndNotMadeUp) {
  Written written("configmaps");
  written.update("one", config_map({{"a", "1"}}));
  written.patch("one", PatchType::merge, {{"metadata", {{"managedFields", {json::object()}}}}});
  EXPECT_THAT(written.owners(), IsEmpty());
  written.patch("two", PatchType::merge, {{"data", {{"a", "2"}}}});
  EXPECT_THAT(written.owners(), IsEmpty()) << "nobody knows whose the rest is";
  written.apply("three", config_map({{"b", "1"}}));
  EXPECT_THAT(written.owners(), ElementsAre("three Apply: .data.b", "before-first-apply Update: .data .data.a"));
}

TEST(ManagedFields, ThatCantBeReadAreThoseOfBefore) {
  Written written("configmaps");
  written.update("one", config_map({{"a", "1"}}));
  const auto before = written.owners();
  const auto entry = [](const json& change) {
    json fields{{"manager", "x"},
                {"operation", "Update"},
                {"apiVersion", "v1"},
                {"fieldsType", "FieldsV1"},
                {"fieldsV1", {{"f:data", {{"f:zz", json::object()}}}}}};
    fields.update(change);
    return json{{"metadata", {{"managedFields", {fields}}}}};
  };
  for (const json& change :
       {json{{"operation", "Delete"}}, json{{"fieldsType", "FieldsV2"}}, json{{"fieldsV1", {{"x:", {}}}}},
        json{{"fieldsV1", {{"k:{\"a\"", json::object()}}}}, json{{"fieldsV1", {{"f:a", 1}}}}}) {
    written.patch("two", PatchType::merge, entry(change));
    EXPECT_EQ(written.owners(), before) << change;
  }
  written.patch("two", PatchType::merge, entry(json::object()));
  EXPECT_THAT(written.owners(), ElementsAre("x Update: .data.zz")) << "these can";
}

TEST(ManagedFields, AreOfWhomTheRequestNames) {
  EXPECT_EQ(manager_name("mine", "kubectl/v1.32.5 (linux/amd64)"), "mine");
  EXPECT_EQ(manager_name("", "kubectl/v1.32.5 (linux/amd64)"), "kubectl");
  EXPECT_EQ(manager_name("", "my\tprogram"), "myprogram");
  EXPECT_EQ(manager_name("", ""), "unknown");
  EXPECT_EQ(manager_name("", std::string(127, 'a') + "\xc3\xa4/1"), std::string(127, 'a'));
  check_manager("mine", "CreateOptions");
  check_patch_options("", false, false);
  check_patch_options("mine", true, true);
  EXPECT_THROW(check_manager(std::string(129, 'a'), "CreateOptions"), ApiError);
  EXPECT_THROW(check_patch_options("a\nb", false, false), ApiError);
  try {
    check_patch_options("", false, true);
    ADD_FAILURE();
  } catch (const ApiError& error) {
    EXPECT_STREQ(error.what(),
                 "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
    EXPECT_EQ(error.code(), 422);
  }
  EXPECT_THROW(check_patch_options("mine", true, false), ApiError) << "only what is applied can be forced";
}

}  // namespace
}  // namespace knetsim::kube::test
