#include "lab.h"

namespace knetsim::controllers::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

json ending_namespace() {
  return {{"metadata", {{"name", "shop"}, {"deletionTimestamp", "2026-11-30T12:00:00Z"}}},
          {"spec", {{"finalizers", {"kubernetes"}}}}};
}

std::vector<std::string> writes_of(const Decision& decision) {
  std::vector<std::string> all;
  for (const auto& write : decision.writes) all.push_back(write.method + " " + write.target);
  return all;
}

TEST(NamespaceControllerTest, EmptiesWhatIsDeletedAndOnlyThat) {
  Lab lab;
  lab.put(namespaces(), {{"metadata", {{"name", "shop"}}}});
  lab.put(pods(), pod("a", {}));
  EXPECT_THAT(writes_of(lab.decide(kNamespaces, "shop")), IsEmpty());
  EXPECT_THAT(lab.concerned(kNamespaces), IsEmpty());
  lab.put(namespaces(), ending_namespace());
  EXPECT_THAT(writes_of(lab.decide(kNamespaces, "shop")), ElementsAre("DELETE /api/v1/namespaces/shop/pods"));
}

TEST(NamespaceControllerTest, WaitsForWhatEndsSlowlyAndThenLetsItGo) {
  Lab lab;
  lab.put(namespaces(), ending_namespace());
  auto slow = pod("a", {});
  slow["metadata"]["deletionTimestamp"] = "2026-11-30T12:00:30Z";
  lab.put(pods(), slow);
  EXPECT_THAT(writes_of(lab.decide(kNamespaces, "shop")), IsEmpty());
  lab.remove(pods(), "shop/a");
  EXPECT_THAT(lab.concerned(kNamespaces), ElementsAre("shop"));
  const auto decision = lab.decide(kNamespaces, "shop");
  EXPECT_THAT(writes_of(decision),
              ElementsAre("DELETE /api/v1/namespaces/shop/events", "PUT /api/v1/namespaces/shop/finalize"));
  const auto& last = decision.writes.back();
  EXPECT_THAT(last.body["spec"]["finalizers"], IsEmpty());
  // Only if the server has none of them either.
  std::vector<std::string> asked;
  for (const auto& question : last.only_if) asked.push_back(question.target);
  EXPECT_THAT(asked, Contains("/api/v1/namespaces/shop/pods"));
  EXPECT_THAT(asked, Contains("/apis/apps/v1/namespaces/shop/deployments"));
  EXPECT_THAT(asked, Not(Contains("/api/v1/nodes")));
}

}  // namespace
}  // namespace knetsim::controllers::test
