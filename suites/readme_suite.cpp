// The README's checks: each statement of it, proven on the demo topology as written there.
//
// Topology: fixtures/topologies/demo.json, two clusters on one underlay, each with two etcd nodes and three workers.
// `knetsim check` runs this program; the ids and words below are what it shows.

#include <gmock/gmock.h>
#include <netinet/in.h>

#include <regex>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/events.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/fixtures/wire.h"
#include "knetsim/flannel/launcher.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/skupper/config.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/pty.h"
#include "knetsim/sys/ready.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::SizeIs;

const std::string kVip = "100.64.10.1";

class Readme : public EmulationTest {
 protected:
  void SetUp() override { boot(topology("demo.json")); }

  /// The original's words: C0w1.exec_container("c1", "ping <ip> -c 1").
  ExecResult ping_from_c1(const std::string& target, const std::string& patience = "5") {
    return worker("C0w1").exec_container("c1", {"ping", target, "-c", "1", "-W", patience});
  }
};

KNETSIM_CHECK(Readme, WorkersAreHostsThatReachEachOther, "workers",
              "Workers and etcd nodes are hosts with a network stack of their own, and reach each other") {
  std::set<ino_t> stacks{NetNs::current().inode()};
  std::vector<Node*> hosts;
  for (auto* one : emulation().clusters()) {
    for (auto* host : one->etcd_nodes()) hosts.push_back(host);
    for (auto* host : one->workers()) hosts.push_back(host);
  }
  ASSERT_THAT(hosts, SizeIs(10));
  for (const auto* host : hosts) {
    EXPECT_TRUE(stacks.insert(host->netns().inode()).second) << host->name() << " shares its stack";
    EXPECT_THAT(*host, HasLink("eth0", AllOf(IsUp(), IsRunning())));
    EXPECT_THAT(*host, HasAddress("eth0", make_network(host->address(), 8)));
  }
  for (const auto* from : hosts) {
    const Step step(from->name(), "every other host", "ping");
    for (const auto* to : hosts) EXPECT_THAT(*from, CanPing(*to));
  }
}

KNETSIM_CHECK(Readme, ContainersDifferFromTheirWorkerInTheNetworkAlone, "pods",
              "Containers are network namespaces inside workers, created and deleted at run time") {
  auto& w2 = worker("C0w2");
  {
    const Step step("C0w2", "C0w2/c5", "create a container");
    w2.create_container("c5");
  }
  const auto& c5 = w2.container("c5");
  EXPECT_NE(c5.netns().inode(), w2.netns().inode());
  for (const std::string kind : {"mnt", "pid", "uts", "ipc", "user"}) {
    const std::vector<std::string> ask{"readlink", "/proc/self/ns/" + kind};
    EXPECT_EQ(w2.exec_container("c5", ask).out, w2.exec(ask).out) << kind;
  }
  EXPECT_EQ(w2.exec_container("c5", {"pwd"}).out, w2.exec({"pwd"}).out);
  {
    const Step step("C0w2/c5", "C0w1/c1", "ping");
    EXPECT_THAT(c5, CanPing(worker("C0w1").container("c1")));
  }
  const auto link_on_the_worker = c5.network().host_interface();
  ASSERT_THAT(w2, HasLink(link_on_the_worker));
  {
    const Step step("C0w2", "C0w2/c5", "delete the container");
    w2.delete_container("c5");
  }
  EXPECT_THAT(w2, HasNoLink(link_on_the_worker));
  EXPECT_THROW(w2.container("c5"), InputError);
}

/// What the caller's own etcdctl is told (ETCDCTL_ENDPOINTS, ...) doesn't concern the one in here.
Command etcdctl(const Node& on, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "/tmp/knetsim/etcdctl");
  return in_neutral_environment(on.command(std::move(arguments)), "ETCDCTL_");
}

KNETSIM_CHECK(Readme, EtcdIsHealthy, "etcd", "etcdctl cluster-health finds every member of etcd healthy") {
  for (const std::string name : {"C0", "C1"}) {
    const Step step(name + "e1", "etcd of " + name, "/tmp/knetsim/etcdctl cluster-health");
    const auto& first = node(name + "e1");
    const auto health = exec(etcdctl(first, {"cluster-health"}));
    EXPECT_THAT(health, Succeeds());
    for (const auto* host : cluster(name).etcd_nodes())
      EXPECT_THAT(health.out, testing::ContainsRegex("member [0-9a-f]+ is healthy: got healthy result from http://" +
                                                     host->address().to_string() + ":2379\n"));
    EXPECT_THAT(health.out, EndsWith("cluster is healthy\n"));

    std::string endpoints;
    for (const auto& endpoint : cluster(name).etcd().endpoints())
      endpoints += (endpoints.empty() ? "" : ",") + endpoint;
    auto ask_v3 = etcdctl(first, {"--endpoints", endpoints, "endpoint", "health"});
    ask_v3.environment["ETCDCTL_API"] = "3";
    const auto v3 = exec(ask_v3);
    EXPECT_THAT(v3, Succeeds());
    EXPECT_THAT(v3.out + v3.err, testing::ContainsRegex("is healthy: successfully committed proposal"));
  }
}

/// Of the cluster's leases, in the store that its flannel daemons use.
std::vector<std::string> lease_keys(Cluster& cluster) {
  const std::string directory = "/coreos.com/network/subnets";
  auto etcd = cluster.etcd().client();
  if (flannel::etcd_api_of(parts::resolve(parts::kFlannel, cluster.spec().flannel->flavour)) == flannel::EtcdApi::v2)
    return etcd.keys_v2(directory);
  std::vector<std::string> keys;
  for (const auto& kv : etcd.list(directory + "/").kvs) keys.push_back(kv.key);
  return keys;
}

KNETSIM_CHECK(Readme, FlannelRunsOnEveryWorker, "flannel",
              "Every worker has flannel's tunnel interface, with the address of its lease") {
  for (auto* one : emulation().clusters()) {
    const auto leases = lease_keys(*one);
    EXPECT_THAT(leases, SizeIs(3));
    for (auto* w : one->workers()) {
      const Step step(w->name(), "flannel.100", "ifconfig");
      const auto env = flannel::read_subnet_env(w->subnet_file());
      const auto base = address_of(canonical(env.subnet.value()));
      EXPECT_EQ(env.mtu, 1450U);
      EXPECT_THAT(*w, HasLink("flannel.100", AllOf(IsUp(), IsRunning(), HasMtu(1450), HasTxqueuelen(0))));
      EXPECT_THAT(*w, HasAddress("flannel.100", host_network(base)));
      const auto ifconfig = w->exec({"ifconfig", "flannel.100"});
      EXPECT_THAT(ifconfig.out, HasSubstr("flannel.100: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1450"));
      EXPECT_THAT(ifconfig.out, HasSubstr("inet " + base.to_string() + " "));
      EXPECT_THAT(ifconfig.out, HasSubstr("txqueuelen 0"));
      const auto key =
          "/coreos.com/network/subnets/" + base.to_string() + "-" + std::to_string(prefix_length(env.subnet.value()));
      EXPECT_THAT(leases, Contains(key));
    }
  }
}

KNETSIM_CHECK(Readme, ContainersReachEachOther, "pod-to-pod",
              "Containers reach each other on the same worker and, through flannel's tunnel, on another one") {
  const auto& c1 = worker("C0w1").container("c1");
  const auto& c2 = worker("C0w2").container("c2");
  const auto& c3 = worker("C0w3").container("c3");
  const auto& c4 = worker("C0w3").container("c4");
  {
    const Step step("C0w3/c3", "C0w3/c4", "ping on the same worker");
    EXPECT_THAT(c3, CanPing(c4));
  }
  Capture wire(worker("C0w1").netns(), "eth0");
  {
    const Step step("C0w1/c1", "C0w2/c2", "ping " + c2.address().to_string() + " -c 5");
    EXPECT_THAT(
        worker("C0w1").exec_container("c1", {"ping", c2.address().to_string(), "-c", "5", "-i", "0.01", "-W", "2"}),
        AllOf(Succeeds(), Prints(HasSubstr("5 packets transmitted, 5 received, 0% packet loss"))));
  }
  const Step step("C0w1", "C0w2", "the packet on the wire is VXLAN, VNI 100, to port 8472");
  const auto packet = wait_for_tunnelled(wire, c2.address());
  EXPECT_EQ(packet.vni, 100U);
  EXPECT_EQ(packet.port, 8472);
  EXPECT_EQ(packet.outer_source, worker("C0w1").address());
  EXPECT_EQ(packet.outer_destination, worker("C0w2").address());
  EXPECT_EQ(packet.inner_source, c1.address()) << "the receiver must see the container, not its worker";
}

KNETSIM_CHECK(Readme, AVirtualAddressReachesContainers, "vip",
              "A VIP reaches the containers behind it, and its rule counts the flows") {
  const auto ruleset = [this] { return worker("C0w1").exec({"nft", "list", "ruleset"}).out; };
  const auto counted = [&] {
    std::smatch match;
    const auto text = ruleset();
    const std::regex rule("ip daddr 100\\.64\\.10\\.1[^\n]*counter packets ([0-9]+) bytes");
    return std::regex_search(text, match, rule) ? std::stol(match[1]) : -1L;
  };
  EXPECT_EQ(counted(), 0) << ruleset();
  const Step step("C0w1/c1", kVip, "ping");
  EXPECT_THAT(ping_from_c1(kVip), Succeeds());
  EXPECT_EQ(counted(), 1) << ruleset();
}

KNETSIM_CHECK(Readme, FlowsToAVirtualAddressTakeTurns, "balancing",
              "New flows take turns; when one of two containers is deleted, every other ping fails") {
  const auto requests = [this](const std::string& w, const std::string& c) {
    return echo_requests_received(worker(w).container(c));
  };
  for (int turn = 1; turn <= 3; ++turn) {
    const Step step("C0w1/c1", kVip, "two pings, one to each of c2 and c3");
    const auto c2 = requests("C0w2", "c2");
    const auto c3 = requests("C0w3", "c3");
    EXPECT_THAT(ping_from_c1(kVip), Succeeds());
    EXPECT_EQ(requests("C0w2", "c2") - c2, 1) << "the first of each pair goes to c2";
    EXPECT_EQ(requests("C0w3", "c3") - c3, 0);
    EXPECT_THAT(ping_from_c1(kVip), Succeeds());
    EXPECT_EQ(requests("C0w2", "c2") - c2, 1);
    EXPECT_EQ(requests("C0w3", "c3") - c3, 1) << "the second one goes to c3";
  }
  worker("C0w3").delete_container("c3");
  const Step step("C0w1/c1", kVip, "pings after c3 is deleted: every other one fails");
  std::vector<bool> answered;
  for (const auto* patience : {"5", "1", "5", "1", "5", "1"}) answered.push_back(ping_from_c1(kVip, patience).ok());
  EXPECT_THAT(answered, ElementsAre(true, false, true, false, true, false));
}

KNETSIM_CHECK(Readme, AWorkerItselfReachesAVirtualAddress, "vip-worker", "A VIP serves the worker's own packets too") {
  const Step step("C0w1", kVip, "two pings, one to each of c2 and c3");
  const auto c2 = echo_requests_received(worker("C0w2").container("c2"));
  const auto c3 = echo_requests_received(worker("C0w3").container("c3"));
  EXPECT_THAT(worker("C0w1").exec({"ping", "-c", "1", "-W", "5", kVip}), Succeeds());
  EXPECT_THAT(worker("C0w1").exec({"ping", "-c", "1", "-W", "5", kVip}), Succeeds());
  EXPECT_EQ(echo_requests_received(worker("C0w2").container("c2")) - c2, 1);
  EXPECT_EQ(echo_requests_received(worker("C0w3").container("c3")) - c3, 1);
}

KNETSIM_CHECK(
    Readme, AServiceIsReachedFromTheOtherCluster, "skupper",
    "A service of one cluster is reached from every container of the other, through the routers, once exposed") {
  write_file_atomically(worker("C0w3").directory() / "index.html", "<h1>served by c4</h1>\n");
  const auto& entrance = worker("C1w1").address().to_string();
  for (auto* client : cluster("C1").containers()) {
    const Step step(client->name(), "C0w3/c4", "wget " + entrance + ":1028");
    EXPECT_THAT(client->exec({"wget", "-q", "-O", "-", "--tries=1", entrance + ":1028"}),
                AllOf(Succeeds(), Prints("<h1>served by c4</h1>\n")));
  }
  service_network().unexpose(cluster("C0"), "svc1");
  const Step step("C1w1/c1", entrance + ":1028", "wget once the service isn't exposed: refused");
  EXPECT_THAT(worker("C1w1").exec_container("c1", {"wget", "-q", "-O", "-", "--tries=1", entrance + ":1028"}),
              Not(Succeeds()));
  EXPECT_THAT(listening_tcp_ports(worker("C1w1").netns()), Not(Contains(1028)));
}

KNETSIM_CHECK(Readme, ARouterRunsInEachCluster, "skupper-running",
              "Each cluster has a router; its config and log are in /tmp/knetsim/skupper") {
  const auto processes = node("C0w1").exec({"ps", "aux"}).out;
  for (const std::string index : {"0", "1"}) {
    const Step step("C" + index + "w1", "skrouterd", "ps aux | grep skupper");
    const auto config = "/tmp/knetsim/skupper/" + index + ".json";
    EXPECT_THAT(processes, testing::ContainsRegex("skrouterd -c /run/knetsim/skupper/" + index + ".json\n"));
    EXPECT_EQ(skupper::read_config(config).router.id, index);
    EXPECT_THAT(read_file("/tmp/knetsim/skupper/" + index + ".log"), HasSubstr("55671"));
    EXPECT_TRUE(service_network().router(cluster("C" + index)).process().running());
  }
}

KNETSIM_CHECK(Readme, PingingContainersFromAWorkerLeavesFlannelRunning, "known-issue",
              "Pinging a container from a worker, ended with Ctrl-C, leaves flannel and etcd running") {
  const auto& c2 = worker("C0w2").container("c2");
  {
    const Step step("C0w1", "C0w2/c2", "ping without end on a terminal, then Ctrl-C");
    auto ping = PtyProcess::spawn(worker("C0w1").command({"ping", c2.address().to_string()}));
    ping.expect("64 bytes from " + c2.address().to_string());
    ping.write("\x03");
    EXPECT_EQ(ping.wait().code(), 0);
  }
  EXPECT_TRUE(worker("C0w1").flanneld().process().running());
  EXPECT_THAT(emulation().ailments(), testing::IsEmpty());
  const Step step("C0w2/c2", "C0w1/c5", "ping a container that is created afterwards");
  EXPECT_THAT(c2, CanPing(worker("C0w1").create_container("c5")));
}

}  // namespace
}  // namespace knetsim::fixtures
