// An API server goes on, and keeps what it has acknowledged, when a member of its etcd is killed.
//
// Topology: pair.json with three members.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "knetsim/apiserver/client.h"
#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/sys/error.h"

namespace knetsim::fixtures {
namespace {

using nlohmann::json;

constexpr const char* kPath = "/api/v1/namespaces/default/services";

class KubeMembers : public EmulationTest {
 protected:
  static apiserver::Client client() { return {parse_address("127.0.0.1"), ClusterApi::port_of(0)}; }
};

TEST_F(KubeMembers, LoseNothingThatWasAcknowledged) {
  auto three = topology("pair.json");
  auto& members = three.clusters.front().etcd;
  for (const int i : {2, 3})
    members.push_back({.name = fmt::format("e{}", i), .addresses = {parse_address(fmt::format("10.0.0.{}", 10 + i))}});
  boot(std::move(three));
  emulation().start_apis();

  std::mutex mutex;
  std::set<std::string> acknowledged;
  std::atomic<std::size_t> count{0};
  std::atomic<bool> over{false};
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w)
    writers.emplace_back([&, w] {
      auto own = client();
      for (int i = 0; !over; ++i) {
        const auto name = fmt::format("s{}-{}", w, i);
        unsigned status = 0;
        try {
          status =
              own.ask("POST", kPath,
                      {{"metadata", {{"name", name}}}, {"spec", {{"type", "NodePort"}, {"ports", {{{"port", 80}}}}}}})
                  .status;
        } catch (const Error&) {  // no answer
        }
        // What isn't acknowledged may be there, or not.
        if (status != 201) continue;
        const std::scoped_lock lock(mutex);
        acknowledged.insert(name);
        count = acknowledged.size();
        count.notify_all();
      }
    });
  const auto wait_for = [&](std::size_t more) {
    const auto wanted = count + more;
    for (auto seen = count.load(); seen < wanted; seen = count.load()) count.wait(seen);
  };
  wait_for(40);
  cluster("C0").etcd().members().front().kill();
  wait_for(40);
  over = true;
  for (auto& writer : writers) writer.join();

  std::set<std::string> there;
  std::set<std::string> addresses;
  std::set<int> ports;
  const auto all = client().must("GET", kPath).body;
  for (const auto& item : all.at("items")) {
    there.insert(item.at("metadata").at("name"));
    EXPECT_TRUE(addresses.insert(item.at("spec").at("clusterIP").get<std::string>()).second) << item;
    for (const auto& port : item.at("spec").at("ports"))
      if (port.contains("nodePort")) {
        EXPECT_TRUE(ports.insert(port.at("nodePort").get<int>()).second) << item;
      }
  }
  for (const auto& name : acknowledged) EXPECT_TRUE(there.contains(name)) << name << " was acknowledged";
}

}  // namespace
}  // namespace knetsim::fixtures
