#pragma once

#include <gmock/gmock.h>

#include <cstdint>
#include <string>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/tcp.h"
#include "knetsim/fixtures/topologies.h"

namespace knetsim::fixtures {

/// So many clusters, each of one worker with containers c1 and c2, in line: C1's router connects to C0's, C2's to C1's.
/// C0's c1 serves svc1 on port 9000; the others offer it on their workers' port 1028. No etcd, no flannel.
Topology sites(std::size_t clusters);

inline constexpr std::uint16_t kServed = 9'000;
inline constexpr std::uint16_t kOffered = 1'028;

/// Tests of services between clusters, under each flavour of the routers.
class SkupperTest : public EmulationTest, public testing::WithParamInterface<Flavour> {
 protected:
  /// Skips where this flavour can't be had.
  void boot_sites(Topology topology);

  Container& server(const std::string& name = "c1") { return cluster("C0").container(name); }
  /// A container of the last cluster, and where the service is offered to it.
  Container& client() { return last().container("c1"); }
  const Address& entrance() { return last().workers().front()->address(); }
  Cluster& last() { return *emulation().clusters().back(); }
  TcpStream connect() { return TcpStream::connect(client(), entrance(), kOffered); }

  /// Wait until the last cluster's router listens for the service, or no longer does.
  void wait_until_offered();
  void wait_until_withdrawn();
};

/// The resident memory of a process, in bytes (VmRSS of /proc/<pid>/status).
std::size_t resident_memory(pid_t pid);

}  // namespace knetsim::fixtures
