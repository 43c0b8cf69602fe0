#include "lab.h"

namespace knetsim::controllers::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ServiceAccountControllerTest, GivesEveryNamespaceItsDefaultAccountAndGivesItBack) {
  const auto& accounts = kube::must_be("serviceaccounts");
  Lab lab;
  EXPECT_THAT(lab.decide(kServiceAccounts, "shop").writes, IsEmpty());
  lab.put(namespaces(), {{"metadata", {{"name", "shop"}}}});
  EXPECT_THAT(lab.concerned(kServiceAccounts), ElementsAre("shop"));
  const auto made = lab.decide(kServiceAccounts, "shop").writes;
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made.front().method + " " + made.front().target, "POST /api/v1/namespaces/shop/serviceaccounts");
  EXPECT_EQ(made.front().body["metadata"]["name"], "default");

  lab.put(accounts, {{"metadata", {{"name", "default"}, {"namespace", "shop"}}}});
  lab.put(accounts, {{"metadata", {{"name", "other"}, {"namespace", "shop"}}}});
  EXPECT_THAT(lab.decide(kServiceAccounts, "shop").writes, IsEmpty());
  lab.remove(accounts, "shop/other");
  EXPECT_THAT(lab.concerned(kServiceAccounts), IsEmpty());
  lab.remove(accounts, "shop/default");
  EXPECT_THAT(lab.concerned(kServiceAccounts), ElementsAre("shop"));
  EXPECT_EQ(lab.decide(kServiceAccounts, "shop").writes.size(), 1U);

  lab.put(namespaces(), {{"metadata", {{"name", "shop"}, {"deletionTimestamp", "2026-11-30T12:00:00Z"}}}});
  EXPECT_THAT(lab.decide(kServiceAccounts, "shop").writes, IsEmpty());
}

}  // namespace
}  // namespace knetsim::controllers::test
