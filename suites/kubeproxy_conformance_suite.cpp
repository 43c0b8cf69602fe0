// What upstream's [sig-network] tests demand of a kube-proxy, judged by packets.
//
// Each behaviour is a row, with a control: where the rules are taken away, the same probe must fail. The rows make
// docs/service-conformance.md (KNETSIM_UPDATE_GOLDEN=1 writes the column of the flavour that was run anew).

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <boost/asio/ip/udp.hpp>
#include <cstdlib>
#include <map>

#include "knetsim/fixtures/golden.h"
#include "knetsim/fixtures/sctp.h"
#include "knetsim/nft/ruleset.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "kubeproxy_lab.h"

namespace knetsim::fixtures {
namespace {

using nlohmann::json;

constexpr std::uint16_t kNodePort = 30'080;
constexpr auto kNotRun = "not run here";

struct Row {
  std::string name;
  std::string demand;
  std::string result;  ///< "✓", "✗"
};

/// What the probe says when it has nothing more to say, or after a while: what a controller does isn't waited for.
Trouble settled(const std::function<Trouble()>& probe) {
  Trouble last;
  try {
    eventually([&] { return last = probe(); }, std::chrono::seconds(3));
  } catch (const StillMissing&) {
    return last;
  }
  return std::nullopt;
}

/// The last two columns of each row of the page as it is, by its name.
std::map<std::string, std::pair<std::string, std::string>> results_on_page() {
  std::map<std::string, std::pair<std::string, std::string>> results;
  std::istringstream page(read_file(KNETSIM_CONFORMANCE_PAGE));
  for (std::string line; std::getline(page, line);) {
    std::vector<std::string> cells;
    std::string::size_type begin = 2;
    for (auto end = line.find(" |", begin); end != std::string::npos; end = line.find(" |", begin)) {
      cells.push_back(line.substr(begin, end - begin));
      begin = end + 3;
      if (begin >= line.size()) break;
    }
    if (cells.size() == 4) results[cells[0]] = {cells[2], cells[3]};
  }
  return results;
}

/// The page with what this flavour was seen to do; what it says of the other one stays.
std::string page_with(const std::vector<Row>& rows, Flavour flavour) {
  const auto before = results_on_page();
  std::string page =
      "# Services: what upstream demands, and what is proven\n\n"
      "Made by `suite-kubeproxy` (`KNETSIM_UPDATE_GOLDEN=1` writes it anew), last on 2026-11-30. Each row was judged "
      "by "
      "packets in the\n"
      "kernel: ✓ if it held, and was seen to fail when the rules were taken away. `builtin` is `knetsim-kube-proxy`, "
      "`real` the kube-proxy that\n"
      "`KNETSIM_KUBE_PROXY` names. The names are those of upstream's [sig-network] tests.\n\n"
      "| behaviour | demands | builtin | real |\n|---|---|---|---|\n";
  for (const auto& row : rows) {
    const auto found = before.find(row.name);
    auto [builtin, real] =
        found == before.end() ? std::pair<std::string, std::string>{kNotRun, kNotRun} : found->second;
    (flavour == Flavour::builtin ? builtin : real) = row.result;
    page += fmt::format("| {} | {} | {} | {} |\n", row.name, row.demand, builtin, real);
  }
  return page;
}

TEST_P(KubeProxies, DoWhatUpstreamsTestsDemand) {
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
  std::vector<Row> rows;
  /// Prepares, probes, and probes again without the rules.
  const auto row = [&](const char* name, const char* demand, const std::function<std::function<Trouble()>()>& prepare) {
    SCOPED_TRACE(name);
    const auto probe = prepare();
    const auto trouble = probe();
    EXPECT_EQ(trouble, std::nullopt);
    const bool control = without_rules(probe).has_value();
    EXPECT_TRUE(control) << "it holds without any rule, and proves nothing";
    rows.push_back({name, demand, !trouble && control ? "✓" : "✗"});
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
    api().must("POST", kServices,
               {{"metadata", {{"name", "web"}}}, {"spec", {{"type", "ExternalName"}, {"externalName", "a.example"}}}});
    change({{"spec",
             {{"type", "ClusterIP"},
              {"externalName", nullptr},
              {"ports", json::array({port()})},
              {"selector", {{"knetsim.io/container", "c2"}}}}}});
    const auto ip =
        parse_address(api().must("GET", std::string(kServices) + "/web").body["spec"]["clusterIP"].get<std::string>());
    return [&, ip] { return reaches(c1(), ip, 80, {2}); };
  });
  row("should be able to change the type from ClusterIP to ExternalName", "rules go with the type", [&] {
    const auto ip = serve(selecting("c2"));
    change(
        {{"spec",
          {{"type", "ExternalName"}, {"externalName", "a.example"}, {"clusterIP", nullptr}, {"clusterIPs", nullptr}}}});
    const auto gone = is_dropped(c1(), ip, 80, "w1", "nobody's cluster IP");
    change({{"spec", {{"type", "ClusterIP"}, {"externalName", nullptr}, {"clusterIP", ip.to_string()}}}});
    return [&, ip, gone] { return all({gone, reaches(c1(), ip, 80, {2})}); };
  });
  row("should be able to up and down services", "another one stays, and one of the same name is served anew", [&] {
    const auto first = serve(selecting("c2"));
    forget();
    const auto gone = is_dropped(c1(), first, 80, "w1", "nobody's cluster IP");
    const auto ip = serve(selecting("c3"));
    return [&, ip, gone] { return all({gone, reaches(c1(), ip, 80, {3})}); };
  });
  row("should implement service.kubernetes.io/service-proxy-name",
      "its services are another's, while the label is there", [&] {
        const auto ip = serve({}, both());
        const auto label = [&](const json& value) {
          api().must("PATCH", std::string(kServices) + "/web",
                     {{"metadata", {{"labels", {{"service.kubernetes.io/service-proxy-name", value}}}}}},
                     "application/merge-patch+json");
        };
        return [&, ip, label]() -> Trouble {
          if (auto trouble = reaches(c1(), ip, 80, {2, 3})) return trouble;
          label("another");
          const auto left = settled([&] { return is_dropped(c1(), ip, 80, "w1", "nobody's cluster IP"); });
          label(nullptr);
          return left ? left : settled([&] { return reaches(c1(), ip, 80, {2, 3}); });
        };
      });
  row("should be able to update service type to NodePort listening on same port number but different protocols",
      "a node port for TCP and for UDP", [&] {
        auto spec = np({});
        auto udp = port("u", "UDP");
        udp["nodePort"] = kNodePort;
        spec["ports"].push_back(udp);
        spec["ports"][0]["name"] = "t";
        spec["selector"] = {{"knetsim.io/container", "c2"}};
        serve(spec);
        return [&] {
          return all({reaches(outside(), w1, kNodePort, {2}), udp_exchange(outside(), w1, kNodePort, 64, kQuick)});
        };
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
            const auto before = std::pair(s2().flows(), s3().flows());
            for (int i = 0; i < 15; ++i)
              if (auto trouble = tcp_exchange(c1(), to, number, 64, kQuick)) return trouble;
            if (s2().flows() != before.first && s3().flows() != before.second) return "both were asked";
            change({{"spec", {{"sessionAffinity", "None"}}}});
            auto trouble = reaches(c1(), to, number, {2, 3});
            change({{"spec", {{"sessionAffinity", "ClientIP"}}}});
            return trouble;
          };
        });
  }
  // How long a client is kept can be seen there alone.
  if (GetParam() == Flavour::builtin)
    row("should have session affinity timeout work for service with type clusterIP",
        "a client that has been away for longer is another one", [&] {
          const auto ip = serve(
              {{"sessionAffinity", "ClientIP"}, {"sessionAffinityConfig", {{"clientIP", {{"timeoutSeconds", 1}}}}}},
              both());
          return [&, ip]() -> Trouble {
            for (std::set<int> seen; seen.size() < 2;) {
              const auto before = s2().flows();
              if (auto trouble = tcp_exchange(c1(), ip, 80, 64, kQuick)) return trouble;
              seen.insert(s2().flows() > before ? 2 : 3);
              eventually([&]() -> std::optional<std::string> {
                if (nft::list_elements(worker("w1").netns(), {kTable, "clients"}).empty()) return std::nullopt;
                return "the end of the client's affinity";
              });
            }
            return std::nullopt;
          };
        });
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
  row("should fallback to terminating endpoints when there are no ready endpoints with externalTrafficPolicy=Cluster",
      "from outside, too", [&] {
        const json terminating{{"ready", false}, {"serving", true}, {"terminating", true}};
        serve(np({}), {endpoint(c2(), terminating), endpoint(c3(), terminating)});
        return [&] { return reaches(outside(), w1, kNodePort, {2, 3}); };
      });
  row("should fallback to local terminating endpoints when there are no ready endpoints with "
      "externalTrafficPolicy=Local",
      "the local one of them, which sees the client", [&] {
        const json terminating{{"ready", false}, {"serving", true}, {"terminating", true}};
        serve(np({{"externalTrafficPolicy", "Local"}}), {endpoint(c2(), terminating), endpoint(c1())});
        return [&] { return reaches(outside(), w2, kNodePort, {2}, outside().address()); };
      });
  row("should be able to connect to terminating and unready endpoints if PublishNotReadyAddresses is true",
      "served with it, refused without", [&] {
        auto spec = selecting("c2");
        spec["publishNotReadyAddresses"] = true;
        const auto ip = serve(spec);
        const auto ready = [&](bool is) {
          api().must("PATCH", "/api/v1/namespaces/default/pods/c2/status",
                     {{"status", {{"conditions", {{{"type", "Ready"}, {"status", is ? "True" : "False"}}}}}}},
                     "application/strategic-merge-patch+json");
        };
        return [&, ip, ready]() -> Trouble {
          if (auto trouble = reaches(c1(), ip, 80, {2})) return trouble;
          ready(false);
          change({{"spec", {{"publishNotReadyAddresses", false}}}});
          const auto refused = settled([&] { return is_refused(c1(), ip, 80); });
          change({{"spec", {{"publishNotReadyAddresses", true}}}});
          const auto served = refused ? refused : settled([&] { return reaches(c1(), ip, 80, {2}); });
          ready(true);
          return served;
        };
      });
  row("EndpointSlice: hints for nodes that somebody has written", "are followed by each node", [&] {
    const auto near = [](const char* name) { return json{{"forNodes", json::array({{{"name", name}}})}}; };
    const auto ip =
        serve({}, {endpoint(c2(), {{"ready", true}}, near("w1")), endpoint(c3(), {{"ready", true}}, near("w2"))});
    return [&, ip] { return all({reaches(c1(), ip, 80, {2}), reaches(c2(), ip, 80, {3})}); };
  });
  for (const char* preferred : {"PreferClose", "PreferSameZone", "PreferSameNode"}) {
    const std::string kind = preferred == std::string("PreferSameNode") ? "node" : "zone";
    const auto name = fmt::format(
        "Traffic Distribution should route traffic to an endpoint in the same {} when using {}", kind, preferred);
    row(name.c_str(), "hints that the controller writes, and all where there is no endpoint that near", [&] {
      const auto patch = [&](const std::string& path, const json& labels) {
        api().must("PATCH", path, {{"metadata", {{"labels", labels}}}}, "application/merge-patch+json");
      };
      const auto label_pod = [patch](const char* pod, const json& value) {
        patch(std::string("/api/v1/namespaces/default/pods/") + pod, {{"near", value}});
      };
      for (const auto& [worker, zone] : {std::pair{"w1", "a"}, {"w2", "b"}})
        patch(std::string("/api/v1/nodes/") + worker,
              {{"topology.kubernetes.io/zone", kind == "zone" ? json(zone) : json()}});
      for (const char* pod : {"c1", "c2"}) label_pod(pod, "yes");
      auto s1 = std::make_shared<EchoServer>(c1(), kServed);
      const auto ip = serve({{"selector", {{"near", "yes"}}}, {"trafficDistribution", preferred}});
      const auto only = [&, ip](const Node& from, EchoServer& server) -> Trouble {
        for (int i = 0; i < 8; ++i) {
          const auto before = server.flows();
          if (auto trouble = tcp_exchange(from, ip, 80, 64, kQuick)) return trouble;
          if (server.flows() == before) return "one that is farther away answered";
        }
        return std::nullopt;
      };
      const auto near = [&, s1, only] { return all({only(worker("w1"), *s1), only(c3(), s2())}); };
      const auto at_first = settled(near);
      label_pod("c1", nullptr);
      const auto far = settled([&] { return only(worker("w1"), s2()); });
      label_pod("c1", "yes");
      const auto again = settled(near);
      return [=] { return all({at_first, far, again, near()}); };
    });
  }
  row("SCTP should allow creating a basic SCTP service with pod and endpoints", "INIT and INIT ACK cross, as packets",
      [&] {
        auto made = port("s", "SCTP");
        auto spec = selecting("c2");
        spec["ports"] = json::array({made});
        const auto ip = serve(spec);
        return [&, ip] { return lab::sctp_exchange(c1().netns(), ip, 80, c2().netns(), kServed); };
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
          const auto before = s3().flows();
          if (!talk()) return "c2 doesn't answer";
          set_slice({endpoint(c3())});
          const bool moved = talk();
          set_slice({endpoint(c2())});
          if (!moved) return "c3 doesn't answer";
          return s3().flows() > before ? Trouble() : "c3 wasn't asked";
        };
      });
  // Upstream knows of the range from objects that these servers don't have.
  if (GetParam() == Flavour::builtin)
    row("EndpointSlice: an address that isn't given to a service", "dropped, not led out", [&] {
      serve({}, both());
      const auto nobody = parse_address("10.96.255.254");
      return [&, nobody] { return is_dropped(c1(), nobody, 80, "w1", "nobody's cluster IP"); };
    });

  if (GetParam() == Flavour::builtin) expect_golden(KNETSIM_CONFORMANCE_PAGE, page_with(rows, Flavour::builtin));
  if (GetParam() == Flavour::real && std::getenv("KNETSIM_UPDATE_GOLDEN") != nullptr)
    write_file_atomically(KNETSIM_CONFORMANCE_PAGE, page_with(rows, Flavour::real), 0644);
}

}  // namespace
}  // namespace knetsim::fixtures
