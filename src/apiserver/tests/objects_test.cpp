// Objects: made, read, changed, deleted, listed.
#include <set>
#include <thread>

#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"
#include "lab.h"

namespace knetsim::apiserver::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ApiServerObjects : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    serve();
    make_namespace("shop");
  }
  static std::string at(const std::string& name) { return std::string(kConfigMaps) + "/" + name; }
  static std::string revision_of(const json& object) { return object["metadata"]["resourceVersion"]; }
};

std::vector<std::string> names(const json& list) {
  std::vector<std::string> names;
  for (const auto& item : list["items"]) names.push_back(item["metadata"]["name"]);
  return names;
}

TEST_F(ApiServerObjects, AreReadAsTheyWereWrittenRightAfterwardsAndLieInEtcdAsPlainJson) {
  const auto created = client().post(kConfigMaps, config_map("a", {{"k", "v"}}));
  EXPECT_EQ(created.status, 201U);
  EXPECT_EQ(created.header("Content-Type"), "application/json");
  EXPECT_THAT(created.body, testing::EndsWith("\n"));
  auto object = created.json();
  EXPECT_EQ(client().get(at("a")).json(), object);
  EXPECT_EQ(object["metadata"]["namespace"], "shop");
  EXPECT_EQ(object["metadata"]["uid"].get<std::string>().size(), 36U);
  const auto stored = etcd().get("/registry/configmaps/shop/a").value();
  EXPECT_EQ(std::to_string(stored.mod_revision), revision_of(object));
  auto expected = object;
  expected["metadata"].erase("resourceVersion");
  EXPECT_EQ(json::parse(stored.value), expected);
}

TEST_F(ApiServerObjects, ThatOthersPutIntoEtcdAreServed) {
  etcd().put(
      "/registry/configmaps/shop/foreign",
      R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"foreign","namespace":"shop"},"data":{"a":"b"}})");
  Watch watch(std::string(kConfigMaps) + "?watch=true&fieldSelector=metadata.name%3Dforeign");
  EXPECT_THAT(watch.events(1), ElementsAre("ADDED foreign"));
  EXPECT_EQ(client().merge(at("foreign"), {{"data", {{"a", "c"}}}}).json()["data"]["a"], "c");
}

TEST_F(ApiServerObjects, ThatAreTakenAreRefusedWhateverElseIsWrittenIntoEtcd) {
  ASSERT_EQ(client().post(kConfigMaps, config_map("a")).status, 201U);
  etcd().put("/coreos.com/network/foreign", "a key that the server doesn't watch");
  EXPECT_EQ(client().post(kConfigMaps, config_map("a")).status, 409U);
  EXPECT_THAT(read_file(std::string(kStateDirectory) + "/apiserver.log"), Not(HasSubstr("is behind revision")));
}

TEST_F(ApiServerObjects, InProtobufAreRefusedByTheirKeyWithTheRemedy) {
  etcd().put("/registry/configmaps/shop/binary", std::string("k8s\0\n", 5));
  client().post(kConfigMaps, config_map("after"));  // by then the other has been seen
  const auto answer = client().get(at("binary"));
  EXPECT_EQ(answer.status, 500U);
  EXPECT_THAT(answer.body, HasSubstr("/registry/configmaps/shop/binary"));
  EXPECT_THAT(answer.body, HasSubstr("--storage-media-type=application/json"));
}

TEST_F(ApiServerObjects, AreNotWrittenOverByThoseWhoHaveNotSeenTheLastChange) {
  auto first = client().post(kConfigMaps, config_map("a")).json();
  auto second = first;
  second["data"]["a"] = "2";
  EXPECT_EQ(client().put(at("a"), second).status, 200U);
  const auto refused = client().put(at("a"), second);
  EXPECT_EQ(refused.status, 409U);
  EXPECT_EQ(refused.json()["reason"], "Conflict");
  EXPECT_EQ(
      client().merge(at("a"), {{"metadata", {{"resourceVersion", revision_of(first)}}}, {"data", {{"a", "3"}}}}).status,
      409U);
  EXPECT_EQ(client().get(at("a")).json()["data"]["a"], "2");
}

TEST_F(ApiServerObjects, KeepTheirRevisionWhenNothingIsChanged) {
  auto object = client().post(kConfigMaps, config_map("a")).json();
  EXPECT_EQ(client().put(at("a"), object).json(), object);
  EXPECT_EQ(client().merge(at("a"), {{"data", {{"a", "1"}}}}).json(), object);
}

TEST_F(ApiServerObjects, TakePatchesOfManyAtOnceWithoutLosingOne) {
  client().post(kConfigMaps, config_map("a", {{"start", "x"}}));
  std::vector<std::thread> writers;
  constexpr int kWriters = 10;
  for (int w = 0; w < kWriters; ++w)
    writers.emplace_back([w] {
      Client own;
      for (int i = 0; i < 5; ++i)
        EXPECT_EQ(own.merge(at("a"), {{"data", {{"w" + std::to_string(w) + "-" + std::to_string(i), "x"}}}}).status,
                  200U);
    });
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(client().get(at("a")).json()["data"].size(), 1U + kWriters * 5);
}

TEST_F(ApiServerObjects, AreChangedByEachTypeOfPatch) {
  client().post(kServices, service("web", {{"ports", {{{"name", "a"}, {"port", 80}}, {{"name", "b"}, {"port", 81}}}}}));
  const std::string web = std::string(kServices) + "/web";
  const auto patch = [&](const char* type, const json& body) {
    return client().send("PATCH", web, body.dump(), {{"Content-Type", type}});
  };
  auto ports =
      patch("application/strategic-merge-patch+json", {{"spec", {{"ports", {{{"port", 81}, {"targetPort", 9090}}}}}}})
          .json()["spec"]["ports"];
  EXPECT_EQ(ports.size(), 2U);
  ports = patch("application/merge-patch+json", {{"spec", {{"ports", {{{"port", 82}}}}}}}).json()["spec"]["ports"];
  EXPECT_EQ(ports.size(), 1U);
  const json replace = {{{"op", "replace"}, {"path", "/spec/ports/0/port"}, {"value", 83}}};
  EXPECT_EQ(patch("application/json-patch+json", replace).json()["spec"]["ports"][0]["port"], 83);
  const json test = {{{"op", "test"}, {"path", "/metadata/name"}, {"value", "zz"}}};
  EXPECT_EQ(patch("application/json-patch+json", test).status, 422U);
  EXPECT_EQ(patch("application/json", json::object()).status, 415U);
}

TEST_F(ApiServerObjects, WithFinalizersStayUntilTheLastIsTakenAway) {
  auto held = config_map("held");
  held["metadata"]["finalizers"] = {"example.org/x"};
  client().post(kConfigMaps, held);
  const auto deleted = client().remove(at("held"));
  EXPECT_EQ(deleted.status, 200U);
  EXPECT_TRUE(deleted.json()["metadata"].contains("deletionTimestamp"));
  EXPECT_EQ(client().get(at("held")).status, 200U);
  EXPECT_EQ(client().merge(at("held"), {{"metadata", {{"finalizers", nullptr}}}}).status, 200U);
  EXPECT_EQ(client().get(at("held")).status, 404U);
}

TEST_F(ApiServerObjects, AreDeletedOnlyIfThePreconditionsHold) {
  auto object = client().post(kConfigMaps, config_map("a")).json();
  EXPECT_EQ(client().remove(at("a"), R"({"preconditions":{"uid":"another"}})").status, 409U);
  const auto deleted = client().remove(
      at("a"),
      json{{"preconditions", {{"uid", object["metadata"]["uid"]}}}, {"propagationPolicy", "Background"}}.dump());
  EXPECT_EQ(deleted.json()["status"], "Success");
  EXPECT_EQ(deleted.json()["details"]["uid"], object["metadata"]["uid"]);
  EXPECT_EQ(client().remove(at("a")).status, 404U);
}

TEST_F(ApiServerObjects, OfACollectionAreDeletedByTheirLabels) {
  client().post(kConfigMaps, config_map("a", {{"a", "1"}}, {{"w", "1"}}));
  client().post(kConfigMaps, config_map("b", {{"a", "1"}}, {{"w", "1"}}));
  client().post(kConfigMaps, config_map("c"));
  EXPECT_THAT(names(client().remove(std::string(kConfigMaps) + "?labelSelector=w%3D1").json()), ElementsAre("a", "b"));
  EXPECT_THAT(names(client().get(kConfigMaps).json()), ElementsAre("c"));
}

TEST_F(ApiServerObjects, AreLeftAloneByADryRun) {
  client().post(kConfigMaps, config_map("a"));
  const auto dry = client().post(std::string(kConfigMaps) + "?dryRun=All", config_map("b"));
  EXPECT_EQ(dry.status, 201U);
  EXPECT_FALSE(dry.json()["metadata"].contains("resourceVersion"));
  EXPECT_EQ(client().merge(at("a") + "?dryRun=All", {{"data", {{"a", "2"}}}}).json()["data"]["a"], "2");
  EXPECT_EQ(client().remove(at("a") + "?dryRun=All").json()["status"], "Success");
  auto list = client().get(kConfigMaps).json();
  EXPECT_THAT(names(list), ElementsAre("a"));
  EXPECT_EQ(list["items"][0]["data"]["a"], "1");
}

TEST_F(ApiServerObjects, AreListedPageByPageAsOfOneRevision) {
  for (const char* name : {"a", "b", "c", "d", "e"}) client().post(kConfigMaps, config_map(name));
  auto first = client().get(std::string(kConfigMaps) + "?limit=2").json();
  EXPECT_THAT(names(first), ElementsAre("a", "b"));
  EXPECT_EQ(first["metadata"]["remainingItemCount"], 3);
  client().remove(at("c"));
  client().merge(at("d"), {{"data", {{"a", "later"}}}});
  client().post(kConfigMaps, config_map("f"));
  auto second =
      client()
          .get(std::string(kConfigMaps) + "?limit=2&continue=" + first["metadata"]["continue"].get<std::string>())
          .json();
  EXPECT_THAT(names(second), ElementsAre("c", "d"));
  EXPECT_EQ(second["items"][1]["data"]["a"], "1");
  EXPECT_EQ(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
  auto last =
      client()
          .get(std::string(kConfigMaps) + "?limit=2&continue=" + second["metadata"]["continue"].get<std::string>())
          .json();
  EXPECT_THAT(names(last), ElementsAre("e"));
  EXPECT_FALSE(last["metadata"].contains("continue"));
  const auto exact = client().get(std::string(kConfigMaps) + "?resourceVersionMatch=Exact&resourceVersion=" +
                                  first["metadata"]["resourceVersion"].get<std::string>());
  EXPECT_THAT(names(exact.json()), ElementsAre("a", "b", "c", "d", "e"));
}

TEST_F(ApiServerObjects, OfAnEndingNamespaceCannotBeMadeAnyMore) {
  auto ns = client().remove("/api/v1/namespaces/shop").json();
  EXPECT_EQ(ns["status"]["phase"], "Terminating");
  const auto refused = client().post(kConfigMaps, config_map("late"));
  EXPECT_EQ(refused.status, 403U);
  EXPECT_EQ(refused.json()["details"]["causes"][0]["reason"], "NamespaceTerminating");
  auto finalized = ns;
  finalized["spec"] = json::object();
  EXPECT_EQ(client().put("/api/v1/namespaces/shop/finalize", finalized).status, 200U);
  EXPECT_EQ(client().get("/api/v1/namespaces/shop").status, 404U);
}

TEST_F(ApiServerObjects, OnWorkersGoInPeace) {
  const std::string pods = "/api/v1/namespaces/shop/pods";
  const json spec{{"nodeName", "w1"}, {"containers", {{{"name", "c"}, {"image", "i"}}}}};
  client().post(pods, {{"metadata", {{"name", "p"}}}, {"spec", spec}});
  EXPECT_EQ(client().post(pods + "/p/binding", {{"target", {{"kind", "Node"}, {"name", "w2"}}}}).status, 409U);
  auto leaving = client().remove(pods + "/p").json();
  EXPECT_EQ(leaving["metadata"]["deletionGracePeriodSeconds"], 30);
  EXPECT_EQ(client().get(pods + "/p").status, 200U);
  EXPECT_EQ(client().remove(pods + "/p?gracePeriodSeconds=0").status, 200U);
  EXPECT_EQ(client().get(pods + "/p").status, 404U);
}

TEST_F(ApiServerObjects, AreBoundToANode) {
  const std::string pods = "/api/v1/namespaces/shop/pods";
  const json spec{{"containers", {{{"name", "c"}, {"image", "i"}}}}};
  client().post(pods, {{"metadata", {{"name", "p"}}}, {"spec", spec}});
  EXPECT_EQ(client().post(pods + "/p/binding", {{"target", {{"kind", "Node"}}}}).status, 400U);
  EXPECT_EQ(client().post(pods + "/p/binding", {{"target", {{"kind", "Node"}, {"name", "w2"}}}}).status, 201U);
  EXPECT_THAT(names(client().get("/api/v1/pods?fieldSelector=spec.nodeName%3Dw2").json()), ElementsAre("p"));
}

TEST_F(ApiServerObjects, GetNamesThatAreGenerated) {
  const json object{{"metadata", {{"generateName", "g-"}}}};
  const auto first = client().post(kConfigMaps, object).json()["metadata"]["name"].get<std::string>();
  const auto second = client().post(kConfigMaps, object).json()["metadata"]["name"].get<std::string>();
  EXPECT_THAT(first, StartsWith("g-"));
  EXPECT_EQ(first.size(), 7U);
  EXPECT_NE(first, second);
}

TEST_F(ApiServerObjects, WithUnknownFieldsAreRefusedOrWarnedOf) {
  auto odd = config_map("odd");
  odd["nope"] = 1;
  EXPECT_EQ(client().post(std::string(kConfigMaps) + "?fieldValidation=Strict", odd).status, 400U);
  const auto warned = client().post(kConfigMaps, odd);
  EXPECT_EQ(warned.status, 201U);
  EXPECT_EQ(warned.header("Warning"), R"(299 - "unknown field \"nope\"")");
}

TEST_F(ApiServerObjects, SurviveTheServersDeathInTheMiddleOfWrites) {
  std::vector<std::thread> writers;
  std::vector<std::vector<std::string>> acknowledged(4);
  for (std::size_t w = 0; w < acknowledged.size(); ++w)
    writers.emplace_back([&, w] {
      Client own;
      try {
        for (int i = 0;; ++i) {
          const auto name = "w" + std::to_string(w) + "-" + std::to_string(i);
          if (own.post(kConfigMaps, config_map(name)).status == 201U) acknowledged[w].push_back(name);
        }
      } catch (const boost::system::system_error&) {
        // It was killed.
      }
    });
  Watch watch(std::string(kConfigMaps) + "?watch=true");
  watch.events(20);
  server().signal(SIGKILL);
  for (auto& writer : writers) writer.join();
  serve();
  Client fresh;
  const auto list = names(fresh.get(kConfigMaps).json());
  const std::set<std::string> there(list.begin(), list.end());
  std::size_t count = 0;
  for (const auto& each : acknowledged)
    for (const auto& name : each) {
      EXPECT_TRUE(there.contains(name)) << name;
      ++count;
    }
  EXPECT_GE(count, 16U);
  EXPECT_LE(there.size(), count + acknowledged.size());  // at most one of each writer's was not acknowledged
}

struct Eviction {
  const char* query;
  json body;
  unsigned status;
  const char* words;  ///< of the answer
};

TEST_F(ApiServerObjects, ThatArePodsAreEvictedAsUpstreamDoesWithoutBudgets) {
  const auto pod = [](const std::string& name) -> json {
    return {{"metadata", {{"name", name}}},
            {"spec", {{"nodeName", "w1"}, {"containers", {{{"name", "web"}, {"image", "x"}}}}}}};
  };
  const std::string pods = "/api/v1/namespaces/shop/pods";
  ASSERT_EQ(client().post(pods, pod("web")).status, 201U);
  const auto of = [](const json& metadata, const json& options = nullptr) {
    json body{{"apiVersion", "policy/v1"}, {"kind", "Eviction"}, {"metadata", metadata}};
    if (!options.is_null()) body["deleteOptions"] = options;
    return body;
  };
  json unknown = of({{"name", "web"}});
  unknown["apiVersion"] = "policy/v2";
  const std::vector<Eviction> table{
      {"", of({{"name", "other"}}), 400, "name in URL does not match name in Eviction object"},
      {"", of({{"name", "web"}, {"namespace", "default"}}), 400, "namespace of the provided object does not match"},
      {"", unknown, 400, "no kind \"Eviction\" is registered for version \"policy/v2\""},
      {"", of({{"name", "web"}}, {{"gracePeriodSeconds", "x"}}), 400, "gracePeriodSeconds"},
      {"", of({{"name", "web"}}, {{"preconditions", {{"uid", "another"}}}}), 409, "the UID in the precondition"},
      {"?dryRun=None", of({{"name", "web"}}), 400, "dryRun"},
      {"?dryRun=All", of({{"name", "web"}}), 201, "Success"},
      {"", of({{"name", "web"}}, {{"dryRun", {"All"}}}), 201, "Success"}};
  for (const auto& [query, body, status, words] : table) {
    const auto answer = client().post(pods + "/web/eviction" + query, body);
    EXPECT_EQ(answer.status, status) << body;
    EXPECT_THAT(answer.json()["kind"], "Status");
    EXPECT_THAT(answer.json().dump(), HasSubstr(json(words).dump().substr(1, json(words).dump().size() - 2))) << body;
    EXPECT_FALSE(client().get(pods + "/web").json()["metadata"].contains("deletionTimestamp")) << body;
  }
  EXPECT_EQ(client().get(pods + "/web/eviction").status, 405U);
  EXPECT_EQ(client().post(pods + "/none/eviction", of({{"name", "none"}})).status, 404U);

  EXPECT_EQ(client().post(pods + "/web/eviction", of({{"name", "web"}}, {{"gracePeriodSeconds", 7}})).status, 201U);
  const auto leaving = client().get(pods + "/web").json();
  EXPECT_EQ(leaving["metadata"]["deletionGracePeriodSeconds"], 7);
  const auto& condition = leaving["status"]["conditions"].back();
  EXPECT_EQ(condition["type"], "DisruptionTarget");
  EXPECT_EQ(condition["reason"], "EvictionByEvictionAPI");
  EXPECT_EQ(client().post(pods + "/web/eviction", of({{"name", "web"}}, {{"gracePeriodSeconds", 0}})).status, 201U);
  EXPECT_EQ(client().get(pods + "/web").status, 404U);

  const auto resources = client().get("/api/v1").json()["resources"];
  const auto found =
      std::find_if(resources.begin(), resources.end(), [](const json& one) { return one["name"] == "pods/eviction"; });
  ASSERT_NE(found, resources.end());
  EXPECT_EQ((*found)["group"], "policy");
  EXPECT_EQ((*found)["version"], "v1");
}

TEST_F(ApiServerObjects, ThatHaveAScaleTakeOneThatIsApplied) {
  const std::string deployments = "/apis/apps/v1/namespaces/shop/deployments";
  const json labels{{"app", "web"}};
  const json made{
      {"metadata", {{"name", "web"}}},
      {"spec",
       {{"selector", {{"matchLabels", labels}}},
        {"template",
         {{"metadata", {{"labels", labels}}}, {"spec", {{"containers", {{{"name", "c"}, {"image", "x"}}}}}}}}}}};
  ASSERT_EQ(client().post(deployments, made).status, 201U);
  const json scale{{"apiVersion", "autoscaling/v1"},
                   {"kind", "Scale"},
                   {"metadata", {{"name", "web"}}},
                   {"spec", {{"replicas", 3}}}};
  const auto apply = [&](const std::string& name, const std::string& query) {
    return client().send("PATCH", deployments + "/" + name + "/scale?fieldManager=" + query, scale.dump(),
                         {{"Content-Type", "application/apply-patch+yaml"}});
  };
  EXPECT_EQ(apply("web", "scaler").status, 409U) << "who made it owns the default";
  const auto answer = apply("web", "scaler&force=true");
  EXPECT_EQ(answer.status, 200U) << answer.body;
  EXPECT_EQ(answer.json()["kind"], "Scale");
  EXPECT_EQ(answer.json()["spec"]["replicas"], 3);
  EXPECT_EQ(client().get(deployments + "/web").json()["spec"]["replicas"], 3);
  EXPECT_EQ(apply("none", "scaler").status, 400U) << "the name is another";
  EXPECT_EQ(apply("web", "").status, 422U);
  EXPECT_EQ(client().remove(deployments + "/web").status, 200U);
  EXPECT_EQ(apply("web", "scaler").status, 404U);
}

}  // namespace
}  // namespace knetsim::apiserver::test
