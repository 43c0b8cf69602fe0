// A hundred daemons on one etcd.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <sstream>

#include "flannel_test.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"

namespace knetsim::flannel::test {
namespace {

constexpr std::size_t kDaemons = 100;

class Scale : public FlannelTest {
 protected:
  std::size_t peers_of(std::size_t index) {
    auto socket = worker(index).socket();
    const int link = netlink::get_link(socket, "flannel.100").index;
    const auto routes = netlink::list_routes(socket, AF_INET);
    return static_cast<std::size_t>(std::count_if(
        routes.begin(), routes.end(), [&](const auto& route) { return route.interface == link && route.gateway; }));
  }

  /// KiB, from smaps_rollup: shared pages are divided by the number of their users.
  long pss_of(std::size_t index) {
    std::istringstream lines(read_file(fmt::format("/proc/{}/smaps_rollup", worker(index).daemon->process().pid())));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("Pss:")) return std::stol(line.substr(4));
    }
    throw Error("smaps_rollup has no Pss");
  }
};

TEST_F(Scale, HundredDaemonsFormAFullMeshWithinThreeMebibytesEach) {
  stand_up(kDaemons, kVxlan);
  const auto began = std::chrono::steady_clock::now();
  start_all();
  const auto leased = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < kDaemons; ++i) {
    eventually(
        [&]() -> std::optional<std::string> {
          const auto peers = peers_of(i);
          if (peers == kDaemons - 1) return std::nullopt;
          return fmt::format("{} of the peers of {}", kDaemons - 1 - peers, worker(i).name);
        },
        std::chrono::seconds(60));
  }
  const auto meshed = std::chrono::steady_clock::now();
  const auto milliseconds = [&](auto end) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(end - began).count();
  };
  long worst = 0;
  for (std::size_t i = 0; i < kDaemons; ++i) worst = std::max(worst, pss_of(i));
  std::cout << fmt::format("all leased after {} ms, full mesh after {} ms, PSS at most {} KiB\n", milliseconds(leased),
                           milliseconds(meshed), worst);
  RecordProperty("full_mesh_ms", std::to_string(milliseconds(meshed)));
  RecordProperty("worst_pss_kib", std::to_string(worst));
#ifndef KNETSIM_INSTRUMENTED
  EXPECT_LE(worst, 3 * 1024);
#endif
}

}  // namespace
}  // namespace knetsim::flannel::test
