#include "lab.h"

namespace knetsim::controllers::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const kube::Kind& maps() { return kube::must_be("configmaps"); }

/// A ConfigMap, owned by others.
json owned(const std::string& name, const std::vector<json>& owners, bool blocks = false) {
  json made{{"metadata", {{"name", name}, {"namespace", "shop"}}}};
  for (const auto& owner : owners)
    made["metadata"]["ownerReferences"].push_back({{"apiVersion", owner["apiVersion"]},
                                                   {"kind", owner["kind"]},
                                                   {"name", owner["metadata"]["name"]},
                                                   {"uid", uid_of(owner)},
                                                   {"blockOwnerDeletion", blocks}});
  return made;
}

/// As a DELETE with that finalizer leaves it.
json ending_with(json object, const char* finalizer) {
  object["metadata"]["deletionTimestamp"] = "2026-11-30T12:00:00Z";
  object["metadata"]["deletionGracePeriodSeconds"] = 0;
  object["metadata"]["finalizers"] = {finalizer};
  return object;
}

TEST(GarbageTest, GoesWithTheLastOfItsOwners) {
  Lab lab;
  const auto first = lab.put(maps(), owned("first", {}));
  const auto second = lab.put(maps(), owned("second", {}));
  lab.put(maps(), owned("child", {first, second}));
  EXPECT_THAT(lab.settle(kGarbage, "configmaps. shop/child"), IsEmpty());
  lab.remove(maps(), "shop/first");
  EXPECT_THAT(lab.concerned(kGarbage), ElementsAre("configmaps. shop/child"));
  EXPECT_THAT(lab.settle(kGarbage, "configmaps. shop/child"),
              ElementsAre("PATCH /api/v1/namespaces/shop/configmaps/child"));
  EXPECT_EQ(lab.get(maps(), "shop/child")["metadata"]["ownerReferences"].size(), 1U);
  lab.remove(maps(), "shop/second");
  EXPECT_THAT(lab.settle(kGarbage, "configmaps. shop/child"),
              ElementsAre("DELETE /api/v1/namespaces/shop/configmaps/child"));
}

TEST(GarbageTest, AsksTheServerBeforeItTakesAnOwnerForGone) {
  Lab lab;
  auto owner = lab.put(maps(), owned("owner", {}));
  owner["metadata"]["uid"] = "another";
  lab.put(maps(), owned("child", {owner}));
  const auto decision = lab.decide(kGarbage, "configmaps. shop/child");
  ASSERT_EQ(decision.writes.size(), 1U);
  const auto& asked = decision.writes[0].only_if;
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].target, "/api/v1/namespaces/shop/configmaps/owner");
  EXPECT_EQ(asked[0].not_uid, "another");
}

TEST(GarbageTest, LeavesAloneWhatHasAnOwnerOfAKindThatIsNotKnown) {
  Lab lab;
  auto child = owned("child", {});
  child["metadata"]["ownerReferences"] = {{{"apiVersion", "x.io/v1"}, {"kind", "X"}, {"name", "x"}, {"uid", "1"}}};
  lab.put(maps(), child);
  EXPECT_THAT(lab.settle(kGarbage, "configmaps. shop/child"), IsEmpty());
}

TEST(GarbageTest, SetsOrphansFree) {
  Lab lab;
  const auto owner = lab.put(maps(), owned("owner", {}));
  lab.put(maps(), owned("child", {owner}));
  lab.change(maps(), ending_with(owner, "orphan"));
  EXPECT_THAT(lab.concerned(kGarbage), ElementsAre("configmaps. shop/owner"));
  lab.settle(kGarbage, "configmaps. shop/owner");
  EXPECT_FALSE(lab.get(maps(), "shop/child")["metadata"].contains("ownerReferences"));
  EXPECT_FALSE(lab.has(maps(), "shop/owner"));
}

TEST(GarbageTest, InTheForegroundAnOwnerWaitsForThoseWhoBlockIt) {
  Lab lab;
  const auto owner = lab.put(maps(), owned("owner", {}));
  lab.put(maps(), owned("free", {owner}));
  auto blocking = lab.put(maps(), owned("blocking", {owner}, true));
  auto ending = blocking;
  ending["metadata"]["deletionTimestamp"] = "2026-11-30T12:00:00Z";
  lab.change(maps(), ending);
  lab.change(maps(), ending_with(owner, "foregroundDeletion"));
  EXPECT_THAT(lab.settle(kGarbage, "configmaps. shop/owner"),
              ElementsAre("DELETE /api/v1/namespaces/shop/configmaps/free"));
  EXPECT_TRUE(lab.has(maps(), "shop/owner"));
  lab.remove(maps(), "shop/blocking");
  EXPECT_THAT(lab.concerned(kGarbage), testing::Contains("configmaps. shop/owner"));
  lab.settle(kGarbage, "configmaps. shop/owner");
  EXPECT_FALSE(lab.has(maps(), "shop/owner"));
}

}  // namespace
}  // namespace knetsim::controllers::test
