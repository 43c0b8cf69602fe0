// bench-boot: how long whole emulations take to stand, to end, and to be dissolved by the kernel; whole processes.
//
// Budgets that the medians are held against: demo 0.6 s (and the maximum 1.5 times the median), its end 0.15 s, drained
// within 1 s; a pair of workers with a ping proven 0.3 s; a single worker 10 ms with built-in CNI and 40 ms with real
// plugins; the sandbox alone 5 ms.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>

#include "harness.h"
#include "knetsim/emulator/emulation.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::bench {
namespace {

struct Scenario {
  const char* name;
  double budget;  ///< s, for the median of up
};

constexpr std::array kScenarios{Scenario{"sandbox", 0.005}, Scenario{"single-builtin", 0.010},
                                Scenario{"single-real", 0.040}, Scenario{"pair", 0.3}, Scenario{"demo", 0.6}};

class BootScenario : public Hold {
 public:
  explicit BootScenario(std::string name) : name_(std::move(name)) {}

  nlohmann::json build() override {
    nlohmann::json parts = nlohmann::json::object();
    if (name_ == "sandbox") return parts;
    auto topology = fixtures::topology(name_.starts_with("single") ? "single.json" : name_ + ".json");
    if (name_.starts_with("single-")) topology.clusters.at(0).cni = name_.substr(7);
    emulation_.emplace(
        Emulation::boot(std::move(topology), [&](const std::string& part, double seconds) { parts[part] = seconds; }));
    if (name_ == "pair") {
      const auto& c2 = emulation_->cluster("C0").container("c2");
      const auto ping = emulation_->cluster("C0").container("c1").exec({"ping", "-c", "1", c2.address().to_string()});
      if (!ping.ok()) throw Error("c1 can't ping c2: " + ping.out + ping.err);
    }
    return parts;
  }

 private:
  std::string name_;
  std::optional<Emulation> emulation_;
};

nlohmann::json measure(const Scenario& scenario, int runs) {
  Series up;
  Series exit;
  Series drain;
  nlohmann::json parts;
  for (int run = -1; run < runs; ++run) {
    const auto life = time_scenario(scenario.name);
    if (run < 0) continue;  // the first one warms the page cache
    up.add(life.up);
    exit.add(life.exit);
    drain.add(life.drain);
    parts = life.report;
  }
  fmt::print("{:<16} up {:>10} ({} - {}; budget {})  end {:>10}  drained {:>10}  {}\n", scenario.name,
             milliseconds_text(up.median()), milliseconds_text(up.min()), milliseconds_text(up.max()),
             milliseconds_text(scenario.budget), milliseconds_text(exit.median()), milliseconds_text(drain.median()),
             up.median() <= scenario.budget ? "✓" : "✗");
  std::fflush(stdout);
  return {{"name", scenario.name},     {"unit", "s"},           {"budget", scenario.budget},
          {"up", to_json(up)},         {"exit", to_json(exit)}, {"drain", to_json(drain)},
          {"parts_of_last_run", parts}};
}

int run(int argc, char** argv) {
  CLI::App app("How long whole emulations take to stand, to end and to be dissolved by the kernel");
  int runs = 20;
  std::string file;
  std::vector<std::string> only;
  std::string scenario;
  app.add_option("--runs", runs, "counted runs of each scenario, after one to warm up")->check(CLI::Range(1, 1000));
  app.add_option("--json", file, "write the figures to this file");
  app.add_option("--only", only, "scenarios: sandbox, single-builtin, single-real, pair, demo")->delimiter(',');
  app.add_option("--scenario", scenario)->group("");  // the child's side
  CLI11_PARSE(app, argc, argv);

  if (!scenario.empty()) {
    BootScenario hold(scenario);
    return live(hold);
  }
  for (const auto& name : only)
    if (std::none_of(kScenarios.begin(), kScenarios.end(), [&](const Scenario& one) { return name == one.name; }))
      throw InputError("no scenario is called " + name + "; --help lists them");
  Sandbox::enter();
  nlohmann::json results = nlohmann::json::array();
  for (const auto& one : kScenarios)
    if (only.empty() || std::find(only.begin(), only.end(), one.name) != only.end())
      results.push_back(measure(one, runs));
  return write_json(file, {{"schema", 1}, {"bench", "boot"}, {"results", results}});
}

}  // namespace
}  // namespace knetsim::bench

int main(int argc, char** argv) try { return knetsim::bench::run(argc, argv); } catch (const std::exception& error) {
  std::fprintf(stderr, "bench-boot: %s\n", error.what());
  return 2;
}
