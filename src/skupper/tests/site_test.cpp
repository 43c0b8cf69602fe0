#include "knetsim/skupper/site.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "knetsim/skupper/config.h"

namespace knetsim::skupper {
namespace {

using nlohmann::json;

Site demo() {
  return {.id = "1",
          .remotes = {{.id = "0", .host = "10.0.0.3", .cost = 2}},
          .local_services = {{.name = "svc2", .address = "svc2", .host = "11.10.16.2", .port = 80}},
          .remote_services = {{.address = "svc1", .listen_port = 1028}}};
}

TEST(Site, BecomesAConfigThatReadsBack) {
  const auto config = parse_config(to_config(demo()), "1.json");
  EXPECT_EQ(config.router.id, "1");
  EXPECT_EQ(config.router.mode, RouterMode::interior);
  EXPECT_EQ(config.router.hello_max_age.count(), 3);
  ASSERT_EQ(config.listeners.size(), 4U);
  EXPECT_EQ(config.listeners[0].port, 5672);
  EXPECT_EQ(config.listeners[1].port, 55'671);
  EXPECT_EQ(config.listeners[1].role, Role::inter_router);
  EXPECT_EQ(config.listeners[2].port, 45'671);
  EXPECT_EQ(config.listeners[2].role, Role::edge);
  EXPECT_EQ(config.listeners[3].port, 9090);
  EXPECT_TRUE(config.listeners[3].http);
  ASSERT_EQ(config.connectors.size(), 1U);
  EXPECT_EQ(config.connectors[0].name, "0");
  EXPECT_EQ(config.connectors[0].host, "10.0.0.3");
  EXPECT_EQ(config.connectors[0].port, 55'671);
  EXPECT_EQ(config.connectors[0].connection.cost, 2U);
  ASSERT_EQ(config.tcp_connectors.size(), 1U);
  EXPECT_EQ(config.tcp_connectors[0].host, "11.10.16.2");
  EXPECT_EQ(config.tcp_connectors[0].port, 80);
  EXPECT_EQ(config.tcp_connectors[0].address, "svc2");
  ASSERT_EQ(config.tcp_listeners.size(), 1U);
  EXPECT_EQ(config.tcp_listeners[0].port, 1028);
  EXPECT_EQ(config.tcp_listeners[0].address, "svc1");
}

// What a real router demands of names and kinds of values.
TEST(Site, WritesTheOriginalsEntities) {
  const auto config = json::parse(to_config(demo()));
  std::vector<std::string> entities;
  for (const auto& entity : config) entities.push_back(entity.at(0));
  EXPECT_THAT(entities, testing::ElementsAre("router", "listener", "listener", "listener", "listener", "address",
                                             "connector", "tcpConnector", "tcpListener"));
  EXPECT_EQ(config[0][1]["helloMaxAgeSeconds"], "3");
  EXPECT_EQ(config[2][1], json::parse(R"({"name": "interior-listener", "role": "inter-router", "port": 55671,
                                          "maxFrameSize": 16384, "maxSessionFrames": 640})"));
  EXPECT_EQ(config[4][1]["httpRootDir"], "disabled");
  EXPECT_EQ(config[5][1], json::parse(R"({"prefix": "mc", "distribution": "multicast"})"));
  EXPECT_EQ(config[6][1]["port"], "55671");
  EXPECT_EQ(config[7][1], json::parse(R"({"name": "svc2", "address": "svc2", "siteId": "1", "host": "11.10.16.2",
                                          "port": "80"})"));
  EXPECT_EQ(config[8][1], json::parse(R"({"name": "svc1", "address": "svc1", "siteId": "1", "port": "1028"})"));
}

TEST(Site, ListensWhereItIsTold) {
  auto site = demo();
  site.remote_services.push_back({.address = "svc1", .listen_port = 1028, .host = "::"});
  const auto config = parse_config(to_config(site), "1.json");
  ASSERT_EQ(config.tcp_listeners.size(), 2U);
  EXPECT_EQ(config.tcp_listeners[0].host, "0.0.0.0");
  EXPECT_EQ(config.tcp_listeners[1].host, "::");
}

}  // namespace
}  // namespace knetsim::skupper
