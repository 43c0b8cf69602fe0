// Who owns which field, against what a real API server kept after the same writes.
#include "knetsim/kube/managed_fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "knetsim/kube/access.h"
#include "knetsim/kube/allocate.h"
#include "knetsim/kube/field_set.h"
#include "knetsim/kube/patch.h"
#include "knetsim/kube/prepare.h"
#include "knetsim/kube/reader.h"
#include "recordings.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;
using recordings::recording;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Time kStart{std::chrono::seconds{1'800'000'000}};

/// An object, and those who write it, one second after the other.
class Written {
 public:
  explicit Written(std::string_view plural, std::string_view group = {}) : kind_(&must_be(plural, group)) {}

  const json& object() const noexcept { return object_; }
  void set_version(const json& version) { object_["metadata"]["resourceVersion"] = version; }

  void update(const std::string& manager, const json& sent) {
    const auto author = author_of(manager);
    auto read = read_object(*kind_, sent, FieldValidation::strict).object;
    object_ =
        object_.is_null() ? created(std::move(read), author) : prepare_update(*kind_, object_, std::move(read), author);
  }
  void patch(const std::string& manager, PatchType type, const json& patch) {
    update(manager, patched(*kind_, type, object_, patch));
  }
  void apply(const std::string& manager, const json& config, bool force = false) {
    const auto made = server_side_apply(*kind_, object_, config, author_of(manager), force);
    auto read = read_object(*kind_, made, FieldValidation::ignore).object;
    object_ = object_.is_null() ? created(std::move(read), {}) : prepare_update(*kind_, object_, std::move(read));
  }
  void update_status(const std::string& manager, const json& status) {
    auto sent = object_;
    sent["status"] = status;
    auto author = author_of(manager);
    author.subresource = "status";
    object_ = prepare_status_update(*kind_, object_, read_object(*kind_, sent, FieldValidation::strict).object, author);
  }
  void scale(const std::string& manager, int replicas) {
    auto scale = scale_of(*kind_, object_);
    scale["spec"]["replicas"] = replicas;
    auto author = author_of(manager);
    author.subresource = "scale";
    object_ = with_scale(*kind_, object_, scale, author);
  }

  /// "kubectl Apply: .data.a .data.b"
  std::vector<std::string> owners() const {
    std::vector<std::string> all;
    for (const auto& entry : list_at(object_, "metadata", "managedFields")) {
      auto line = fmt::format("{} {}{}:", text_at(entry, "manager"), text_at(entry, "operation"),
                              entry.contains("subresource") ? " " + text_at(entry, "subresource") : "");
      for (const auto& path : FieldSet::parse(entry["fieldsV1"]).paths()) line += " " + path;
      all.push_back(line);
    }
    return all;
  }

 private:
  Author author_of(const std::string& manager) {
    return {.manager = manager, .subresource = {}, .now = now_ += std::chrono::seconds(1)};
  }
  json created(json sent, std::optional<Author> author) const {
    const auto give = [&](json& object) {
      const Taken none{.address = [](const auto&) { return false; },
                       .node_port = [](auto, const auto&) { return false; }};
      if (kind_->kind == "Service") allocate(object, nullptr, {}, none, [] { return std::uint64_t{7}; });
    };
    return prepare_create(*kind_, std::move(sent),
                          {.ns = kind_->namespaced ? "shop" : "",
                           .name = {},
                           .uid = "u",
                           .suffix = "abcde",
                           .now = now_,
                           .author = std::move(author)},
                          give);
  }

  const Kind* kind_;
  json object_;
  Time now_ = kStart;
};

json config_map(const json& data, const json& more = json::object()) {
  json metadata{{"name", "cfg"}};
  metadata.update(more);
  return {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", metadata}, {"data", data}};
}

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

TEST(ManagedFields, OfManyAreTheLatestTen) {
  Written written("configmaps");
  written.update("w00", config_map({{"a", "1"}}));
  for (int i = 1; i < 15; ++i)
    written.patch(fmt::format("w{:02}", i), PatchType::merge, {{"data", {{fmt::format("k{:02}", i), "x"}}}});
  const auto owners = written.owners();
  ASSERT_EQ(owners.size(), 10U);
  EXPECT_EQ(owners.front(), "ancient-changes Update: .data .data.a .data.k01 .data.k02 .data.k03 .data.k04 .data.k05");
  EXPECT_EQ(owners.back(), "w14 Update: .data.k14");
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

// ---- server-side apply

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

class Luck {
 public:
  std::uint64_t below(std::uint64_t end) {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state_ >> 33U) % end;
  }

 private:
  std::uint64_t state_ = 42;
};

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

TEST(ServerSideApply, GivesWhatWasAskedForAndNothingTwice) {
  Luck luck;
  for (int round = 0; round < 200; ++round) {
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

FieldSet random_set(Luck& luck, int depth) {
  FieldSet set{.self = depth < 3 && luck.below(2) == 0};
  for (const char* step : {"f:a", "f:b", "k:{\"name\":\"x\"}", "v:\"y\"", "i:0"})
    if (depth > 0 && luck.below(3) == 0) set.put(step, random_set(luck, depth - 1));
  return set;
}

TEST(FieldSets, AreSetsOfPaths) {
  Luck luck;
  const auto paths = [](const FieldSet& set) {
    const auto all = set.paths();
    return std::set<std::string>(all.begin(), all.end());
  };
  for (int round = 0; round < 500; ++round) {
    auto one = random_set(luck, 3);
    auto other = random_set(luck, 3);
    one.self = other.self = false;
    EXPECT_EQ(FieldSet::parse(one.to_json()), one);
    std::set<std::string> both;
    std::set<std::string> rest;
    std::set<std::string> all = paths(one);
    all.merge(paths(other));
    for (const auto& path : paths(one)) (paths(other).contains(path) ? both : rest).insert(path);
    EXPECT_EQ(paths(shared(one, other)), both);
    EXPECT_EQ(paths(without(one, other)), rest);
    EXPECT_EQ(paths(united(one, other)), all);
    EXPECT_EQ(united(without(one, other), shared(one, other)), one);
  }
}

}  // namespace
}  // namespace knetsim::kube
