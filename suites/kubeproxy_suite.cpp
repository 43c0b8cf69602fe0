// What kube-proxies do when they are killed, when others change their table, and when endpoints come and go under
// traffic.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

#include "knetsim/apiserver/watch.h"
#include "knetsim/emulator/cluster_api.h"
#include "knetsim/fixtures/prompt.h"
#include "knetsim/fixtures/tcp.h"
#include "knetsim/nft/batch.h"
#include "knetsim/nft/ruleset.h"
#include "knetsim/parts/program.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"
#include "kubeproxy_lab.h"

namespace knetsim::fixtures {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr int kStorm = 6'000;  // changes, or as many as fit into
constexpr std::chrono::seconds kStormTime{60};
constexpr int kClients = 10;  // in each of five places

/// Of ours alone: what a real one needs tens of seconds for, or keeps in another way.
class OwnKubeProxies : public KubeProxyLab {
 protected:
  void SetUp() override { stand(Flavour::builtin); }
};

TEST_P(KubeProxies, ServeWhatKubectlExposes) {
  const auto exposed = exec(
      Emulation::kubectl({"expose", "pod", "c2", "--name=web", "--port=80", "--target-port=7000"}), kExecTimeout, {});
  ASSERT_TRUE(exposed.ok()) << exposed.err;
  const auto made = api().must("GET", std::string(kServices) + "/web").body;
  wait(apiserver::revision_of(made), 0);
  wait_for_selected();
  const auto ip = parse_address(made["spec"]["clusterIP"].get<std::string>());
  for (const Node* from : std::initializer_list<const Node*>{&c1(), &c3(), &worker("w1"), &worker("w2")})
    EXPECT_EQ(reaches(*from, ip, 80, {2}), std::nullopt) << from->name();
}

/// Connections that each send a byte every 10 ms, and want it back before the next one.
class Talkers {
 public:
  Talkers(const Node& from, const Address& to, std::uint16_t port, int count) {
    for (int i = 0; i < count; ++i) open_.push_back(TcpStream::connect(from, to, port));
    thread_ = std::thread([this] { talk(); });
  }
  Talkers(const Talkers&) = delete;
  ~Talkers() { end(); }

  int rounds() const noexcept { return rounds_; }
  /// Until each has had as many bytes more.
  void wait_for(int more) const {
    eventually([&, until = rounds() + more]() -> std::optional<std::string> {
      if (rounds() >= until || broken_) return std::nullopt;
      return fmt::format("round {} of all connections' bytes", until);
    });
  }
  /// What broke; empty: nothing.
  std::string end() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
    return trouble_;
  }

 private:
  void talk() try {
    auto next = std::chrono::steady_clock::now();
    while (!over_) {
      const std::string byte(1, static_cast<char>('a' + rounds_ % 26));
      for (auto& stream : open_) stream.send(byte);
      for (auto& stream : open_)
        if (stream.receive(1) != byte) throw Error("another byte came back");
      ++rounds_;
      next += std::chrono::milliseconds(10);
      std::this_thread::sleep_until(next);
    }
  } catch (const Error& error) {
    trouble_ = error.what();
    broken_ = true;
  }

  std::vector<TcpStream> open_;
  std::atomic<int> rounds_ = 0;
  std::atomic<bool> over_ = false;
  std::atomic<bool> broken_ = false;
  std::string trouble_;
  std::thread thread_;
};

TEST_P(KubeProxies, BreakNothingWhenTheyAreKilledAndComeBack) {
  const auto ip = serve({}, {endpoint(c2()), endpoint(c3())});
  Talkers talkers(c1(), ip, 80, 200);
  talkers.wait_for(5);
  for (const char* name : {"w1", "w2"}) proxy(name).kill();
  talkers.wait_for(5);
  for (const auto& trouble : tcp_exchanges(c1(), ip, 80, 1'000, 64, 10 * kTrafficBudget))
    EXPECT_EQ(trouble, std::nullopt);
  for (const char* name : {"w1", "w2"}) proxy(name).restart();
  wait(1, 1);  // what it finds there is the old state
  talkers.wait_for(5);
  set_slice({endpoint(c2())});
  talkers.wait_for(5);
  EXPECT_EQ(talkers.end(), "");
  EXPECT_EQ(reaches(c1(), ip, 80, {2}), std::nullopt) << "and changes are followed again";
  if (is_ours("w1")) {
    EXPECT_THAT(read_file(worker("w1").directory() / "kube-proxy.log"), HasSubstr("all of it stood already"));
  }
}

TEST_F(OwnKubeProxies, RepairWhatOthersDoToTheirTable) {
  const auto ip = serve({}, {endpoint(c2()), endpoint(c3())});
  for (const std::vector<std::string>& harm : {std::vector<std::string>{"flush", "ruleset"},
                                               {"delete", "table", "ip", "kube-proxy"},
                                               {"flush", "map", "ip", "kube-proxy", "endpoints"},
                                               {"flush", "chain", "ip", "kube-proxy", "services"}}) {
    std::vector<std::string> argv{"nft"};
    argv.insert(argv.end(), harm.begin(), harm.end());
    ASSERT_TRUE(worker("w1").exec(argv).ok());
    eventually([&] { return reaches(c1(), ip, 80, {2, 3}); });
  }
}

/// Everything that a worker's table holds, counters and the order of elements left aside.
std::set<std::string> contents(const NetNs& netns) {
  std::set<std::string> all;
  for (const auto& chain : nft::list_chains(netns, kTable)) all.insert("chain " + chain.id.name);
  for (const auto& rule : nft::list_rules(netns, kTable)) all.insert("rule " + rule.id.chain.name + " " + rule.comment);
  for (const char* name : {"service-ips", "local-ips", "external-local", "masquerade", "no-endpoints",
                           "no-local-endpoints", "cluster-ips", "endpoints", "affinity-ports", "endpoint-ids",
                           "endpoints-by-id", "hairpin", "firewall-ips", "firewall-allowed", "balancers"})
    for (const auto& element : nft::list_elements(netns, {kTable, name}))
      all.insert(
          fmt::format("{} {} {}", name, element.key.to_string(), element.value ? element.value->to_string() : ""));
  return all;
}

TEST_F(OwnKubeProxies, LoseNoConnectionAndLeaveNothingBehindInAStormOfChanges) {
  const auto ip = serve({}, {endpoint(c2()), endpoint(c3())});
  std::atomic<bool> over = false;
  std::atomic<int> connections = 0;
  std::mutex mutex;
  std::vector<std::string> troubles;
  std::vector<std::thread> clients;
  for (const Node* from : std::initializer_list<const Node*>{&c1(), &c1(), &worker("w1"), &worker("w2"), &c3()})
    for (int i = 0; i < kClients; ++i)
      clients.emplace_back([&, from] {
        while (!over) {
          ++connections;
          if (const auto trouble = tcp_exchange(*from, ip, 80, 64)) {
            const std::scoped_lock lock(mutex);
            troubles.push_back(*trouble);
          }
        }
      });
  std::uint64_t last = 0;
  const auto end = std::chrono::steady_clock::now() + kStormTime;
  int change = 0;
  for (; change < kStorm && std::chrono::steady_clock::now() < end; ++change) {
    if (change % 10 == 9) put_slice({endpoint(c1(), {{"ready", false}}), endpoint(c2()), endpoint(c3())});
    last = put_slice({change % 2 == 0 ? endpoint(c2()) : endpoint(c3())});
  }
  wait(0, last);
  over = true;
  for (auto& client : clients) client.join();
  EXPECT_THAT(troubles, testing::IsEmpty()) << "of " << connections << " connections";
  EXPECT_GT(connections, 100);
  EXPECT_GT(change, kStorm / 10);
  for (const char* name : {"w1", "w2"}) {
    const auto& netns = worker(name).netns();
    const auto after = contents(netns);
    proxy(name).kill();
    nft::Batch batch;
    batch.ensure_absent(kTable).commit(netns);
    proxy(name).restart();
    eventually([&]() -> std::optional<std::string> {
      if (nft::exists(netns, kTable) && contents(netns) == after) return std::nullopt;
      return std::string("the same as was left behind, from a fresh proxy on ") + name;
    });
  }
}

TEST_P(KubeProxies, TellTheirHealthAndThatOfLocalServices) {
  json spec{{"type", "LoadBalancer"}, {"externalTrafficPolicy", "Local"}};
  serve(spec, {endpoint(c2()), endpoint(c3())});
  const auto made = api().must("GET", std::string(kServices) + "/web").body;
  const auto health_port = made["spec"]["healthCheckNodePort"].get<std::uint16_t>();
  const auto ask = [&](const std::string& on, std::uint16_t number, const std::string& path) {
    const auto to = worker(on).address();
    return outside().netns().run([&] { return apiserver::Client(to, number).ask("GET", path); });
  };
  EXPECT_EQ(ask("w1", 10256, "/healthz").status, 200U);
  EXPECT_EQ(ask("w1", 10256, "/healthz").body["nodeEligible"], true);
  EXPECT_EQ(ask("w1", 10256, "/livez").status, 200U);
  const auto here = ask("w2", health_port, "/");
  EXPECT_EQ(here.status, 200U);
  EXPECT_EQ(here.body["localEndpoints"], 2);
  EXPECT_EQ(here.body["service"]["name"], "web");
  const auto there = ask("w1", health_port, "/");
  EXPECT_EQ(there.status, 503U);
  EXPECT_EQ(there.body["localEndpoints"], 0);
  set_slice({endpoint(c2(), {{"ready", false}, {"serving", true}, {"terminating", true}})});
  EXPECT_EQ(ask("w2", health_port, "/").status, 503U) << "only a terminating one";
}

TEST_F(OwnKubeProxies, ServeNodePortsWhereTheNodeIs) {
  constexpr std::uint16_t kPort = 30'080;
  auto one = port();
  one["nodePort"] = kPort;
  serve({{"type", "NodePort"}, {"ports", json::array({one})}}, {endpoint(c2())});
  const auto& w1 = worker("w1");
  const auto before = w1.address();
  const auto moved = parse_address("10.0.77.1");
  const auto status_of = [](const Address& address) {
    return json{{"status", {{"addresses", json::array({{{"type", "InternalIP"}, {"address", address.to_string()}}})}}}};
  };
  ASSERT_EQ(reaches(outside(), before, kPort, {2}), std::nullopt);
  ASSERT_TRUE(w1.exec({"ip", "address", "add", moved.to_string() + "/8", "dev", "eth0"}).ok());
  EXPECT_EQ(is_refused(outside(), moved, kPort), std::nullopt) << "its Node hasn't got it";
  api().must("PATCH", "/api/v1/nodes/w1/status", status_of(moved), "application/merge-patch+json");
  eventually([&] { return reaches(outside(), moved, kPort, {2}); });
  EXPECT_EQ(is_refused(outside(), before, kPort), std::nullopt);
}

TEST_F(OwnKubeProxies, ServeNodePortsOnAddressesThatComeAndGo) {
  constexpr std::uint16_t kPort = 30'080;
  auto one = port();
  one["nodePort"] = kPort;
  serve({{"type", "NodePort"}, {"ports", json::array({one})}}, {endpoint(c2())});
  auto& w1 = worker("w1");
  proxy("w1").stop();
  const auto log = w1.directory() / "by-hand.log";
  const auto own = Process::spawn(
      {.argv = {(knetsim_program().parent_path() / "knetsim-kube-proxy").string(),
                "--kubeconfig=" + ClusterApi::proxy_kubeconfig_in(*cluster().etcd_nodes().front()).string(),
                "--hostname-override=w1", "--cluster-cidr=11.0.0.0/8", "--nodeport-addresses=198.51.100.0/24"},
       .netns = &w1.netns()},
      log);
  const auto address = parse_address("198.51.100.7");
  eventually([&]() -> std::optional<std::string> {
    return is_refused(w1, w1.address(), kPort) ? std::optional("its own address, which isn't in that network, refuses")
                                               : std::nullopt;
  });
  ASSERT_TRUE(w1.exec({"ip", "address", "add", "198.51.100.7/32", "dev", "lo"}).ok());
  eventually([&] { return reaches(w1, address, kPort, {2}); });
  ASSERT_TRUE(w1.exec({"ip", "address", "delete", "198.51.100.7/32", "dev", "lo"}).ok());
  eventually([&]() -> std::optional<std::string> {
    for (const auto& element : nft::list_elements(w1.netns(), {kTable, "service-ips"}))
      if (element.key.to_string().find("198.51.100.7") != std::string::npos) return "the end of its NodePort";
    return std::nullopt;
  });
}

/// KNETSIM_KUBE_PROXY for a test; whoever runs it has it back.
class KubeProxyStandIns : public KubeProxyLab {
 protected:
  void TearDown() override {
    KubeProxyLab::TearDown();
    if (given_)
      ::setenv("KNETSIM_KUBE_PROXY", given_->c_str(), 1);
    else
      ::unsetenv("KNETSIM_KUBE_PROXY");
  }

 private:
  std::optional<std::string> given_ = parts::Environment::current().get("KNETSIM_KUBE_PROXY");
};

// What stands in for a real one notes how it was started, and goes on as ours, which has no flags for the kernel's
// settings.
TEST_F(KubeProxyStandIns, AreStartedAsTheRealOneIs) {
  const std::filesystem::path script = std::string(kStateDirectory) + "/kube-proxy";
  write_file_atomically(script,
                        R"(#!/bin/sh
[ "$1" = --version ] && echo Kubernetes v1.32.13 && exit
printf '%s\n' "$@" >noted
for flag; do case $flag in --conntrack-*) ;; *) set -- "$@" "$flag" ;; esac; shift; done
exec )" + (knetsim_program().parent_path() / "knetsim-kube-proxy").string() +
                            " \"$@\"\n",
                        0755);
  ::setenv("KNETSIM_KUBE_PROXY", script.c_str(), 1);
  stand(Flavour::mixed);
  const auto ip = serve({}, {endpoint(c2()), endpoint(c3())});
  EXPECT_EQ(reaches(c1(), ip, 80, {2, 3}), std::nullopt);
  EXPECT_EQ(without_rules([&] { return reaches(c1(), ip, 80, {2, 3}); }).has_value(), true);
  EXPECT_EQ(reaches(c1(), ip, 80, {2, 3}), std::nullopt);
  EXPECT_THAT(
      read_file(worker("w1").directory() / "noted"),
      AllOf(ContainsRegex("--kubeconfig=/[^\n]+/kube-proxy.kubeconfig\n"), HasSubstr("--hostname-override=w1\n"),
            HasSubstr("--proxy-mode=nftables\n"), HasSubstr("--cluster-cidr=11.0.0.0/8\n"),
            HasSubstr("--conntrack-max-per-core=0\n"), Not(HasSubstr("--service-cluster-ip-range"))));
  EXPECT_FALSE(std::filesystem::exists(worker("w2").directory() / "noted")) << "the second one is ours";
}

TEST_F(KubeProxyStandIns, ThatHaveNoModeNftablesAreRefusedBeforeAnythingIsStarted) {
  const std::filesystem::path script = std::string(kStateDirectory) + "/kube-proxy";
  write_file_atomically(script, "#!/bin/sh\necho Kubernetes v1.20.2\n", 0755);
  ::setenv("KNETSIM_KUBE_PROXY", script.c_str(), 1);
  boot(topology("pair.json"));
  EXPECT_THAT([&] { emulation().start_apis(); },
              testing::ThrowsMessage<InputError>(AllOf(HasSubstr("1.20.2"), HasSubstr("use 1.31 or later"))));
  EXPECT_FALSE(std::filesystem::exists(cluster().etcd_nodes().front()->directory() / "apiserver.log"));
}

}  // namespace
}  // namespace knetsim::fixtures
