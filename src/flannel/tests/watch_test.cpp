// Daemons and an etcd that isn't always well.

#include <fmt/format.h>

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
        "/coreos.com/network/subnets/11.50.0.0-20: line 1, column 2", "/BackendData/VtepMAC: the key", "/subnets/a/b"})
    EXPECT_THAT(log_of(0), HasSubstr(complaint));
}

std::string nested(const std::string& before, const std::string& after) {
  return before + std::string(100'000, '[') + std::string(100'000, ']') + after;
}

TEST_F(Watch, NoValueUnderAnyKeyOfFlannelsEndsADaemon) {
  stand_up(2, kVxlan);
  const std::vector<std::string> poison{
      nested("", ""),
      nested(R"({"PublicIP":)", "}"),
      nested(R"({"PublicIP":"10.0.0.99","BackendType":)", "}"),
      nested(R"({"PublicIP":"10.0.0.99","BackendType":"vxlan","BackendData":)", "}"),
      nested(R"({"PublicIP":"10.0.0.99","BackendType":"vxlan","BackendData":{"VtepMAC":)", "}}"),
      nested(R"({"PublicIP":"10.0.0.99","BackendType":"vxlan","unknown":)", "}"),
      R"({"PublicIP":")" + std::string(1'000'000, 'x') + R"("})",
      R"({"PublicIP":"10.0.0.99","BackendType":")" + std::string(1'000'000, 'x') + R"("})",
      R"({"PublicIP":"10.0.0.99","BackendType":"vxlan","BackendData":{"VNI":1e400,"VtepMAC":"\u001b[31m"}})",
      std::string("{}\0", 3) + "\xff\xfe"};
  const auto put_all = [&] {
    for (std::size_t i = 0; i < poison.size(); ++i)
      etcd().put(prefix() + fmt::format("11.{}.0.0-20", 60 + i), poison[i]);
    etcd().put(prefix() + std::string(100'000, 'k'), "{}");
    etcd().put(prefix() + "\xff\n\x1b[31m", "{}");
  };
  // Before the first listing, while watching, and at a restart. The network's config is one of the keys.
  etcd().put("/coreos.com/network/config", nested(R"({"Network":)", "}"));
  start(0);
  await_log(0, "Couldn't fetch network config");
  etcd().put("/coreos.com/network/config", kVxlan);
  await_ready(0);
  put_all();
  start(1);
  await_ready(1);
  await_full_mesh();
  EXPECT_EQ(stop(0).code(), 0);
  start(0);
  await_ready(0);
  await_full_mesh();
  for (std::size_t i = 0; i < 2; ++i) EXPECT_LT(log_of(i).size(), 40'000U) << log_of(i);
}

TEST_F(Watch, LeasesThatWouldCoverOthersAreIgnored) {
  stand_up(2, kVxlan);
  start(0);
  await_ready(0);
  const auto put = [&](const std::string& key) {
    etcd().put(
        prefix() + key,
        R"({"PublicIP":"10.0.0.99","BackendType":"vxlan","BackendData":{"VNI":100,"VtepMAC":"0a:00:00:00:00:09"}})");
  };
  auto socket = worker(0).socket();
  const auto before = netlink::list_routes(socket, AF_INET);
  for (const auto* key : {"10.0.0.0-8", "0.0.0.0-1", "11.0.0.0-8", "11.10.0.0-16", "12.0.0.0-20"}) put(key);
  const auto within_ours = address_of(worker(0).subnet()).to_string() + "-24";
  put(within_ours);
  // When the next one has arrived, those before it have been judged.
  put("11.200.0.0-20");
  netlink::wait_for_route(worker(0).netns, parse_network("11.200.0.0/20"));
  etcd().remove(prefix() + "11.200.0.0-20");
  eventually([&]() -> std::optional<std::string> {
    return netlink::list_routes(socket, AF_INET) == before ? std::nullopt : std::optional("the routes of before");
  });
  // The underlay carries etcd's news as before, also to one who meets them at its start.
  start(1);
  await_ready(1);
  await_full_mesh();
  EXPECT_EQ(stop(0).code(), 0);
  start(0);
  await_ready(0);
  await_full_mesh();
  EXPECT_THAT(netlink::list_routes(socket, AF_INET), testing::SizeIs(before.size() + 1));
}

TEST_F(Watch, AThousandOddLeasesAreAFewLines) {
  stand_up(1, kVxlan);
  const auto rewrite = [&](const char* value) {
    for (int i = 0; i < 10; ++i) {
      etcd::Txn txn;
      for (int j = 0; j < 100; ++j)
        txn.then.emplace_back(etcd::Put{prefix() + fmt::format("12.{}.{}.0-24", i, j), value});
      etcd().txn(txn);
    }
  };
  rewrite("{}");
  start(0);
  await_ready(0);
  rewrite(R"({"PublicIP":"10.0.0.99","BackendType":"vxlan","BackendData":{"VtepMAC":"0a:00:00:00:00:09"}})");
  rewrite("[]");
  etcd().remove_prefix(prefix() + "12.");
  etcd().put(prefix() + "11.50.0.0-20",
             R"({"PublicIP":"10.0.0.99","BackendType":"vxlan","BackendData":{"VtepMAC":"0a:00:00:00:00:09"}})");
  netlink::wait_for_route(worker(0).netns, parse_network("11.50.0.0/20"));
  EXPECT_LT(log_of(0).size(), 20'000U) << log_of(0);
}

TEST_F(Watch, LeasesOfOtherBackendsAreIgnored) {
  stand_up(2, kVxlan);
  start(0);
  await_ready(0);
  etcd().put(prefix() + "11.50.0.0-20", R"({"PublicIP":"10.0.0.200","PublicIPv6":null,"BackendType":"host-gw"})");
  start(1);
  await_ready(1);
  await_full_mesh();
  auto socket = worker(0).socket();
  for (const auto& route : netlink::list_routes(socket, AF_INET))
    EXPECT_NE(route.destination, parse_network("11.50.0.0/20")) << netlink::to_string(route);
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
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(worker(i).daemon->process().wait(std::chrono::seconds(20)).code(), 0);
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
}

}  // namespace
}  // namespace knetsim::flannel::test
