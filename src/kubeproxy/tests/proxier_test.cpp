// Between the objects and the tables: what is written when, and which flows are forgotten.
#include "proxier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <boost/asio/ip/udp.hpp>
#include <map>

#include "knetsim/fixtures/packet_lab.h"
#include "knetsim/kube/access.h"
#include "knetsim/netlink/conntrack.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/route.h"
#include "knetsim/sys/error.h"

namespace knetsim::kubeproxy {
namespace {

using lab::Lab;
using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

/// As long as it lives, this process can open nothing.
class WithoutDescriptors {
 public:
  WithoutDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none{0, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  WithoutDescriptors(const WithoutDescriptors&) = delete;
  ~WithoutDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

struct ProxierTest : testing::Test {
  Lab lab{2};
  std::map<std::string, json> services;
  std::map<std::string, json> slices;
  Address cluster_ip = parse_address("10.96.0.1");
  Proxier proxier{lab.router(),
                  {.name = "here", .node_port_addresses = {Lab::router_address()}},
                  [this](const std::string& key) { return find(services, key); },
                  [this](const std::string& key) { return find(slices, key); },
                  [](const std::string& object, const std::string& why) { ADD_FAILURE() << object << ": " << why; }};
  Fd client{lab.client().run([] { return ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); })};

  void SetUp() override {
    netlink::Socket socket(lab.router());
    const int outside = netlink::get_link(socket, "server0").index;
    netlink::add_route(socket, {.destination = parse_network("10.96.0.0/16"), .interface = outside});
  }

  static const json* find(const std::map<std::string, json>& all, const std::string& key) {
    const auto found = all.find(key);
    return found == all.end() ? nullptr : &found->second;
  }

  void set_service(const char* protocol = "UDP", int node_port = 0) {
    services["shop/web"] = {
        {"metadata", {{"namespace", "shop"}, {"name", "web"}}},
        {"spec",
         {{"type", node_port == 0 ? "ClusterIP" : "NodePort"},
          {"clusterIP", cluster_ip.to_string()},
          {"ports", json::array({{{"protocol", protocol}, {"port", 80}, {"nodePort", node_port}}})}}}};
    proxier.service_changed("shop/web");
  }
  void delete_service() {
    services.clear();
    proxier.service_changed("shop/web");
  }
  void set_endpoints(const std::vector<int>& servers, const char* protocol = "UDP", int port = Lab::kPort,
                     const json& conditions = {{"ready", true}}, const char* service = "web") {
    auto endpoints = json::array();
    for (const int server : servers)
      endpoints.push_back({{"addresses", json::array({Lab::server_address(server).to_string()})},
                           {"conditions", conditions},
                           {"nodeName", server == 0 ? "here" : "there"}});
    const auto before = slices["shop/s"];
    auto& now = slices["shop/s"];
    now = {{"metadata", {{"namespace", "shop"}, {"name", "s"}, {"labels", {{"kubernetes.io/service-name", service}}}}},
           {"addressType", "IPv4"},
           {"endpoints", endpoints},
           {"ports", json::array({{{"name", ""}, {"protocol", protocol}, {"port", port}}})}};
    proxier.slice_changed("shop/s", before.is_null() ? nullptr : &before, &now);
  }

  void send(const Address& to, std::uint16_t port = 80) {
    const boost::asio::ip::udp::endpoint target(to, port);
    (void)!::sendto(client.get(), "x", 1, 0, target.data(), static_cast<socklen_t>(target.size()));
  }
  /// Where the tracked flows to this address lead.
  std::vector<Address> led_to(const Address& to) {
    std::vector<Address> all;
    for (const auto& flow : netlink::Conntrack(lab.router()).list({.original_destination = to}))
      all.push_back(flow.reply.source);
    return all;
  }
};

TEST_F(ProxierTest, AClientOfUdpThatKeepsItsSocketMovesToTheLivingEndpoint) {
  set_service();
  set_endpoints({0});
  proxier.sync();
  send(cluster_ip);
  ASSERT_THAT(led_to(cluster_ip), ElementsAre(Lab::server_address(0)));
  set_endpoints({0, 1});
  EXPECT_EQ(proxier.sync().forgotten, 0U) << "it serves still";
  set_endpoints({1});
  EXPECT_EQ(proxier.sync().forgotten, 1U);
  send(cluster_ip);
  EXPECT_THAT(led_to(cluster_ip), ElementsAre(Lab::server_address(1)));
  set_endpoints({1}, "UDP", 9'999);
  EXPECT_EQ(proxier.sync().forgotten, 1U) << "its port is another one";
}

TEST_F(ProxierTest, AFlowOfUdpEndsWithItsService) {
  set_service();
  set_endpoints({0});
  proxier.sync();
  send(cluster_ip);
  delete_service();
  EXPECT_EQ(proxier.sync().forgotten, 1U);
  send(cluster_ip);
  EXPECT_THAT(led_to(cluster_ip), testing::Not(testing::Contains(Lab::server_address(0))));
}

TEST_F(ProxierTest, AFlowThatWasThereBeforeItsServiceIsServed) {
  set_service();
  set_endpoints({});
  delete_service();
  proxier.sync();  // from now on flows are tracked
  send(cluster_ip);
  ASSERT_THAT(led_to(cluster_ip), ElementsAre(cluster_ip));
  set_service();
  set_endpoints({0});
  EXPECT_EQ(proxier.sync().forgotten, 1U);
  send(cluster_ip);
  EXPECT_THAT(led_to(cluster_ip), ElementsAre(Lab::server_address(0)));
}

TEST_F(ProxierTest, NodePortsAreReconciledToo) {
  set_service("UDP", 30'080);
  set_endpoints({0});
  proxier.sync();
  send(Lab::router_address(), 30'080);
  ASSERT_THAT(led_to(Lab::router_address()), ElementsAre(Lab::server_address(0)));
  set_endpoints({1});
  EXPECT_EQ(proxier.sync().forgotten, 1U);
}

TEST_F(ProxierTest, AFlowStaysWithAnEndpointThatTerminatesForAsLongAsThatServes) {
  set_service();
  set_endpoints({0});
  proxier.sync();
  send(cluster_ip);
  ASSERT_THAT(led_to(cluster_ip), ElementsAre(Lab::server_address(0)));
  set_endpoints({0}, "UDP", Lab::kPort, {{"ready", false}, {"serving", true}, {"terminating", true}});
  EXPECT_EQ(proxier.sync().forgotten, 0U);
  set_endpoints({0}, "UDP", Lab::kPort, {{"ready", false}, {"serving", false}, {"terminating", true}});
  EXPECT_EQ(proxier.sync().forgotten, 1U);
}

TEST_F(ProxierTest, ASliceThatMovesToAnotherServiceServesItsOldOneNoMore) {
  set_service();
  set_endpoints({0});
  proxier.sync();
  send(cluster_ip);
  ASSERT_THAT(led_to(cluster_ip), ElementsAre(Lab::server_address(0)));
  set_endpoints({0}, "UDP", Lab::kPort, {{"ready", true}}, "other");
  EXPECT_EQ(proxier.sync().forgotten, 1U);
}

TEST_F(ProxierTest, AFlowThatBeganWhileRulesWereMissingIsServedWhenTheyAreBack) {
  set_service();
  set_endpoints({0});
  proxier.sync();
  // Without anybody who asks for it the kernel would track no flow.
  lab::nft(lab.router(), {"-f", "-"},
           "delete table ip kube-proxy\n"
           "table ip another { chain c { type filter hook prerouting priority 0; ct state new counter; }; }");
  send(cluster_ip);
  ASSERT_THAT(led_to(cluster_ip), ElementsAre(cluster_ip));
  proxier.doubt();
  EXPECT_EQ(proxier.sync().forgotten, 1U);
  send(cluster_ip);
  EXPECT_THAT(led_to(cluster_ip), ElementsAre(Lab::server_address(0)));
}

TEST_F(ProxierTest, FlowsThatCouldntBeForgottenAreForgottenLater) {
  set_endpoints({0});
  proxier.sync();
  send(cluster_ip);
  ASSERT_THAT(led_to(cluster_ip), ElementsAre(cluster_ip));
  set_service();
  {
    const WithoutDescriptors poor;
    EXPECT_THROW(proxier.sync(), Error);
  }
  EXPECT_FALSE(proxier.in_step());
  EXPECT_EQ(proxier.sync().forgotten, 1U);
  EXPECT_TRUE(proxier.in_step());
}

TEST_F(ProxierTest, TellsOfLocalEndpointsThatAreReady) {
  set_service("TCP", 30'080);
  auto& spec = services["shop/web"]["spec"];
  spec.merge_patch({{"type", "LoadBalancer"}, {"externalTrafficPolicy", "Local"}, {"healthCheckNodePort", 30'081}});
  set_endpoints({0, 1}, "TCP");
  proxier.sync();
  EXPECT_EQ(proxier.health_checks(), (std::map<std::string, HealthCheck>{{"shop/web", {30'081, 1}}}));
  EXPECT_EQ(proxier.without_local(true), 0U);
  set_endpoints({0, 1}, "TCP", Lab::kPort, {{"ready", false}, {"serving", true}, {"terminating", true}});
  proxier.sync();
  EXPECT_EQ(proxier.health_checks(), (std::map<std::string, HealthCheck>{{"shop/web", {30'081, 0}}}));
  EXPECT_EQ(proxier.without_local(true), 1U);
  EXPECT_EQ(proxier.without_local(false), 0U);
  spec["internalTrafficPolicy"] = "Local";
  proxier.service_changed("shop/web");
  proxier.sync();
  EXPECT_EQ(proxier.without_local(false), 1U);
  delete_service();
  proxier.sync();
  EXPECT_THAT(proxier.health_checks(), IsEmpty());
  EXPECT_EQ(proxier.without_local(true), 0U);
}

TEST_F(ProxierTest, NothingIsWrittenWhereNothingHasChanged) {
  set_service("TCP");
  set_endpoints({0, 1}, "TCP");
  EXPECT_TRUE(proxier.sync().written.whole);
  EXPECT_TRUE(proxier.in_step());
  proxier.service_changed("shop/web");
  EXPECT_FALSE(proxier.in_step());
  EXPECT_EQ(proxier.sync().written.batches, 0U);
  set_endpoints({1, 0}, "TCP");
  EXPECT_EQ(proxier.sync().written.batches, 0U) << "the order of endpoints is no change";
}

TEST_F(ProxierTest, AnotherNodeMeansOtherRules) {
  set_service("TCP", 30'080);
  set_endpoints({0}, "TCP");
  proxier.sync();
  const auto flow = [&](const Address& to) { return lab.flow(lab.client(), lab::Protocol::tcp, to, 30'080); };
  ASSERT_TRUE(flow(Lab::router_address()));
  auto moved = proxier.node();
  moved.node_port_addresses = {Lab::router_address_at(0)};
  moved.pod_networks = {parse_network("10.2.0.0/16")};
  proxier.set_node(moved);
  proxier.sync();
  EXPECT_FALSE(flow(Lab::router_address()));
  EXPECT_TRUE(flow(Lab::router_address_at(0)));
  const auto source = [&] { return lab.flow(lab.client(), lab::Protocol::tcp, cluster_ip, 80).value().source; };
  EXPECT_EQ(source(), Lab::router_address_at(0)) << "who isn't a pod is masqueraded from now on";
  moved.pod_networks = {parse_network("10.1.0.0/16")};
  proxier.set_node(moved);
  proxier.sync();
  EXPECT_EQ(source(), Lab::client_address()) << "and now it is one";
}

TEST_F(ProxierTest, CleanUpLeavesNothingAndMayBeCalledTwice) {
  set_service("TCP");
  set_endpoints({0}, "TCP");
  proxier.sync();
  Proxier::clean_up(lab.router());
  Proxier::clean_up(lab.router());
  EXPECT_THAT(lab::listing(lab.router()), IsEmpty());
}

}  // namespace
}  // namespace knetsim::kubeproxy
