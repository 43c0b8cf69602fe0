// bench-scale: what each worker and each container of a crowd costs, beside the kernel's own floor (`ip -batch` doing
// the same links) in the same run; and 100 flannel daemons on one etcd.
//
// Held against the budgets below, which are for 2 cores. For comparison: a Mininet host takes 17 ms up and 25 ms down.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <optional>

#include "harness.h"
#include "knetsim/emulator/emulation.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::bench {
namespace {

using std::chrono::steady_clock;

constexpr double kUpEach = 0.0012;     // s, a worker or a container
constexpr double kDownEach = 0.002;    // s
constexpr double kMesh = 5;            // s
constexpr double kPssEach = 3 * 1024;  // KiB, a flannel daemon

/// A field of a file such as /proc/meminfo or smaps_rollup, in KiB.
long kib_of(const std::string& file, const std::string& field) {
  std::ifstream text(file);
  for (std::string line; std::getline(text, line);)
    if (line.starts_with(field + ":")) return std::stol(line.substr(field.size() + 1));
  return 0;
}

/// 10.1.x.y: room for 60,000.
Address nth_address(int n) { return advance(parse_address("10.1.0.1"), static_cast<std::uint64_t>(n)); }

Topology crowd(int workers, bool with_containers) {
  ClusterSpec cluster{.name = "C0", .switch_name = "s0"};
  cluster.cni = parts::Flavour::builtin;
  for (int i = 0; i < workers; ++i) {
    const auto name = fmt::format("w{}", i);
    const auto subnet = make_network(advance(parse_address("11.0.0.0"), static_cast<std::uint64_t>(i) << 8U), 24);
    cluster.workers.push_back(
        {.name = name, .addresses = {nth_address(i)}, .switch_name = {}, .pod_subnets = {subnet}});
    if (with_containers) cluster.containers.push_back({.name = fmt::format("c{}", i), .worker = name});
  }
  return {.underlay = {.networks = {parse_network("10.0.0.0/8")}, .switches = {{.name = "s0"}}}, .clusters = {cluster}};
}

Topology meshed(int workers) {
  auto topology = crowd(workers, false);
  auto& cluster = topology.clusters.at(0);
  for (auto& worker : cluster.workers) worker.pod_subnets.clear();
  cluster.etcd = {{.name = "e1", .addresses = {parse_address("10.0.0.1")}}};
  cluster.flannel = FlannelSpec{.flavour = parts::Flavour::builtin,
                                .config = R"({"Network": "11.0.0.0/8", "Backend": {"Type": "vxlan"}})"};
  return topology;
}

/// "workers-100", "containers-100", "flannel-100"
class ScaleScenario : public Hold {
 public:
  explicit ScaleScenario(const std::string& name)
      : kind_(name.substr(0, name.find('-'))), count_(std::stoi(name.substr(name.find('-') + 1))) {}

  nlohmann::json build() override {
    const long before = kib_of("/proc/meminfo", "MemAvailable");
    const auto begin = steady_clock::now();
    nlohmann::json report;
    emulation_.emplace(Emulation::boot(kind_ == "flannel" ? meshed(count_) : crowd(count_, kind_ == "containers"),
                                       [&](const std::string& part, double seconds) { report[part] = seconds; }));
    report["boot"] = seconds_since(begin);
    report["memory_kib_per_node"] = static_cast<double>(before - kib_of("/proc/meminfo", "MemAvailable")) / count_;
    if (kind_ == "flannel") {
      long pss = 0;
      for (auto* worker : emulation_->cluster("C0").workers())
        pss += kib_of(fmt::format("/proc/{}/smaps_rollup", worker->flanneld().process().pid()), "Pss");
      report["pss_kib_per_daemon"] = static_cast<double>(pss) / count_;
    }
    return report;
  }

 private:
  std::string kind_;
  int count_;
  std::optional<Emulation> emulation_;
};

/// What the kernel itself needs: the same namespaces, veth pairs and bridge ports, by one `ip -batch`.
double floor_of(int count) {
  std::string script = "link add floor type bridge\nlink set floor up\n";
  std::string undo = "link del floor\n";
  for (int i = 0; i < count; ++i) {
    if (i == 1000) script += "link add floor2 type bridge\nlink set floor2 up\n";
    script += fmt::format(
        "netns add floor{0}\nlink add port{0} type veth peer name eth0 netns floor{0}\n"
        "link set port{0} master {1} up\n",
        i, i < 1000 ? "floor" : "floor2");
    undo += fmt::format("netns del floor{}\n", i);
  }
  const auto begin = steady_clock::now();
  const auto up = exec({.argv = {"ip", "-batch", "-"}}, std::chrono::minutes(5), script);
  const auto elapsed = seconds_since(begin);
  if (!up.ok()) throw Error("ip -batch: " + up.err);
  exec({.argv = {"ip", "-batch", "-"}}, std::chrono::minutes(5), undo);
  return elapsed;
}

nlohmann::json measure_crowd(const std::string& kind, int count, int runs) {
  Figure each{"up", {}, kUpEach};
  Figure down{"down", {}, kDownEach};
  Series floor;
  Series memory;
  for (int run = 0; run < runs; ++run) {
    floor.add(floor_of(count) / count);
    const auto life = time_scenario(fmt::format("{}-{}", kind, count));
    each.values.add(life.report.at("boot").get<double>() / count);
    down.values.add((life.exit + life.drain) / count);
    memory.add(life.report.at("memory_kib_per_node"));
  }
  const double ratio = each.values.median() / floor.median();
  fmt::print("{:<10} x {:>4}, for each: {}, {:.2f} x ip -batch; {}; {:.0f} KiB\n", kind, count, text_of(each), ratio,
             text_of(down), memory.median());
  std::fflush(stdout);
  return {{"name", fmt::format("{}-{}", kind, count)},
          {"unit", "s"},
          {"up_each", to_json(each)},
          {"floor_each", to_json(floor)},
          {"ratio", ratio},
          {"down_each", to_json(down)},
          {"memory_kib_per_node", to_json(memory)}};
}

nlohmann::json measure_flannel(int count, int runs) {
  Figure mesh{"full mesh after", {}, kMesh};
  Figure pss{"PSS", {}, kPssEach};
  for (int run = 0; run < runs; ++run) {
    const auto life = time_scenario(fmt::format("flannel-{}", count));
    mesh.values.add(life.report.at("C0: flannel").get<double>() - life.report.at("C0: etcd").get<double>());
    pss.values.add(life.report.at("pss_kib_per_daemon"));
  }
  fmt::print("flannel    x {:>4}: {}, {:.0f} KiB PSS for each daemon (budget {:.0f})\n", count, text_of(mesh),
             pss.values.median(), pss.budget);
  return {{"name", fmt::format("flannel-{}", count)},
          {"unit", "s"},
          {"mesh", to_json(mesh)},
          {"pss_kib_per_daemon", to_json(pss)}};
}

int run(int argc, char** argv) {
  CLI::App app("What each worker and container of a crowd costs, beside the kernel's own floor");
  int runs = 5;
  std::string file;
  std::string scenario;
  std::vector<int> counts{10, 100, 1000};
  int daemons = 100;
  app.add_option("--runs", runs, "runs of each crowd")->check(CLI::Range(1, 1000));
  app.add_option("--counts", counts, "sizes of the crowds")->delimiter(',')->check(CLI::Range(1, 60000));
  app.add_option("--daemons", daemons, "flannel daemons on one etcd; 0: none")->check(CLI::Range(0, 1000));
  app.add_option("--json", file, "write the figures to this file");
  app.add_option("--scenario", scenario)->group("");  // the child's side
  CLI11_PARSE(app, argc, argv);

  if (!scenario.empty()) {
    ScaleScenario hold(scenario);
    return live(hold);
  }
  Sandbox::enter();
  nlohmann::json results = nlohmann::json::array();
  for (const char* kind : {"workers", "containers"})
    for (const int count : counts) results.push_back(measure_crowd(kind, count, runs));
  if (daemons > 0) results.push_back(measure_flannel(daemons, runs));
  return write_json(file, {{"schema", 1}, {"bench", "scale"}, {"results", results}});
}

}  // namespace
}  // namespace knetsim::bench

int main(int argc, char** argv) try { return knetsim::bench::run(argc, argv); } catch (const std::exception& error) {
  std::fprintf(stderr, "bench-scale: %s\n", error.what());
  return 2;
}
