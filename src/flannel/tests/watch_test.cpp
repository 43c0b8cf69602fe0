// Daemons and an etcd that isn't always well.

#include <csignal>

#include "flannel_test.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/sys/eventually.h"

namespace knetsim::flannel::test {
namespace {

using testing::HasSubstr;

class Watch : public FlannelTest {
 protected:
  /// Stops the first worker's daemon while it has lost its watch: until SIGCONT it hears nothing of what happens in
  /// etcd, not even through a socket's buffer.
  void freeze_without_etcd() {
    stop_etcd();
    await_log(0, "etcd watch channel closed");
    worker(0).daemon->process().signal(SIGSTOP);
    restart_etcd();
  }
};

TEST_F(Watch, GarbageIsLoggedAndIgnored) {
  stand_up(2, kVxlan);
  etcd().put(prefix() + "early-garbage", "{}");
  start(0);
  await_ready(0);
  etcd().put(prefix() + "garbage", "{}");
  etcd().put(prefix() + "11.50.0.0-20", "not json");
  etcd().put(prefix() + "11.60.0.0-20", R"({"PublicIP":"10.0.0.200","BackendType":"vxlan","BackendData":{"VNI":100}})");
  etcd().put(prefix() + "a/b", "");
  etcd().remove(prefix() + "garbage");
  start(1);
  await_ready(1);
  await_full_mesh();
  for (const auto* complaint :
       {"failed to parse subnet key /coreos.com/network/subnets/early-garbage",
        "failed to parse subnet key /coreos.com/network/subnets/garbage",
        "/coreos.com/network/subnets/11.50.0.0-20: the lease's value isn't a JSON object: not json", "has no VtepMAC",
        "/subnets/a/b"})
    EXPECT_THAT(log_of(0), HasSubstr(complaint));
}

TEST_F(Watch, LeasesOfOtherBackendsAreIgnored) {
  stand_up(2, kVxlan);
  start(0);
  await_ready(0);
  etcd().put(prefix() + "11.50.0.0-20", R"({"PublicIP":"10.0.0.200","PublicIPv6":null,"BackendType":"host-gw"})");
  start(1);
  await_ready(1);
  await_full_mesh();
  EXPECT_THAT(log_of(0), HasSubstr("ignoring non-vxlan subnet(11.50.0.0/20): type=host-gw"));
}

TEST_F(Watch, GoesOnAfterEtcdWasAway) {
  stand_up(3, kVxlan);
  for (std::size_t i = 0; i < 2; ++i) {
    start(i);
    await_ready(i);
  }
  await_peer(0, 1);
  stop_etcd();
  await_log(0, "etcd watch channel closed");
  restart_etcd();
  start(2);
  await_ready(2);
  await_full_mesh();
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(worker(i).daemon->process().running());
}

TEST_F(Watch, ListsAgainAfterACompaction) {
  stand_up(3, kVxlan);
  for (std::size_t i = 0; i < 2; ++i) {
    start(i);
    await_ready(i);
  }
  await_peer(0, 1);
  freeze_without_etcd();
  start(2);
  await_ready(2);
  etcd().remove(key_of(1));
  etcd().compact(etcd().put("/elsewhere", "x"));
  worker(0).daemon->process().signal(SIGCONT);
  await_log(0, "etcd index outside history window");
  await_peer(0, 2);
  eventually([&]() -> std::optional<std::string> {
    auto socket = worker(0).socket();
    for (const auto& route : netlink::list_routes(socket, AF_INET)) {
      if (route.destination == worker(1).subnet()) return netlink::to_string(route) + " is still there";
    }
    return std::nullopt;
  });
}

TEST_F(Watch, PeersWhoseLeasesGoTogetherWithItsOwnKeepTheirRoutes) {
  stand_up(2, kVxlan);
  start_all();
  await_full_mesh();
  etcd().remove_prefix(prefix());
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(worker(i).daemon->process().wait(std::chrono::seconds(20)).code(), 0);
    EXPECT_THAT(log_of(i), HasSubstr("Lease has been revoked. Shutting down daemon."));
  }
  await_full_mesh();
}

TEST_F(Watch, LossOfTheLeaseIsSeenAlsoAfterACompaction) {
  stand_up(1, kVxlan);
  start_all();
  freeze_without_etcd();
  etcd().remove(key_of(0));
  etcd().compact(etcd().put("/elsewhere", "x"));
  auto& process = worker(0).daemon->process();
  process.signal(SIGCONT);
  EXPECT_EQ(process.wait(std::chrono::seconds(20)).code(), 0);
  EXPECT_THAT(log_of(0), HasSubstr("etcd index outside history window"));
  EXPECT_THAT(log_of(0), HasSubstr("Lease has been revoked. Shutting down daemon."));
}

}  // namespace
}  // namespace knetsim::flannel::test
