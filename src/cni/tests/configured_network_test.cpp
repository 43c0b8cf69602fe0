// A network configuration of the user's under a worker's pods.

#include <gmock/gmock.h>

#include "knetsim/cni/plugins.h"
#include "knetsim/sys/file.h"
#include "world.h"

namespace knetsim::cni {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kChain = R"({"name": "pods", "cniVersion": "1.0.0", "disableCheck": true, "plugins": [
    {"type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true, "bridge": "mybr0"}},
    {"type": "portmap", "capabilities": {"portMappings": true}},
    {"type": "bandwidth", "capabilities": {"bandwidth": true}},
    {"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.log_martians": "1"}},
    {"type": "firewall"}]})";

PodNetworkOptions configured(const TestWorker& worker, const std::string& conf) {
  auto options = worker.options(Flavour::real);
  options.plugins = resolve_conf(parse_network_config(conf), {}, "a test's configuration");
  return options;
}

std::vector<json> given(const TestWorker& worker, const std::string& conf) {
  return PodNetwork(worker.netns(), configured(worker, conf)).config().plugins;
}

TEST(ConfiguredNetwork, FillsInWhatWorkersMustNotShareAndWhatFlannelAloneKnows) {
  const TestWorker worker("w1", kDualStackLease);
  const auto directory = worker.directory().string();
  const auto allocations = directory + "/cni/networks";
  const json leased{{"type", "host-local"},
                    {"dataDir", allocations},
                    {"ranges", json::parse(R"([[{"subnet":"11.13.0.0/20"}],[{"subnet":"fd00:0:0:1::/64"}]])")},
                    {"routes", json::parse(R"([{"dst":"11.0.0.0/8"},{"dst":"fd00::/8"},{"dst":"0.0.0.0/0"},
                                               {"dst":"::/0"}])")}};
  const std::vector<std::pair<json, json>> cases{
      {{{"type", "flannel"}},
       {{"type", "flannel"},
        {"subnetFile", worker.subnet_file().string()},
        {"dataDir", directory + "/cni/flannel"},
        {"ipam", {{"dataDir", allocations}}}}},
      {{{"type", "flannel"}, {"subnetFile", "/s"}, {"dataDir", "/d"}, {"ipam", {{"dataDir", "/i"}}}},
       {{"type", "flannel"}, {"subnetFile", "/s"}, {"dataDir", "/d"}, {"ipam", {{"dataDir", "/i"}}}}},
      {{{"type", "ptp"}, {"ipam", {{"type", "host-local"}}}}, {{"type", "ptp"}, {"ipam", leased}, {"mtu", 1430}}},
      {{{"type", "ptp"}, {"mtu", 1300}, {"ipam", {{"type", "host-local"}, {"routes", json::array()}}}},
       {{"type", "ptp"},
        {"mtu", 1300},
        {"ipam",
         {{"type", "host-local"}, {"dataDir", allocations}, {"ranges", leased["ranges"]}, {"routes", json::array()}}}}},
      {{{"type", "bridge"}, {"ipam", {{"type", "host-local"}, {"subnet", "12.0.0.0/24"}}}},
       {{"type", "bridge"}, {"ipam", {{"type", "host-local"}, {"subnet", "12.0.0.0/24"}, {"dataDir", allocations}}}}},
      {{{"type", "bridge"}, {"ipam", {{"type", "static"}}}}, {{"type", "bridge"}, {"ipam", {{"type", "static"}}}}},
      {{{"type", "tuning"}, {"ipam", json::object()}}, {{"type", "tuning"}, {"ipam", json::object()}}}};
  for (const auto& [written, expected] : cases)
    EXPECT_THAT(given(worker, json{{"name", "n"}, {"plugins", {written}}}.dump()), ElementsAre(expected));
}

// Its address brings that route: a second one is an error to most plugins.
TEST(ConfiguredNetwork, RoutesNoNetworkThatIsTheWorkersOwn) {
  const TestWorker worker("w1",
                          "FLANNEL_NETWORK=11.13.0.0/20\nFLANNEL_SUBNET=11.13.0.1/20\nFLANNEL_MTU=1500\n"
                          "FLANNEL_IPMASQ=true\n");
  const auto plugins = given(worker, R"({"name": "n", "type": "ptp", "ipam": {"type": "host-local"}})");
  EXPECT_EQ(plugins.at(0)["ipam"]["routes"], json::parse(R"([{"dst":"0.0.0.0/0"}])"));
  auto options = worker.options(Flavour::real);
  options.plugins = resolve("/usr/lib/cni/ptp");
  const auto single = PodNetwork(worker.netns(), options).config().plugins;
  EXPECT_EQ(single.at(0)["ipam"]["routes"], json::parse(R"([{"dst":"0.0.0.0/0"}])"));
}

// Debian's plugins, the flannel of ours.
TEST(ConfiguredNetwork, RunsAChainAndLeavesNothingOfIt) {
  for (const auto* version : {"0.4.0", "1.0.0"}) {  // firewall 1.1.1 speaks no earlier one
    const TestWorker worker;
    const TestContainer c1("c1");
    auto options = configured(worker, kChain);
    options.plugins.conf->cni_version = version;
    PodNetwork network(worker.netns(), options);
    auto attachment = c1.attachment();
    attachment.capabilities =
        json::parse(R"({"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}],
                                              "bandwidth": {"ingressRate": 800000, "ingressBurst": 80000}})");
    const auto result = network.attach(attachment);
    EXPECT_EQ(result.cni_version, version);
    EXPECT_THAT(result.addresses(), ElementsAre(parse_address("11.13.0.2")));
    EXPECT_THAT(output(worker.netns(), {"iptables-save"}), HasSubstr("11.13.0.2:80")) << version;
    EXPECT_THAT(output(worker.netns(), {"tc", "qdisc"}), HasSubstr("tbf")) << version;
    EXPECT_EQ(output(c1.netns(), {"sysctl", "-n", "net.ipv4.conf.eth0.log_martians"}), "1\n") << version;
    EXPECT_THAT(output(worker.netns(), {"ip", "-br", "link"}), HasSubstr("mybr0")) << version;
    network.detach("c1");
    EXPECT_THAT(output(worker.netns(), {"iptables-save"}), testing::Not(HasSubstr("11.13.0.2"))) << version;
    EXPECT_THAT(files_in(worker.directory() / "cni/networks/pods"), ElementsAre("last_reserved_ip.0", "lock"));
    EXPECT_THAT(files_in(worker.directory() / "cni/flannel"), IsEmpty());
    EXPECT_THAT(files_in(worker.directory() / "cni/cache"), IsEmpty());
    NetNs::unpin("w1");
    std::filesystem::remove_all(worker.directory());
  }
}

TEST(ConfiguredNetwork, RefusesAWishThatNoPluginHearsOf) {
  const TestWorker worker;
  const TestContainer c1("c1");
  auto attachment = c1.attachment();
  attachment.capabilities = {{"portMappings", json::array()}};
  for (const auto& options :
       {worker.options(Flavour::builtin), worker.options(Flavour::real),
        configured(worker, R"({"name":"n","plugins":[{"type":"tuning","capabilities":{"mac":true}}]})")}) {
    PodNetwork network(worker.netns(), options);
    EXPECT_THAT(thrown<InputError>([&] { network.attach(attachment); }).what(),
                testing::AllOf(HasSubstr("give container c1 \"portMappings\""),
                               HasSubstr("\"capabilities\": {\"portMappings\": true}")));
  }
}

}  // namespace
}  // namespace knetsim::cni
