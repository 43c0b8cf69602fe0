// The daemon as a program: config, interface, signals, health, exit codes.

#include <csignal>

#include "flannel_test.h"
#include "knetsim/netlink/address.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"

namespace knetsim::flannel::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kAlloc = R"({"Network": "10.5.0.0/16", "Backend": {"Type": "alloc"}})";

class Daemon : public FlannelTest {
 protected:
  /// Runs to its end, in the test's own namespace.
  static ExecResult run(const std::vector<std::string>& arguments) {
    Command command{.argv = {parts::resolve(parts::kFlannel, parts::Flavour::builtin).path.string()}};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    return exec(command);
  }
};

TEST_F(Daemon, EndsAtOnceOnAQuestionOrAFlagThatItCantUse) {
  const auto version = run({"--version"});
  EXPECT_EQ(version.status.code(), 0);
  EXPECT_THAT(version.err, testing::MatchesRegex("knetsim-flanneld [0-9.]+\n"));
  const auto help = run({"--help"});
  EXPECT_EQ(help.status.code(), 0);
  EXPECT_THAT(help.err, AllOf(HasSubstr("Usage: "), HasSubstr("-etcd-endpoints")));
  for (const auto* wrong : {"-kube-subnet-manager", "-etcd-endpoints=ftp://10.0.0.1:2379"}) {
    const auto refused = run({wrong});
    EXPECT_EQ(refused.status.code(), 2) << wrong;
    EXPECT_THAT(refused.err, HasSubstr(std::string(wrong).substr(std::string(wrong).find('=') + 1)));
  }
}

TEST_F(Daemon, IsDeafToTheVariablesOfWhoLaunchesIt) {
  stand_up(1, kAlloc);
  ::setenv("FLANNELD_PUBLIC_IP", "203.0.113.9", 1);
  ::setenv("FLANNELD_SUBNET_LEASE_RENEW_MARGIN", "not a number", 1);
  start_all();
  ::unsetenv("FLANNELD_PUBLIC_IP");
  ::unsetenv("FLANNELD_SUBNET_LEASE_RENEW_MARGIN");
  EXPECT_THAT(lease_of(0)->value, HasSubstr("\"PublicIP\":\"10.0.0.10\""));
}

class EndsOn : public Daemon, public testing::WithParamInterface<int> {};

TEST_P(EndsOn, SignalWithCode0) {
  stand_up(1, kAlloc);
  start_all();
  EXPECT_EQ(stop(0, GetParam()).code(), 0);
  EXPECT_TRUE(lease_of(0)) << "the lease stays for the next daemon";
}

INSTANTIATE_TEST_SUITE_P(Signals, EndsOn, testing::Values(SIGINT, SIGTERM),
                         [](const auto& row) { return row.param == SIGINT ? "SIGINT" : "SIGTERM"; });

TEST_F(Daemon, EndsOnASignalAlsoWhileItWaits) {
  stand_up(1, kAlloc);
  etcd().remove("/coreos.com/network/config");
  start(0);
  await_log(0, "Couldn't fetch network config: flannel config not found in etcd store");
  EXPECT_EQ(stop(0).code(), 0);
}

TEST_F(Daemon, WaitsForTheConfigAndTakesItTheMomentItIsThere) {
  stand_up(1, kAlloc);
  etcd().remove("/coreos.com/network/config");
  start(0);
  await_log(0, "no key /coreos.com/network/config");
  etcd().put("/coreos.com/network/config-of-somebody-else", "x");
  configure(kAlloc);
  await_ready(0);
}

TEST_F(Daemon, WaitsForABadConfigToBeMended) {
  stand_up(1, kAlloc);
  etcd().put("/coreos.com/network/config",
             R"({"Network": "10.5.0.0/16", "SubnetLen": 31, "Backend": {"Type": "alloc"}})");
  start(0);
  await_log(0, "SubnetLen must be less than /31");
  configure(kAlloc);
  await_ready(0);
}

TEST_F(Daemon, EndsOnABackendThatItDoesntHaveLikeFlanneld) {
  stand_up(1, kAlloc);
  etcd().put("/coreos.com/network/config", R"({"Network": "10.5.0.0/16", "Backend": {"Type": "wireguard"}})");
  start(0);
  EXPECT_EQ(worker(0).daemon->process().wait(kExitBudget).code(), 1);
  EXPECT_THAT(log_of(0), HasSubstr("wireguard"));
}

TEST_F(Daemon, FindsItsKeysUnderAPrefixWithoutASlash) {
  stand_up(1, kAlloc);
  etcd().put("coreos.com/net/config", kAlloc);
  auto relative = options(0);
  relative.etcd_prefix = "coreos.com/net";
  start(0, relative);
  await_ready(0);
  EXPECT_THAT(etcd().list("coreos.com/net/subnets/").kvs, testing::SizeIs(1));
}

TEST_F(Daemon, UsesTheInterfaceThatAPatternMatchesOrThatReachesAnAddress) {
  stand_up(1, kAlloc);
  {
    auto socket = worker(0).socket();
    const int other = netlink::create_bridge(socket, {.name = "other"});
    netlink::set_up(socket, other);
    netlink::add_address(socket, other, {.address = parse_network("192.168.9.1/24")});
  }
  const auto lease_with = [&](const auto& choose) {
    auto chosen = options(0);
    chosen.interfaces.clear();
    choose(chosen);
    start(0, chosen);
    await_ready(0);
    stop(0);
    return lease_of(0)->value;
  };
  EXPECT_THAT(lease_with([](auto& o) {
                o.interface_patterns = {"nothing", "^192[.]168"};
              }),
              HasSubstr(R"("PublicIP":"192.168.9.1")"));
  EXPECT_THAT(lease_with([](auto& o) { o.interface_patterns = {"^eth[0-9]$"}; }),
              HasSubstr(R"("PublicIP":"10.0.0.10")"));
  EXPECT_THAT(lease_with([](auto& o) { o.interface_can_reach = parse_address("192.168.9.77"); }),
              HasSubstr(R"("PublicIP":"192.168.9.1")"));
}

TEST_F(Daemon, WaitsForEtcd) {
  stand_up(1, kAlloc);
  stop_etcd();
  start(0);
  await_log(0, "Couldn't fetch network config: ");
  restart_etcd();
  await_ready(0);
}

TEST_F(Daemon, UsesTheInterfaceThatAnAddressNames) {
  stand_up(1, kAlloc);
  {
    auto socket = worker(0).socket();
    const int index = netlink::get_link(socket, "eth0").index;
    netlink::add_address(socket, index, {.address = parse_network("10.0.0.77/8")});
  }
  auto named = options(0);
  named.interfaces = {"192.0.2.1", "10.0.0.77"};
  start(0, named);
  await_ready(0);
  EXPECT_THAT(lease_of(0)->value, HasSubstr("\"PublicIP\":\"10.0.0.77\""));
}

TEST_F(Daemon, UsesTheInterfaceOfTheDefaultRouteWhenNoneIsNamed) {
  stand_up(1, kAlloc);
  {
    auto socket = worker(0).socket();
    netlink::add_route(socket, {.destination = parse_network("0.0.0.0/0"), .gateway = parse_address("10.0.0.1")});
  }
  auto unnamed = options(0);
  unnamed.interfaces.clear();
  start(0, unnamed);
  await_ready(0);
  EXPECT_THAT(lease_of(0)->value, HasSubstr("\"PublicIP\":\"10.0.0.10\""));
}

TEST_F(Daemon, EndsWhereTheNamedInterfaceIsAbsent) {
  stand_up(1, kAlloc);
  auto wrong = options(0);
  wrong.interfaces = {"eth9"};
  start(0, wrong);
  EXPECT_EQ(worker(0).daemon->process().wait(kExitBudget).code(), 1);
  EXPECT_THAT(log_of(0), HasSubstr("eth9"));
}

TEST_F(Daemon, EndsWhereThereIsNoDefaultRoute) {
  stand_up(1, kAlloc);
  auto unnamed = options(0);
  unnamed.interfaces.clear();
  start(0, unnamed);
  EXPECT_EQ(worker(0).daemon->process().wait(kExitBudget).code(), 1);
  EXPECT_THAT(log_of(0), HasSubstr("-iface"));
}

TEST_F(Daemon, ThatEndsEarlyIsToldOfWithTheEndOfItsLog) {
  stand_up(1, kAlloc);
  auto wrong = options(0);
  wrong.interfaces = {"eth9"};
  start(0, wrong);
  try {
    await_ready(0);
    ADD_FAILURE() << "ready";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("knetsim-flanneld ended before it had a lease (exit code 1)"),
                                    HasSubstr("/tmp/knetsim/w1.log"), HasSubstr("Failed to find interface")));
  }
}

TEST_F(Daemon, AnswersHealthz) {
  stand_up(1, kAlloc);
  auto healthy = options(0);
  healthy.healthz_ip = parse_address("127.0.0.1");
  healthy.healthz_port = 8471;
  start(0, healthy);
  await_ready(0);
  const auto ask = [&](const std::string& path) {
    return exec({.argv = {"wget", "-q", "-S", "-O", "-", "http://127.0.0.1:8471" + path}, .netns = &worker(0).netns});
  };
  EXPECT_THAT(ask("/healthz").err, HasSubstr("200 OK"));
  EXPECT_EQ(ask("/healthz").out, "flanneld is running");
  EXPECT_THAT(ask("/").err, HasSubstr("404"));
}

TEST_F(Daemon, EndsWhereTheHealthzPortIsTaken) {
  stand_up(1, kAlloc);
  auto taken = options(0);
  taken.healthz_port = 8471;
  start(0, taken);
  await_ready(0);
  const auto second =
      exec({.argv = {parts::resolve(parts::kFlannel, parts::Flavour::builtin).path.string(), "-healthz-port=8471"},
            .netns = &worker(0).netns});
  EXPECT_EQ(second.status.code(), 1);
  EXPECT_THAT(second.err, AllOf(HasSubstr("0.0.0.0:8471"), HasSubstr("choose another -healthz-ip or -healthz-port")));
}

TEST_F(Daemon, WritesTheConfigForOldDaemonsToo) {
  stand_up(0, kVxlan);
  EXPECT_EQ(etcd().get_v2("/coreos.com/network/config"), kVxlan);
  EXPECT_EQ(etcd().get("/coreos.com/network/config")->value, kVxlan);
}

}  // namespace
}  // namespace knetsim::flannel::test
