#include "knetsim/kube/allocate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "knetsim/kube/access.h"
#include "knetsim/kube/status.h"

namespace knetsim::kube {
namespace {

using boost::asio::ip::make_address;
using boost::asio::ip::make_network_v4;
using boost::asio::ip::make_network_v6;
using nlohmann::json;
using testing::HasSubstr;

struct Ledger {
  std::set<boost::asio::ip::address> addresses;
  std::set<std::pair<std::uint16_t, std::string>> ports;

  Taken taken() const {
    return {.address = [this](const auto& each) { return addresses.contains(each); },
            .node_port =
                [this](auto port, const auto& protocol) {
                  return ports.contains({port, protocol});
                }};
  }
  void enter(const json& service) {
    const auto held = holdings(service);
    addresses.insert(held.addresses.begin(), held.addresses.end());
    ports.insert(held.node_ports.begin(), held.node_ports.end());
  }
};

json plain(std::string type = "ClusterIP") {
  return {{"metadata", {{"name", "a"}}},
          {"spec", {{"type", std::move(type)}, {"ports", json::array({{{"port", 80}, {"protocol", "TCP"}}})}}}};
}

std::uint64_t no_luck() { return 0; }

TEST(Allocation, GivesEveryAddressOfARangeOnce) {
  const ServiceRanges ranges{.ipv4 = make_network_v4("10.96.0.0/28")};
  Ledger ledger;
  for (int i = 0; i < 14; ++i) {
    auto service = plain();
    allocate(service, nullptr, ranges, ledger.taken(), [i] { return static_cast<std::uint64_t>(i) * 7919; });
    const auto address = make_address(text_at(service, "spec", "clusterIP"));
    EXPECT_NE(address, make_address("10.96.0.0"));
    EXPECT_NE(address, make_address("10.96.0.15"));
    EXPECT_FALSE(ledger.addresses.contains(address));
    ledger.enter(service);
  }
  auto service = plain();
  EXPECT_THROW(allocate(service, nullptr, ranges, ledger.taken(), no_luck), ApiError) << "none is left";
}

TEST(Allocation, LeavesTheLowAddressesToThoseWhoChoose) {
  auto service = plain();
  allocate(service, nullptr, {}, Ledger{}.taken(), no_luck);
  EXPECT_EQ(text_at(service, "spec", "clusterIP"), "10.96.1.1");
}

TEST(Allocation, GivesTcpAndUdpOfOnePortTheSameNodePort) {
  auto service = plain("NodePort");
  service["spec"]["ports"] = json::array({{{"name", "a"}, {"port", 53}, {"protocol", "TCP"}},
                                          {{"name", "b"}, {"port", 53}, {"protocol", "UDP"}},
                                          {{"name", "c"}, {"port", 54}, {"protocol", "TCP"}}});
  allocate(service, nullptr, {}, Ledger{}.taken(), no_luck);
  const auto& ports = service["spec"]["ports"];
  EXPECT_EQ(ports[0]["nodePort"], ports[1]["nodePort"]);
  EXPECT_NE(ports[0]["nodePort"], ports[2]["nodePort"]);
}

TEST(Allocation, KeepsWhatAServiceHolds) {
  Ledger ledger;
  auto old = plain("NodePort");
  allocate(old, nullptr, {}, ledger.taken(), no_luck);
  ledger.enter(old);
  auto again = old;
  allocate(again, &old, {}, ledger.taken(), no_luck);
  EXPECT_EQ(again, old);
  auto other = plain("NodePort");
  other["spec"]["ports"][0]["nodePort"] = old["spec"]["ports"][0]["nodePort"];
  EXPECT_THROW(allocate(other, nullptr, {}, ledger.taken(), no_luck), ApiError);
}

TEST(Allocation, KnowsWhatATypeNeeds) {
  auto headless = plain();
  headless["spec"]["clusterIP"] = "None";
  allocate(headless, nullptr, {}, Ledger{}.taken(), no_luck);
  EXPECT_EQ(headless["spec"]["clusterIPs"], json::array({"None"}));
  auto name = plain("ExternalName");
  const auto before = name;
  allocate(name, nullptr, {}, Ledger{}.taken(), no_luck);
  EXPECT_EQ(name, before);
  auto balanced = plain("LoadBalancer");
  balanced["spec"]["externalTrafficPolicy"] = "Local";
  allocate(balanced, nullptr, {}, Ledger{}.taken(), no_luck);
  EXPECT_NE(number_at(balanced, "spec", "healthCheckNodePort"), 0);
  EXPECT_NE(balanced["spec"]["healthCheckNodePort"], balanced["spec"]["ports"][0]["nodePort"]);
  auto bare = plain("LoadBalancer");
  bare["spec"]["allocateLoadBalancerNodePorts"] = false;
  allocate(bare, nullptr, {}, Ledger{}.taken(), no_luck);
  EXPECT_FALSE(bare["spec"]["ports"][0].contains("nodePort"));
}

TEST(Allocation, IsDualStackWhereTheClusterIs) {
  const ServiceRanges both{.ipv6 = make_network_v6("fd00:96::/112")};
  auto service = plain();
  service["spec"]["ipFamilyPolicy"] = "PreferDualStack";
  auto single = service;
  allocate(service, nullptr, both, Ledger{}.taken(), no_luck);
  EXPECT_EQ(service["spec"]["ipFamilies"], json::array({"IPv4", "IPv6"}));
  EXPECT_EQ(service["spec"]["clusterIPs"].size(), 2U);
  EXPECT_THAT(text_in(service["spec"]["clusterIPs"][1]), HasSubstr("fd00:96::"));
  allocate(single, nullptr, {}, Ledger{}.taken(), no_luck);
  EXPECT_EQ(single["spec"]["ipFamilies"], json::array({"IPv4"}));
  auto demanding = plain();
  demanding["spec"]["ipFamilyPolicy"] = "RequireDualStack";
  EXPECT_THROW(allocate(demanding, nullptr, {}, Ledger{}.taken(), no_luck), ApiError);
}

}  // namespace
}  // namespace knetsim::kube
