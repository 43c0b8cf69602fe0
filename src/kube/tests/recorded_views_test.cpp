// Tables and discovery as a real server gives them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "knetsim/kube/access.h"
#include "knetsim/kube/discovery.h"
#include "knetsim/kube/table.h"
#include "recordings.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;
using recordings::recording;

const Kind* kind_named(std::string_view plural) {
  for (const auto& kind : kinds())
    if (kind.plural == plural) return &kind;
  return nullptr;
}

TEST(RecordedTables, HaveTheSameColumns) {
  for (const auto& [resource, table] : recording("tables")["columns"].items()) {
    SCOPED_TRACE(resource);
    const auto* const kind = kind_named(resource);
    ASSERT_NE(kind, nullptr);
    auto ours = column_definitions(*kind);
    for (auto& column : ours) column.erase("description");
    EXPECT_EQ(ours, table["columns"]);
  }
}

TEST(RecordedTables, HaveTheSameCells) {
  std::size_t rows = 0;
  for (const auto& row : recording("tables")["rows"]) {
    const auto* const kind = kind_named(text_at(row, "resource"));
    ASSERT_NE(kind, nullptr);
    SCOPED_TRACE(fmt::format("{} {}", text_at(row, "resource"), name_of(row["object"])));
    const auto ours = table_row(*kind, row["object"], {.now = *parse_timestamp(text_at(row, "now"))});
    EXPECT_EQ(ours["cells"], row["cells"]);
    EXPECT_EQ(ours["object"], partial_metadata(row["object"]));
    ++rows;
  }
  EXPECT_GT(rows, 15U);
}

TEST(Tables, EveryRowHasAsManyCellsAsColumns) {
  for (const auto& kind : kinds()) {
    SCOPED_TRACE(kind.kind);
    const std::vector<json> objects{json::object()};
    const auto made = table(kind, objects, json::object(), {.now = {}, .include = IncludeObject::none});
    EXPECT_EQ(made["rows"][0]["cells"].size(), made["columnDefinitions"].size());
    EXPECT_EQ(made["rows"][0]["object"], nullptr);
  }
}

/// The entries of a list of resources, by name; what differs from server to server is left out.
std::map<std::string, json> entries(const json& list, const char* key) {
  std::map<std::string, json> all;
  for (auto entry : list) {
    entry.erase("storageVersionHash");
    all[text_at(entry, key)] = entry;
  }
  return all;
}

TEST(RecordedDiscovery, OurResourcesAreEntriesOfTheRealServer) {
  std::size_t compared = 0;
  for (const auto* const path : {"", "apps", "networking.k8s.io", "discovery.k8s.io", "coordination.k8s.io"}) {
    const auto ours = api_resource_list(path, "v1");
    ASSERT_TRUE(ours);
    const auto& real = recording("discovery").at(*path == '\0' ? "GET /api/v1" : fmt::format("GET /apis/{}/v1", path));
    EXPECT_EQ((*ours)["groupVersion"], real["groupVersion"]);
    EXPECT_EQ((*ours)["kind"], real["kind"]);
    const auto theirs = entries(real["resources"], "name");
    for (const auto& [name, entry] : entries((*ours)["resources"], "name")) {
      const auto found = theirs.find(name);
      if (found == theirs.end()) continue;  // the recording is cut
      EXPECT_EQ(entry, found->second) << name;
      ++compared;
    }
  }
  EXPECT_GT(compared, 20U);
}

TEST(RecordedDiscovery, AggregatedToo) {
  for (const auto* const version : {"v2", "v2beta1"}) {
    const auto core = aggregated_discovery(true, version);
    const auto& real = recording("discovery").at(fmt::format("GET /api as=APIGroupDiscoveryList {}", version));
    EXPECT_EQ(core["apiVersion"], real["apiVersion"]);
    const auto theirs = entries(real["items"][0]["versions"][0]["resources"], "resource");
    const auto ours = entries(core["items"][0]["versions"][0]["resources"], "resource");
    EXPECT_EQ(ours.size(), 9U);
    for (auto [name, entry] : ours) {
      SCOPED_TRACE(name);
      ASSERT_TRUE(theirs.contains(name));
      auto wanted = theirs.at(name);
      const auto real_subresources = entries(list_at(wanted, "subresources"), "subresource");
      for (const auto& [sub, sub_entry] : entries(list_at(entry, "subresources"), "subresource"))
        EXPECT_EQ(sub_entry, real_subresources.at(sub));
      entry.erase("subresources");
      wanted.erase("subresources");
      EXPECT_EQ(entry, wanted);
    }
  }
  EXPECT_EQ(api_versions("192.0.2.1:6443"), recording("discovery").at("GET /api"));
  EXPECT_EQ(*api_group("networking.k8s.io"), recording("discovery").at("GET /apis/networking.k8s.io"));
  EXPECT_FALSE(api_group("nope"));
  EXPECT_FALSE(api_resource_list("apps", "v2"));
}

}  // namespace
}  // namespace knetsim::kube
