// explain in networks of many shapes: what is healthy is delivered, whatever it looks like and however busy it is.
//
// Topologies: made by a seed, which is printed; KNETSIM_SEED=N repeats it.

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/explaining.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/sys/fd.h"

namespace knetsim::suites {
namespace {

using explain::Disposition;
using explain::Protocol;
using fixtures::at;
using fixtures::because;
using fixtures::IsDelivered;
using fixtures::IsLost;
using testing::HasSubstr;

constexpr std::uint16_t kEchoes = 7000;

class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}
  /// From 0 to below `count`.
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(random_()) % count; }
  bool coin() { return below(2) == 1; }
  template <typename T>
  T one_of(const std::vector<T>& all) {
    return all.at(below(all.size()));
  }

 private:
  std::mt19937 random_;
};

/// Up to four switches in a tree.
UnderlaySpec some_underlay(Dice& dice) {
  UnderlaySpec underlay{.networks = {parse_network("10.0.0.0/8")}, .switches = {{.name = "s0"}}};
  const auto switches = dice.below(4);
  for (std::size_t i = 1; i <= switches; ++i)
    underlay.switches.push_back({.name = fmt::format("s{}", i), .uplink = fmt::format("s{}", dice.below(i))});
  underlay.mtu = dice.one_of<unsigned>({1500, 1400, 8000});
  underlay.permanent_neighbours = dice.coin();
  return underlay;
}

std::string some_backend(Dice& dice) {
  return dice.one_of<std::string>({R"({"Type": "vxlan"})", R"({"Type": "vxlan", "VNI": 100, "Port": 8472})",
                                   R"({"Type": "vxlan", "DirectRouting": true})",
                                   R"({"Type": "vxlan", "VNI": 7, "Port": 4789})", R"({"Type": "host-gw"})"});
}

ClusterSpec some_cluster(Dice& dice, std::size_t number, const UnderlaySpec& underlay) {
  ClusterSpec cluster{.name = fmt::format("C{}", number), .switch_name = dice.one_of(underlay.switches).name};
  cluster.api = false;
  cluster.cni = parts::Flavour::builtin;
  const auto address = [&](std::size_t last) { return parse_address(fmt::format("10.{}.0.{}", number, last)); };
  cluster.etcd = {{.name = fmt::format("C{}e1", number), .addresses = {address(1)}}};
  cluster.flannel = FlannelSpec{
      .flavour = parts::Flavour::builtin,
      .config = fmt::format(R"({{"Network": "11.0.0.0/8", "SubnetLen": 20, "Backend": {}}})", some_backend(dice))};
  const auto workers = 1 + dice.below(5);
  for (std::size_t i = 1; i <= workers; ++i) {
    const auto name = fmt::format("C{}w{}", number, i);
    cluster.workers.push_back({.name = name,
                               .addresses = {address(10 + i)},
                               .switch_name = dice.coin() ? dice.one_of(underlay.switches).name : std::string()});
    const auto pods = 1 + dice.below(3);
    for (std::size_t pod = 0; pod < pods; ++pod)
      cluster.containers.push_back({.name = fmt::format("p{}{}", i, pod), .worker = name});
  }
  cluster.service_ranges = {parse_network("100.64.0.0/16")};
  VipSpec vip{.address = parse_address("100.64.10.1"), .containers = {cluster.containers.front().name}};
  if (cluster.containers.size() > 1) vip.containers.push_back(cluster.containers.back().name);
  cluster.vips = {vip};
  return cluster;
}

Topology some_topology(Dice& dice) {
  Topology topology{.underlay = some_underlay(dice), .clusters = {}};
  const auto clusters = 1 + dice.below(3);
  for (std::size_t i = 0; i < clusters; ++i) topology.clusters.push_back(some_cluster(dice, i, topology.underlay));
  return topology;
}

class ExplainHealthy : public fixtures::EmulationTest, public testing::WithParamInterface<unsigned> {
 protected:
  static unsigned seed() {
    const char* given = std::getenv("KNETSIM_SEED");
    return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : GetParam();
  }
};

TEST_P(ExplainHealthy, NetworkIsDeliveredIn) {
  Dice dice(seed());
  const auto made = some_topology(dice);
  std::cout << "KNETSIM_SEED=" << seed() << ": " << made.underlay.switches.size() << " switches";
  for (const auto& one : made.clusters)
    std::cout << ", " << one.name << ": " << one.workers.size() << " workers, " << one.containers.size() << " pods, "
              << one.flannel->config;
  std::cout << '\n';
  boot(made);
  auto& home = *dice.one_of(emulation().clusters());
  std::vector<const Node*> pods;
  for (const auto* one : home.containers()) pods.push_back(one);
  std::vector<const Node*> workers;
  for (auto* one : emulation().clusters())
    for (const auto* worker : one->workers()) workers.push_back(worker);
  std::vector<fixtures::EchoServer> servers;
  for (const auto* pod : pods) servers.emplace_back(*pod, kEchoes);
  const auto ask = [&](const Node& from, const Address& to, const std::string& name) {
    const auto protocol = dice.one_of<Protocol>({Protocol::icmp, Protocol::tcp, Protocol::udp});
    EXPECT_THAT(explain(from, to, protocol, protocol == Protocol::icmp ? std::uint16_t{0} : kEchoes), IsDelivered())
        << from.name() << " -> " << name;
  };
  for (int i = 0; i < 4; ++i) {
    const auto& from = *dice.one_of(pods);
    const auto& to = *dice.one_of(pods);
    if (&from != &to) ask(from, to.address(), to.name());
  }
  ask(*dice.one_of(pods), home.vips().services().front().address, "a virtual address");
  ask(*home.workers().front(), dice.one_of(pods)->address(), "a pod");
  const auto& from = *dice.one_of(workers);
  const auto& to = *dice.one_of(workers);
  if (&from != &to) {
    EXPECT_THAT(explain(from, to), IsDelivered()) << from.name() << " -> " << to.name();
  }
}

INSTANTIATE_TEST_SUITE_P(Some, ExplainHealthy, testing::Values(1U, 2U, 3U), testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Many, ExplainHealthy, testing::Range(4U, 31U), testing::PrintToStringParamName());

/// New flows at a rate, each from a socket of its own: a datagram, or a connection that is given up at once.
class Noise {
 public:
  Noise(const Node& from, const Address& to, std::uint16_t port, unsigned per_second)
      : to_(to),
        port_(port),
        per_second_(per_second),
        thread_([this, &from] { from.netns().run([this] { send(); }); }) {}
  ~Noise() { stop(); }
  Noise(const Noise&) = delete;
  Noise& operator=(const Noise&) = delete;

  /// How many in a second, from the first to the last.
  double stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    return rate_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void send() {
    const auto begin = Clock::now();
    std::size_t flows = 0;
    std::unique_lock lock(mutex_);
    while (!changed_.wait_until(lock, begin + std::chrono::microseconds(1'000'000 * flows / per_second_),
                                [this] { return stopped_; })) {
      start_flow(flows % 2 == 0 ? SOCK_DGRAM : SOCK_STREAM);
      ++flows;
    }
    rate_ = static_cast<double>(flows) / std::chrono::duration<double>(Clock::now() - begin).count();
  }

  void start_flow(int type) const {
    const Fd socket(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in target{};
    target.sin_family = AF_INET;
    target.sin_port = htons(port_);
    target.sin_addr.s_addr = htonl(to_.to_v4().to_uint());
    ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target);
    if (type == SOCK_DGRAM) ::send(socket.get(), "noise", 5, MSG_NOSIGNAL);
  }

  Address to_;
  std::uint16_t port_;
  unsigned per_second_;
  double rate_ = 0;
  bool stopped_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread thread_;
};

class ExplainPair : public fixtures::EmulationTest {
 protected:
  Container& c1() { return worker("w1").container("c1"); }
  Container& c2() { return worker("w2").container("c2"); }

  static void run(const Node& node, std::vector<std::string> argv) {
    const auto result = node.exec(std::move(argv));
    ASSERT_TRUE(result.ok()) << node.name() << ": " << result.err;
  }
};

TEST_F(ExplainPair, IsRightAmongFiveHundredFlowsASecond) {
  boot(fixtures::topology("pair.json"));
  const fixtures::EchoServer server(c2(), kEchoes);
  Noise noise(c1(), c2().address(), kEchoes, 500);
  for (const auto protocol : {Protocol::tcp, Protocol::udp, Protocol::icmp}) {
    const std::uint16_t port = protocol == Protocol::icmp ? 0 : kEchoes;
    EXPECT_THAT(explain(c1(), c2().address(), protocol, port), IsDelivered());
  }
  EXPECT_THAT(explain(c1(), c2().address(), Protocol::tcp, 7001),
              IsLost(at("w2/c2"), because(Disposition::no_listener)));
  run(worker("w2"), {"nft", "add table inet fw"});
  run(worker("w2"), {"nft", "add chain inet fw forward { type filter hook forward priority 0; }"});
  run(worker("w2"), {"nft", "add rule inet fw forward tcp dport 7001 drop"});
  const auto told = explain(c1(), c2().address(), Protocol::tcp, 7001);
  EXPECT_THAT(told, IsLost(at("w2"), because(Disposition::dropped_by_rule)));
  EXPECT_FALSE(told.intermittent());
  EXPECT_GT(noise.stop(), 450);
}

TEST_F(ExplainPair, AnswersThreadsAtOnce) {
  boot(fixtures::topology("pair.json"));
  std::atomic<int> lost = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 4; ++n)
        if (!explain(c1(), parse_address("100.64.10.1")).delivered()) ++lost;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(lost, 0);
}

class ExplainBothFamilies : public ExplainPair {
 protected:
  void SetUp() override {
    auto pair = fixtures::topology("pair.json");
    pair.underlay.networks.push_back(parse_network("fd00::/64"));
    auto& spec = pair.clusters.at(0);
    spec.workers.at(0).addresses.push_back(parse_address("fd00::3"));
    spec.workers.at(1).addresses.push_back(parse_address("fd00::4"));
    spec.flannel->flavour = parts::Flavour::builtin;
    auto config = nlohmann::json::parse(spec.flannel->config);
    config["EnableIPv6"] = true;
    config["IPv6Network"] = "fd11::/48";
    config["IPv6SubnetLen"] = 64;
    spec.flannel->config = config.dump();
    boot(std::move(pair));
  }

  static Address v6_of(const Node& node) { return node.addresses().at(1); }
};

TEST_F(ExplainBothFamilies, FollowsIPv6) {
  const fixtures::EchoServer server(c2(), kEchoes);
  const auto to = v6_of(c2());
  ASSERT_TRUE(to.is_v6());
  const std::vector<const Node*> nodes{&worker("w1"), &worker("w2"), &c1(), &c2()};
  for (const auto* from : nodes)
    for (const auto* one : nodes)
      if (from != one) {
        EXPECT_THAT(explain(*from, v6_of(*one)), IsDelivered()) << from->name() << " -> " << one->name();
      }
  for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
    EXPECT_THAT(explain(c1(), to, protocol, kEchoes), IsDelivered());
    EXPECT_THAT(explain(c1(), to, protocol, 7001), IsLost(at("w2/c2"), because(Disposition::no_listener)));
  }
}

TEST_F(ExplainBothFamilies, NamesWhatBreaksIPv6Alone) {
  const auto to = v6_of(c2());
  const auto lost = [&] {
    auto told = explain(c1(), to);
    EXPECT_THAT(explain(c1(), c2()), IsDelivered()) << "IPv4 is as it was";
    return told;
  };
  run(c2(), {"sysctl", "-qw", "net.ipv6.icmp.echo_ignore_all=1"});
  EXPECT_THAT(lost(), IsLost(at("w2/c2"), because(Disposition::refused)));
  run(c2(), {"sysctl", "-qw", "net.ipv6.icmp.echo_ignore_all=0"});

  run(worker("w2"), {"nft", "add table ip6 fw"});
  run(worker("w2"), {"nft", "add chain ip6 fw forward { type filter hook forward priority 0; }"});
  run(worker("w2"), {"nft", "add rule ip6 fw forward icmpv6 type echo-request drop"});
  const auto dropped = lost();
  EXPECT_THAT(dropped, IsLost(at("w2"), because(Disposition::dropped_by_rule)));
  EXPECT_THAT(dropped.remedy, HasSubstr("nft delete rule ip6 fw forward"));
  run(worker("w2"), {"nft", "delete table ip6 fw"});
  ASSERT_THAT(explain(c1(), to), IsDelivered());

  run(worker("w1"), {"ip", "route", "add", "unreachable", to.to_string() + "/128"});
  EXPECT_THAT(lost(), IsLost(at("w1"), because(Disposition::no_route)));
  run(worker("w1"), {"ip", "route", "del", "unreachable", to.to_string() + "/128"});

  run(worker("w2"), {"sysctl", "-qw", "net.ipv6.conf.all.forwarding=0"});
  const auto not_forwarded = lost();
  EXPECT_THAT(not_forwarded, IsLost(at("w2"), because(Disposition::not_forwarding)));
  EXPECT_THAT(not_forwarded.remedy, HasSubstr("net.ipv6.conf.all.forwarding=1"));
}

}  // namespace
}  // namespace knetsim::suites
