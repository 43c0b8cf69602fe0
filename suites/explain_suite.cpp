// explain names place and cause of what is broken, and nothing where nothing is.
//
// Topology: pair.json; c1 on w1, c2 and c3 on w2.

#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "explain_breakages.h"
#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/explaining.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/failure.h"

namespace knetsim::suites {
namespace {

using explain::Disposition;
using explain::Protocol;
using explain::Way;
using fixtures::at;
using fixtures::because;
using fixtures::IsDelivered;
using fixtures::IsLost;
using fixtures::on_the;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class Explain : public fixtures::EmulationTest {
 protected:
  void SetUp() override { boot(fixtures::topology("pair.json")); }

  Container& c1() { return worker("w1").container("c1"); }
  Container& c2() { return worker("w2").container("c2"); }
  Container& c3() { return worker("w2").container("c3"); }
  Address vip() { return parse_address("100.64.10.1"); }

  static std::string nft(const Node& node, const std::vector<std::string>& arguments) {
    std::vector<std::string> argv{"nft"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const auto result = node.exec(std::move(argv));
    if (!result.ok()) throw Error(node.name() + ": " + result.err);
    return result.out;
  }
};

struct Planted {
  std::size_t row;
  unsigned variant;
};

/// KNETSIM_SEED repeats what a run has printed; else each variant of a row has a seed of its own.
unsigned seed_of(const Planted& planted) {
  const char* given = std::getenv("KNETSIM_SEED");
  if (given != nullptr) return static_cast<unsigned>(std::strtoul(given, nullptr, 10));
  return static_cast<unsigned>(planted.row) * 10 + planted.variant;
}

void PrintTo(const Planted& planted, std::ostream* out) { *out << breakages().at(planted.row).name; }

class ExplainBreakage : public Explain, public testing::WithParamInterface<Planted> {};

TEST_P(ExplainBreakage, IsNamedAndItsHarmlessTwinIsNot) {
  const auto& breakage = breakages().at(GetParam().row);
  const auto seed = seed_of(GetParam());
  std::mt19937 random(seed);
  auto scene = scene_of(emulation(), breakage, random);
  std::cout << "KNETSIM_SEED=" << seed << ": " << scene.client.name() << " -> " << scene.server.name() << ", "
            << name_of(scene.protocol) << (scene.back ? ", the answers' way" : "") << '\n';
  breakage.twin(scene);
  ASSERT_THAT(explain::explain(emulation(), scene.question()), IsDelivered()) << "the harmless twin";
  const auto verdict = breakage.plant(scene);
  const auto told = explain::explain(emulation(), scene.question());
  std::cout << verdict_line(told) << " (" << told.milliseconds << " ms)\n";
  EXPECT_THAT(told, IsLost(at(verdict.place), because(breakage.disposition), on_the(verdict.way)));
  EXPECT_THAT(told.remedy, HasSubstr(std::string(breakage.remedy)));
  EXPECT_FALSE(told.intermittent()) << told.lost << " of " << told.probes;
  // What breakages end is meant to end.
  for (auto* worker : {&scene.near, &scene.far}) worker->flanneld().expect_end();
}

std::vector<Planted> all_planted() {
  std::vector<Planted> all;
  for (std::size_t row = 0; row < breakages().size(); ++row)
    for (unsigned variant = 1; variant <= 3; ++variant) all.push_back({row, variant});
  return all;
}

std::string name_of_planted(const testing::TestParamInfo<Planted>& info) {
  static constexpr std::array kVariants{"first", "second", "third"};
  return std::string(breakages().at(info.param.row).name) + "_" + kVariants.at(info.param.variant - 1);
}

INSTANTIATE_TEST_SUITE_P(Rows, ExplainBreakage, testing::ValuesIn(all_planted()), name_of_planted);

TEST_F(Explain, DeliversWhereNothingIsBroken) {
  const fixtures::EchoServer server(c2(), 7000);
  std::vector<const Node*> nodes{&worker("w1"), &worker("w2"), &c1(), &c2(), &c3()};
  for (const auto* from : nodes)
    for (const auto* to : nodes)
      if (from != to) {
        EXPECT_THAT(explain(*from, *to), IsDelivered()) << from->name() << " -> " << to->name();
      }
  for (const auto* from : nodes) {
    EXPECT_THAT(explain(*from, vip()), IsDelivered()) << from->name();
    if (from == &c2()) continue;
    EXPECT_THAT(explain(*from, c2().address(), Protocol::tcp, 7000), IsDelivered()) << from->name();
    EXPECT_THAT(explain(*from, c2().address(), Protocol::udp, 7000), IsDelivered()) << from->name();
  }
}

TEST_F(Explain, LeavesTheRulesetAsItWas) {
  std::vector<const Node*> nodes{&worker("w1"), &worker("w2"), &c1(), &c2()};
  const auto rules = [&] {
    std::string all;
    for (const auto* node : nodes) all += nft(*node, {"-s", "list", "ruleset"});
    return all;
  };
  const auto before = rules();
  ASSERT_THAT(explain(c1(), c2()), IsDelivered());
  EXPECT_EQ(rules(), before);
  explain::Options options;
  options.stop = [asked = 0]() mutable { return ++asked > 1; };
  EXPECT_THROW(explain::explain(emulation(), {.from = c1().name(), .to = c2().address(), .to_name = {}}, options),
               explain::Stopped);
  EXPECT_EQ(rules(), before) << "it was stopped in the middle";
}

TEST_F(Explain, SaysThatALossComesAndGoes) {
  nft(worker("w2"), {"add table inet fw"});
  nft(worker("w2"), {"add chain inet fw forward { type filter hook forward priority 0; }"});
  nft(worker("w2"), {"add rule inet fw forward icmp type echo-request numgen inc mod 3 == 1 drop"});
  const auto told = explain(c1(), c2());
  EXPECT_THAT(told, IsLost(at("w2"), because(Disposition::dropped_by_rule)));
  EXPECT_TRUE(told.intermittent());
  EXPECT_THAT(verdict_line(told), HasSubstr("intermittent: 1 of 3"));
}

TEST_F(Explain, NamesTheFirstOfTwoCauses) {
  for (const auto* name : {"w1", "w2"}) {
    nft(worker(name), {"add table inet fw"});
    nft(worker(name), {"add chain inet fw forward { type filter hook forward priority 0; }"});
    nft(worker(name), {"add rule inet fw forward icmp type echo-request drop"});
  }
  EXPECT_THAT(explain(c1(), c2()), IsLost(at("w1"), because(Disposition::dropped_by_rule)));
}

TEST_F(Explain, IsTheCauseOfWhatAnAssertionCouldntReach) {
  EXPECT_THAT(fixtures::failed_paths(
                  {"(\"w1/c1: no answer\\npath: w1/c1 -> 11.1.0.2\")", "path: w1 -> w2\nroute", "path: w1 -> w2"}),
              ElementsAre(fixtures::FailedPath{"w1/c1", "11.1.0.2"}, fixtures::FailedPath{"w1", "w2"}));
  nft(worker("w2"), {"add table inet fw"});
  nft(worker("w2"), {"add chain inet fw input { type filter hook input priority 0; }"});
  nft(worker("w2"), {"add rule inet fw input udp dport 8472 drop"});
  const auto trouble = fixtures::ping_trouble(c1(), c2().address());
  ASSERT_TRUE(trouble);
  const auto paths = fixtures::failed_paths({*trouble});
  ASSERT_THAT(paths, ElementsAre(fixtures::FailedPath{"w1/c1", c2().address().to_string()}));
  const auto why = fixtures::why_it_failed(emulation(), paths.front(), std::chrono::seconds(1));
  EXPECT_THAT(
      failure_sentence("Failed\n" + std::string(kTheCause) + why),
      AllOf(StartsWith("LOST at w2: DROPPED_BY_RULE: "), HasSubstr("remedy: w2 nft delete rule inet fw input handle")));
  EXPECT_THAT(why, HasSubstr("\npath: w1/c1 -> w2\n"));
  nft(worker("w2"), {"delete table inet fw"});
  EXPECT_EQ(fixtures::why_it_failed(emulation(), paths.front(), std::chrono::seconds(1)), "") << "it comes through now";
}

/// Datagrams and connections to everywhere, as fast as a thread can.
class Noise {
 public:
  Noise(const Node& from, const Address& to, std::uint16_t port)
      : thread_([this, &from, to, port] {
          while (!stop_) {
            fixtures::tcp_exchange(from, to, port, 16, std::chrono::milliseconds(200));
            fixtures::udp_exchange(from, to, port, 16, std::chrono::milliseconds(200));
            flows_ += 2;
          }
        }) {}
  ~Noise() {
    stop_ = true;
    thread_.join();
  }
  int flows() const { return flows_; }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<int> flows_ = 0;
  std::thread thread_;
};

TEST_F(Explain, HearsItsOwnPacketsAmongOthers) {
  const fixtures::EchoServer server(c2(), 7000);
  const Noise noise(c1(), c2().address(), 7000);
  EXPECT_THAT(explain(c1(), c2().address(), Protocol::tcp, 7000), IsDelivered());
  EXPECT_THAT(explain(c1(), c2().address(), Protocol::tcp, 7001),
              IsLost(at("w2/c2"), because(Disposition::no_listener)));
  EXPECT_THAT(explain(c1(), c2()), IsDelivered());
  EXPECT_GT(noise.flows(), 0);
}

}  // namespace
}  // namespace knetsim::suites
