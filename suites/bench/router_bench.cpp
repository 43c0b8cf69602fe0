// bench-router: what two routers cost, beside a cable, two relays and the real router, in the same run.
//
// Budgets for two built-in routers on two cores: iperf3 at least 0.45 of direct; 64 bytes there and back in 200 µs (the
// median); 2,000 new connections a second from one client; 8 MiB of memory idle, 14 MiB with TLS.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <optional>

#include "harness.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/ready.h"
#include "knetsim/sys/sandbox.h"
#include "router_paths.h"
#include "tcp_load.h"

namespace knetsim::bench {
namespace {

struct Plan {
  int runs = 3;
  int seconds = 3;
  int churn = 0;
};

double gigabits(const Machines& machines, const Path& path, int seconds, bool reverse) {
  auto server = Process::spawn(
      {.argv = {require_program("iperf3"), "-s", "-1", "-p", std::to_string(kServicePort)}, .netns = &machines.server},
      std::string(kStateDirectory) + "/iperf3.log");
  wait_until_listening(server, machines.server, {kServicePort});
  std::vector<std::string> argv{require_program("iperf3"),   "-c", path.address(),          "-p",
                                std::to_string(path.port()), "-t", std::to_string(seconds), "-J"};
  if (reverse) argv.emplace_back("-R");
  const auto result = exec({.argv = argv, .netns = &machines.client}, std::chrono::seconds(seconds + 30));
  if (!result.ok()) throw Error("iperf3: " + result.out + result.err);
  server.terminate();
  return nlohmann::json::parse(result.out).at("end").at("sum_received").at("bits_per_second").get<double>() / 1e9;
}

nlohmann::json measure(const std::string& name, const Plan& plan, const Machines& machines,
                       const std::function<Path()>& make) {
  constexpr std::size_t kMessage = 64;
  constexpr int kRoundTrips = 5'000;
  Series there;
  Series back;
  Series p50;
  Series p99;
  Series rate;
  Series idle;
  Series after;
  for (int run = 0; run < plan.runs; ++run) {
    const auto path = make();
    for (const double kib : path.memory_kib()) idle.add(kib);
    there.add(gigabits(machines, path, plan.seconds, false));
    back.add(gigabits(machines, path, plan.seconds, true));
    const EchoThread echo(machines.server, kServicePort);
    const auto address = parse_address(path.address());
    const auto times = round_trips(machines.client, address, path.port(), kMessage, kRoundTrips);
    p50.add(times.p50);
    p99.add(times.p99);
    rate.add(connections_per_second(machines.client, address, path.port(), 5'000, std::chrono::seconds(plan.seconds)));
    if (plan.churn > 0 && !path.memory_kib().empty()) {
      connections_per_second(machines.client, address, path.port(), plan.churn, std::chrono::hours(1));
      for (const double kib : path.memory_kib()) after.add(kib);
    }
  }
  fmt::print("{:<18} {:6.2f} Gb/s there  {:6.2f} back   64 bytes p50 {:6.1f} µs p99 {:7.1f} µs   {:7.0f} connections/s",
             name, there.median(), back.median(), p50.median() * 1e6, p99.median() * 1e6, rate.median());
  nlohmann::json result{{"name", name},          {"gigabits", to_json(there)}, {"gigabits_back", to_json(back)},
                        {"p50_s", to_json(p50)}, {"p99_s", to_json(p99)},      {"connections_per_s", to_json(rate)}};
  if (idle.size() > 0) {
    fmt::print("   {:6.0f} KiB idle", idle.max());
    result["memory_idle_kib"] = to_json(idle);
  }
  if (after.size() > 0) {
    fmt::print(", {:.0f} after {} connections", after.max(), plan.churn);
    result["memory_after_churn_kib"] = to_json(after);
  }
  fmt::print("\n");
  std::fflush(stdout);
  return result;
}

/// Each path's throughput as a part of the cable's.
void add_ratios(nlohmann::json& results) {
  const auto median = [](const nlohmann::json& one, const char* key) { return one.at(key).at("median").get<double>(); };
  for (auto& one : results) {
    one["ratio"] = median(one, "gigabits") / median(results.front(), "gigabits");
    one["ratio_back"] = median(one, "gigabits_back") / median(results.front(), "gigabits_back");
    fmt::print("{:<18} {:.2f} of direct there, {:.2f} back\n", one.at("name").get<std::string>(),
               one.at("ratio").get<double>(), one.at("ratio_back").get<double>());
  }
}

std::optional<parts::Program> real_router() {
  try {
    return parts::resolve(parts::kSkupper, parts::Flavour::real);
  } catch (const InputError& error) {
    fmt::print("no real router beside ours: {}\n", error.what());
    return std::nullopt;
  }
}

int run(int argc, char** argv) {
  CLI::App app("What two routers cost, beside a cable, two relays and the real router");
  Plan plan;
  std::string file;
  std::vector<std::string> only;
  app.add_option("--runs", plan.runs, "runs of each path")->check(CLI::Range(1, 1000));
  app.add_option("--seconds", plan.seconds, "of each throughput and connection rate")->check(CLI::Range(1, 600));
  app.add_option("--churn", plan.churn, "connections after which memory is looked at again");
  app.add_option("--only", only, "paths: direct (always), relays, builtin, builtin-tls, real")->delimiter(',');
  app.add_option("--json", file, "write the figures to this file");
  CLI11_PARSE(app, argc, argv);

  Sandbox::enter();
  const auto machines = Machines::make();
  const auto wanted = [&](const char* name) {
    return only.empty() || std::find(only.begin(), only.end(), name) != only.end();
  };
  const auto builtin = parts::resolve(parts::kSkupper, parts::Flavour::builtin);
  auto results = nlohmann::json::array();
  results.push_back(measure("direct", plan, machines, [] { return Path::direct(); }));
  if (wanted("relays")) results.push_back(measure("relays", plan, machines, [&] { return Path::relays(machines); }));
  if (wanted("builtin"))
    results.push_back(measure("builtin", plan, machines, [&] { return Path::routers(machines, builtin, false); }));
  if (wanted("builtin-tls"))
    results.push_back(measure("builtin-tls", plan, machines, [&] { return Path::routers(machines, builtin, true); }));
  if (wanted("real"))
    if (const auto real = real_router())
      results.push_back(measure("real", plan, machines, [&] { return Path::routers(machines, *real, false); }));
  add_ratios(results);
  return write_json(file, {{"schema", 1}, {"bench", "router"}, {"results", results}});
}

}  // namespace
}  // namespace knetsim::bench

int main(int argc, char** argv) try { return knetsim::bench::run(argc, argv); } catch (const std::exception& error) {
  std::fprintf(stderr, "bench-router: %s\n", error.what());
  return 2;
}
