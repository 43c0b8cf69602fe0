// bench-boot: how long whole emulations take to stand, to end, and to be dissolved by the kernel; whole processes.
//
// The medians are held against kScenarios' budgets, the slowest run against 1.5 times its median. Entering the sandbox
// is also given as a ratio to unshare(1) doing the same in the same run, which tells a slow machine from slow code. For
// comparison: Mininet's simulator of the same network takes 20.5 s to stand and 1.5 s to end on such a machine.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string_view>

#include "harness.h"
#include "knetsim/emulator/emulation.h"
#include "knetsim/fixtures/prompt.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::bench {
namespace {

struct Scenario {
  const char* name;
  double up;     ///< s, budget of the median
  double exit;   ///< s
  double drain;  ///< s
};

constexpr std::array kScenarios{Scenario{"sandbox", 0.005, 0.15, 1},     Scenario{"single-builtin", 0.010, 0.15, 1},
                                Scenario{"single-real", 0.040, 0.15, 1}, Scenario{"pair", 0.3, 0.15, 1},
                                Scenario{"demo", 0.6, 0.15, 1},          Scenario{"demo-skupper", 1, 0.15, 1},
                                Scenario{"prompt", 1.2, 0.15, 1}};

Topology topology_of(const std::string& scenario) {
  if (scenario == "demo-skupper") return fixtures::topology("demo.json");
  if (scenario.starts_with("single-")) {
    auto topology = fixtures::topology("single.json");
    topology.clusters.at(0).cni = parts::flavour_named(scenario.substr(7)).value();
    return topology;
  }
  auto topology = fixtures::topology(scenario + ".json");
  for (auto& cluster : topology.clusters) {  // the network alone
    cluster.skupper.reset();
    for (auto& container : cluster.containers) container.command.clear();
  }
  return topology;
}

// The floor of entering a sandbox: the same namespaces, by a program that does nothing else.
double seconds_of_unshare() {
  const auto begin = std::chrono::steady_clock::now();
  const auto result = exec({.argv = {"unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child",
                                     "--mount-proc", "true"}},
                           std::chrono::seconds(10));
  if (!result.ok()) throw Error("unshare: " + result.err);
  return seconds_since(begin);
}

// `knetsim up` on a terminal, until it asks for the first line; left with Ctrl-D.
Life time_prompt() {
  std::optional<fixtures::Prompt> prompt;
  const auto up = [&] {
    prompt.emplace("demo");
    return nlohmann::json::object();
  };
  const auto down = [&] {
    const auto status = prompt->leave();
    if (!status.success()) throw Error("knetsim up: " + status.describe());
  };
  return time_life(up, down);
}

class BootScenario : public Hold {
 public:
  explicit BootScenario(std::string name) : name_(std::move(name)) {}

  nlohmann::json build() override {
    nlohmann::json parts = nlohmann::json::object();
    if (name_ == "sandbox") return parts;
    emulation_.emplace(
        Emulation::boot(topology_of(name_), [&](const std::string& part, double seconds) { parts[part] = seconds; }));
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
  Figure up{"up", {}, scenario.up};
  Figure exit{"end", {}, scenario.exit};
  Figure drain{"drained", {}, scenario.drain};
  Series floor;
  nlohmann::json parts;
  const bool has_floor = scenario.name == std::string_view("sandbox");
  for (int run = -1; run < runs; ++run) {
    const auto life = scenario.name == std::string_view("prompt") ? time_prompt() : time_scenario(scenario.name);
    if (run < 0) continue;  // the first one warms the page cache
    if (has_floor) floor.add(seconds_of_unshare());
    up.values.add(life.up);
    exit.values.add(life.exit);
    drain.values.add(life.drain);
    parts = life.report;
  }
  const double spread = up.values.max() / up.values.median();
  fmt::print("{:<14}  {}  {}  {}  slowest {:.2f} x median (budget 1.5)\n", scenario.name, text_of(up), text_of(exit),
             text_of(drain), spread);
  nlohmann::json result{{"name", scenario.name},       {"unit", "s"},           {"up", to_json(up)},
                        {"slowest_by_median", spread}, {"exit", to_json(exit)}, {"drain", to_json(drain)},
                        {"parts_of_last_run", parts}};
  if (has_floor) {
    const double ratio = up.values.median() / floor.median();
    fmt::print("{:<14}  {:.2f} x unshare(1)'s {:.2f} ms\n", "", ratio, floor.median() * 1000);
    result["floor"] = to_json(floor);
    result["ratio"] = ratio;
  }
  std::fflush(stdout);
  return result;
}

int run(int argc, char** argv) {
  CLI::App app("How long whole emulations take to stand, to end and to be dissolved by the kernel");
  int runs = 20;
  std::string file;
  std::vector<std::string> only;
  std::string scenario;
  app.add_option("--runs", runs, "counted runs of each scenario, after one to warm up")->check(CLI::Range(1, 1000));
  app.add_option("--json", file, "write the figures to this file");
  app.add_option("--only", only, "scenarios: sandbox, single-builtin, single-real, pair, demo, demo-skupper, prompt")
      ->delimiter(',');
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
