#include "skupper_lab.h"

#include <fmt/format.h>

#include <fstream>

#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/ready.h"

namespace knetsim::fixtures {

Topology sites(std::size_t clusters) {
  Topology topology{.underlay = {.networks = {parse_network("10.0.0.0/8")}, .switches = {{.name = "t0"}}},
                    .clusters = {}};
  for (std::size_t i = 0; i < clusters; ++i) {
    const auto name = fmt::format("C{}", i);
    ClusterSpec cluster{.name = name, .switch_name = "t0"};
    cluster.workers.push_back({.name = name + "w1",
                               .addresses = {parse_address(fmt::format("10.0.{}.1", i))},
                               .pod_subnets = {parse_network(fmt::format("11.{}.0.0/20", i + 1))}});
    for (const auto* container : {"c1", "c2"}) cluster.containers.push_back({.name = container, .worker = name + "w1"});
    cluster.skupper.emplace();
    if (i == 0)
      cluster.skupper->services.push_back(
          {.name = "svc1", .container = "c1", .port = kServed, .listen_port = kOffered});
    else
      cluster.skupper->links.push_back({.cluster = fmt::format("C{}", i - 1)});
    topology.clusters.push_back(std::move(cluster));
  }
  return topology;
}

void SkupperTest::boot_sites(Topology topology) {
  if (const auto absent = why_no(parts::kSkupper, GetParam())) GTEST_SKIP() << *absent;
  boot(with_skupper(std::move(topology), GetParam()));
}

void SkupperTest::wait_until_offered() {
  wait_until_listening(service_network().router(last()).process(), last().workers().front()->netns(), {kOffered},
                       std::chrono::seconds(60));
}

void SkupperTest::wait_until_withdrawn() {
  eventually(
      [this]() -> std::optional<std::string> {
        if (!listening_tcp_ports(last().workers().front()->netns()).contains(kOffered)) return std::nullopt;
        return fmt::format("the end of the listener on {}:{}", entrance().to_string(), kOffered);
      },
      std::chrono::seconds(60));
}

std::size_t resident_memory(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6)) * 1024;
  throw Error(fmt::format("process {} tells no VmRSS", pid));
}

}  // namespace knetsim::fixtures
