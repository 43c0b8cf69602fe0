// How daemons take, keep and lose their leases.

#include <fmt/format.h>

#include <set>

#include "flannel_test.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"

namespace knetsim::flannel::test {
namespace {

using testing::HasSubstr;

using testing::SizeIs;

/// Room for `count` leases of /24.
std::string room_for(unsigned count) {
  return fmt::format(R"({{"Network": "10.5.0.0/16", "SubnetMin": "10.5.1.0", "SubnetMax": "10.5.{}.0",
      "Backend": {{"Type": "alloc"}}}})",
                     count);
}

std::string value_of(const std::string& public_ip) {
  return R"({"PublicIP":")" + public_ip + R"(","PublicIPv6":null,"BackendType":"alloc"})";
}

class LeaseLifecycle : public FlannelTest {};

TEST_F(LeaseLifecycle, DaemonsThatRaceForTheLastSubnetsAllGetOne) {
  stand_up(12, room_for(12));
  start_all();
  std::set<std::string> subnets;
  for (std::size_t i = 0; i < size(); ++i) subnets.insert(to_string(worker(i).subnet()));
  EXPECT_THAT(subnets, SizeIs(12));
  EXPECT_THAT(leases(), SizeIs(12));
}

TEST_F(LeaseLifecycle, OneDaemonTooManyEndsSayingOutOfSubnets) {
  stand_up(3, room_for(2));
  for (std::size_t i = 0; i < 2; ++i) {
    start(i);
    await_ready(i);
  }
  start(2);
  EXPECT_EQ(worker(2).daemon->process().wait(kExitBudget).code(), 1);
  EXPECT_THAT(log_of(2), HasSubstr("out of subnets: 2 leases fill 10.5.1.0 ... 10.5.2.0"));
}

TEST_F(LeaseLifecycle, LeaseWithItsAddressIsTakenOver) {
  stand_up(1, room_for(9));
  etcd().put(prefix() + "10.5.7.0-24", value_of("10.0.0.10"), etcd().grant(std::chrono::seconds(100)).id);
  start_all();
  EXPECT_EQ(worker(0).subnet(), parse_network("10.5.7.0/24"));
  EXPECT_EQ(etcd().time_to_live(lease_of(0)->lease)->granted, std::chrono::hours(24));
}

TEST_F(LeaseLifecycle, ReservationStaysWithoutATimeToLive) {
  stand_up(1, room_for(9));
  etcd().put(prefix() + "10.5.7.0-24", value_of("10.0.0.10"));
  start_all();
  EXPECT_EQ(worker(0).subnet(), parse_network("10.5.7.0/24"));
  EXPECT_EQ(lease_of(0)->lease, 0);
}

TEST_F(LeaseLifecycle, LeaseWithItsAddressButOutsideTheConfigIsDeleted) {
  stand_up(1, room_for(9));
  etcd().put(prefix() + "10.5.77.0-24", value_of("10.0.0.10"));
  start_all();
  EXPECT_FALSE(etcd().get(prefix() + "10.5.77.0-24"));
  EXPECT_THAT(leases(), SizeIs(1));
}

TEST_F(LeaseLifecycle, SubnetOfTheEarlierSubnetEnvIsTakenAgain) {
  stand_up(1, room_for(9));
  write_subnet_env(options(0).subnet_file, parse_subnet_env("FLANNEL_SUBNET=10.5.6.1/24\n"));
  start_all();
  EXPECT_EQ(worker(0).subnet(), parse_network("10.5.6.0/24"));
}

TEST_F(LeaseLifecycle, SubnetOfTheEarlierSubnetEnvIsLeftToWhomItBelongsNow) {
  stand_up(1, room_for(9));
  etcd().put(prefix() + "10.5.6.0-24", value_of("10.0.0.99"));
  write_subnet_env(options(0).subnet_file, parse_subnet_env("FLANNEL_SUBNET=10.5.6.1/24\n"));
  start_all();
  EXPECT_NE(worker(0).subnet(), parse_network("10.5.6.0/24"));
  EXPECT_EQ(etcd().get(prefix() + "10.5.6.0-24")->value, value_of("10.0.0.99"));
}

TEST_F(LeaseLifecycle, SubnetOfTheEarlierSubnetEnvThatDoesntFitIsIgnored) {
  stand_up(1, room_for(9));
  write_subnet_env(options(0).subnet_file, parse_subnet_env("FLANNEL_SUBNET=11.5.6.1/20\n"));
  start_all();
  EXPECT_TRUE(contains(parse_network("10.5.0.0/16"), address_of(worker(0).subnet())));
  EXPECT_EQ(prefix_length(worker(0).subnet()), 24U);
}

TEST_F(LeaseLifecycle, UnreadableSubnetEnvIsIgnored) {
  stand_up(1, room_for(9));
  std::filesystem::create_directories(options(0).subnet_file.parent_path());
  write_file_atomically(options(0).subnet_file, "FLANNEL_SUBNET=nonsense\n");
  start_all();
  EXPECT_TRUE(lease_of(0));
}

TEST_F(LeaseLifecycle, IsRenewedAMarginBeforeItsEnd) {
  stand_up(1, room_for(9));
  auto brief = options(0);
  brief.lease_ttl = std::chrono::seconds(61);
  brief.lease_renew_margin = std::chrono::minutes(1);
  auto watcher = etcd().watch(prefix());
  start(0, brief);
  await_ready(0);
  const auto created = watcher.next(kExitBudget);
  ASSERT_TRUE(created);
  const auto renewed = watcher.next(kExitBudget);
  ASSERT_TRUE(renewed);
  EXPECT_EQ(renewed->events[0].type, etcd::Event::Type::put);
  EXPECT_EQ(renewed->events[0].kv.value, created->events[0].kv.value);
  EXPECT_NE(renewed->events[0].kv.lease, created->events[0].kv.lease);
}

TEST_F(LeaseLifecycle, RevocationEndsTheDaemonWithCode0AndLeavesTheDataPlane) {
  stand_up(2, kVxlan);
  start_all();
  await_full_mesh();
  etcd().revoke(lease_of(0)->lease);
  EXPECT_EQ(worker(0).daemon->process().wait(kExitBudget).code(), 0);
  await_peer(0, 1);
}

TEST_F(LeaseLifecycle, TakeoverByAnotherNodeIsALossToo) {
  stand_up(1, room_for(9));
  start_all();
  etcd().put(key_of(0), value_of("10.0.0.99"));
  EXPECT_EQ(worker(0).daemon->process().wait(kExitBudget).code(), 0);
  EXPECT_EQ(lease_of(0)->value, value_of("10.0.0.99"));
}

TEST_F(LeaseLifecycle, RewrittenByATwinWithTheSameAddressStays) {
  stand_up(2, kVxlan);
  start(0);
  await_ready(0);
  const auto lease = lease_of(0);
  etcd().put(lease->key, lease->value, lease->lease);
  start(1);
  await_ready(1);
  await_full_mesh();
  EXPECT_TRUE(worker(0).daemon->process().running());
}

TEST_F(LeaseLifecycle, OfThePublicIpThatAFlagNames) {
  stand_up(1, room_for(9));
  auto named = options(0);
  named.public_ip = parse_address("203.0.113.5");
  start(0, named);
  await_ready(0);
  EXPECT_EQ(lease_of(0)->value, value_of("203.0.113.5"));
}

}  // namespace
}  // namespace knetsim::flannel::test
