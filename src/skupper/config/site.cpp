#include "knetsim/skupper/site.h"

#include <nlohmann/json.hpp>
#include <set>

namespace knetsim::skupper {

namespace {

using nlohmann::ordered_json;

// What the routers of all sites have in common.
void add_listeners(ordered_json& config) {
  const auto add = [&](ordered_json attributes) { config.push_back({"listener", std::move(attributes)}); };
  add({{"name", "amqp"}, {"host", "localhost"}, {"port", kAmqpPort}});
  add({{"name", "interior-listener"},
       {"role", "inter-router"},
       {"port", kInterRouterPort},
       {"maxFrameSize", 16'384},
       {"maxSessionFrames", 640}});
  add({{"name", "edge-listener"},
       {"role", "edge"},
       {"port", kEdgePort},
       {"maxFrameSize", 16'384},
       {"maxSessionFrames", 640}});
  add({{"name", "@" + std::to_string(kHttpPort)},
       {"role", "normal"},
       {"port", kHttpPort},
       {"http", true},
       {"httpRootDir", "disabled"},
       {"healthz", true},
       {"metrics", true}});
}

}  // namespace

std::string to_config(const Site& site) {
  ordered_json config = ordered_json::array();
  // Entities of all kinds share the names.
  std::set<std::string> names{"amqp", "interior-listener", "edge-listener", "@" + std::to_string(kHttpPort)};
  const auto unique = [&names](const std::string& wanted) {
    auto name = wanted;
    for (int number = 2; !names.insert(name).second; ++number) name = wanted + "-" + std::to_string(number);
    return name;
  };
  config.push_back({"router",
                    {{"id", site.id},
                     {"mode", "interior"},
                     {"helloMaxAgeSeconds", "3"},
                     {"metadata", ordered_json{{"id", site.id}, {"version", "1.0.2"}}.dump()}}});
  add_listeners(config);
  config.push_back({"address", {{"prefix", "mc"}, {"distribution", "multicast"}}});
  for (const auto& remote : site.remotes)
    config.push_back({"connector",
                      {{"name", unique(remote.id)},
                       {"role", "inter-router"},
                       {"host", remote.host},
                       {"port", std::to_string(kInterRouterPort)},
                       {"cost", remote.cost},
                       {"maxFrameSize", 16'384},
                       {"maxSessionFrames", 640}}});
  for (const auto& service : site.local_services)
    config.push_back({"tcpConnector",
                      {{"name", unique(service.name)},
                       {"address", service.address},
                       {"siteId", site.id},
                       {"host", service.host},
                       {"port", std::to_string(service.port)}}});
  for (const auto& service : site.remote_services) {
    ordered_json attributes{{"name", unique(service.address)},
                            {"address", service.address},
                            {"siteId", site.id},
                            {"port", std::to_string(service.listen_port)}};
    if (!service.host.empty()) attributes["host"] = service.host;
    config.push_back({"tcpListener", std::move(attributes)});
  }
  return config.dump(2) + "\n";
}

}  // namespace knetsim::skupper
