// How the parts of a request are read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "continue_token.h"
#include "knetsim/apiserver/query.h"
#include "knetsim/kube/status.h"
#include "media.h"
#include "target.h"

namespace knetsim::apiserver {
namespace {

using testing::ElementsAre;
using testing::Optional;

TEST(ApiServerQuery, IsReadAsGoReadsIt) {
  const Query query("labelSelector=a+in+%28b%2Cc%29&watch&limit=5&limit=6&bad=%zz&=x&&resourceVersion=");
  EXPECT_EQ(query["labelSelector"], "a in (b,c)");
  EXPECT_TRUE(query.flag("watch"));
  EXPECT_EQ(query.number("limit"), 5);
  EXPECT_THAT(query.all("limit"), ElementsAre("5", "6"));
  EXPECT_THAT(query.all("none"), ElementsAre());
  EXPECT_FALSE(query.has("bad"));
  EXPECT_TRUE(query.has("resourceVersion"));
  EXPECT_FALSE(query.flag("none"));
  EXPECT_TRUE(Query("watch=True").flag("watch")) << "as Python says it";
  EXPECT_FALSE(Query("watch=False").flag("watch"));
  EXPECT_FALSE(Query("watch=0").flag("watch"));
  EXPECT_THROW(Query("limit=9999999999999999999").number("limit"), kube::ApiError);
  EXPECT_THROW(Query("limit=5x").number("limit"), kube::ApiError);
}

TEST(ApiServerQuery, IsWrittenSoThatItReadsTheSame) {
  EXPECT_EQ(percent_encoded("sh -c 'a&b=+'"), "sh%20-c%20%27a%26b%3D%2B%27");
  const std::string all_bytes = [] {
    std::string bytes;
    for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
    return bytes;
  }();
  EXPECT_EQ(Query("word=" + percent_encoded(all_bytes))["word"], all_bytes);
}

TEST(ApiServerPath, IsDecodedWordByWord) {
  EXPECT_THAT(path_words("/api//v1/a%20b"), Optional(ElementsAre("api", "v1", "a b")));
  for (const char* bad : {"/a%2", "/a%zz", "/a%2Fb", "/a%00"}) EXPECT_EQ(path_words(bad), std::nullopt) << bad;
}

struct Meant {
  const char* group;
  std::vector<std::string> words;
  const char* expected;  // kind namespace name subresource; empty: there is none such
};

TEST(ApiServerPath, MeansAResource) {
  const std::vector<Meant> table{
      {"", {"pods"}, "Pod||||"},
      {"", {"namespaces", "shop", "pods"}, "Pod|shop|||"},
      {"", {"namespaces", "shop", "pods", "p", "status"}, "Pod|shop|p|status|"},
      {"", {"namespaces"}, "Namespace||||"},
      {"", {"namespaces", "shop"}, "Namespace||shop||"},
      {"", {"namespaces", "shop", "status"}, "Namespace||shop|status|"},
      {"", {"namespaces", "shop", "finalize"}, "Namespace||shop|finalize|"},
      {"", {"nodes", "w1"}, "Node||w1||"},
      {"", {"watch", "namespaces", "shop", "pods"}, "Pod|shop|||watch"},
      {"apps", {"namespaces", "shop", "deployments", "d", "scale"}, "Deployment|shop|d|scale|"},
      {"", {"pods", "p"}, ""},                             // in which namespace?
      {"", {"namespaces", "shop", "nodes"}, ""},           // they are in none
      {"", {"namespaces", "shop", "pods", "p", "x"}, ""},  // no such subresource
      {"", {"namespaces", "shop", "pods", "p", "status", "x"}, ""},
      {"", {"deployments"}, ""},  // of another group
      {"", {"watch"}, ""},
      {"apps", {"namespaces", "shop"}, ""},
  };
  for (const auto& row : table) {
    std::string got;
    try {
      const auto target = target_of(row.group, "v1", row.words);
      got = std::string(target.kind->kind) + "|" + target.ns + "|" + target.name + "|" + target.subresource + "|" +
            (target.watch ? "watch" : "");
    } catch (const kube::ApiError& error) {
      EXPECT_EQ(error.code(), 404);
    }
    EXPECT_EQ(got, row.expected) << row.group << " " << testing::PrintToString(row.words);
  }
}

TEST(ApiServerMedia, TakesTheFirstFormThatItCan) {
  const auto kind = [](const char* accept) { return accepted_form(accept).kind; };
  EXPECT_EQ(kind(""), Form::Kind::object);
  EXPECT_EQ(kind("*/*"), Form::Kind::object);
  EXPECT_EQ(kind("application/vnd.kubernetes.protobuf,application/json"), Form::Kind::object);
  EXPECT_EQ(kind("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"), Form::Kind::table);
  EXPECT_EQ(kind("application/json;as=Table;v=v9;g=meta.k8s.io,application/json"), Form::Kind::object);
  EXPECT_EQ(kind("Application/JSON; as=PartialObjectMetadataList; v=v1; g=meta.k8s.io"), Form::Kind::metadata);
  EXPECT_EQ(accepted_form("application/json;as=Table;v=v1beta1;g=meta.k8s.io").version, "v1beta1");
  for (const char* bad : {"text/html", "application/vnd.kubernetes.protobuf", ";;;,"})
    EXPECT_THROW(accepted_form(bad), kube::ApiError) << bad;
  EXPECT_EQ(accepted_discovery("application/json"), "");
  EXPECT_EQ(accepted_discovery("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"), "v2beta1");
}

TEST(ApiServerContinueToken, IsUpstreams) {
  const std::string recorded = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTk2LCJzdGFydCI6ImxpdFx1MDAwMCJ9";
  const auto token = read_continue_token(recorded);
  EXPECT_EQ(token.revision, 196);
  EXPECT_EQ(token.start, std::string("lit\0", 4));
  const auto again = read_continue_token(continue_token(token));
  EXPECT_EQ(again.revision, token.revision);
  EXPECT_EQ(again.start, token.start);
  for (const char* bad : {"xxx", "", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjIiLCJydiI6MX0"})
    EXPECT_THROW(read_continue_token(bad), kube::ApiError) << bad;
}

}  // namespace
}  // namespace knetsim::apiserver
