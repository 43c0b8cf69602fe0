#include "lab.h"

namespace knetsim::controllers::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

const kube::Kind& slice_kind() { return kube::must_be("endpointslices", "discovery.k8s.io"); }
const kube::Kind& endpoints_kind() { return kube::must_be("endpoints"); }

const json kWeb{{"app", "web"}};

TEST(EndpointSliceControllerTest, GivesAServiceSlicesAndEndpointsAndThenRests) {
  Lab lab;
  lab.put(services(), service("web", kWeb));
  lab.put(pods(), pod("a", kWeb, "10.244.0.2"));
  lab.put(pods(), pod("other", {{"app", "db"}}, "10.244.0.3"));
  EXPECT_EQ(lab.settle(kEndpointSlices, "shop/web").size(), 2U);
  const auto& slice = *lab.all(slice_kind()).at(0);
  EXPECT_THAT(slice["metadata"]["name"].get<std::string>(), StartsWith("web-"));
  ASSERT_EQ(slice["endpoints"].size(), 1U);
  EXPECT_EQ(slice["endpoints"][0]["addresses"][0], "10.244.0.2");
  EXPECT_EQ(lab.get(endpoints_kind(), "shop/web")["subsets"][0]["addresses"][0]["ip"], "10.244.0.2");
}

TEST(EndpointSliceControllerTest, FollowsItsPods) {
  Lab lab;
  lab.put(services(), service("web", kWeb));
  auto a = lab.put(pods(), pod("a", kWeb, "10.244.0.2"));
  lab.settle(kEndpointSlices, "shop/web");
  a["status"]["conditions"][0]["status"] = "False";
  lab.change(pods(), a);
  EXPECT_THAT(lab.concerned(kEndpointSlices), ElementsAre("shop/web"));
  lab.settle(kEndpointSlices, "shop/web");
  EXPECT_EQ((*lab.all(slice_kind()).at(0))["endpoints"][0]["conditions"]["ready"], false);
  EXPECT_TRUE(lab.get(endpoints_kind(), "shop/web")["subsets"][0].contains("notReadyAddresses"));
  a["metadata"]["labels"] = {{"app", "db"}};
  lab.change(pods(), a);
  EXPECT_THAT(lab.concerned(kEndpointSlices), ElementsAre("shop/web")) << "it was selected before";
  lab.settle(kEndpointSlices, "shop/web");
  EXPECT_THAT((*lab.all(slice_kind()).at(0))["endpoints"], IsEmpty());
  EXPECT_FALSE(lab.get(endpoints_kind(), "shop/web").contains("subsets"));
}

TEST(EndpointSliceControllerTest, LeavesAloneWhatIsNotItsOwn) {
  Lab lab;
  lab.put(services(), service("bare", nullptr));
  lab.put(endpoints_kind(), {{"metadata", {{"name", "bare"}, {"namespace", "shop"}}},
                             {"subsets", {{{"addresses", {{{"ip", "1.2.3.4"}}}}}}}});
  EXPECT_THAT(lab.settle(kEndpointSlices, "shop/bare"), IsEmpty());
  lab.put(endpoints_kind(), {{"metadata", {{"name", "ahead"}, {"namespace", "shop"}}}});
  EXPECT_THAT(lab.concerned(kEndpointSlices), IsEmpty()) << "its Service may come";
}

TEST(EndpointSliceControllerTest, TakesEndpointsAwayWithTheirService) {
  Lab lab;
  lab.put(services(), service("web", kWeb));
  lab.settle(kEndpointSlices, "shop/web");
  EXPECT_TRUE(lab.has(endpoints_kind(), "shop/web"));
  lab.remove(services(), "shop/web");
  EXPECT_THAT(lab.concerned(kEndpointSlices), ElementsAre("shop/web"));
  EXPECT_THAT(lab.settle(kEndpointSlices, "shop/web"), ElementsAre("DELETE /api/v1/namespaces/shop/endpoints/web"));
}

TEST(EndpointSliceControllerTest, LooksAgainWhenANodeMovesToAnotherZone) {
  Lab lab;
  lab.put(services(), service("web", kWeb));
  auto node = lab.put(nodes(), {{"metadata", {{"name", "w1"}}}});
  EXPECT_THAT(lab.concerned(kEndpointSlices), IsEmpty());
  node["metadata"]["labels"] = {{"topology.kubernetes.io/zone", "a"}};
  lab.change(nodes(), node);
  EXPECT_THAT(lab.concerned(kEndpointSlices), ElementsAre("shop/web"));
}

}  // namespace
}  // namespace knetsim::controllers::test
