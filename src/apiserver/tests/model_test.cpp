// What watchers are told, against what etcd itself has kept; and what is left of what was acknowledged when something
// is killed.
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "knetsim/etcd/watcher.h"
#include "lab.h"

namespace knetsim::apiserver::test {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

/// One change of an object.
struct Step {
  std::int64_t revision = 0;
  std::string type = {};  // as a watch says it
  std::string name = {};
  std::string value = {};  // of data.a; of what is deleted the last one
  bool operator==(const Step&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Step& step) {
  return out << step.revision << ' ' << step.type << ' ' << step.name << '=' << step.value;
}

/// What one watcher has heard: a state, from which changes go on, until it had to ask for the state anew.
struct Heard {
  std::optional<std::map<std::string, std::string>> state;  // else `step`
  Step step;                                                // of a state: its revision
};

std::int64_t revision_of(const json& object) {
  return std::stoll(object.at("metadata").at("resourceVersion").get<std::string>());
}

/// What is wrong with it; empty if every change of `history` was heard once, in order.
std::string complaint(const std::vector<Step>& history, const std::vector<Heard>& heard) {
  std::map<std::string, std::string> state;
  std::size_t next = 0;
  const auto replay = [&] {
    const auto& step = history[next++];
    if (step.type == "DELETED")
      state.erase(step.name);
    else
      state[step.name] = step.value;
  };
  std::ostringstream text;
  for (const auto& each : heard) {
    if (each.state) {
      while (next < history.size() && history[next].revision <= each.step.revision) replay();
      if (*each.state != state) text << "the list at " << each.step.revision << " is another; ";
    } else if (next == history.size() || history[next] != each.step) {
      text << "heard " << each.step << ", and not ";
      next == history.size() ? text << "nothing" : text << history[next];
      return text.str();
    } else {
      replay();
    }
  }
  if (next != history.size()) text << "heard nothing of " << history[next];
  return text.str();
}

/// For proofs that the test sees it: an event that is dropped, doubled, or comes after the next.
std::string planted_fault() {
  const char* fault = std::getenv("KNETSIM_PLANTED_FAULT");
  return fault == nullptr ? "" : fault;
}

/// Counts acknowledged writes.
class Progress {
 public:
  void add() { ++count_, count_.notify_all(); }
  void end() { over_ = true, add(); }
  void wait_for_more(int by) const {
    for (auto seen = count_.load(), first = seen; seen - first < by && !over_; seen = count_.load()) count_.wait(seen);
  }

 private:
  std::atomic<int> count_{0};
  std::atomic<bool> over_{false};
};

class ApiServerModel : public ApiTest {
 protected:
  static constexpr int kWindow = 32;

  void SetUp() override {
    ApiTest::SetUp();
    serve({"--watch-window=" + std::to_string(kWindow)});
    make_namespace("shop");
  }

  /// Creates, changes and deletes; of what others write too only by resourceVersion. Counts what was acknowledged.
  static int write(int seed, int count, Progress& progress) {
    Client client;
    std::mt19937 random(static_cast<unsigned>(seed));
    int acknowledged = 0;
    for (int i = 0; i < count; ++i) {
      const bool shared = random() % 4 == 0;
      const auto name = shared ? "shared-" + std::to_string(random() % 3)
                               : "w" + std::to_string(seed) + "-" + std::to_string(random() % 3);
      const auto path = std::string(kConfigMaps) + "/" + name;
      const auto value = std::to_string(seed) + "." + std::to_string(i);
      const auto now = client.get(path);
      unsigned status = 0;
      if (now.status == 404) {
        status = client.post(kConfigMaps, config_map(name, {{"a", value}})).status;
      } else if (random() % 4 == 0) {
        status = client.remove(path).status;
      } else {
        auto object = now.json();
        object["data"]["a"] = value;
        status = client.put(path, object).status;
      }
      if (status == 200 || status == 201) {
        ++acknowledged;
        progress.add();
      } else {
        EXPECT_TRUE(shared && (status == 409 || status == 404)) << status;
      }
    }
    return acknowledged;
  }

  /// Lists, watches, comes again from where it was, too late now and then.
  static std::vector<Heard> watch(int seed, std::int64_t begin, const Progress& progress,
                                  const std::atomic<std::int64_t>& last) {
    std::mt19937 random(static_cast<unsigned>(seed));
    std::vector<Heard> heard;
    Client client;
    std::int64_t at = begin;
    const auto list = [&] {
      const auto all = client.get(kConfigMaps).json();
      Heard state{.state = std::map<std::string, std::string>(), .step = {.revision = revision_of(all)}};
      for (const auto& item : all.at("items"))
        if (item["metadata"]["name"] != "kube-root-ca.crt")
          state.state->emplace(item["metadata"]["name"], item["data"]["a"]);
      at = state.step.revision;
      heard.push_back(std::move(state));
    };
    list();
    while (last == 0 || at < last) {
      if (seed % 2 == 0 && random() % 3 == 0) progress.wait_for_more(3 * kWindow);  // a slow one
      Watch watch(std::string(kConfigMaps) + "?watch=true&resourceVersion=" + std::to_string(at));
      if (watch.status() == 410) {
        list();
        continue;
      }
      for (auto left = 5 + random() % 40; left > 0 && (last == 0 || at < last); --left) {
        const auto event = watch.next(300ms);
        if (!event) break;
        const auto& object = event->at("object");
        if (event->at("type") == "ERROR") {
          EXPECT_EQ(object.at("code"), 410) << object;
          list();
          break;
        }
        at = revision_of(object);
        heard.push_back({.state = {},
                         .step = {.revision = at,
                                  .type = event->at("type"),
                                  .name = object["metadata"]["name"],
                                  .value = object["data"]["a"]}});
      }
    }
    return heard;
  }

  static void plant(const std::string& fault, std::vector<Heard>& heard) {
    const auto is_step = [](const Heard& each) { return !each.state; };
    auto step = std::find_if(heard.begin(), heard.end(), is_step);
    while (step != heard.end() && (std::next(step) == heard.end() || std::next(step)->state)) ++step;
    ASSERT_NE(step, heard.end());
    if (fault == "dropped") heard.erase(step);
    if (fault == "doubled") heard.insert(step, Heard(*step));
    if (fault == "reordered") std::iter_swap(step, std::next(step));
  }

  /// All changes of ConfigMaps in namespace shop, as etcd tells them.
  std::vector<Step> history(std::size_t count) {
    auto client = etcd();
    auto watcher = client.watch("/registry/configmaps/shop/", 1);
    std::vector<Step> all;
    std::map<std::string, std::string> values;
    while (all.size() < count) {
      const auto events = watcher.next(5s);
      if (!events) break;
      for (const auto& event : events->events) {
        Step step{.revision = event.kv.mod_revision, .name = event.kv.key.substr(event.kv.key.rfind('/') + 1)};
        if (event.type == etcd::Event::Type::remove) {
          step.type = "DELETED";
          step.value = values[step.name];
        } else {
          step.type = event.kv.create_revision == event.kv.mod_revision ? "ADDED" : "MODIFIED";
          step.value = values[step.name] = json::parse(event.kv.value).at("data").at("a");
        }
        all.push_back(std::move(step));
      }
    }
    return all;
  }
};

TEST_F(ApiServerModel, TellsEveryWatcherOfEachChangeOnceAndInOrder) {
  const auto begin = revision_of(client().get(kConfigMaps).json());
  Progress progress;
  std::atomic<std::int64_t> last{0};
  std::atomic<int> acknowledged{0};
  constexpr int kWriters = 4;
  constexpr int kWatchers = 6;
  std::vector<std::vector<Heard>> heard(kWatchers);
  std::vector<std::thread> watchers;
  for (int i = 0; i < kWatchers; ++i)
    watchers.emplace_back([&, i] { heard[static_cast<std::size_t>(i)] = watch(i, begin, progress, last); });
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) writers.emplace_back([&, i] { acknowledged += write(i, 120, progress); });
  for (auto& writer : writers) writer.join();
  const auto truth = history(static_cast<std::size_t>(acknowledged));
  last = truth.empty() ? begin : truth.back().revision;
  progress.end();
  for (auto& watcher : watchers) watcher.join();
  ASSERT_EQ(truth.size(), static_cast<std::size_t>(acknowledged)) << "etcd has what was acknowledged, and nothing else";
  if (const auto fault = planted_fault(); !fault.empty()) plant(fault, heard.at(0));
  std::size_t lists = 0;
  for (const auto& each : heard) {
    EXPECT_EQ(complaint(truth, each), "");
    lists += static_cast<std::size_t>(
        std::count_if(each.begin(), each.end(), [](const Heard& h) { return h.state.has_value(); }));
  }
  EXPECT_GT(lists, static_cast<std::size_t>(kWatchers)) << "nobody came too late";
}

/// Fifty clients at once.
template <typename Work>
void with_clients(int count, Work work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([work, i] {
      Client own;
      work(own, i);
    });
  for (auto& thread : threads) thread.join();
}

/// The addresses and node ports of services, each of which must stand alone.
void expect_no_doubles(const json& services) {
  std::set<std::string> addresses;
  std::set<int> ports;
  for (const auto& service : services.at("items")) {
    const auto& spec = service.at("spec");
    EXPECT_TRUE(addresses.insert(spec.at("clusterIP").get<std::string>()).second) << service;
    EXPECT_EQ(spec.at("clusterIPs"), json::array({spec.at("clusterIP")}));
    for (const auto& port : spec.at("ports"))
      if (port.contains("nodePort")) {
        EXPECT_TRUE(ports.insert(port.at("nodePort").get<int>()).second) << service;
      }
  }
}

TEST_F(ApiServerModel, GivesEachOfFiftyClientsWhatNoneElseHas) {
  constexpr int kClients = 50;
  constexpr int kEach = 4;
  client().post(kConfigMaps, config_map("count", {{"a", "0"}}));
  const auto counter = std::string(kConfigMaps) + "/count";
  with_clients(kClients, [&](Client& own, int number) {
    for (int i = 0; i < kEach; ++i) {
      const auto name = "s" + std::to_string(number) + "-" + std::to_string(i);
      EXPECT_EQ(own.post(kServices, service(name, {{"type", "NodePort"}})).status, 201U);
    }
    for (bool done = false; !done;) {
      auto object = own.get(counter).json();
      object["data"]["a"] = std::to_string(std::stoi(object["data"]["a"].get<std::string>()) + 1);
      const auto status = own.put(counter, object).status;
      done = status == 200;
      EXPECT_TRUE(done || status == 409) << status;
    }
  });
  const auto services = client().get(kServices).json();
  EXPECT_EQ(services["items"].size(), static_cast<std::size_t>(kClients * kEach));
  expect_no_doubles(services);
  EXPECT_EQ(client().get(counter).json()["data"]["a"], std::to_string(kClients)) << "no write was lost";
}

/// Writes services until the server doesn't answer any more: what was acknowledged.
class Acknowledged {
 public:
  void write(int writer) {
    try {
      Client own;
      for (int i = 0;; ++i) {
        const auto name = "w" + std::to_string(writer) + "-" + std::to_string(next_++) + "-" + std::to_string(i);
        const auto answer = own.post(kServices, service(name, {{"type", "NodePort"}}));
        if (answer.status != 201) continue;
        const std::scoped_lock lock(mutex_);
        objects_[name] = answer.json();
        count_ = objects_.size();
        count_.notify_all();
      }
    } catch (const std::exception&) {  // the server is gone
    }
  }
  void wait_for(std::size_t count) const {
    for (auto seen = count_.load(); seen < count; seen = count_.load()) count_.wait(seen);
  }
  std::size_t count() const { return count_; }
  void expect_kept(const json& services) const {
    std::map<std::string, json> there;
    for (const auto& item : services.at("items")) there[item.at("metadata").at("name")] = item;
    for (const auto& [name, object] : objects_) {
      const auto found = there.find(name);
      ASSERT_NE(found, there.end()) << name << " was acknowledged";
      auto kept = found->second;
      kept["kind"] = object["kind"];
      kept["apiVersion"] = object["apiVersion"];
      EXPECT_EQ(kept, object);
    }
  }

 private:
  std::mutex mutex_;
  std::map<std::string, json> objects_;
  std::atomic<std::size_t> count_{0};
  std::atomic<int> next_{0};
};

TEST_F(ApiServerModel, LosesNothingThatItAcknowledgedWhenItIsKilled) {
  constexpr int kWriters = 8;
  Acknowledged acknowledged;
  for (int kill = 0; kill < 3; ++kill) {
    std::vector<std::thread> writers;
    for (int i = 0; i < kWriters; ++i) writers.emplace_back([&, i] { acknowledged.write(i); });
    acknowledged.wait_for(acknowledged.count() + 20);
    ::kill(server().pid(), SIGKILL);
    for (auto& writer : writers) writer.join();
    serve();
    const auto services = client().get(kServices).json();
    acknowledged.expect_kept(services);
    expect_no_doubles(services);
  }
  for (const auto& kv : etcd().list("/registry/").kvs) EXPECT_TRUE(json::accept(kv.value)) << kv.key;
}

}  // namespace
}  // namespace knetsim::apiserver::test
