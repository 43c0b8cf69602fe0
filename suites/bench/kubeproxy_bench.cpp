// What services and virtual addresses cost: from objects to the kernel's acknowledgement, in a namespace of its own.
//
//   bench-kubeproxy [--json FILE] [--services 1000,10000,50000]
//
// Columns (milliseconds, p50 unless they say otherwise): cold_N_ms, all services of N computed and written;
// cold_N_program_ms, of that the writing; change_N_ms and change_N_p99_ms, one endpoint of one service comes or goes
// (1,000 changes); restart_N_ms, all of it stands already; memory_N_mib, what the process has grown by; vips_4000_ms,
// vip_add_4000_ms.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <thread>

#include "harness.h"
#include "knetsim/kubeproxy/program.h"
#include "knetsim/kubeproxy/services.h"
#include "knetsim/kubeproxy/vips.h"
#include "knetsim/nft/ruleset.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::bench {

namespace {

using kubeproxy::Backends;
using kubeproxy::NodeFacts;
using kubeproxy::Program;
using kubeproxy::ServiceSpec;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kEndpoints = 3;
constexpr int kChanges = 1'000;

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
          .cluster_ips = {advance(parse_address("10.96.0.1"), number)},
          .ports = {{.name = "http", .port = 80}}};
}

Backends backends(std::uint32_t number, std::uint32_t count) {
  Backends all;
  for (std::uint32_t i = 0; i < count; ++i)
    all[{"http", nft::L4Proto::tcp}].push_back(
        {.address = advance(parse_address("11.0.0.1"), kEndpoints * number + i), .port = 8080});
  return all;
}

void complain(const std::string& object, const std::string& why) { throw Error(object + ": " + why); }

void want(Program& program, const NodeFacts& node, std::uint32_t number, std::uint32_t count) {
  const auto wanted = service(number);
  program.ledger().set(wanted.key, service_entries(wanted, backends(number, count), node, nft::Family::ip, complain));
}

json measure_services(std::uint32_t count) {
  const NetNs netns = NetNs::create();
  const NodeFacts node{.name = "here", .pod_networks = {parse_network("11.0.0.0/8")}};
  const auto before = resident_mib();
  auto start = Clock::now();
  Program program(netns, services_layout(nft::Family::ip, node));
  for (std::uint32_t i = 0; i < count; ++i) want(program, node, i, kEndpoints);
  const auto computed = milliseconds_since(start);
  const auto written = program.write();
  const auto cold = milliseconds_since(start);
  const auto memory = resident_mib() - before;

  const nft::TableId table{nft::Family::ip, kubeproxy::kTableName};
  const auto there = nft::list_elements(netns, {table, "endpoints"}).size();
  if (there != std::size_t{count} * kEndpoints)
    throw Error(fmt::format("{} endpoints are there, {} were wanted", there, count * kEndpoints));

  std::vector<double> changes;
  for (int i = 0; i < kChanges; ++i) {
    const auto number = static_cast<std::uint32_t>(i / 2) * (count / kChanges + 1) % count;
    start = Clock::now();
    want(program, node, number, i % 2 == 0 ? kEndpoints - 1 : kEndpoints);
    if (program.write().batches != 1) throw Error("a change was written in more than one batch, or not at all");
    changes.push_back(milliseconds_since(start));
  }
  program.doubt();
  start = Clock::now();
  if (program.write().batches != 0) throw Error("what stands was written again");
  const auto restart = milliseconds_since(start);
  const auto name = [count](const char* what, const char* unit) { return fmt::format("{}_{}_{}", what, count, unit); };
  return {{name("cold", "ms"), cold},
          {name("cold", "program_ms"), cold - computed},
          {name("cold", "batches"), written.batches},
          {name("change", "ms"), percentile(changes, 0.5)},
          {name("change", "p99_ms"), percentile(changes, 0.99)},
          {name("restart", "ms"), restart},
          {name("memory", "mib"), memory}};
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
  app.add_option("--services", counts, "how many (1000,10000,50000)")->delimiter(',')->check(CLI::Range(1, 100'000));
  CLI11_PARSE(app, argc, argv);
  const auto circumstances = machine();  // before the sandbox, which has another user
  Sandbox::enter();
  json figures = json::object();
  for (const auto count : counts) figures.update(measure_services(count));
  figures.update(measure_vips());
  for (const auto& [name, value] : figures.items()) fmt::print("{:28} {:10.3f}\n", name, value.get<double>());
  return write_json(file, {{"knetsim", figures}, {"machine", circumstances}});
}

}  // namespace

}  // namespace knetsim::bench

int main(int argc, char** argv) try { return knetsim::bench::run(argc, argv); } catch (const std::exception& error) {
  std::fprintf(stderr, "bench-kubeproxy: %s\n", error.what());
  return 2;
}
