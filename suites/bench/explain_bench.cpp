// bench-explain: how long explain takes from the question to the verdict, in the demo and among a hundred workers.
//
// Held against the budgets below, which are for 2 cores.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>

#include "harness.h"
#include "knetsim/emulator/emulation.h"
#include "knetsim/explain/explain.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::bench {
namespace {

constexpr double kDelivered = 0.06;  // s
constexpr double kLost = 0.6;        // s
constexpr double kCrowded = 1;       // s

/// What is asked, and broken before.
struct Case {
  const char* name;
  std::string from;
  std::string to;
  explain::Disposition expected;
  double budget;
  std::vector<std::vector<std::string>> deeds = {};  // node, then what it runs
};

Topology crowd(int workers) {
  ClusterSpec cluster{.name = "C0", .switch_name = "s0"};
  cluster.api = false;
  cluster.cni = parts::Flavour::builtin;
  cluster.etcd = {{.name = "e1", .addresses = {parse_address("10.0.0.1")}}};
  cluster.flannel = FlannelSpec{.flavour = parts::Flavour::builtin,
                                .config = R"({"Network": "11.0.0.0/8", "Backend": {"Type": "vxlan"}})"};
  for (int i = 1; i <= workers; ++i)
    cluster.workers.push_back({.name = fmt::format("w{}", i),
                               .addresses = {advance(parse_address("10.1.0.0"), static_cast<std::uint64_t>(i))}});
  cluster.containers = {{.name = "c1", .worker = "w1"}, {.name = "c2", .worker = "w2"}};
  return {.underlay = {.networks = {parse_network("10.0.0.0/8")}, .switches = {{.name = "s0"}}}, .clusters = {cluster}};
}

nlohmann::json measure(Emulation& emulation, const Case& one, int runs) {
  for (const auto& deed : one.deeds) {
    const auto result = emulation.node(deed.front()).exec({deed.begin() + 1, deed.end()});
    if (!result.ok()) throw Error(fmt::format("{}: {}", one.name, result.err));
  }
  Figure figure{"verdict", {}, one.budget};
  for (int run = 0; run < runs; ++run) {
    const auto told = explain::explain(emulation, explain::question_of(emulation, one.from, one.to));
    if (told.disposition != one.expected) throw Error(fmt::format("{}: {}", one.name, verdict_line(told)));
    figure.values.add(told.milliseconds / 1'000);
  }
  fmt::print("{:<28} {}\n", one.name, text_of(figure));
  std::fflush(stdout);
  return {{"name", one.name}, {"unit", "s"}, {"verdict", to_json(figure)}};
}

int run(int argc, char** argv) {
  CLI::App app("How long explain takes from the question to the verdict");
  int runs = 15;
  int workers = 100;
  std::string file;
  app.add_option("--runs", runs, "questions of each kind")->check(CLI::Range(1, 1000));
  app.add_option("--workers", workers, "of the large cluster; 0: none")->check(CLI::Range(0, 1000));
  app.add_option("--json", file, "write the figures to this file");
  CLI11_PARSE(app, argc, argv);

  using explain::Disposition;
  Sandbox::enter();
  nlohmann::json results = nlohmann::json::array();
  const auto all = [&](Topology topology, const std::vector<Case>& cases) {
    auto emulation = Emulation::boot(std::move(topology));
    for (const auto& one : cases) results.push_back(measure(emulation, one, runs));
  };
  all(Topology::from_file(find_topology("demo.json")),
      {{"delivered", "C0w1/c1", "C0w2/c2", Disposition::delivered, kDelivered},
       {"delivered-vip", "C0w1/c1", "100.64.10.1", Disposition::delivered, kDelivered},
       {"delivered-worker", "C0w1", "C0w2", Disposition::delivered, kDelivered},
       {"lost-listener", "C0w1/c1", "C0w2/c2:81", Disposition::no_listener, kLost},
       {"lost-link",
        "C0w1/c1",
        "C0w3/c3",
        Disposition::link_down,
        kLost,
        {{"C0w3", "ip", "link", "set", "flannel.100", "down"}}},
       {"lost-rule",
        "C0w1/c1",
        "C0w2/c2",
        Disposition::dropped_by_rule,
        kLost,
        {{"C0w2", "nft", "add table inet fw"},
         {"C0w2", "nft", "add chain inet fw input { type filter hook input priority 0; }"},
         {"C0w2", "nft", "add rule inet fw input udp dport 8472 drop"}}}});
  if (workers > 0)
    all(crowd(workers), {{"crowd-delivered", "w1/c1", "w2/c2", Disposition::delivered, kCrowded},
                         {"crowd-lost",
                          "w1/c1",
                          "w2/c2",
                          Disposition::link_down,
                          kCrowded,
                          {{"w2", "ip", "link", "set", "flannel.1", "down"}}}});
  return write_json(file, {{"schema", 1}, {"bench", "explain"}, {"results", results}});
}

}  // namespace
}  // namespace knetsim::bench

int main(int argc, char** argv) try { return knetsim::bench::run(argc, argv); } catch (const std::exception& error) {
  std::fprintf(stderr, "bench-explain: %s\n", error.what());
  return 2;
}
