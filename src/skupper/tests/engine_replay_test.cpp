// The engine in the place of one of two real routers: told what that one was told, it says what that one said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "capture.h"
#include "routing/engine.h"
#include "wire/address.h"

namespace knetsim::skupper::routing {
namespace {

constexpr int kControlStream = 1;
constexpr std::uint16_t kControlChannel = 0;
constexpr std::chrono::milliseconds kAttached{15};

/// What is compared: address and body. The order of a MAU's addresses means nothing.
std::string described(const wire::ControlMessage& message) {
  auto body = message.body;
  if (auto* update = std::get_if<wire::MobileAddressUpdate>(&body))
    if (auto* all = std::get_if<wire::AbsoluteAddresses>(&update->addresses))
      std::sort(all->exist.begin(), all->exist.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  return message.to + " " + encode(wire::ControlMessage{{}, "", body}) + " " + to_string(body);
}

class EngineReplay : public testing::Test {
 protected:
  /// What the engine says in the place of `side`; in `said` what the real one said.
  std::set<std::string> replay(Engine& engine, wire::Side side, std::set<std::string>& said) {
    std::set<std::string> result;
    const Clock::time_point start{std::chrono::hours(1)};
    const auto poll = [&](Clock::time_point now) {
      for (const auto& transmission : engine.poll(now).transmissions)
        result.insert(described(wire::parse_control(transmission.message)));
    };
    poll(start);
    engine.link_up(1, 1);
    poll(start + kAttached);
    for (const auto& delivery : capture_.deliveries) {
      if (delivery.stream != kControlStream || delivery.channel != kControlChannel) continue;
      if (delivery.sender == side) {
        said.insert(described(wire::parse_control(delivery.bytes)));
        continue;
      }
      const auto now = start + delivery.time;
      for (auto next = engine.next_poll(); next <= now; next = engine.next_poll())
        poll(std::max(next, start + kAttached));
      engine.receive(1, delivery.bytes, now);
      poll(now);
    }
    return result;
  }

  wire::Capture capture_ = wire::read_capture();
};

Settings settings(const char* id, std::int64_t instance) {
  Settings result;
  result.id = id;
  result.instance = instance;
  return result;
}

TEST_F(EngineReplay, SaysWhatTheListeningRouterSaid) {
  Engine engine(settings("c0", 1795385884));
  for (const auto* key : {"Msfe.MMu2W:0", "Mvfcr.MMu2W:0"}) engine.add_consumer(key, wire::Treatment::closest);
  for (const auto* name : {"svc1:8080", "sink:9000", "dead:9999"}) engine.add_consumer(wire::mobile_key(name));
  std::set<std::string> real;
  const auto ours = replay(engine, wire::Side::listener, real);
  EXPECT_EQ(ours, real);
  EXPECT_EQ(engine.table().route("c1")->cost, 1);
}

TEST_F(EngineReplay, SaysWhatTheConnectingRouterSaid) {
  Engine engine(settings("c1", 1795385885));
  for (const auto* key : {"Msfe.PqkwA:0", "Mvfcr.PqkwA:0"}) engine.add_consumer(key, wire::Treatment::closest);
  std::set<std::string> real;
  auto ours = replay(engine, wire::Side::connector, real);
  // It was told of c0 before its first tick: ours introduces itself first.
  EXPECT_EQ(ours.erase(described({{}, std::string(wire::kHelloAddress), wire::Hello{"c1", 1, 1795385885, {}}})), 1U);
  EXPECT_EQ(ours, real);
  EXPECT_EQ(engine.table().consumers(wire::mobile_key("svc1:8080"))->remote, (std::vector<RemoteConsumer>{{"c0", 1}}));
  EXPECT_EQ(engine.table().consumers("Msfe.MMu2W:0")->treatment, wire::Treatment::closest);
}

}  // namespace
}  // namespace knetsim::skupper::routing
