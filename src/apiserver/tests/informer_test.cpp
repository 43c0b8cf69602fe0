// The watching client: a collection as it is, across whatever happens to the server.
#include <csignal>
#include <future>

#include "knetsim/apiserver/watch.h"
#include "knetsim/sys/eventually.h"
#include "lab.h"

namespace knetsim::apiserver::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using namespace std::chrono_literals;

const boost::asio::ip::tcp::endpoint kWatched(boost::asio::ip::make_address("127.0.0.1"), 8001);

class ApiServerInformer : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    serve({"--watch-window=8"});
    make_namespace("shop");
  }

  /// An informer that writes down "+a", "~a", "-a".
  void follow(Collection collection = {.path = kConfigMaps}) {
    informer_.emplace(context_, Access{kWatched}, std::move(collection),
                      InformerCalls{.changed =
                                        [this](const json* before, const json* now) {
                                          const char* sign = before == nullptr ? "+" : now == nullptr ? "-" : "~";
                                          const auto& object = now == nullptr ? *before : *now;
                                          told_.push_back(sign + object["metadata"]["name"].get<std::string>());
                                        },
                                    .listed = [this] { ++lists_; },
                                    .interrupted = [this](const std::string&) { ++interruptions_; }});
    until([&] { return informer_->listed(); });
  }
  template <typename Condition>
  void until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << testing::PrintToString(told_);
      context_.run_one_until(deadline);
    }
  }
  /// The server ends it after its time; nobody runs the context meanwhile, so that no other one begins.
  void wait_for_the_watchs_end() {
    eventually([&]() -> std::optional<std::string> {
      const auto metrics = client().get("/metrics").body;
      if (metrics.find("apiserver_longrunning_requests{verb=\"WATCH\"} 0\n") != std::string::npos) return std::nullopt;
      return "the end of the watch in " + metrics;
    });
  }
  /// What has been told since the last call, up to a mark that is made now.
  std::vector<std::string> told() {
    const auto mark = "mark" + std::to_string(++marks_);
    client().post(kConfigMaps, config_map(mark, {{"a", "1"}}, {{"w", "1"}}));
    until([&] { return informer_->find("shop", mark) != nullptr; });
    auto all = std::exchange(told_, {});
    std::erase_if(all, [](const auto& each) { return each.find("mark") != std::string::npos; });
    return all;
  }
  std::string at(const std::string& name) { return std::string(kConfigMaps) + "/" + name; }

  boost::asio::io_context context_;
  std::optional<Informer> informer_;
  std::vector<std::string> told_;
  int lists_ = 0;
  int interruptions_ = 0;
  int marks_ = 0;
};

TEST_F(ApiServerInformer, KnowsACollectionAsItIsAndTellsOfEachChangeOnce) {
  client().post(kConfigMaps, config_map("old"));
  follow();
  EXPECT_THAT(told(), ElementsAre("+old"));
  const auto made = client().post(kConfigMaps, config_map("a")).json();
  client().merge(at("a"), {{"data", {{"a", "2"}}}});
  client().remove(at("old"));
  EXPECT_THAT(told(), ElementsAre("+a", "~a", "-old"));
  EXPECT_EQ(informer_->find("shop/a")->at("data")["a"], "2");
  EXPECT_EQ(informer_->find("shop", "a")->at("kind"), "ConfigMap");
  EXPECT_EQ(informer_->find("shop", "old"), nullptr);
  EXPECT_EQ(informer_->objects().size(), 3U);  // and two marks
  EXPECT_EQ(lists_, 1);
}

TEST_F(ApiServerInformer, SelectsAndSeesWhatEntersAndLeaves) {
  client().post(kConfigMaps, config_map("other"));
  client().post(kConfigMaps, config_map("mine", {{"a", "1"}}, {{"w", "1"}}));
  make_namespace("elsewhere");
  client().post("/api/v1/namespaces/elsewhere/configmaps", config_map("theirs", {{"a", "1"}}, {{"w", "1"}}));
  follow({.path = "/api/v1/configmaps", .labels = "w in (1,2)", .fields = "metadata.namespace=shop"});
  EXPECT_THAT(told(), ElementsAre("+mine"));
  client().merge(at("mine"), {{"metadata", {{"labels", {{"w", "3"}}}}}});
  client().merge(at("other"), {{"metadata", {{"labels", {{"w", "2"}}}}}});
  EXPECT_THAT(told(), ElementsAre("-mine", "+other"));
}

TEST_F(ApiServerInformer, GoesOnWhereItWasWhenItsWatchHasEnded) {
  follow({.path = kConfigMaps, .watch_time = 1s});
  for (const auto* const name : {"a", "b"}) {
    wait_for_the_watchs_end();
    client().post(kConfigMaps, config_map(name));
    until([&] { return informer_->find("shop", name) != nullptr; });
  }
  EXPECT_THAT(told(), ElementsAre("+a", "+b"));
  EXPECT_EQ(lists_, 1);
  EXPECT_EQ(interruptions_, 0);
}

TEST_F(ApiServerInformer, ListsAgainAfterAServerThatWasKilledAndTellsWhatItMissed) {
  for (const auto* const name : {"kept", "changed", "gone"}) client().post(kConfigMaps, config_map(name));
  follow();
  EXPECT_EQ(told().size(), 3U);
  server().signal(SIGKILL);
  server().wait(10s);
  auto store = etcd();
  const auto put = [&](const std::string& name, json object) {
    object["metadata"]["namespace"] = "shop";
    store.put("/registry/configmaps/shop/" + name, object.dump());
  };
  until([&] { return interruptions_ > 0; });
  put("changed", config_map("changed", {{"a", "2"}}));
  put("new", config_map("new"));
  store.remove("/registry/configmaps/shop/gone");
  serve({"--watch-window=8"});
  until([&] { return lists_ == 2; });
  EXPECT_THAT(told(), UnorderedElementsAre("~changed", "+new", "-gone"));
}

TEST_F(ApiServerInformer, ListsAgainWhenItComesTooLate) {
  follow({.path = kConfigMaps, .watch_time = 1s});
  // Nobody runs the context while the watch ends and its window closes.
  for (int i = 0; i < 12; ++i) client().post(kConfigMaps, config_map("c" + std::to_string(i)));
  wait_for_the_watchs_end();
  for (int i = 0; i < 12; ++i) client().remove(at("c" + std::to_string(i)));
  for (int i = 0; i < 12; ++i) client().post(kConfigMaps, config_map("d" + std::to_string(i)));
  until([&] { return lists_ == 2; });
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(informer_->find("shop/c" + std::to_string(i)), nullptr);
    EXPECT_NE(informer_->find("shop/d" + std::to_string(i)), nullptr);
  }
  EXPECT_THAT(told(), testing::Contains("+d11"));
}

TEST_F(ApiServerInformer, KnowsItsOwnWritesAtOnceAndTellsOfThemOnce) {
  follow();
  auto made = client().post(kConfigMaps, config_map("a")).json();
  informer_->note(made);
  EXPECT_EQ(informer_->find("shop/a")->at("data")["a"], "1");
  auto changed = client().merge(at("a"), {{"data", {{"a", "2"}}}}).json();
  informer_->note(changed);
  informer_->note(made);  // late
  EXPECT_EQ(informer_->find("shop/a")->at("data")["a"], "2");
  client().remove(at("a"));
  informer_->forget(changed);
  EXPECT_EQ(informer_->find("shop/a"), nullptr);
  // Another one of that name is no ghost of the first.
  informer_->note(client().post(kConfigMaps, config_map("a", {{"a", "3"}})).json());
  EXPECT_THAT(told(), ElementsAre("+a", "~a", "-a", "+a"));
  EXPECT_EQ(informer_->find("shop/a")->at("data")["a"], "3");
}

TEST_F(ApiServerInformer, EndsAtOnceWhereverItIs) {
  follow();
  informer_.reset();
  context_.restart();
  context_.run();  // returns, as nothing is left to do
  server().signal(SIGSTOP);
  context_.restart();
  Informer waits(context_, {kWatched}, {.path = kConfigMaps}, {});
  auto running = std::async(std::launch::async, [&] { context_.run(); });
  EXPECT_EQ(running.wait_for(50ms), std::future_status::timeout);
  context_.stop();
  EXPECT_EQ(running.wait_for(5s), std::future_status::ready);
  server().signal(SIGCONT);
}

TEST_F(ApiServerInformer, HandsOnWhatItsCallsThrow) {
  follow();
  Informer thrower(context_, {kWatched}, {.path = kConfigMaps},
                   {.listed = [] { throw std::runtime_error("from the call"); }});
  EXPECT_THROW(context_.run(), std::runtime_error);
}

}  // namespace
}  // namespace knetsim::apiserver::test
