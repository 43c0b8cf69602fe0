#include "knetsim/kube/kinds.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/kube/access.h"
#include "knetsim/kube/openapi.h"
#include "knetsim/kube/table.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

TEST(Kinds, AreWholeRows) {
  std::set<std::string> storage;
  std::set<std::string_view> short_names;
  for (const auto& kind : kinds()) {
    SCOPED_TRACE(kind.kind);
    EXPECT_TRUE(kind.fill_in != nullptr && kind.validate != nullptr && kind.validate_change != nullptr &&
                kind.row != nullptr);
    EXPECT_TRUE(storage.insert(std::string(kind.storage)).second);
    for (const auto name : kind.short_names) EXPECT_TRUE(short_names.insert(name).second) << name;
    EXPECT_EQ(kind.has_status, kind.subresource("status") != nullptr);
    EXPECT_EQ(&kind.schema(), find_schema(kind.kind));
    EXPECT_EQ(find(kind.group, kind.version, kind.plural), &kind);
    EXPECT_EQ(kind_of(kind.api_version(), kind.kind), &kind);
    EXPECT_TRUE(kind.allows("watch"));
    EXPECT_TRUE(std::ranges::is_sorted(kind.verbs));
    EXPECT_TRUE(std::ranges::is_sorted(kind.subresources, {}, &Subresource::name));
  }
  EXPECT_EQ(kinds().size(), 20U);
}

TEST(Kinds, LieInEtcdWhereTheRealServerPutsThem) {
  EXPECT_EQ(must_be("services").key("shop", "web"), "/registry/services/specs/shop/web");
  EXPECT_EQ(must_be("nodes").key({}, "w1"), "/registry/minions/w1");
  EXPECT_EQ(must_be("pods").key("shop"), "/registry/pods/shop/");
  EXPECT_EQ(must_be("ingresses", "networking.k8s.io").key(), "/registry/ingress/");
}

TEST(Rows, OfPodsSayWhatIsTheMatter) {
  const auto state = [](json status, json spec = json::object(), json metadata = json::object()) {
    spec["containers"] = json::array({{{"name", "a"}}, {{"name", "b"}}});
    const auto cells = must_be("pods").row(
        {{"metadata", std::move(metadata)}, {"spec", std::move(spec)}, {"status", std::move(status)}},
        *parse_timestamp("2026-11-28T14:00:00Z"));
    return fmt::format("{} {} {}", text_in(cells[1]), text_in(cells[2]), text_in(cells[3]));
  };
  const json good{{"name", "a"}, {"ready", true}, {"restartCount", 0}, {"state", {{"running", json::object()}}}};
  const json crashed{{"name", "b"},
                     {"restartCount", 3},
                     {"state", {{"waiting", {{"reason", "CrashLoopBackOff"}}}}},
                     {"lastState", {{"terminated", {{"finishedAt", "2026-11-28T13:59:00Z"}}}}}};
  const json failed{{"name", "b"}, {"restartCount", 0}, {"state", {{"terminated", {{"exitCode", 7}}}}}};
  const json done{
      {"name", "b"}, {"restartCount", 0}, {"state", {{"terminated", {{"exitCode", 0}, {"reason", "Completed"}}}}}};
  EXPECT_EQ(state({{"phase", "Running"}, {"containerStatuses", {good, good}}}), "2/2 Running 0");
  EXPECT_EQ(state({{"phase", "Running"}, {"containerStatuses", {good, crashed}}}), "1/2 CrashLoopBackOff 3 (60s ago)");
  EXPECT_EQ(state({{"phase", "Failed"}, {"containerStatuses", json::array({failed})}}), "0/2 ExitCode:7 0");
  EXPECT_EQ(state({{"phase", "Running"}, {"containerStatuses", {good, done}}}), "1/2 NotReady 0");
  EXPECT_EQ(state({{"phase", "Running"}, {"containerStatuses", {good, good}}}, json::object(),
                  {{"deletionTimestamp", "2026-11-28T14:00:30Z"}}),
            "2/2 Terminating 0");
  EXPECT_EQ(state({{"phase", "Pending"},
                   {"initContainerStatuses", json::array({{{"state", {{"running", json::object()}}}}})}},
                  {{"initContainers", json::array({json::object()})}}),
            "0/2 Init:0/1 0");
  EXPECT_EQ(state({{"phase", "Failed"}, {"reason", "Evicted"}}), "0/2 Evicted 0");
  const json inits{{"initContainers", {{{"name", "i"}}, {{"name", "side"}, {"restartPolicy", "Always"}}}}};
  json prepared = done;
  prepared.update({{"name", "i"}, {"restartCount", 2}});
  json sidecar = good;
  sidecar.update({{"name", "side"}, {"started", true}, {"restartCount", 1}});
  const auto with_sidecar = [&](json containers) {
    return state({{"phase", "Running"},
                  {"initContainerStatuses", {prepared, sidecar}},
                  {"containerStatuses", std::move(containers)}},
                 inits);
  };
  EXPECT_EQ(with_sidecar({good, good}), "3/3 Running 1") << "what has prepared the pod is forgotten";
  sidecar["ready"] = false;
  EXPECT_EQ(with_sidecar({good, good}), "2/3 Running 1");
  sidecar["started"] = false;
  EXPECT_EQ(with_sidecar(json::array()), "0/3 Init:1/2 3");
}

TEST(Rows, OfServicesShowWhereTheyAreReached) {
  const auto external = [](json spec, json status = json::object()) {
    const auto cells = must_be("services").row({{"spec", std::move(spec)}, {"status", std::move(status)}}, {});
    return fmt::format("{} {} {}", text_in(cells[2]), text_in(cells[3]), text_in(cells[4]));
  };
  EXPECT_EQ(external({{"type", "LoadBalancer"},
                      {"clusterIP", "10.96.0.9"},
                      {"ports", json::array({{{"port", 80}, {"nodePort", 30080}, {"protocol", "TCP"}}})}}),
            "10.96.0.9 <pending> 80:30080/TCP");
  EXPECT_EQ(external({{"type", "LoadBalancer"}, {"externalIPs", {"192.0.2.9"}}},
                     {{"loadBalancer", {{"ingress", json::array({{{"ip", "192.0.2.1"}}})}}}}),
            "<none> 192.0.2.1,192.0.2.9 <none>");
  EXPECT_EQ(external({{"type", "ExternalName"}, {"externalName", "a.example.org"}}), "<none> a.example.org <none>");
}

TEST(Openapi, HasEveryOperationAndSchemaThatKubectlAsksFor) {
  const auto index = openapi_index();
  for (const auto& kind : kinds()) {
    SCOPED_TRACE(kind.kind);
    const auto path = (kind.group.empty() ? "api/" : "apis/") + kind.api_version();
    ASSERT_TRUE(index["paths"].contains(path));
    const auto document = openapi_document(path);
    ASSERT_TRUE(document);
    const auto place =
        fmt::format("/{}/{}{}/{{name}}", path, kind.namespaced ? "namespaces/{namespace}/" : "", kind.plural);
    const auto& patch = member(*document, "paths", place, "patch");
    EXPECT_EQ(patch["x-kubernetes-group-version-kind"],
              json({{"group", kind.group}, {"version", kind.version}, {"kind", kind.kind}}));
    std::set<std::string> parameters;
    for (const auto& each : patch["parameters"]) parameters.insert(text_at(each, "name"));
    EXPECT_TRUE(parameters.contains("fieldValidation") && parameters.contains("dryRun"));
  }
  EXPECT_FALSE(openapi_document("apis/nope/v1"));
}

void expect_references(const json& value, const json& schemas) {
  if (value.is_object() && value.contains("$ref")) {
    const auto name = text_at(value, "$ref").substr(std::string("#/components/schemas/").size());
    EXPECT_TRUE(schemas.contains(name)) << name;
  }
  if (value.is_structured())
    for (const auto& each : value) expect_references(each, schemas);
}

TEST(Openapi, MentionsNoSchemaThatIsntThere) {
  for (const auto* const path : {"api/v1", "apis/apps/v1", "apis/networking.k8s.io/v1"}) {
    const auto document = openapi_document(path);
    const auto& schemas = (*document)["components"]["schemas"];
    EXPECT_GT(schemas.size(), 10U);
    expect_references(*document, schemas);
  }
  const auto core = openapi_document("api/v1");
  const auto& ports = (*core)["components"]["schemas"]["io.k8s.api.ServiceSpec"]["properties"]["ports"];
  EXPECT_EQ(ports["x-kubernetes-patch-merge-key"], "port");
  EXPECT_EQ(ports["x-kubernetes-list-map-keys"], json::array({"port", "protocol"}));
  EXPECT_EQ(ports["items"]["$ref"], "#/components/schemas/io.k8s.api.ServicePort");
}

}  // namespace
}  // namespace knetsim::kube
