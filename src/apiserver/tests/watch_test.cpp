// Watches: what is sent, in which order, and what is sent to those who come too late.
#include <csignal>
#include <thread>

#include "knetsim/sys/eventually.h"
#include "lab.h"

namespace knetsim::apiserver::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using namespace std::chrono_literals;

class ApiServerWatch : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    serve({"--watch-window=8"});
    make_namespace("shop");
  }

  std::string revision() { return client().get(kConfigMaps).json()["metadata"]["resourceVersion"]; }
  std::string since(const std::string& revision, const std::string& more = {}) {
    return std::string(kConfigMaps) + "?watch=true&resourceVersion=" + revision + more;
  }
  std::string at(const std::string& name) { return std::string(kConfigMaps) + "/" + name; }
};

TEST_F(ApiServerWatch, TellsOfEachChangeOnceAndInOrder) {
  Watch watch(since(revision()));
  auto created = client().post(kConfigMaps, config_map("a")).json();
  auto changed = client().merge(at("a"), {{"data", {{"a", "2"}}}}).json();
  client().remove(at("a"));
  auto added = watch.next().value();
  EXPECT_EQ(added["type"], "ADDED");
  EXPECT_EQ(added["object"], created);
  auto modified = watch.next().value();
  EXPECT_EQ(modified["type"], "MODIFIED");
  EXPECT_EQ(modified["object"], changed);
  auto deleted = watch.next().value();
  EXPECT_EQ(deleted["type"], "DELETED");
  // The last state, under the revision of the deletion.
  EXPECT_GT(std::stoll(deleted["object"]["metadata"]["resourceVersion"].get<std::string>()),
            std::stoll(changed["metadata"]["resourceVersion"].get<std::string>()));
  deleted["object"]["metadata"]["resourceVersion"] = changed["metadata"]["resourceVersion"];
  EXPECT_EQ(deleted["object"], changed);
  EXPECT_EQ(watch.next(200ms), std::nullopt);
}

TEST_F(ApiServerWatch, GoesOnFromARevisionThatItIsGiven) {
  client().post(kConfigMaps, config_map("old"));
  const auto here = revision();
  client().post(kConfigMaps, config_map("missed"));
  Watch watch(since(here));
  client().post(kConfigMaps, config_map("next"));
  EXPECT_THAT(watch.events(2), ElementsAre("ADDED missed", "ADDED next"));
}

TEST_F(ApiServerWatch, BeginsWithWhatThereIsWithoutARevisionOrWithZero) {
  client().post(kConfigMaps, config_map("a"));
  client().post(kConfigMaps, config_map("b"));
  for (const char* query : {"?watch=true", "?watch=1&resourceVersion=0"}) {
    Watch watch(std::string(kConfigMaps) + query);
    EXPECT_THAT(watch.events(2), ElementsAre("ADDED a", "ADDED b")) << query;
  }
  Watch old_form("/api/v1/watch/namespaces/shop/configmaps");
  EXPECT_THAT(old_form.events(2), ElementsAre("ADDED a", "ADDED b"));
}

TEST_F(ApiServerWatch, ShowsWhatEntersAndLeavesASelectionAsAddedAndDeleted) {
  client().post(kConfigMaps, config_map("a", {{"a", "1"}}, {{"w", "1"}}));
  const auto here = revision();
  Watch watch(since(here, "&labelSelector=w%3D1"));
  auto left = client().merge(at("a"), {{"metadata", {{"labels", {{"w", "2"}}}}}}).json();
  client().merge(at("a"), {{"data", {{"a", "unseen"}}}});
  client().merge(at("a"), {{"metadata", {{"labels", {{"w", "1"}}}}}});
  auto deleted = watch.next().value();
  EXPECT_EQ(deleted["type"], "DELETED");
  EXPECT_EQ(deleted["object"]["metadata"]["resourceVersion"], left["metadata"]["resourceVersion"]);
  EXPECT_EQ(deleted["object"]["metadata"]["labels"]["w"], "1");  // the last state that matched
  EXPECT_THAT(watch.events(1), ElementsAre("ADDED a"));
  Watch one(since(here, "&fieldSelector=metadata.name%3Db"));
  client().post(kConfigMaps, config_map("b"));
  EXPECT_THAT(one.events(1), ElementsAre("ADDED b"));
}

TEST_F(ApiServerWatch, SaysExpiredToWhoComesFromBeforeItsWindow) {
  const auto here = revision();
  for (int i = 0; i < 8; ++i) client().post(kConfigMaps, config_map("c" + std::to_string(i)));
  EXPECT_EQ(Watch(since(here)).events(8).size(), 8U);  // all that the window holds
  client().post(kConfigMaps, config_map("one-too-many"));
  Watch late(since(here));
  auto error = late.next().value();
  EXPECT_EQ(error["type"], "ERROR");
  EXPECT_EQ(error["object"]["code"], 410);
  EXPECT_EQ(error["object"]["reason"], "Expired");
  EXPECT_EQ(late.next(), std::nullopt);
  EXPECT_TRUE(late.ended());
}

TEST_F(ApiServerWatch, MarksTheEndOfTheInitialStateWithABookmark) {
  client().post(kConfigMaps, config_map("a"));
  const std::string query = "?watch=true&sendInitialEvents=true&allowWatchBookmarks=true";
  Watch watch(kConfigMaps + query + "&resourceVersionMatch=NotOlderThan");
  EXPECT_THAT(watch.events(1), ElementsAre("ADDED a"));
  auto mark = watch.next().value();
  EXPECT_EQ(mark["type"], "BOOKMARK");
  EXPECT_EQ(mark["object"]["kind"], "ConfigMap");
  EXPECT_EQ(mark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
  EXPECT_EQ(mark["object"]["metadata"]["resourceVersion"], revision());
  client().post(kConfigMaps, config_map("b"));
  EXPECT_THAT(watch.events(1), ElementsAre("ADDED b"));
  EXPECT_EQ(client().get(kConfigMaps + query).status, 422U);  // without the match
}

TEST_F(ApiServerWatch, EndsCleanlyWhenItsTimeIsOverWithABookmarkForThoseWhoTakeThem) {
  Watch plain(since(revision(), "&timeoutSeconds=1"));
  Watch marked(since(revision(), "&timeoutSeconds=1&allowWatchBookmarks=true"));
  EXPECT_THAT(plain.events(1), ElementsAre());
  EXPECT_TRUE(plain.ended());
  EXPECT_THAT(marked.events(2), ElementsAre("BOOKMARK"));
  EXPECT_TRUE(marked.ended());
}

TEST_F(ApiServerWatch, IsSilentUpToARevisionThatIsYetToCome) {
  const auto here = std::stoll(revision());
  Watch watch(since(std::to_string(here + 1)));
  client().post(kConfigMaps, config_map("before"));
  client().post(kConfigMaps, config_map("after"));
  EXPECT_THAT(watch.events(1), ElementsAre("ADDED after"));
  EXPECT_EQ(client().get(since("abc")).status, 500U);
}

TEST_F(ApiServerWatch, SaysExpiredWhenEtcdHasForgottenWhatWasMissed) {
  client().post(kConfigMaps, config_map("before"));
  const auto here = revision();
  Watch watch(since(here));
  server().signal(SIGSTOP);
  auto store = etcd();
  member().stop();
  member().restart();
  eventually([&] { return member().ailment(); });
  const std::string missed =
      R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"missed","namespace":"shop"}})";
  store.put("/registry/configmaps/shop/missed", missed);
  store.compact(store.put("/registry/configmaps/shop/missed2", missed));
  server().signal(SIGCONT);
  auto error = watch.next().value();
  EXPECT_EQ(error["type"], "ERROR");
  EXPECT_EQ(error["object"]["code"], 410);
  EXPECT_EQ(watch.next(), std::nullopt);
  EXPECT_EQ(client().get(at("missed")).status, 200U);
  EXPECT_EQ(client().get(kConfigMaps).json()["items"].size(), 3U);
}

TEST_F(ApiServerWatch, SendsTablesOfWhichTheFirstAloneHasColumns) {
  Watch watch(since(revision()), {{"Accept", "application/json;as=Table;v=v1;g=meta.k8s.io"}});
  client().post(kConfigMaps, config_map("a"));
  client().merge(at("a"), {{"data", {{"b", "2"}}}});
  auto first = watch.next().value()["object"];
  EXPECT_EQ(first["kind"], "Table");
  EXPECT_EQ(first["columnDefinitions"].size(), 3U);
  EXPECT_EQ(first["rows"][0]["cells"][1], 1);
  auto second = watch.next().value()["object"];
  EXPECT_TRUE(second["columnDefinitions"].is_null());
  EXPECT_EQ(second["rows"][0]["cells"][1], 2);
  EXPECT_EQ(second["rows"][0]["object"]["kind"], "PartialObjectMetadata");
}

TEST_F(ApiServerWatch, SendsEveryWatcherAllOfManyWritersChanges) {
  const auto here = revision();
  std::vector<std::unique_ptr<Watch>> watches;
  for (int i = 0; i < 5; ++i) watches.push_back(std::make_unique<Watch>(since(here)));
  std::vector<std::thread> writers;
  constexpr int kWriters = 4;
  constexpr int kEach = 25;
  for (int w = 0; w < kWriters; ++w)
    writers.emplace_back([w] {
      Client own;
      for (int i = 0; i < kEach; ++i)
        own.post(kConfigMaps, config_map("w" + std::to_string(w) + "-" + std::to_string(i)));
    });
  for (auto& writer : writers) writer.join();
  std::optional<std::vector<std::string>> seen_first;
  for (auto& watch : watches) {
    std::vector<std::string> seen;
    std::int64_t last = 0;
    for (int i = 0; i < kWriters * kEach; ++i) {
      const auto event = watch->next();
      ASSERT_TRUE(event) << "after " << i;
      const auto at_revision = std::stoll(event->at("object")["metadata"]["resourceVersion"].get<std::string>());
      EXPECT_GT(at_revision, last);
      last = at_revision;
      seen.push_back(event->at("object")["metadata"]["name"]);
    }
    if (!seen_first) seen_first = seen;
    EXPECT_EQ(seen, *seen_first);
  }
}

}  // namespace
}  // namespace knetsim::apiserver::test
