// What services and virtual addresses cost: from objects to the kernel's acknowledgement, in a namespace of its own.
//
//   bench-kubeproxy [--json FILE] [--services 1000,10000,50000] [--processes 10000]
//
// Columns (milliseconds, p50 unless they say otherwise): cold_N_ms, all services of N computed and written;
// cold_N_program_ms, of that the writing; cold_N_stock_ms, the same in batches of what an ordinary user's socket holds
// where net.core.wmem_max is as Debian has it; change_N_ms and change_N_p99_ms, one endpoint of one service comes or
// goes (1,000 changes); restart_N_ms, all of it stands already; memory_N_mib, what the process has grown by;
// first_packet_N_us, a connection through a service is answered, in turns with first_packet_10_us; process_N_ms, from
// the start of knetsim-kube-proxy to the kernel's acknowledgement, with lists from an API server that has answered
// before; vips_4000_ms, vip_add_4000_ms. Wherever all of N stand, the first, the middle and the last are connected to.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <random>
#include <thread>

#include "harness.h"
#include "knetsim/kubeproxy/program.h"
#include "knetsim/kubeproxy/services.h"
#include "knetsim/kubeproxy/vips.h"
#include "knetsim/nft/ruleset.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"
#include "kubeproxy_process.h"
#include "service_probe.h"

namespace knetsim::bench {

namespace {

using kubeproxy::Backends;
using kubeproxy::NodeFacts;
using kubeproxy::Program;
using kubeproxy::ServiceSpec;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kEndpoints = ServiceProbe::kEndpoints;
constexpr int kChanges = 1'000;
constexpr int kConnections = 2'000;
constexpr std::uint32_t kFew = 10;
constexpr std::size_t kStockSocket = 2 * 212'992;

double milliseconds_since(Clock::time_point start) { return seconds_since(start) * 1'000; }

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto place = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  return values.at(place);
}

double resident_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

ServiceSpec service(std::uint32_t number) {
  return {.key = fmt::format("bench/service-{}", number),
          .cluster_ips = {ServiceProbe::service(number)},
          .ports = {{.name = "http", .port = ServiceProbe::kServicePort}}};
}

Backends backends(std::uint32_t number, std::uint32_t count) {
  Backends all;
  for (std::uint32_t i = 0; i < count; ++i)
    all[{"http", nft::L4Proto::tcp}].push_back({.address = ServiceProbe::endpoint(number, i),
                                                .port = ServiceProbe::kEndpointPort,
                                                .node = ServiceProbe::node(number, i)});
  return all;
}

void complain(const std::string& object, const std::string& why) { throw Error(object + ": " + why); }

const NodeFacts& here() {
  static const NodeFacts node{.name = "node-0", .pod_networks = {parse_network("11.0.0.0/8")}};
  return node;
}

void want(Program& program, std::uint32_t number, std::uint32_t count) {
  const auto wanted = service(number);
  program.ledger().set(wanted.key, service_entries(wanted, backends(number, count), here(), nft::Family::ip, complain));
}

/// One table in a namespace of its own, empty at first.
struct Table {
  explicit Table(std::uint32_t services) : count(services) {}

  kubeproxy::Written fill() {
    for (std::uint32_t i = 0; i < count; ++i) want(program, i, kEndpoints);
    return program.write();
  }

  std::uint32_t count;
  ServiceProbe probe{};
  Program program{probe.netns(), services_layout(nft::Family::ip, here())};
};

double measure_stock(std::uint32_t count) {
  Table table(count);
  table.program.set_most(kStockSocket);
  const auto start = Clock::now();
  table.fill();
  const auto took = milliseconds_since(start);
  table.probe.require_answers(count);
  return took;
}

std::vector<double> measure_changes(Table& table) {
  std::vector<double> changes;
  for (int i = 0; i < kChanges; ++i) {
    const auto number = static_cast<std::uint32_t>(i / 2) * (table.count / kChanges + 1) % table.count;
    const auto start = Clock::now();
    want(table.program, number, i % 2 == 0 ? kEndpoints - 1 : kEndpoints);
    if (table.program.write().batches != 1) throw Error("a change was written in more than one batch, or not at all");
    changes.push_back(milliseconds_since(start));
  }
  return changes;
}

/// In turns, so that what disturbs one disturbs the other.
json measure_first_packets(const Table& many) {
  Table few(kFew);
  few.fill();
  std::mt19937 random(1);
  std::vector<double> of_few;
  std::vector<double> of_many;
  for (int i = 0; i < kConnections; ++i) {
    of_few.push_back(few.probe.connect(random() % few.count));
    of_many.push_back(many.probe.connect(random() % many.count));
  }
  return {{fmt::format("first_packet_{}_us", many.count), percentile(of_many, 0.5)},
          {fmt::format("first_packet_{}_beside_{}_us", kFew, many.count), percentile(of_few, 0.5)}};
}

json measure_services(std::uint32_t count) {
  const auto before = resident_mib();
  Table table(count);
  auto start = Clock::now();
  for (std::uint32_t i = 0; i < count; ++i) want(table.program, i, kEndpoints);
  const auto computed = milliseconds_since(start);
  const auto written = table.program.write();
  const auto cold = milliseconds_since(start);
  const auto memory = resident_mib() - before;
  table.probe.require_answers(count);

  auto figures = measure_first_packets(table);
  const auto changes = measure_changes(table);
  table.program.doubt();
  start = Clock::now();
  if (table.program.write().batches != 0) throw Error("what stands was written again");
  const auto restart = milliseconds_since(start);
  const auto name = [count](const char* what, const char* unit) { return fmt::format("{}_{}_{}", what, count, unit); };
  figures.update({{name("cold", "ms"), cold},
                  {name("cold", "program_ms"), cold - computed},
                  {name("cold", "batches"), written.batches},
                  {name("cold", "entries"), written.entries},
                  {name("cold", "stock_ms"), measure_stock(count)},
                  {name("change", "ms"), percentile(changes, 0.5)},
                  {name("change", "p99_ms"), percentile(changes, 0.99)},
                  {name("restart", "ms"), restart},
                  {name("memory", "mib"), memory}});
  return figures;
}

json measure_vips() {
  constexpr std::uint32_t kVips = 4'000;
  const NetNs netns = NetNs::create();
  kubeproxy::VipProxy proxy(netns, {.pod_networks = {parse_network("11.0.0.0/8")}});
  const auto vip = [](std::uint32_t number) {
    const auto pod = [&](std::uint32_t which) {
      return kubeproxy::VipEndpoint{advance(parse_address("11.0.0.1"), 2 * number + which)};
    };
    return kubeproxy::Vip{.address = advance(parse_address("100.64.0.1"), number), .endpoints = {pod(0), pod(1)}};
  };
  std::vector<kubeproxy::Vip> vips;
  for (std::uint32_t i = 0; i < kVips; ++i) vips.push_back(vip(i));
  auto start = Clock::now();
  proxy.apply(vips);
  const auto all = milliseconds_since(start);
  std::vector<double> more;
  for (std::uint32_t i = 0; i < 50; ++i) {
    vips.push_back(vip(kVips + i));
    start = Clock::now();
    proxy.apply(vips);
    more.push_back(milliseconds_since(start));
  }
  return {{"vips_4000_ms", all}, {"vip_add_4000_ms", percentile(more, 0.5)}};
}

json machine() {
  utsname names{};
  ::uname(&names);
  double load = 0;
  (void)::getloadavg(&load, 1);
  return {{"kernel", names.release},
          {"processors", std::thread::hardware_concurrency()},
          {"user", ::getuid() == 0 ? "root" : "ordinary"},
          {"load", load}};
}

int run(int argc, char** argv) {
  CLI::App app("bench-kubeproxy: what services and virtual addresses cost");
  std::string file;
  std::vector<std::uint32_t> counts{1'000, 10'000, 50'000};
  app.add_option("--json", file, "write the figures there");
  std::vector<std::uint32_t> processes{10'000};
  app.add_option("--services", counts, "how many (1000,10000,50000)")->delimiter(',')->check(CLI::Range(1, 60'000));
  app.add_option("--processes", processes, "how many services an API server gives to a process; 0: none (10000)")
      ->delimiter(',')
      ->check(CLI::Range(0, 20'000));
  CLI11_PARSE(app, argc, argv);
  const auto circumstances = machine();  // before the sandbox, which has another user
  Sandbox::enter();
  json figures = json::object();
  for (const auto count : counts) figures.update(measure_services(count));
  figures.update(measure_vips());
  for (const auto count : processes)
    if (count != 0) figures[fmt::format("process_{}_ms", count)] = measure_process(count);
  for (const auto& [name, value] : figures.items()) fmt::print("{:28} {:10.3f}\n", name, value.get<double>());
  return write_json(file, {{"knetsim", figures}, {"machine", circumstances}});
}

}  // namespace

}  // namespace knetsim::bench

int main(int argc, char** argv) try { return knetsim::bench::run(argc, argv); } catch (const std::exception& error) {
  std::fprintf(stderr, "bench-kubeproxy: %s\n", error.what());
  return 2;
}
