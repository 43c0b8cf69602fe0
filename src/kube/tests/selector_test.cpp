#include "knetsim/kube/selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

namespace knetsim::kube {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json labelled(json labels) { return {{"metadata", {{"labels", std::move(labels)}}}}; }

TEST(LabelSelectors, MatchAsUpstreamS) {
  const auto web = labelled({{"app", "web"}, {"tier", "a"}, {"n", "5"}});
  const std::vector<std::pair<std::string, bool>> table{{"", true},
                                                        {"app=web", true},
                                                        {"app==web", true},
                                                        {"app=x", false},
                                                        {"app!=web", false},
                                                        {"app!=x", true},
                                                        {"nope!=x", true},
                                                        {"nope=x", false},
                                                        {"app", true},
                                                        {"nope", false},
                                                        {"!nope", true},
                                                        {"!app", false},
                                                        {"app in (web,x)", true},
                                                        {"app in (x)", false},
                                                        {"app notin (x,y)", true},
                                                        {"app notin (web)", false},
                                                        {"nope notin (a)", true},
                                                        {"nope in (a)", false},
                                                        {"app=web,tier=a", true},
                                                        {"app=web,tier=b", false},
                                                        {"n>4", true},
                                                        {"n<4", false},
                                                        {"n gt 5", false},
                                                        {"app>4", false},
                                                        {"app=", false},
                                                        {"nope=", false},
                                                        {" app = web , tier in ( a , b ) ", true},
                                                        {"app in (web),!nope", true}};
  for (const auto& [text, wanted] : table) EXPECT_EQ(LabelSelector::parse(text).matches(web), wanted) << text;
  EXPECT_TRUE(LabelSelector::parse("!a,b!=c").matches(json::object())) << "an object without labels";
}

TEST(LabelSelectors, AreRefusedWithAReason) {
  const std::vector<std::pair<std::string, std::string>> table{
      {"a b c", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"},
      {"a=b,", "found ''"},
      {",", "found ','"},
      {"a in b", "found 'b', expected: '('"},
      {"a in (b", "found ''"},
      {"!", "found ''"},
      {"a=b c", "found 'c'"},
      {"-a=b", "name part must consist of"},
      {"a=-b", "a valid label must be"},
      {"a=(", "found '('"}};
  for (const auto& [text, problem] : table) {
    try {
      LabelSelector::parse(text);
      ADD_FAILURE() << text;
    } catch (const ApiError& error) {
      EXPECT_EQ(error.code(), 400);
      EXPECT_THAT(error.what(), HasSubstr(problem)) << text;
    }
  }
}

TEST(LabelSelectors, AreObjectsToo) {
  const json selector{{"matchLabels", {{"app", "web"}}},
                      {"matchExpressions", json::array({{{"key", "tier"}, {"operator", "In"}, {"values", {"b", "a"}}},
                                                        {{"key", "old"}, {"operator", "DoesNotExist"}}})}};
  EXPECT_TRUE(LabelSelector::of(selector).matches(labelled({{"app", "web"}, {"tier", "b"}})));
  EXPECT_FALSE(LabelSelector::of(selector).matches(labelled({{"app", "web"}, {"tier", "b"}, {"old", ""}})));
  EXPECT_FALSE(LabelSelector::of(selector).matches(labelled({{"app", "web"}})));
  EXPECT_EQ(selector_text(selector), "!old,app=web,tier in (a,b)");
  EXPECT_FALSE(LabelSelector::of(nullptr).matches(json::object())) << "none selects nothing";
  EXPECT_TRUE(LabelSelector::of(json::object()).matches(json::object())) << "an empty one selects all";
}

TEST(FieldSelectors, ReadWhatTheKindSays) {
  const auto& pods = must_be("pods");
  const json pod{{"metadata", {{"name", "a"}, {"namespace", "shop"}}},
                 {"spec", {{"nodeName", "w1"}}},
                 {"status", {{"phase", "Running"}}}};
  const std::vector<std::pair<std::string, bool>> table{{"", true},
                                                        {"metadata.name=a", true},
                                                        {"metadata.name==a,metadata.namespace=shop", true},
                                                        {"spec.nodeName!=w1", false},
                                                        {"status.phase!=Succeeded,status.phase!=Failed", true},
                                                        {"status.podIP=", true},
                                                        {"spec.hostNetwork=false", true},
                                                        {"spec.nodeName=w\\,1", false}};
  for (const auto& [text, wanted] : table) EXPECT_EQ(FieldSelector::parse(pods, text).matches(pod), wanted) << text;
  EXPECT_EQ(FieldSelector::parse(pods, "metadata.name=a").wants("metadata.name"), "a");
  EXPECT_FALSE(FieldSelector::parse(pods, "metadata.name!=a").wants("metadata.name"));
  const json headless{{"spec", {{"clusterIP", "None"}}}};
  EXPECT_FALSE(FieldSelector::parse(must_be("services"), "spec.clusterIP!=None").matches(headless));
}

TEST(FieldSelectors, RefuseFieldsThatTheyDontKnow) {
  const std::vector<std::tuple<std::string, std::string, std::string>> table{
      {"configmaps", "data.a=x",
       "\"data.a\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""},
      {"pods", "spec.x=y", "field label not supported: spec.x"},
      {"pods", "spec.nodeName", "invalid selector: 'spec.nodeName'; can't understand 'spec.nodeName'"},
      {"pods", "spec.nodeName=\\x", "invalid escape sequence"}};
  for (const auto& [plural, text, problem] : table) {
    try {
      FieldSelector::parse(must_be(plural), text);
      ADD_FAILURE() << text;
    } catch (const ApiError& error) {
      EXPECT_EQ(error.code(), 400);
      EXPECT_THAT(error.what(), HasSubstr(problem));
    }
  }
}

}  // namespace
}  // namespace knetsim::kube
