// Services by packets: who answers, who is refused, who is dropped, and what source the server sees. The rows of
// traffic policies are those of upstream's pkg/proxy/nftables/proxier_test.go (TrafficPolicies, TerminatingEndpoints).
#include "knetsim/kubeproxy/services.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <cerrno>
#include <cstring>
#include <regex>
#include <set>

#include "knetsim/fixtures/packet_lab.h"
#include "knetsim/fixtures/sctp.h"
#include "knetsim/kubeproxy/program.h"
#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/route.h"
#include "knetsim/nft/ruleset.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/sysctl.h"

namespace knetsim::kubeproxy {
namespace {

using lab::Hit;
using lab::Lab;
using lab::Protocol;
using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

const Complain kFails = [](const std::string& object, const std::string& why) {
  ADD_FAILURE() << object << ": " << why;
};

/// A proxy on the router of a lab. Servers 0 and 1 are endpoints, 0 on this node; server 2 is a pod here, the lab's
/// client comes from outside.
struct ServicesTest : testing::TestWithParam<bool> {
  bool v6 = GetParam();
  Lab lab{3};
  NodeFacts node{.name = "here",
                 .addresses = {Lab::router_address(v6)},
                 .node_port_addresses = {Lab::router_address(v6)},
                 .pod_networks = {parse_network(v6 ? "fd02::/16" : "10.2.0.0/16")},
                 .service_networks = {parse_network(v6 ? "fd96::/64" : "10.96.0.0/16")}};
  nft::Family family = v6 ? nft::Family::ip6 : nft::Family::ip;
  std::optional<Program> program;

  Address cluster_ip(int number = 1) const {
    return parse_address(v6 ? fmt::format("fd96::{}", number) : fmt::format("10.96.0.{}", number));
  }
  Address lb_ip() const { return parse_address(v6 ? "fd99::1" : "1.2.3.4"); }
  Address external_ip() const { return parse_address(v6 ? "fd99::2" : "192.168.99.1"); }

  json service(const json& spec = json::object(), int number = 1, const std::string& name = "web") const {
    json made{{"metadata", {{"namespace", "shop"}, {"name", name}}},
              {"spec",
               {{"type", "ClusterIP"},
                {"clusterIP", cluster_ip(number).to_string()},
                {"clusterIPs", {cluster_ip(number).to_string()}},
                {"ports", {{{"name", "u"}, {"protocol", "UDP"}, {"port", 80}}, {{"name", "t"}, {"port", 80}}}}}}};
    made["spec"].merge_patch(spec);
    return made;
  }
  json exposed(const char* type, const json& spec = json::object()) const {
    auto made = service(spec);
    made["spec"]["type"] = type;
    made["spec"]["ports"][0]["nodePort"] = 30'080;
    made["spec"]["ports"][1]["nodePort"] = 30'080;
    if (type == std::string("LoadBalancer"))
      made["status"]["loadBalancer"]["ingress"] = {{{"ip", lb_ip().to_string()}}};
    return made;
  }
  json endpoint(int server, const json& conditions = {{"ready", true}}) const {
    return {{"addresses", {Lab::server_address(server, v6).to_string()}},
            {"conditions", conditions},
            {"nodeName", server == 1 ? "there" : "here"}};
  }
  json slice(const std::vector<json>& endpoints) const {
    return {
        {"metadata", {{"namespace", "shop"}, {"name", "s"}, {"labels", {{"kubernetes.io/service-name", "web"}}}}},
        {"addressType", v6 ? "IPv6" : "IPv4"},
        {"endpoints", endpoints},
        {"ports", {{{"name", "u"}, {"protocol", "UDP"}, {"port", Lab::kPort}}, {{"name", "t"}, {"port", Lab::kPort}}}}};
  }

  /// What nobody translates leaves the router.
  void SetUp() override {
    netlink::Socket socket(lab.router());
    const int outside = netlink::get_link(socket, "server0").index;
    for (const auto* range : v6 ? std::array{"fd96::/64", "fd99::/64"} : std::array{"10.96.0.0/16", "0.0.0.0/0"})
      netlink::add_route(socket, {.destination = parse_network(range), .interface = outside});
    // All that is refused here is refused to the same three.
    lab.router().run([] {
      write_sysctl("net.ipv4.icmp_ratelimit", "0");
      write_sysctl("net.ipv6.icmp.ratelimit", "0");
    });
  }

  void serve(const json& object, const std::vector<json>& endpoints, const Complain& complain = kFails) {
    if (!program) program.emplace(lab.router(), services_layout(family, node));
    Backends backends;
    add_slice(backends, slice(endpoints), complain);
    const auto spec = read_service(object, complain);
    program->ledger().set(Informed::key_of(object),
                          spec ? service_entries(*spec, backends, node, family, complain) : Desired{});
    program->write();
  }
  struct Informed {
    static std::string key_of(const json& object) { return "shop/" + object["metadata"]["name"].get<std::string>(); }
  };

  /// What answers: every one of `expected`, and nobody else. The source that each sees goes to `sources`. Refused once
  /// is refused always; a connection over IPv6 hears of it with its second SYN, a second later.
  std::set<int> answering(const NetNs& from, const Address& to, std::uint16_t port, std::size_t expected,
                          std::set<Address>* sources = nullptr) {
    std::set<int> servers;
    for (int i = 0; i < 60 && (servers.size() < expected || i < (servers.contains(-1) ? 2 : 10)); ++i) {
      const auto hit = lab.flow(from, i % 2 == 0 ? Protocol::tcp : Protocol::udp, to, port);
      servers.insert(hit ? hit->server : -1);
      if (hit && sources != nullptr) sources->insert(hit->source);
    }
    return servers;
  }

  std::uint64_t counted(const std::string& comment) const {
    std::uint64_t packets = 0;
    for (const auto& rule : nft::list_rules(lab.router(), nft::TableId{family, kTableName}))
      if (rule.comment == comment && rule.counter) packets += rule.counter->packets;
    return packets;
  }
  /// How many of two packets the rule with that comment drops, without a word.
  std::uint64_t dropped(const NetNs& from, const Address& to, std::uint16_t port, const std::string& comment) const {
    const auto before = counted(comment);
    for (int i = 0; i < 2; ++i) {
      const Fd fd(from.run([&] { return ::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }));
      const boost::asio::ip::udp::endpoint target(to, port);
      EXPECT_EQ(::connect(fd.get(), target.data(), static_cast<socklen_t>(target.size())), 0);
      // One that the node itself drops is refused to its sender.
      const bool sent = ::send(fd.get(), "x", 1, 0) == 1;
      EXPECT_TRUE(sent || errno == EPERM) << std::strerror(errno);
      int told = 0;
      socklen_t size = sizeof told;
      ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &told, &size);
      EXPECT_EQ(told, 0) << "it is refused";
    }
    return counted(comment) - before;
  }

  const NetNs& pod() const { return lab.server(2); }
  const NetNs& outside() const { return lab.client(); }
  const NetNs& here() const { return lab.router(); }
};

TEST_P(ServicesTest, AClusterIpLeadsToEveryEndpointAndKeepsThePodsAddress) {
  serve(service(), {endpoint(0), endpoint(1)});
  std::set<Address> sources;
  EXPECT_EQ(answering(pod(), cluster_ip(), 80, 2, &sources), (std::set{0, 1}));
  EXPECT_EQ(sources, std::set{Lab::server_address(2, v6)});
  EXPECT_EQ(answering(here(), cluster_ip(), 80, 2), (std::set{0, 1}));
  sources.clear();
  EXPECT_EQ(answering(outside(), cluster_ip(), 80, 2, &sources), (std::set{0, 1}));
  EXPECT_FALSE(sources.contains(Lab::client_address(v6))) << "the answer must come back through this node";
  program->ledger().set("shop/web", {});
  program->write();
  EXPECT_EQ(dropped(pod(), cluster_ip(), 80, "nobody's cluster IP"), 2U);
}

TEST_P(ServicesTest, PortsAndAddressesThatNobodyServesAreRefusedOrDropped) {
  serve(service(), {endpoint(0)});
  EXPECT_EQ(answering(pod(), cluster_ip(), 81, 1), std::set{-1}) << "undefined port: rejected";
  EXPECT_EQ(answering(here(), cluster_ip(), 81, 1), std::set{-1});
  EXPECT_EQ(dropped(pod(), cluster_ip(7), 80, "nobody's cluster IP"), 2U);
  EXPECT_EQ(dropped(here(), cluster_ip(7), 80, "nobody's cluster IP"), 2U);
  serve(service(), {});
  EXPECT_EQ(answering(pod(), cluster_ip(), 80, 1), std::set{-1}) << "no endpoint: rejected";
  EXPECT_EQ(answering(here(), cluster_ip(), 80, 1), std::set{-1});
  serve(service(), {endpoint(1)});
  EXPECT_EQ(answering(pod(), cluster_ip(), 80, 1), std::set{1}) << "and back";
}

TEST_P(ServicesTest, AnEndpointReachesItself) {
  serve(service(), {endpoint(0)});
  std::set<Address> sources;
  EXPECT_EQ(answering(lab.server(0), cluster_ip(), 80, 1, &sources), std::set{0});
  EXPECT_EQ(sources, std::set{Lab::router_address_at(0, v6)});
  const auto pairs = [&] { return nft::list_elements(lab.router(), {{family, kTableName}, "hairpin"}).size(); };
  serve(service(), {endpoint(0), endpoint(1)});
  EXPECT_EQ(pairs(), 1U) << "what the other one sends to itself is translated on its own node";
  auto local = exposed("NodePort");
  local["spec"]["externalTrafficPolicy"] = "Local";
  serve(local, {endpoint(1)});
  EXPECT_EQ(answering(lab.server(1), Lab::router_address(v6), 30'080, 1), std::set{1}) << "by another node's port";
}

enum class Policy { cluster, local };
enum class From { pod, node, outside };
constexpr int kDrop = -2;
constexpr int kReject = -1;

struct PolicyRow {
  const char* name;
  const char* to;  // "cluster", "node", "lb", "external"
  Policy internal;
  Policy external;
  std::vector<int> endpoints;
  From from;
  std::set<int> answers;
  bool masqueraded = false;
};

TEST_P(ServicesTest, TrafficPolicies) {
  const auto c = Policy::cluster;
  const auto l = Policy::local;
  const std::vector<PolicyRow> rows{
      {"internal Cluster", "cluster", c, c, {0, 1}, From::pod, {0, 1}},
      {"internal Local", "cluster", l, c, {0, 1}, From::pod, {0}},
      {"internal Local, node", "cluster", l, c, {0, 1}, From::node, {0}},
      {"internal Local, no local endpoint", "cluster", l, c, {1}, From::pod, {kDrop}},
      {"internal Local, no local endpoint, node", "cluster", l, c, {1}, From::node, {kDrop}},
      {"internal Local, no endpoint", "cluster", l, c, {}, From::pod, {kReject}},
      {"external Local doesn't touch the cluster IP", "cluster", c, l, {1}, From::pod, {1}},
      {"NodePort, pod", "node", c, c, {0, 1}, From::pod, {0, 1}, true},
      {"NodePort, node", "node", c, c, {0, 1}, From::node, {0, 1}, true},
      {"NodePort, outside", "node", c, c, {0, 1}, From::outside, {0, 1}, true},
      {"NodePort Local, pod", "node", c, l, {0, 1}, From::pod, {0, 1}},
      {"NodePort Local, node", "node", c, l, {0, 1}, From::node, {0, 1}, true},
      {"NodePort Local, outside", "node", c, l, {0, 1}, From::outside, {0}},
      {"NodePort Local, no local endpoint, pod", "node", c, l, {1}, From::pod, {1}},
      {"NodePort Local, no local endpoint, node", "node", c, l, {1}, From::node, {1}, true},
      {"NodePort Local, no local endpoint, outside", "node", c, l, {1}, From::outside, {kDrop}},
      {"NodePort, internal Local", "node", l, c, {1}, From::outside, {1}, true},
      {"NodePort, no endpoint", "node", c, c, {}, From::outside, {kReject}},
      {"NodePort Local, no endpoint", "node", c, l, {}, From::outside, {kReject}},
      {"load balancer, pod", "lb", c, c, {0, 1}, From::pod, {0, 1}, true},
      {"load balancer, outside", "lb", c, c, {0, 1}, From::outside, {0, 1}, true},
      {"load balancer Local, pod", "lb", c, l, {0, 1}, From::pod, {0, 1}},
      {"load balancer Local, node", "lb", c, l, {0, 1}, From::node, {0, 1}, true},
      {"load balancer Local, outside", "lb", c, l, {0, 1}, From::outside, {0}},
      {"load balancer Local, no local endpoint, pod", "lb", c, l, {1}, From::pod, {1}},
      {"load balancer Local, no local endpoint, outside", "lb", c, l, {1}, From::outside, {kDrop}},
      {"load balancer, no endpoint", "lb", c, c, {}, From::outside, {kReject}},
      {"external IP, outside", "external", c, c, {0, 1}, From::outside, {0, 1}, true},
      {"external IP Local, outside", "external", c, l, {0, 1}, From::outside, {0}},
      {"external IP Local, pod", "external", c, l, {1}, From::pod, {1}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    auto object = exposed("LoadBalancer", {{"externalIPs", {external_ip().to_string()}}});
    if (row.internal == Policy::local) object["spec"]["internalTrafficPolicy"] = "Local";
    if (row.external == Policy::local) object["spec"]["externalTrafficPolicy"] = "Local";
    std::vector<json> endpoints;
    for (const int server : row.endpoints) endpoints.push_back(endpoint(server));
    serve(object, endpoints);
    const std::string what = row.to;
    const auto to = what == "cluster" ? cluster_ip()
                    : what == "node"  ? Lab::router_address(v6)
                    : what == "lb"    ? lb_ip()
                                      : external_ip();
    const std::uint16_t port = what == "node" ? 30'080 : 80;
    const auto& from = row.from == From::pod ? pod() : row.from == From::node ? here() : outside();
    if (row.answers.contains(kDrop)) {
      EXPECT_EQ(dropped(from, to, port, "no local endpoint"), 2U);
      continue;
    }
    std::set<Address> sources;
    EXPECT_EQ(answering(from, to, port, row.answers.size(), &sources), row.answers);
    if (row.answers.contains(kReject)) continue;
    // To another's address the node sends from that of the way out, masqueraded or not.
    if (row.from == From::node && what != "node") continue;
    const auto client = row.from == From::pod    ? Lab::server_address(2, v6)
                        : row.from == From::node ? Lab::router_address(v6)
                                                 : Lab::client_address(v6);
    EXPECT_EQ(sources.contains(client), !row.masqueraded);
  }
}

TEST_P(ServicesTest, TerminatingEndpointsServeOnlyIfNoneIsReady) {
  const json ready{{"ready", true}, {"serving", true}, {"terminating", false}};
  const json serving{{"ready", false}, {"serving", true}, {"terminating", true}};
  const json ended{{"ready", false}, {"serving", false}, {"terminating", true}};
  const json unready{{"ready", false}, {"serving", false}, {"terminating", false}};
  const json unpublished{{"ready", false}, {"serving", true}, {"terminating", false}};
  struct Row {
    const char* name;
    Policy policy;
    json at_0, at_1;
    std::set<int> answers;
  };
  for (const auto& row : {Row{"all ready", Policy::cluster, ready, ready, {0, 1}},
                          Row{"one terminating", Policy::cluster, ready, serving, {0}},
                          Row{"all terminating", Policy::cluster, serving, serving, {0, 1}},
                          Row{"terminating and not serving", Policy::cluster, serving, ended, {0}},
                          Row{"none serves", Policy::cluster, ended, ended, {kReject}},
                          Row{"not ready yet", Policy::cluster, unready, unready, {kReject}},
                          Row{"serving, but not yet ready", Policy::cluster, unpublished, unpublished, {kReject}},
                          Row{"Local, ready", Policy::local, ready, ready, {0}},
                          Row{"Local, local one terminating", Policy::local, serving, ready, {0}},
                          Row{"Local, local one ended", Policy::local, ended, ready, {kDrop}},
                          Row{"Local, only a remote one terminating", Policy::local, ended, serving, {kDrop}},
                          Row{"Local, none serves", Policy::local, ended, ended, {kReject}}}) {
    SCOPED_TRACE(row.name);
    auto object = service();
    if (row.policy == Policy::local) object["spec"]["internalTrafficPolicy"] = "Local";
    serve(object, {endpoint(0, row.at_0), endpoint(1, row.at_1)});
    if (row.answers.contains(kDrop)) {
      EXPECT_EQ(dropped(pod(), cluster_ip(), 80, "no local endpoint"), 2U);
    } else {
      EXPECT_EQ(answering(pod(), cluster_ip(), 80, row.answers.size()), row.answers);
    }
  }
}

TEST_P(ServicesTest, SourceRangesHoldForLoadBalancersAlone) {
  auto object = exposed("LoadBalancer");
  object["spec"]["loadBalancerSourceRanges"] = {v6 ? " fd02::/16" : " 10.2.0.0/16 ", v6 ? "10.9.0.0/16" : "fd09::/16"};
  serve(object, {endpoint(0)});
  EXPECT_EQ(answering(pod(), lb_ip(), 80, 1), std::set{0});
  EXPECT_EQ(dropped(outside(), lb_ip(), 80, "outside of its source ranges"), 2U);
  EXPECT_EQ(answering(outside(), Lab::router_address(v6), 30'080, 1), std::set{0}) << "a NodePort has none";
  object["spec"]["loadBalancerSourceRanges"] = {to_string(host_network(Lab::client_address(v6)))};
  serve(object, {endpoint(0)});
  EXPECT_EQ(answering(outside(), lb_ip(), 80, 1), std::set{0});
  EXPECT_EQ(dropped(pod(), lb_ip(), 80, "outside of its source ranges"), 2U);
  // What this node sends to an address of its own comes from that address.
  netlink::Socket socket(lab.router());
  netlink::add_address(socket, netlink::get_link(socket, "lo").index, {.address = host_network(lb_ip())});
  EXPECT_EQ(dropped(here(), lb_ip(), 80, "outside of its source ranges"), 2U);
  object["spec"]["loadBalancerSourceRanges"] = {to_string(host_network(Lab::router_address(v6)))};
  serve(object, {endpoint(0)});
  EXPECT_EQ(answering(here(), lb_ip(), 80, 1), std::set{0}) << "this node is among them";
  object["spec"]["loadBalancerSourceRanges"] = {v6 ? "fd02:1::/32" : "10.2.0.0/24", v6 ? "::/0" : "0.0.0.0/0",
                                                v6 ? "fd02::/16" : "10.2.0.0/16", v6 ? "::/0" : "0.0.0.0/0"};
  serve(object, {endpoint(0)});
  for (const auto* from : {&outside(), &pod(), &here()})
    EXPECT_EQ(answering(*from, lb_ip(), 80, 1), std::set{0}) << "ranges within others";
}

TEST_P(ServicesTest, AClientKeepsItsEndpointForAsLongAsThatIsThere) {
  const json sticky{{"sessionAffinity", "ClientIP"},
                    {"sessionAffinityConfig", {{"clientIP", {{"timeoutSeconds", 600}}}}}};
  serve(service(sticky), {endpoint(0), endpoint(1)});
  const auto from = [&](const NetNs& client) {
    return lab.flow(client, Protocol::tcp, cluster_ip(), 80).value().server;
  };
  const int first = from(pod());
  for (int i = 0; i < 20; ++i) ASSERT_EQ(from(pod()), first);
  serve(service(sticky), {endpoint(1 - first)});
  for (int i = 0; i < 10; ++i) ASSERT_EQ(from(pod()), 1 - first) << "the one it had is gone";
  serve(service(sticky), {endpoint(0), endpoint(1)});
  for (int i = 0; i < 20; ++i) ASSERT_EQ(from(pod()), 1 - first) << "it keeps the one that it has had since";
  serve(service(), {endpoint(0), endpoint(1)});
  EXPECT_EQ(answering(pod(), cluster_ip(), 80, 2), (std::set{0, 1})) << "switched off";
}

TEST_P(ServicesTest, AClientKeepsItsEndpointByWhicheverAddressItComes) {
  const json sticky{{"sessionAffinity", "ClientIP"}};
  const auto to_node = [&](const NetNs& from) {
    return lab.flow(from, Protocol::tcp, Lab::router_address(v6), 30'080).value();
  };
  const auto forget = [&] { lab::nft(lab.router(), {"flush", "map", v6 ? "ip6" : "ip", "kube-proxy", "clients"}); };
  const auto choose_anew = [&](const NetNs& from) {
    forget();
    return lab.flow(from, Protocol::tcp, cluster_ip(), 80).value().server;
  };
  serve(exposed("NodePort", sticky), {endpoint(0), endpoint(1)});
  std::set<int> chosen;
  for (int i = 0; i < 12 || (chosen.size() < 2 && i < 100); ++i) {
    const auto first = choose_anew(pod());
    ASSERT_EQ(to_node(pod()).server, first);
    chosen.insert(first);
  }
  EXPECT_EQ(chosen, (std::set{0, 1}));
  auto local = exposed("NodePort", sticky);
  local["spec"]["externalTrafficPolicy"] = "Local";
  serve(local, {endpoint(0), endpoint(1)});
  for (int i = 0; i < 100 && choose_anew(outside()) != 1; ++i) continue;
  const auto here_only = to_node(outside());
  EXPECT_EQ(here_only.server, 0) << "what it keeps is elsewhere, where its answers wouldn't come back from";
  EXPECT_EQ(here_only.source, Lab::client_address(v6));
}

TEST_P(ServicesTest, AffinityLastsForItsTimeFromTheLastConnectionAndLeavesNoMark) {
  serve(
      service({{"sessionAffinity", "ClientIP"}, {"sessionAffinityConfig", {{"clientIP", {{"timeoutSeconds", 600}}}}}}),
      {endpoint(0), endpoint(1)});
  const std::string of = v6 ? "ip6" : "ip";
  lab::nft(lab.router(), {"-f", "-"},
           "table " + of +
               " probe { chain leaving { type filter hook postrouting priority 300; "
               "meta l4proto tcp meta mark != 0 counter comment marked; "
               "meta l4proto tcp ct mark != 0 counter comment tracked; }; }");
  const auto clients = [&] { return lab::nft(lab.router(), {"list", "map", of, "kube-proxy", "clients"}); };
  const std::regex expires("timeout 10m expires (\\S+)");
  lab.flow(pod(), Protocol::tcp, cluster_ip(), 80);
  std::smatch found;
  const auto kept = clients();
  ASSERT_TRUE(std::regex_search(kept, found, expires)) << kept;
  // As if time had passed.
  const auto aged = std::regex_replace(kept, expires, "timeout 10m expires 60s");
  lab::nft(lab.router(), {"-f", "-"}, "flush map " + of + " kube-proxy clients\n" + aged);
  ASSERT_THAT(clients(), testing::AnyOf(HasSubstr("expires 59s"), HasSubstr("expires 1m")));
  lab.flow(pod(), Protocol::tcp, cluster_ip(), 80);
  EXPECT_THAT(clients(), testing::AnyOf(HasSubstr("expires 9m"), HasSubstr("expires 10m")));
  serve(service(json::object(), 2, "other"), {endpoint(0), endpoint(1)});
  EXPECT_EQ(answering(pod(), cluster_ip(2), 80, 2), (std::set{0, 1}));
  for (const auto& rule : nft::list_rules(lab.router(), nft::TableId{family, "probe"}))
    EXPECT_EQ(rule.counter.value().packets, 0U) << rule.comment << ": the id of an endpoint, a turn, or a port";
}

TEST_P(ServicesTest, SctpIsLedToItsEndpointAndBack) {
  auto object = service();
  object["spec"]["ports"] = {{{"name", "s"}, {"protocol", "SCTP"}, {"port", 80}}, {{"name", "t"}, {"port", 80}}};
  auto made = slice({endpoint(0)});
  made["ports"].push_back({{"name", "s"}, {"protocol", "SCTP"}, {"port", 9'000}});
  Backends backends;
  add_slice(backends, made, kFails);
  const auto spec = read_service(object, kFails);
  ASSERT_TRUE(spec);
  program.emplace(lab.router(), services_layout(family, node));
  const auto enter = [&](const Complain& complain) {
    program->ledger().set("shop/web", service_entries(*spec, backends, node, family, complain));
    program->write();
  };
  const auto exchange = [&] { return lab::sctp_exchange(pod(), cluster_ip(), 80, lab.server(0), 9'000); };
  enter(kFails);
  EXPECT_EQ(exchange(), std::nullopt);
  // Where the kernel tracks none, the rest is served.
  node.sctp = false;
  std::vector<std::string> complaints;
  enter([&](const std::string& whose, const std::string& why) { complaints.push_back(whose + ": " + why); });
  EXPECT_EQ(complaints, std::vector<std::string>{"shop/web: port 80: the kernel has no SCTP"});
  EXPECT_EQ(lab.flow(pod(), Protocol::tcp, cluster_ip(), 80).value().server, 0);
}

TEST_P(ServicesTest, HintsKeepTrafficNear) {
  node.zone = "a";
  const auto hinted = [&](int server, const char* zone, const char* to_node = nullptr) {
    auto made = endpoint(server);
    made["hints"]["forZones"] = {{{"name", zone}}};
    if (to_node != nullptr) made["hints"]["forNodes"] = {{{"name", to_node}}};
    return made;
  };
  serve(service(), {hinted(0, "a"), hinted(1, "b")});
  EXPECT_EQ(answering(pod(), cluster_ip(), 80, 1), std::set{0});
  serve(service(), {hinted(0, "b"), hinted(1, "b")});
  EXPECT_EQ(answering(pod(), cluster_ip(), 80, 2), (std::set{0, 1})) << "none for this zone: all";
  serve(service(), {hinted(0, "a"), endpoint(1)});
  EXPECT_EQ(answering(pod(), cluster_ip(), 80, 2), (std::set{0, 1})) << "one without a hint: all";
  serve(service(), {hinted(0, "a", "there"), hinted(1, "a", "here")});
  EXPECT_EQ(answering(pod(), cluster_ip(), 80, 1), std::set{1}) << "the node counts before the zone";
}

TEST_P(ServicesTest, WhatIsNotForUsIsLeftAlone) {
  auto headless = service();
  headless["spec"]["clusterIP"] = "None";
  headless["spec"]["clusterIPs"] = {"None"};
  auto anothers = service();
  anothers["metadata"]["labels"]["service.kubernetes.io/service-proxy-name"] = "mine";
  auto elsewhere = service();
  elsewhere["spec"]["type"] = "ExternalName";
  auto proxied = exposed("LoadBalancer");
  for (const auto* object : {&headless, &anothers, &elsewhere}) EXPECT_FALSE(read_service(*object, kFails));
  proxied["status"]["loadBalancer"]["ingress"][0]["ipMode"] = "Proxy";
  EXPECT_THAT(read_service(proxied, kFails)->load_balancer_ips, IsEmpty());
}

TEST_P(ServicesTest, MasqueradeAllAndNoPodNetwork) {
  node.masquerade_all = true;
  serve(service(), {endpoint(0)});
  std::set<Address> sources;
  answering(pod(), cluster_ip(), 80, 1, &sources);
  EXPECT_FALSE(sources.contains(Lab::server_address(2, v6)));
  program.reset();
  node.masquerade_all = false;
  node.pod_networks.clear();
  serve(service(), {endpoint(0)});
  sources.clear();
  answering(outside(), cluster_ip(), 80, 1, &sources);
  EXPECT_EQ(sources, std::set{Lab::client_address(v6)}) << "who is local can't be told";
}

TEST_P(ServicesTest, ARestartAdoptsWhatStandsAndRepairsWhatDoesnt) {
  const json sticky{{"sessionAffinity", "ClientIP"}};
  const auto write = [&] {
    program.emplace(lab.router(), services_layout(family, node));
    Backends backends;
    add_slice(backends, slice({endpoint(0), endpoint(1)}), kFails);
    for (int number = 1; number <= 3; ++number) {
      const auto object = service(number == 2 ? sticky : json::object(), number, fmt::format("web{}", number));
      program->ledger().set(Informed::key_of(object),
                            service_entries(*read_service(object, kFails), backends, node, family, kFails));
    }
    return program->write();
  };
  EXPECT_TRUE(write().whole);
  const auto again = write();
  EXPECT_EQ(again.batches, 0U);
  EXPECT_TRUE(again.looked);
  const std::string table = fmt::format("{} kube-proxy", v6 ? "ip6" : "ip");
  const auto key = fmt::format("{} . tcp . 80", cluster_ip(1).to_string());
  for (const auto& harm :
       {"delete table " + table, "flush chain " + table + " services", "flush map " + table + " endpoints",
        fmt::format("delete element {} service-ips {{ {} }}", table, key), "flush chain " + table + " nat-postrouting",
        fmt::format("add element {} cluster-ips {{ {} }}", table, cluster_ip(9).to_string()),
        "flush chain " + table + " lb-2",
        "add chain " + table + " intruder { type filter hook forward priority 0; policy drop; }"}) {
    SCOPED_TRACE(harm);
    const auto whole = program->ledger().desired().size();
    lab::nft(lab.router(), {"-f", "-"}, harm);
    program->doubt();
    const auto repaired = program->write();
    EXPECT_GT(repaired.batches, 0U);
    EXPECT_EQ(answering(pod(), cluster_ip(), 80, 2), (std::set{0, 1}));
    EXPECT_EQ(program->ledger().desired().size(), whole);
    program->doubt();
    EXPECT_EQ(program->write().batches, 0U) << "whole again";
  }
}

TEST_P(ServicesTest, AnothersTableOfThatNameGivesWay) {
  for (const char* what :
       {"set cluster-ips { type inet_service; }; "
        "chain services { type filter hook forward priority 0; drop; };",
        // Of a type that we don't read, with an element.
        "map balancers { type ether_addr : verdict; elements = { 0a:00:00:00:00:01 : accept }; };"}) {
    SCOPED_TRACE(what);
    const auto table = fmt::format("table {} kube-proxy", v6 ? "ip6" : "ip");
    lab::nft(lab.router(), {"-f", "-"}, fmt::format("add {0}; delete {0}; {0} {{ {1} }}", table, what));
    program.reset();
    serve(service(), {endpoint(0)});
    EXPECT_EQ(answering(pod(), cluster_ip(), 80, 1), std::set{0});
  }
}

INSTANTIATE_TEST_SUITE_P(Families, ServicesTest, testing::Values(false, true),
                         [](const auto& one) { return one.param ? "ip6" : "ip"; });

}  // namespace
}  // namespace knetsim::kubeproxy
