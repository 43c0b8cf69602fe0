#include "knetsim/kube/endpoint_slices.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "knetsim/kube/access.h"
#include "knetsim/kube/prepare.h"
#include "knetsim/kube/reader.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

json pod(int number, bool ready = true, std::string node = "w1") {
  return {
      {"apiVersion", "v1"},
      {"kind", "Pod"},
      {"metadata",
       {{"name", fmt::format("p{}", number)},
        {"namespace", "shop"},
        {"uid", fmt::format("uid-{}", number)},
        {"labels", {{"app", "web"}}}}},
      {"spec",
       {{"nodeName", std::move(node)},
        {"containers",
         json::array({{{"name", "c"},
                       {"ports", json::array({{{"name", "http"}, {"containerPort", 8080}, {"protocol", "TCP"}}})}}})}}},
      {"status",
       {{"phase", "Running"},
        {"podIP", fmt::format("10.244.1.{}", number)},
        {"podIPs", json::array({{{"ip", fmt::format("10.244.1.{}", number)}}})},
        {"conditions", json::array({{{"type", "Ready"}, {"status", ready ? "True" : "False"}}})}}}};
}

json service(json target = "http") {
  return {
      {"metadata", {{"name", "web"}, {"namespace", "shop"}, {"uid", "s1"}, {"labels", {{"app", "web"}}}}},
      {"spec",
       {{"selector", {{"app", "web"}}},
        {"clusterIP", "10.96.0.9"},
        {"ipFamilies", {"IPv4"}},
        {"ports",
         json::array({{{"name", "http"}, {"port", 80}, {"protocol", "TCP"}, {"targetPort", std::move(target)}}})}}}};
}

struct Cluster {
  json svc = service();
  std::vector<json> pods;
  std::vector<json> nodes;
  std::vector<json> slices;
  std::size_t largest = 100;
  int made = 0;

  SliceChanges changes() const {
    return slice_changes(
        {.service = svc, .pods = pods, .nodes = nodes, .existing = slices, .now = {}, .largest = largest});
  }
  /// What a server would do with them.
  SliceChanges apply() {
    auto all = changes();
    std::erase_if(slices,
                  [&](const json& slice) { return std::ranges::find(all.remove, name_of(slice)) != all.remove.end(); });
    for (const auto& update : all.update)
      for (auto& slice : slices)
        if (name_of(slice) == name_of(update)) slice = update;
    for (auto slice : all.create) {
      slice["metadata"]["name"] = fmt::format("web-{}", made++);
      slices.push_back(std::move(slice));
    }
    return all;
  }
  std::set<std::string> addresses() const {
    std::set<std::string> all;
    for (const auto& slice : slices)
      for (const auto& endpoint : list_at(slice, "endpoints"))
        EXPECT_TRUE(all.insert(text_in(endpoint["addresses"][0])).second);
    return all;
  }
};

TEST(EndpointSlices, AreWhatTheRealControllerMakes) {
  Cluster cluster;
  cluster.pods = {pod(1), pod(2, false, "w2")};
  cluster.nodes = {{{"metadata", {{"name", "w1"}, {"labels", {{"topology.kubernetes.io/zone", "z1"}}}}}}};
  const auto changes = cluster.changes();
  ASSERT_EQ(changes.create.size(), 1U);
  const auto& slice = changes.create[0];
  EXPECT_EQ(
      slice,
      json({{"apiVersion", "discovery.k8s.io/v1"},
            {"kind", "EndpointSlice"},
            {"metadata",
             {{"generateName", "web-"},
              {"namespace", "shop"},
              {"labels",
               {{"app", "web"},
                {"kubernetes.io/service-name", "web"},
                {"endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io"}}},
              {"annotations", {{"endpoints.kubernetes.io/last-change-trigger-time", "1970-01-01T00:00:00Z"}}},
              {"ownerReferences", json::array({{{"apiVersion", "v1"},
                                                {"kind", "Service"},
                                                {"name", "web"},
                                                {"uid", "s1"},
                                                {"controller", true},
                                                {"blockOwnerDeletion", true}}})}}},
            {"addressType", "IPv4"},
            {"ports", json::array({{{"name", "http"}, {"port", 8080}, {"protocol", "TCP"}}})},
            {"endpoints",
             json::array(
                 {{{"addresses", {"10.244.1.1"}},
                   {"conditions", {{"ready", true}, {"serving", true}, {"terminating", false}}},
                   {"nodeName", "w1"},
                   {"zone", "z1"},
                   {"targetRef", {{"kind", "Pod"}, {"namespace", "shop"}, {"name", "p1"}, {"uid", "uid-1"}}}},
                  {{"addresses", {"10.244.1.2"}},
                   {"conditions", {{"ready", false}, {"serving", false}, {"terminating", false}}},
                   {"nodeName", "w2"},
                   {"targetRef", {{"kind", "Pod"}, {"namespace", "shop"}, {"name", "p2"}, {"uid", "uid-2"}}}}})}}));
  // A real API server would take it.
  const auto& kind = must_be("endpointslices", "discovery.k8s.io");
  const auto sent = read_object(kind, slice, FieldValidation::strict).object;
  EXPECT_EQ(
      prepare_create(kind, sent, {.ns = "shop", .name = {}, .uid = "u", .suffix = "abcde", .now = {}})["endpoints"],
      slice["endpoints"]);
}

TEST(EndpointSlices, ConditionsFollowThePod) {
  Cluster cluster;
  const auto conditions = [&](json one) {
    cluster.pods = {std::move(one)};
    const auto changes = cluster.changes();
    const auto& endpoints = changes.create.at(0)["endpoints"];
    if (endpoints.empty()) return std::string("none");
    const auto& found = endpoints[0]["conditions"];
    return fmt::format("{} {} {}", bool_at(found, "ready"), bool_at(found, "serving"), bool_at(found, "terminating"));
  };
  auto ending = pod(1);
  ending["metadata"]["deletionTimestamp"] = "2026-11-28T14:00:00Z";
  auto over = pod(1);
  over["status"]["phase"] = "Succeeded";
  auto without_address = pod(1);
  without_address["status"].erase("podIP");
  without_address["status"].erase("podIPs");
  auto other = pod(1);
  other["metadata"]["labels"]["app"] = "api";
  EXPECT_EQ(conditions(pod(1)), "true true false");
  EXPECT_EQ(conditions(pod(1, false)), "false false false");
  EXPECT_EQ(conditions(ending), "false true true");
  EXPECT_EQ(conditions(over), "none");
  EXPECT_EQ(conditions(without_address), "none");
  EXPECT_EQ(conditions(other), "none");
  cluster.svc["spec"]["publishNotReadyAddresses"] = true;
  EXPECT_EQ(conditions(pod(1, false)), "true false false");
  EXPECT_EQ(conditions(ending), "true true true");
}

TEST(EndpointSlices, ChangeAsLittleAsCanBe) {
  Cluster cluster;
  cluster.largest = 3;
  for (int i = 1; i <= 7; ++i) cluster.pods.push_back(pod(i));
  EXPECT_EQ(cluster.apply().create.size(), 3U);
  EXPECT_EQ(cluster.addresses().size(), 7U);
  EXPECT_TRUE(cluster.changes().empty()) << "nothing is left to do";
  cluster.pods[4] = pod(5, false);
  const auto one = cluster.apply();
  EXPECT_EQ(one.update.size(), 1U);
  EXPECT_TRUE(one.create.empty() && one.remove.empty());
  cluster.pods.erase(cluster.pods.begin(), cluster.pods.begin() + 3);
  const auto fewer = cluster.apply();
  EXPECT_EQ(fewer.remove.size(), 1U);
  EXPECT_TRUE(fewer.update.empty()) << "the others stay as they are";
  cluster.pods.push_back(pod(8));
  const auto more = cluster.apply();
  EXPECT_EQ(more.update.size(), 1U) << "it goes where there is room";
  EXPECT_EQ(cluster.addresses().size(), 5U);
  for (const int number : {9, 10}) cluster.pods.push_back(pod(number));
  const auto full = cluster.apply();
  EXPECT_EQ(full.update.size(), 1U);
  EXPECT_EQ(full.create.size(), 1U) << "and no more than there is room";
  EXPECT_EQ(cluster.addresses().size(), 7U);
  cluster.pods.clear();
  cluster.apply();
  EXPECT_EQ(cluster.slices.size(), 1U) << "an empty one says that there are none";
  EXPECT_TRUE(cluster.changes().empty());
}

TEST(EndpointSlices, SetsOfPortsDontMix) {
  Cluster cluster;
  auto other = pod(2);
  other["spec"]["containers"][0]["ports"][0]["containerPort"] = 9090;
  auto nameless = pod(3);
  nameless["spec"]["containers"][0].erase("ports");
  cluster.pods = {pod(1), other, nameless};
  const auto changes = cluster.changes();
  ASSERT_EQ(changes.create.size(), 2U) << "the third has no port of that name";
  EXPECT_EQ(changes.create[0]["endpoints"].size(), 1U);
  EXPECT_NE(changes.create[0]["ports"], changes.create[1]["ports"]);
}

TEST(EndpointSlices, OfHeadlessServicesCarryTheLabelThatProxiesLookFor) {
  Cluster cluster;
  cluster.svc["spec"]["clusterIP"] = "None";
  cluster.pods = {pod(1)};
  EXPECT_EQ(cluster.changes().create.at(0)["metadata"]["labels"]["service.kubernetes.io/headless"], "");
  cluster.svc["spec"].erase("selector");
  EXPECT_TRUE(cluster.changes().empty()) << "somebody else's";
}

TEST(EndpointSlices, HintAtTheZoneIfEveryEndpointHasOne) {
  Cluster cluster;
  cluster.pods = {pod(1)};
  cluster.nodes = {{{"metadata", {{"name", "w1"}, {"labels", {{"topology.kubernetes.io/zone", "z1"}}}}}}};
  EXPECT_FALSE(cluster.changes().create.at(0)["endpoints"][0].contains("hints")) << "nobody wants any";
  cluster.svc["spec"]["trafficDistribution"] = "PreferClose";
  cluster.pods = {pod(1), pod(2, true, "w2")};
  cluster.nodes = {{{"metadata", {{"name", "w1"}, {"labels", {{"topology.kubernetes.io/zone", "z1"}}}}}}};
  EXPECT_FALSE(cluster.changes().create.at(0)["endpoints"][0].contains("hints"));
  cluster.nodes.push_back({{"metadata", {{"name", "w2"}, {"labels", {{"topology.kubernetes.io/zone", "z2"}}}}}});
  EXPECT_EQ(cluster.changes().create.at(0)["endpoints"][1]["hints"],
            json({{"forZones", json::array({{{"name", "z2"}}})}}));
  cluster.svc["spec"]["trafficDistribution"] = "PreferSameZone";
  EXPECT_EQ(cluster.changes().create.at(0)["endpoints"][0]["hints"],
            json({{"forZones", json::array({{{"name", "z1"}}})}}));
}

TEST(EndpointSlices, HintAtTheNodeWhereThatIsPreferredAndAtTheZoneBeside) {
  Cluster cluster;
  cluster.svc["spec"]["trafficDistribution"] = "PreferSameNode";
  cluster.pods = {pod(1), pod(2, true, "w2"), pod(3, false)};
  cluster.nodes = {{{"metadata", {{"name", "w1"}, {"labels", {{"topology.kubernetes.io/zone", "z1"}}}}}}};
  const auto named = [](const char* name) { return json::array({{{"name", name}}}); };
  EXPECT_EQ(cluster.changes().create.at(0)["endpoints"][1]["hints"], json({{"forNodes", named("w2")}})) << "no zone";
  EXPECT_FALSE(cluster.changes().create.at(0)["endpoints"][2].contains("hints")) << "it isn't ready";
  cluster.nodes.push_back({{"metadata", {{"name", "w2"}, {"labels", {{"topology.kubernetes.io/zone", "z2"}}}}}});
  EXPECT_EQ(cluster.changes().create.at(0)["endpoints"][0]["hints"],
            json({{"forNodes", named("w1")}, {"forZones", named("z1")}}));
}

TEST(Endpoints, TellReadyFromNotReady) {
  const std::vector<json> pods{pod(1), pod(2, false)};
  const auto endpoints = endpoints_of(service(), pods);
  ASSERT_EQ(endpoints["subsets"].size(), 1U);
  const auto& subset = endpoints["subsets"][0];
  EXPECT_EQ(subset["addresses"][0]["ip"], "10.244.1.1");
  EXPECT_EQ(subset["notReadyAddresses"][0]["ip"], "10.244.1.2");
  EXPECT_EQ(subset["ports"], json::array({{{"name", "http"}, {"port", 8080}, {"protocol", "TCP"}}}));
}

}  // namespace
}  // namespace knetsim::kube
