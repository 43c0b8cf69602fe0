// Services of Kubernetes, judged by packets: what upstream's [sig-network] tests demand of a kube-proxy, and what it
// does when it is killed, when others change its table, and when endpoints come and go under traffic.
//
// Each behaviour is a row, with a control: where the rules are taken away, the same probe must fail. The rows make
// docs/service-conformance.md (KNETSIM_UPDATE_GOLDEN=1 writes it anew).
//
// Topology: pair.json; c1 on w1, c2 and c3 on w2, e1 is outside of all workers.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/ip/udp.hpp>
#include <csignal>
#include <mutex>
#include <set>
#include <thread>

#include "knetsim/apiserver/client.h"
#include "knetsim/apiserver/watch.h"
#include "knetsim/emulator/cluster_api.h"
#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/golden.h"
#include "knetsim/fixtures/prompt.h"
#include "knetsim/fixtures/tcp.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/nft/batch.h"
#include "knetsim/nft/ruleset.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/sysctl.h"

namespace knetsim::fixtures {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint16_t kServed = 7000;
constexpr std::uint16_t kOtherServed = 7001;
constexpr std::uint16_t kNodePort = 30'080;
constexpr auto kServices = "/api/v1/namespaces/default/services";
constexpr auto kSlices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
constexpr int kStorm = 6'000;
constexpr auto kQuick = std::chrono::milliseconds(400);
const nft::TableId kTable{nft::Family::ip, "kube-proxy"};

class KubeProxies : public EmulationTest {
 protected:
  void SetUp() override {
    boot(topology("pair.json"));
    // The kernel tells each host of one port a second that can't be reached, after six at once: icmp(7).
    for (const char* name : {"w1", "w2"})
      worker(name).netns().run([] { write_sysctl("net.ipv4.icmp_ratelimit", "0"); });
    emulation().start_apis();
    api_.emplace(parse_address("127.0.0.1"), ClusterApi::port_of(0));
    s2_.emplace(c2(), kServed);
    s3_.emplace(c3(), kServed);
    other_.emplace(c2(), kOtherServed);
  }

  Container& c1() { return worker("w1").container("c1"); }
  Container& c2() { return worker("w2").container("c2"); }
  Container& c3() { return worker("w2").container("c3"); }
  Node& outside() { return node("e1"); }
  Daemon& proxy(const std::string& name) { return *cluster("C0").kube_proxy(worker(name)); }

  static json port(const char* name = "", const char* protocol = "TCP", int number = 80, int target = kServed) {
    return {{"name", name}, {"protocol", protocol}, {"port", number}, {"targetPort", target}};
  }
  /// Endpoints of a slice that no controller writes.
  json endpoint(Container& container, const json& conditions = {{"ready", true}}, const json& hints = {}) {
    json made{{"addresses", json::array({container.address().to_string()})},
              {"conditions", conditions},
              {"nodeName", &container == &c1() ? "w1" : "w2"}};
    if (!hints.is_null()) made["hints"] = hints;
    return made;
  }

  /// Makes the service (and, with endpoints, its slice), and returns its address when every worker has it.
  Address serve(const json& spec, const std::vector<json>& endpoints = {}, const json& status = {}) {
    json service{{"metadata", {{"name", "web"}}}, {"spec", {{"ports", json::array({port()})}}}};
    if (spec.is_object()) service["spec"].merge_patch(spec);
    auto made = api_->must("POST", kServices, service).body;
    if (!status.is_null())
      made = api_->must("PATCH", std::string(kServices) + "/web/status", {{"status", status}},
                        "application/merge-patch+json")
                 .body;
    auto slices = std::uint64_t{0};
    if (!endpoints.empty()) slices = put_slice(endpoints);
    wait(apiserver::revision_of(made), slices);
    if (made["spec"].contains("selector")) wait_for_selected();
    return parse_address(made["spec"]["clusterIP"].get<std::string>());
  }
  void change(const json& patch) {
    const auto changed =
        api_->must("PATCH", std::string(kServices) + "/web", patch, "application/merge-patch+json").body;
    wait(apiserver::revision_of(changed), 0);
    if (changed["spec"].contains("selector")) wait_for_selected();
  }
  std::uint64_t put_slice(const std::vector<json>& endpoints) {
    json ports = json::array();
    for (const char* protocol : {"TCP", "UDP"})
      ports.push_back({{"name", protocol == std::string("TCP") ? "" : "u"}, {"protocol", protocol}, {"port", kServed}});
    const json slice{{"metadata", {{"name", "hand"}, {"labels", {{"kubernetes.io/service-name", "web"}}}}},
                     {"addressType", "IPv4"},
                     {"endpoints", endpoints},
                     {"ports", ports}};
    constexpr unsigned kConflict = 409;
    auto made = api_->must("POST", kSlices, slice, "application/json", kConflict);
    if (made.status == kConflict)
      made = api_->must("PATCH", std::string(kSlices) + "/hand", {{"endpoints", endpoints}},
                        "application/merge-patch+json");
    return apiserver::revision_of(made.body);
  }
  void set_slice(const std::vector<json>& endpoints) { wait(0, put_slice(endpoints)); }
  void forget() {
    constexpr unsigned kNotFound = 404;
    api_->must("DELETE", std::string(kServices) + "/web", {}, "application/json", kNotFound);
    api_->must("DELETE", std::string(kSlices) + "/hand", {}, "application/json", kNotFound);
    eventually([&]() -> std::optional<std::string> {
      for (const char* name : {"w1", "w2"})
        for (const auto& element : nft::list_elements(worker(name).netns(), {kTable, "endpoints"}))
          if (element.comment.starts_with("default/web")) return "the end of " + element.comment;
      return std::nullopt;
    });
  }

  /// Until both workers' kernels have acknowledged changes up to these revisions.
  void wait(std::uint64_t services, std::uint64_t slices) {
    for (const char* name : {"w1", "w2"}) {
      eventually([&]() -> std::optional<std::string> {
        json told;
        try {
          told = worker(name).netns().run(
              [] { return apiserver::Client(parse_address("127.0.0.1"), 10249).ask("GET", "/acknowledged").body; });
        } catch (const Error& error) {
          return error.what();  // it hasn't come up yet
        }
        if (told.value("services", std::uint64_t{0}) >= services &&
            told.value("endpointslices", std::uint64_t{0}) >= slices)
          return std::nullopt;
        return fmt::format("{} having services up to {} and slices up to {}: {}", name, services, slices, told.dump());
      });
    }
  }
  /// Until the controllers have written what the selector chooses, and the proxies have it.
  void wait_for_selected() {
    std::uint64_t revision = 0;
    eventually([&]() -> std::optional<std::string> {
      const auto service = api_->must("GET", std::string(kServices) + "/web").body;
      const auto pods = api_->must("GET", "/api/v1/namespaces/default/pods?labelSelector=" + selector_of(service)).body;
      const auto slices =
          api_->must("GET", std::string(kSlices) + "?labelSelector=kubernetes.io/service-name%3Dweb").body;
      std::size_t endpoints = 0;
      bool current = !slices["items"].empty();
      for (const auto& slice : slices["items"]) {
        revision = std::max(revision, apiserver::revision_of(slice));
        endpoints += slice.value("endpoints", json::array()).size();
        current = current && port_names(slice.value("ports", json::array())) == port_names(service["spec"]["ports"]);
      }
      if (current && endpoints == pods["items"].size()) return std::nullopt;
      return fmt::format("{} endpoints of web; there are {}", pods["items"].size(), endpoints);
    });
    wait(0, revision);
  }
  static std::set<std::string> port_names(const json& ports) {
    std::set<std::string> names;
    for (const auto& port : ports) names.insert(port.value("name", ""));
    return names;
  }
  static std::string selector_of(const json& service) {
    std::string text;
    for (const auto& [key, value] : service["spec"]["selector"].items()) {
      auto name = key;
      if (const auto slash = name.find('/'); slash != std::string::npos) name.replace(slash, 1, "%2F");
      text += (text.empty() ? "" : "%2C") + name + "%3D" + value.get<std::string>();
    }
    return text;
  }
  static json selecting(const std::string& container) { return {{"selector", {{"knetsim.io/container", container}}}}; }

  // Probes: nullopt if it is as it should be.

  /// All of `servers` answer, and nobody else; each saw `source`, if one is given.
  Trouble reaches(const Node& from, const Address& to, std::uint16_t number, const std::set<int>& servers,
                  const std::optional<Address>& source = {}) {
    std::set<int> seen;
    for (int i = 0; i < 60 && (seen.size() < servers.size() || i < 3); ++i) {
      const auto before2 = s2_->flows();
      const auto before3 = s3_->flows();
      if (auto trouble = tcp_exchange(from, to, number, 64, kQuick)) return trouble;
      const bool at2 = s2_->flows() > before2;
      const bool at3 = s3_->flows() > before3;
      if (!at2 && !at3) return "somebody else answered";
      seen.insert(at2 ? 2 : 3);
      const auto client = (at2 ? *s2_ : *s3_).clients().back();
      if (source && client != *source) return "the server saw " + client.to_string();
    }
    if (seen == servers) return std::nullopt;
    return fmt::format("{} of {} servers answered, or others", seen.size(), servers.size());
  }
  Trouble is_refused(const Node& from, const Address& to, std::uint16_t number) {
    const auto trouble = tcp_exchange(from, to, number, 64, kQuick);
    if (!trouble) return "it is answered";
    return trouble->find("refused") != std::string::npos ? std::nullopt : trouble;
  }
  std::uint64_t counted(const std::string& on, const std::string& rule) {
    std::uint64_t packets = 0;
    for (const auto& one : nft::list_rules(worker(on).netns(), kTable))
      if (one.comment == rule && one.counter) packets += one.counter->packets;
    return packets;
  }
  /// Neither answered nor refused, and the rule with that comment on that worker has counted it.
  Trouble is_dropped(const Node& from, const Address& to, std::uint16_t number, const std::string& on,
                     const std::string& rule) try {
    const auto before = counted(on, rule);
    const auto trouble = tcp_exchange(from, to, number, 64, kQuick);
    if (!trouble) return "it is answered";
    if (trouble->find("refused") != std::string::npos) return trouble;
    return counted(on, rule) > before ? Trouble() : "nothing was dropped by: " + rule;
  } catch (const nft::Error& error) {
    return error.what();
  }

  /// What the probe says while no worker has any rule; the proxies stand still meanwhile.
  Trouble without_rules(const std::function<Trouble()>& probe) {
    for (const char* name : {"w1", "w2"}) {
      proxy(name).process().signal(SIGSTOP);
      nft::Batch batch;
      batch.ensure_absent(kTable).commit(worker(name).netns());
    }
    auto trouble = probe();
    for (const char* name : {"w1", "w2"}) proxy(name).process().signal(SIGCONT);
    for (const char* name : {"w1", "w2"})
      eventually([&]() -> std::optional<std::string> {
        if (nft::exists(worker(name).netns(), kTable) && !nft::list_rules(worker(name).netns(), kTable).empty())
          return std::nullopt;
        return std::string("the rules of ") + name;
      });
    return trouble;
  }

  std::optional<apiserver::Client> api_;
  std::optional<EchoServer> s2_, s3_, other_;
};

TEST_F(KubeProxies, DoWhatUpstreamsTestsDemand) {
  const auto np = [](json spec) {
    spec["type"] = "NodePort";
    auto one = port();
    one["nodePort"] = kNodePort;
    spec["ports"] = json::array({one});
    return spec;
  };
  // Both containers, without a selector: those of the other server's port aren't asked for.
  const auto both = [&] { return std::vector<json>{endpoint(c2()), endpoint(c3())}; };
  const auto w1 = worker("w1").address();
  const auto w2 = worker("w2").address();
  const auto all = [](std::initializer_list<Trouble> troubles) -> Trouble {
    for (const auto& trouble : troubles)
      if (trouble) return trouble;
    return std::nullopt;
  };
  std::string page;
  /// Prepares, probes, and probes again without the rules.
  const auto row = [&](const char* name, const char* demand, const std::function<std::function<Trouble()>()>& prepare) {
    SCOPED_TRACE(name);
    const auto probe = prepare();
    const auto trouble = probe();
    EXPECT_EQ(trouble, std::nullopt);
    const bool control = without_rules(probe).has_value();
    EXPECT_TRUE(control) << "it holds without any rule, and proves nothing";
    page += fmt::format("| {} | {} | {} | not run here |\n", name, demand, !trouble && control ? "✓" : "✗");
    forget();
  };

  row("should serve a basic endpoint from pods", "a selector's pods answer at the cluster IP", [&] {
    const auto ip = serve(selecting("c2"));
    return [&, ip] { return reaches(c1(), ip, 80, {2}); };
  });
  row("should serve multiport endpoints from pods", "each port leads to its own target port", [&] {
    auto spec = selecting("c2");
    spec["ports"] = json::array({port("a"), port("b", "TCP", 81, kOtherServed)});
    const auto ip = serve(spec);
    return [&, ip] { return all({reaches(c1(), ip, 80, {2}), tcp_exchange(c1(), ip, 81, 64, kQuick)}); };
  });
  row("should serve endpoints on same port and different protocols", "80/TCP and 80/UDP at one cluster IP", [&] {
    auto spec = selecting("c2");
    spec["ports"] = json::array({port("t"), port("u", "UDP")});
    const auto ip = serve(spec);
    return [&, ip] { return all({reaches(c1(), ip, 80, {2}), udp_exchange(c1(), ip, 80, 64, kQuick)}); };
  });
  row("should preserve source pod IP for traffic thru service cluster IP",
      "the server sees the pod, on another node and on its own", [&] {
        const auto ip = serve(selecting("c2"));
        return [&, ip] {
          return all({reaches(c1(), ip, 80, {2}, c1().address()), reaches(c3(), ip, 80, {2}, c3().address())});
        };
      });
  row("should allow pods to hairpin back to themselves through services", "a pod that is its own only endpoint", [&] {
    const auto ip = serve(selecting("c2"));
    return [&, ip] { return reaches(c2(), ip, 80, {2}); };
  });
  row("should be rejected when no endpoints exist", "refused at once, for pods and nodes", [&] {
    const auto ip = serve({});
    return [&, ip] { return all({is_refused(c1(), ip, 80), is_refused(worker("w2"), ip, 80)}); };
  });
  row("Granular Checks: Services: pod-Service, node-Service, endpoint-Service: http",
      "every kind of client reaches every endpoint", [&] {
        const auto ip = serve({}, both());
        return [&, ip] {
          return all({reaches(c1(), ip, 80, {2, 3}), reaches(worker("w1"), ip, 80, {2, 3}),
                      reaches(worker("w2"), ip, 80, {2, 3}), reaches(c2(), ip, 80, {2, 3})});
        };
      });
  row("Granular Checks: Services: should handle large requests: udp", "a datagram of 2,000 bytes", [&] {
    const auto ip = serve({{"ports", json::array({port("u", "UDP")})}}, {endpoint(c2())});
    return [&, ip] { return udp_exchange(c1(), ip, 80, 2'000, kQuick); };
  });
  row("should be able to create a functioning NodePort service", "at every node, for all clients", [&] {
    serve(np({}), both());
    return [&] {
      return all({reaches(outside(), w1, kNodePort, {2, 3}), reaches(outside(), w2, kNodePort, {2, 3}),
                  reaches(c1(), w2, kNodePort, {2, 3}), reaches(worker("w1"), w1, kNodePort, {2, 3})});
    };
  });
  row("should be possible to connect to a service via ExternalIP when the external IP is not assigned to a node",
      "spec.externalIPs", [&] {
        const auto ip = parse_address("203.0.113.250");
        serve({{"externalIPs", {ip.to_string()}}}, both());
        return [&, ip] { return reaches(c1(), ip, 80, {2, 3}); };
      });
  row("should be able to change the type from ExternalName to ClusterIP", "rules come with the type", [&] {
    api_->must("POST", kServices,
               {{"metadata", {{"name", "web"}}}, {"spec", {{"type", "ExternalName"}, {"externalName", "a.example"}}}});
    change({{"spec",
             {{"type", "ClusterIP"},
              {"externalName", nullptr},
              {"ports", json::array({port()})},
              {"selector", {{"knetsim.io/container", "c2"}}}}}});
    const auto ip =
        parse_address(api_->must("GET", std::string(kServices) + "/web").body["spec"]["clusterIP"].get<std::string>());
    return [&, ip] { return reaches(c1(), ip, 80, {2}); };
  });
  row("should be updated after adding or deleting ports", "the new port is served, the old one refused", [&] {
    auto spec = selecting("c2");
    spec["ports"] = json::array({port("a")});
    const auto ip = serve(spec);
    change({{"spec", {{"ports", json::array({port("b", "TCP", 81)})}}}});
    return [&, ip] { return all({reaches(c1(), ip, 81, {2}), is_refused(c1(), ip, 80)}); };
  });
  for (const bool node_port : {false, true}) {
    row(node_port ? "should have session affinity work for NodePort service"
                  : "should have session affinity work for service with type clusterIP",
        "15 requests, one endpoint; off: both", [&, node_port] {
          json spec{{"sessionAffinity", "ClientIP"}};
          const auto ip = serve(node_port ? np(spec) : spec, both());
          const auto to = node_port ? w1 : ip;
          const auto number = node_port ? kNodePort : std::uint16_t{80};
          return [&, to, number]() -> Trouble {
            const auto before = std::pair(s2_->flows(), s3_->flows());
            for (int i = 0; i < 15; ++i)
              if (auto trouble = tcp_exchange(c1(), to, number, 64, kQuick)) return trouble;
            if (s2_->flows() != before.first && s3_->flows() != before.second) return "both were asked";
            change({{"spec", {{"sessionAffinity", "None"}}}});
            auto trouble = reaches(c1(), to, number, {2, 3});
            change({{"spec", {{"sessionAffinity", "ClientIP"}}}});
            return trouble;
          };
        });
  }
  row("should respect internalTrafficPolicy=Local Pod to Pod", "a local endpoint, or dropped", [&] {
    const auto ip = serve({{"internalTrafficPolicy", "Local"}}, both());
    return [&, ip] {
      return all({reaches(c3(), ip, 80, {2, 3}), is_dropped(c1(), ip, 80, "w1", "no local endpoint")});
    };
  });
  row("should support externalTrafficPolicy=Local for type=NodePort", "the client's address, or dropped", [&] {
    serve(np({{"externalTrafficPolicy", "Local"}}), both());
    return [&] {
      return all({reaches(outside(), w2, kNodePort, {2, 3}, outside().address()),
                  is_dropped(outside(), w1, kNodePort, "w1", "no local endpoint")});
    };
  });
  row("should fallback to terminating endpoints when there are no ready endpoints with internalTrafficPolicy=Cluster",
      "serving and terminating ones answer where none is ready", [&] {
        const json terminating{{"ready", false}, {"serving", true}, {"terminating", true}};
        const auto ip = serve({}, {endpoint(c2(), terminating), endpoint(c3(), terminating)});
        return [&, ip] { return reaches(c1(), ip, 80, {2, 3}); };
      });
  row("should fallback to local terminating endpoints when there are no ready endpoints with "
      "internalTrafficPolicy=Local",
      "the local one of them", [&] {
        const json terminating{{"ready", false}, {"serving", true}, {"terminating", true}};
        const auto ip = serve({{"internalTrafficPolicy", "Local"}}, {endpoint(c2(), terminating), endpoint(c1())});
        return [&, ip] { return reaches(c3(), ip, 80, {2}); };
      });
  row("Traffic Distribution should route traffic to an endpoint in the same node when using PreferSameNode",
      "hints for nodes, and all where there is none for this one", [&] {
        const auto near = [](const char* name) { return json{{"forNodes", json::array({{{"name", name}}})}}; };
        const auto ip =
            serve({}, {endpoint(c2(), {{"ready", true}}, near("w1")), endpoint(c3(), {{"ready", true}}, near("w2"))});
        return [&, ip] { return all({reaches(c1(), ip, 80, {2}), reaches(c2(), ip, 80, {3})}); };
      });
  row("should only allow access from service loadbalancer source ranges", "others are dropped", [&] {
    const auto vip = parse_address("203.0.113.251");
    serve({{"type", "LoadBalancer"}, {"loadBalancerSourceRanges", {c1().address().to_string() + "/32"}}}, both(),
          {{"loadBalancer", {{"ingress", json::array({{{"ip", vip.to_string()}, {"ipMode", "VIP"}}})}}}});
    return [&, vip] {
      return all({reaches(c1(), vip, 80, {2, 3}), is_dropped(c3(), vip, 80, "w2", "outside of its source ranges")});
    };
  });
  row("Conntrack: should be able to preserve UDP traffic when server pod cycles for a ClusterIP service",
      "a client that keeps its socket moves to the endpoint that lives", [&] {
        const auto ip = serve({{"ports", json::array({port("u", "UDP")})}}, {endpoint(c2())});
        return [&, ip]() -> Trouble {
          const Fd fd(c1().netns().run([] { return ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }));
          const timeval patience{0, 400'000};
          ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
          const boost::asio::ip::udp::endpoint to(ip, 80);
          const auto talk = [&] {
            char byte = 0;
            return ::sendto(fd.get(), "x", 1, 0, to.data(), static_cast<socklen_t>(to.size())) == 1 &&
                   ::recv(fd.get(), &byte, 1, 0) == 1;
          };
          const auto before = s3_->flows();
          if (!talk()) return "c2 doesn't answer";
          set_slice({endpoint(c3())});
          const bool moved = talk();
          set_slice({endpoint(c2())});
          if (!moved) return "c3 doesn't answer";
          return s3_->flows() > before ? Trouble() : "c3 wasn't asked";
        };
      });
  row("EndpointSlice: an address that isn't given to a service", "dropped, not led out", [&] {
    serve({}, both());
    const auto nobody = parse_address("10.96.255.254");
    return [&, nobody] { return is_dropped(c1(), nobody, 80, "w1", "nobody's cluster IP"); };
  });

  expect_golden(KNETSIM_CONFORMANCE_PAGE,
                "# Services: what upstream demands, and what is proven\n\n"
                "Made by `suite-kubeproxy` (`KNETSIM_UPDATE_GOLDEN=1` writes it anew), last on 2026-11-30. Each row "
                "was judged by packets in the\n"
                "kernel: ✓ if it held with `knetsim-kube-proxy`, and was seen to fail when the rules were taken away. "
                "The names are those of upstream's\n"
                "[sig-network] tests.\n\n"
                "| behaviour | demands | builtin | real |\n|---|---|---|---|\n" +
                    page);
}

TEST_F(KubeProxies, ServeWhatKubectlExposes) {
  const auto exposed = exec(
      Emulation::kubectl({"expose", "pod", "c2", "--name=web", "--port=80", "--target-port=7000"}), kExecTimeout, {});
  ASSERT_TRUE(exposed.ok()) << exposed.err;
  const auto made = api_->must("GET", std::string(kServices) + "/web").body;
  wait(apiserver::revision_of(made), 0);
  wait_for_selected();
  const auto ip = parse_address(made["spec"]["clusterIP"].get<std::string>());
  for (const Node* from : std::initializer_list<const Node*>{&c1(), &c3(), &worker("w1"), &worker("w2")})
    EXPECT_EQ(reaches(*from, ip, 80, {2}), std::nullopt) << from->name();
}

TEST_F(KubeProxies, BreakNothingWhenTheyAreKilledAndComeBack) {
  const auto ip = serve({}, {endpoint(c2()), endpoint(c3())});
  std::vector<TcpStream> open;
  for (int i = 0; i < 100; ++i) open.push_back(TcpStream::connect(c1(), ip, 80));
  const auto all_answer = [&] {
    for (auto& stream : open) {
      stream.send("x");
      ASSERT_EQ(stream.receive(1), "x");
    }
  };
  all_answer();
  for (const char* name : {"w1", "w2"}) proxy(name).kill();
  all_answer();
  for (const auto& trouble : tcp_exchanges(c1(), ip, 80, 200, 64, kTrafficBudget)) EXPECT_EQ(trouble, std::nullopt);
  for (const char* name : {"w1", "w2"}) proxy(name).restart();
  wait(1, 1);  // what it finds there is the old state
  set_slice({endpoint(c2())});
  all_answer();
  EXPECT_EQ(reaches(c1(), ip, 80, {2}), std::nullopt) << "and changes are followed again";
  EXPECT_THAT(read_file(worker("w1").directory() / "kube-proxy.log"), HasSubstr("all of it stood already"));
}

TEST_F(KubeProxies, RepairWhatOthersDoToTheirTable) {
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
  for (const char* name :
       {"service-ips", "local-ips", "external-local", "masquerade", "no-endpoints", "no-local-endpoints", "cluster-ips",
        "endpoints", "endpoint-ids", "endpoints-by-id", "hairpin", "firewall-ips", "firewall-allowed", "balancers"})
    for (const auto& element : nft::list_elements(netns, {kTable, name}))
      all.insert(
          fmt::format("{} {} {}", name, element.key.to_string(), element.value ? element.value->to_string() : ""));
  return all;
}

TEST_F(KubeProxies, LoseNoConnectionAndLeaveNothingBehindInAStormOfChanges) {
  const auto ip = serve({}, {endpoint(c2()), endpoint(c3())});
  std::atomic<bool> over = false;
  std::atomic<int> connections = 0;
  std::mutex mutex;
  std::vector<std::string> troubles;
  std::vector<std::thread> clients;
  for (const Node* from : std::initializer_list<const Node*>{&c1(), &c1(), &worker("w1"), &worker("w2"), &c3()})
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
  for (int change = 0; change < kStorm; ++change) {
    if (change % 10 == 9) put_slice({endpoint(c1(), {{"ready", false}}), endpoint(c2()), endpoint(c3())});
    last = put_slice({change % 2 == 0 ? endpoint(c2()) : endpoint(c3())});
  }
  wait(0, last);
  over = true;
  for (auto& client : clients) client.join();
  EXPECT_THAT(troubles, testing::IsEmpty()) << "of " << connections << " connections";
  EXPECT_GT(connections, 100);
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

TEST_F(KubeProxies, TellTheirHealthAndThatOfLocalServices) {
  json spec{{"type", "LoadBalancer"}, {"externalTrafficPolicy", "Local"}};
  serve(spec, {endpoint(c2()), endpoint(c3())});
  const auto made = api_->must("GET", std::string(kServices) + "/web").body;
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

}  // namespace
}  // namespace knetsim::fixtures
