// Topology files: each member has an effect that the kernel shows, or the process that it controls. Which members there
// are, the schema says; one without a test here is a failure.
//
// Topology: each test its own; the schema is fixtures/topology.schema.json.

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "knetsim/emulator/evidence.h"
#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/wire.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/skupper/config.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/ready.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::fixtures {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::SizeIs;

std::set<std::string>& proven_members() {
  static std::set<std::string> members;
  return members;
}

struct Proven {
  Proven(std::initializer_list<const char*> members) { proven_members().insert(members.begin(), members.end()); }
};

class TopologyMembers : public EmulationTest {
 protected:
  void stand(const json& topology) { boot(Topology::from_json(topology.dump(), "test.json")); }

  /// The program's path.
  static std::string program_of(Process& process) {
    return fs::read_symlink(fs::path("/proc") / std::to_string(process.pid()) / "exe").filename();
  }

  /// Which bridge the node's or the switch's port is in, by the kernel.
  std::string master_of(const std::string& port) {
    netlink::Socket socket(emulation().underlay().netns(), "underlay");
    const auto link = netlink::find_link(socket, port);
    return link && link->master != 0 ? netlink::get_link(socket, link->master).name : "";
  }

  std::vector<std::string> keys(const std::string& cluster_name, const std::string& prefix) {
    std::vector<std::string> all;
    auto client = cluster(cluster_name).etcd().client();
    for (const auto& one : client.list(prefix).kvs) all.push_back(one.key);
    return all;
  }
};

/// A test of these members. `[]` stands for each element of a list.
#define MEMBERS_TEST(name, ...)            /* NOLINT(cppcoreguidelines-macro-usage) */ \
  const Proven kProven##name{__VA_ARGS__}; /* NOLINT(cert-err58-cpp) */                \
  TEST_F(TopologyMembers, name)

/// Two switches in a line and one for itself; a node on each.
json islands() {
  return json::parse(R"({
    "$schema": "../topology.schema.json",
    "underlay": {
      "network": ["10.7.0.0/16", "fd07::/64"], "mtu": 1400, "permanentNeighbours": true,
      "switches": [{"name": "t0"}, {"name": "s0", "uplink": "t0"}, {"name": "s1"}]
    },
    "clusters": [{
      "name": "C0", "switch": "s0", "cni": "builtin",
      "etcd": [{"name": "e1", "address": "10.7.0.1", "switch": "t0"}],
      "workers": [
        {"name": "w1", "address": ["10.7.0.3", "fd07::3"], "podSubnet": ["11.1.0.0/24", "fd11:1::/64"]},
        {"name": "w2", "address": ["10.7.0.4", "fd07::4"], "switch": "s1", "podSubnet": "11.2.0.0/24"},
        {"name": "w3", "address": "10.7.0.5"}
      ],
      "containers": [{"name": "c1", "worker": "w1"},
                     {"name": "c2", "worker": "w1", "command": ["sleep", "98765"]},
                     {"name": "c3", "worker": "w1"}],
      "services": {"range": ["100.64.0.0/16", "fd64::/64"],
                   "vips": [{"address": "100.64.9.9", "containers": ["c2", "c3"]}]}
    }]})");
}

MEMBERS_TEST(NodesAreWhereTheyArePluggedIn, "/clusters/[]/switch", "/clusters/[]/etcd/[]/switch",
             "/clusters/[]/workers/[]/switch", "/underlay/switches/[]/name", "/underlay/switches/[]/uplink") {
  stand(islands());
  EXPECT_EQ(master_of("w1"), "s0") << "the cluster's";
  EXPECT_EQ(master_of("e1"), "t0") << "its own";
  EXPECT_EQ(master_of("w2"), "s1") << "its own";
  EXPECT_THAT(node("w1"), CanPing(node("e1"))) << "by the uplink";
  EXPECT_THAT(node("w1"), CannotPing(node("w2"))) << "nothing joins their switches";
  EXPECT_THAT(node("w2"), CannotPing(node("e1")));
  EXPECT_THAT(emulation().underlay().bridges(), ElementsAre("t0", "s0", "s1"));
}

MEMBERS_TEST(TheUnderlayIsAsWideAsItSays, "/underlay/network", "/underlay/mtu", "/clusters/[]/workers/[]/address",
             "/clusters/[]/etcd/[]/address", "/underlay/permanentNeighbours") {
  stand(islands());
  EXPECT_THAT(node("w1"), HasAddress("eth0", parse_network("10.7.0.3/16")));
  EXPECT_THAT(node("w1"), HasAddress("eth0", parse_network("fd07::3/64")));
  EXPECT_THAT(node("e1"), HasAddress("eth0", parse_network("10.7.0.1/16")));
  EXPECT_THAT(node("w1"), HasLink("eth0", HasMtu(1400)));
  const auto ping = [this](const std::string& bytes) {
    return node("w1").exec({"ping", "-c", "1", "-W", "5", "-M", "do", "-s", bytes, "10.7.0.1"});
  };
  EXPECT_THAT(ping("1372"), Succeeds());
  EXPECT_THAT(ping("1373"), ExitsWith(1));
  auto socket = node("w1").netlink();
  std::vector<std::string> known;
  for (const auto& one : netlink::list_neighbours(socket))
    if (one.permanent() && !one.address.is_multicast()) known.push_back(one.address.to_string());
  EXPECT_THAT(known, AllOf(Contains("10.7.0.1"), Contains("fd07::4"))) << "known for good";
}

MEMBERS_TEST(NodesAndContainersAreNamespacesOfTheirNames, "/clusters/[]/etcd/[]/name", "/clusters/[]/workers/[]/name",
             "/clusters/[]/containers/[]/name", "/clusters/[]/containers/[]/worker",
             "/clusters/[]/containers/[]/command", "/clusters/[]/workers/[]/podSubnet", "/$schema") {
  stand(islands());
  for (const auto* name : {"e1", "w1", "w2", "w3", "k0_c1", "k0_c2", "k0_c3"})
    EXPECT_TRUE(fs::exists(fs::path("/run/netns") / name)) << name;
  auto& c2 = worker("w1").container("c2");
  EXPECT_THAT(worker("w1"), HasLink(c2.network().host_interface())) << "the worker has the other end";
  EXPECT_THAT(worker("w1"), HasAddress("cni0", parse_network("11.1.0.1/24")));
  for (const auto& subnet : {parse_network("11.1.0.0/24"), parse_network("fd11:1::/64")})
    EXPECT_TRUE(std::any_of(c2.addresses().begin(), c2.addresses().end(), [&](const Address& one) {
      return contains(subnet, one);
    })) << to_string(subnet);
  const auto process = fs::path("/proc") / std::to_string(c2.program().process().pid());
  EXPECT_THAT(read_file(process / "cmdline"), testing::EndsWith(std::string("sleep\0", 6) + std::string("98765\0", 6)));
  struct stat seen {};
  ASSERT_EQ(::stat((process / "ns/net").c_str(), &seen), 0);
  EXPECT_EQ(seen.st_ino, c2.netns().inode()) << "it runs in the container's network";
}

MEMBERS_TEST(VirtualAddressesAreRoutedAndTakenInTurns, "/clusters/[]/services/range",
             "/clusters/[]/services/vips/[]/address", "/clusters/[]/services/vips/[]/containers") {
  stand(islands());
  EXPECT_THAT(node("w1"), HasRoute(parse_network("100.64.0.0/16")));
  EXPECT_THAT(node("w1"), HasRoute(parse_network("fd64::/64")));
  EXPECT_THAT(node("w1").exec({"nft", "list", "ruleset"}).out, HasSubstr("100.64.9.9"));
  std::vector<long> came;
  for (const auto* name : {"c1", "c2", "c3"}) came.push_back(-echo_requests_received(worker("w1").container(name)));
  for (int turn = 0; turn < 2; ++turn)
    EXPECT_THAT(worker("w1").exec_container("c1", {"ping", "-c", "1", "-W", "5", "100.64.9.9"}), Succeeds());
  for (int i = 0; const auto* name : {"c1", "c2", "c3"})
    came[i++] += echo_requests_received(worker("w1").container(name));
  EXPECT_THAT(came, ElementsAre(0, 1, 1));
}

/// Two workers with flannel and a container each; `config` is the network config.
json with_flannel(const json& config) {
  auto topology = json::parse(R"({
    "underlay": {"network": ["10.0.0.0/8", "fd00::/64"], "switches": [{"name": "s0"}]},
    "clusters": [{
      "name": "C0", "switch": "s0", "cni": "builtin", "etcd": [{"name": "e1", "address": "10.0.0.1"}],
      "workers": [{"name": "w1", "address": ["10.0.0.3", "fd00::3"]}, {"name": "w2", "address": ["10.0.0.4", "fd00::4"]}],
      "flannel": {"flavour": "builtin", "prefix": "/my/net"}
    }]})");
  topology["clusters"][0]["flannel"]["config"] = config;
  return topology;
}

MEMBERS_TEST(FlannelsConfigStandsInEtcdAndInTheTunnels, "/clusters/[]/flannel/prefix", "/clusters/[]/flannel/flavour",
             "/clusters/[]/flannel/config/Network", "/clusters/[]/flannel/config/SubnetLen",
             "/clusters/[]/flannel/config/SubnetMin", "/clusters/[]/flannel/config/SubnetMax",
             "/clusters/[]/flannel/config/EnableIPv6", "/clusters/[]/flannel/config/EnableNFTables",
             "/clusters/[]/flannel/config/IPv6Network", "/clusters/[]/flannel/config/IPv6SubnetLen",
             "/clusters/[]/flannel/config/IPv6SubnetMin", "/clusters/[]/flannel/config/IPv6SubnetMax",
             "/clusters/[]/flannel/config/Backend/Type", "/clusters/[]/flannel/config/Backend/VNI",
             "/clusters/[]/flannel/config/Backend/Port", "/clusters/[]/flannel/config/Backend/MTU",
             "/clusters/[]/flannel/config/Backend/GBP", "/clusters/[]/flannel/config/Backend/Learning",
             "/clusters/[]/flannel/config/Backend/DirectRouting") {
  // The environment decides for no flavour but auto.
  ::setenv("KNETSIM_FLANNEL", "real", 1);
  ::setenv("KNETSIM_FLANNELD", "/bin/false", 1);
  // More subnets of one family than of the other: a subnet in the same place of its range isn't always there.
  stand(with_flannel(json::parse(R"({
    "Network": "11.64.0.0/12", "SubnetLen": 22, "SubnetMin": "11.70.0.0", "SubnetMax": "11.70.60.0",
    "EnableIPv6": true, "EnableNFTables": true, "IPv6Network": "fd11::/48", "IPv6SubnetLen": 60, "IPv6SubnetMin": "fd11:0:0:100::",
    "IPv6SubnetMax": "fd11:0:0:110::",
    "Backend": {"Type": "vxlan", "VNI": 77, "Port": 4790, "MTU": 1450, "GBP": true, "Learning": true,
                "DirectRouting": true}})")));
  EXPECT_EQ(program_of(worker("w1").flanneld().process()), "knetsim-flanneld");
  EXPECT_THAT(
      keys("C0", "/my/net/"),
      ElementsAre("/my/net/config",
                  ContainsRegex("^/my/net/subnets/11[.]70[.][0-6]?[0-9][.]0-22&fd11[:-]0[:-]0[:-]1[01]0[:-]{2}-60$"),
                  ContainsRegex("^/my/net/subnets/11[.]70[.][0-6]?[0-9][.]0-22&fd11[:-]0[:-]0[:-]1[01]0[:-]{2}-60$")));
  auto socket = worker("w1").netlink();
  const auto tunnel = netlink::get_link(socket, "flannel.77");
  ASSERT_TRUE(tunnel.vxlan) << tunnel.kind;
  EXPECT_EQ(tunnel.mtu, 1400U) << "of an underlay of 1450";
  EXPECT_EQ(tunnel.vxlan->vni, 77U);
  EXPECT_EQ(tunnel.vxlan->port, 4790);
  EXPECT_TRUE(tunnel.vxlan->gbp);
  EXPECT_TRUE(tunnel.vxlan->learning);
  EXPECT_EQ(netlink::get_link(socket, "flannel-v6.77").mtu, 1380U);
  EXPECT_THAT(worker("w1").exec({"nft", "list", "tables"}).out, HasSubstr("flannel-ipv4"));
  const auto routes = worker("w1").exec({"ip", "route"}).out + worker("w1").exec({"ip", "-6", "route"}).out;
  EXPECT_THAT(routes, AllOf(ContainsRegex("11[.]70[.][0-6]?[0-9][.]0/22 via 10[.]0[.]0[.]4 dev eth0"),
                            ContainsRegex("fd11:0:0:1[01]0::/60 via fd00::4 dev eth0")))
      << "direct: the other worker is one hop away";
}

MEMBERS_TEST(FlannelDoesWithoutAFamilyThatIsNotEnabled, "/clusters/[]/flannel/config/EnableIPv4") {
  stand(with_flannel(json::parse(R"({"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd11::/48",
                                     "Network": "11.0.0.0/8", "Backend": {"Type": "vxlan"}})")));
  EXPECT_THAT(worker("w1"), HasLink("flannel-v6.1", IsUp()));
  EXPECT_THAT(worker("w1"), HasNoLink("flannel.1"));
  EXPECT_THAT(worker("w1").exec({"ip", "route"}).out, Not(HasSubstr("11.")));
}

MEMBERS_TEST(ContainersAreConnectedByWhomTheTopologySays, "/clusters/[]/cni") {
  const fs::path plugin = "/tmp/knetsim/plugins/mine";
  fs::create_directories(plugin.parent_path());
  std::ofstream(plugin) << "#!/bin/sh\necho >>/tmp/knetsim/plugins/asked\n"
                           "echo '{\"cniVersion\": \"1.0.0\", \"code\": 100, \"msg\": \"mine refuses\"}'\nexit 1\n";
  fs::permissions(plugin, fs::perms::owner_all);
  ::setenv("KNETSIM_CNI", plugin.c_str(), 1);
  auto topology = islands();
  stand(topology);
  EXPECT_FALSE(fs::exists("/tmp/knetsim/plugins/asked")) << "builtin";
  EXPECT_THAT(node("w1"), HasLink("cni0", HasKind("bridge")));
}

TEST_F(TopologyMembers, AClusterWhoseCniIsRealAsksThePlugin) {
  const fs::path plugin = "/tmp/knetsim/plugins/mine";
  fs::create_directories(plugin.parent_path());
  std::ofstream(plugin) << "#!/bin/sh\necho >>/tmp/knetsim/plugins/asked\n"
                           "echo '{\"cniVersion\": \"1.0.0\", \"code\": 100, \"msg\": \"mine refuses\"}'\nexit 1\n";
  fs::permissions(plugin, fs::perms::owner_all);
  ::setenv("KNETSIM_CNI", plugin.c_str(), 1);
  auto topology = islands();
  topology["clusters"][0]["cni"] = "real";
  try {
    Emulation::boot(Topology::from_json(topology.dump(), "test.json"));
    FAIL() << "it stood up without the plugin";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("mine refuses"));
  }
  EXPECT_TRUE(fs::exists("/tmp/knetsim/plugins/asked"));
}

MEMBERS_TEST(PluginsAreToldWhatTheTopologySays, "/clusters/[]/cni/conf", "/clusters/[]/containers/[]/runtimeConfig") {
  const fs::path plugin = "/tmp/knetsim/plugins/mine";
  fs::create_directories(plugin.parent_path());
  std::ofstream(plugin) << "#!/bin/sh\ncat >/tmp/knetsim/plugins/$CNI_COMMAND\n"
                           "echo '{\"cniVersion\": \"1.0.0\", \"code\": 100, \"msg\": \"mine refuses\"}'\nexit 1\n";
  fs::permissions(plugin, fs::perms::owner_all);
  ::setenv("CNI_PATH", plugin.parent_path().c_str(), 1);
  auto topology = islands();
  auto& cluster = topology["clusters"][0];
  cluster["cni"] = json::parse(R"({"conf": {"name": "n", "cniVersion": "1.0.0", "plugins": [
    {"type": "mine", "colour": "blue", "capabilities": {"portMappings": true}}]}})");
  const auto told = json::parse(R"({"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]})");
  for (auto& container : cluster["containers"]) container["runtimeConfig"] = told;
  EXPECT_THROW(Emulation::boot(Topology::from_json(topology.dump(), "test.json")), Error);
  const auto heard = json::parse(read_file("/tmp/knetsim/plugins/ADD"));
  EXPECT_EQ(heard.at("colour"), "blue");
  EXPECT_EQ(heard.at("runtimeConfig"), told);
}

MEMBERS_TEST(AnApiIsOfferedUnlessItIsNotWanted, "/clusters/[]/api") {
  stand(json::parse(R"({
    "underlay": {"network": "10.0.0.0/8", "switches": [{"name": "s0"}]},
    "clusters": [{"name": "C0", "switch": "s0", "etcd": [{"name": "C0e1", "address": "10.0.0.1"}], "workers": []},
                 {"name": "C1", "switch": "s0", "etcd": [{"name": "C1e1", "address": "10.0.0.6"}], "workers": [],
                  "api": false},
                 {"name": "C2", "switch": "s0", "etcd": [{"name": "C2e1", "address": "10.0.0.9"}], "workers": [],
                  "api": true}]})"));
  EXPECT_THAT(listening_tcp_ports(NetNs::current()), IsSupersetOf({8001, 8003}));
  EXPECT_THAT(listening_tcp_ports(NetNs::current()), Not(Contains(8002)));
}

MEMBERS_TEST(ServicesAreDirectedByWhomTheTopologySays, "/clusters/[]/kubeProxy") {
  ::setenv("KNETSIM_KUBE_PROXY", "/no/such/kube-proxy", 1);
  auto topology = json::parse(R"({
    "underlay": {"network": "10.0.0.0/8", "switches": [{"name": "s0"}]},
    "clusters": [{"name": "C0", "switch": "s0", "cni": "builtin", "etcd": [{"name": "e1", "address": "10.0.0.1"}],
                  "workers": [{"name": "w1", "address": "10.0.0.3", "podSubnet": "11.1.0.0/24"}]}]})");
  topology["clusters"][0]["kubeProxy"] = "real";
  {
    auto refused = Emulation::boot(Topology::from_json(topology.dump(), "test.json"));
    EXPECT_THAT([&] { refused.start_apis(); },
                testing::ThrowsMessage<Error>(HasSubstr("KNETSIM_KUBE_PROXY=/no/such/kube-proxy")));
  }
  topology["clusters"][0]["kubeProxy"] = "builtin";
  stand(topology);
  emulation().start_apis();
  EXPECT_TRUE(cluster().kube_proxy(worker("w1"))->running());
}

MEMBERS_TEST(ManifestsAreAppliedAtBoot, "/clusters/[]/manifests") {
  const std::string file = std::string(kStateDirectory) + "/told.yaml";
  std::ofstream(file) << "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: told}\n";
  auto topology = json::parse(R"({
    "underlay": {"network": "10.0.0.0/8", "switches": [{"name": "s0"}]},
    "clusters": [{"name": "C0", "switch": "s0", "etcd": [{"name": "C0e1", "address": "10.0.0.1"}], "workers": []}]})");
  topology["clusters"][0]["manifests"] = {file};
  stand(topology);
  EXPECT_EQ(exec(Emulation::kubectl({"get", "configmap", "told", "-o", "name"})).out, "configmap/told\n");
}

MEMBERS_TEST(RoutersCarryServicesOverTheLinks, "/clusters/[]/name", "/clusters/[]/skupper/flavour",
             "/clusters/[]/skupper/links/[]/cluster", "/clusters/[]/skupper/links/[]/cost",
             "/clusters/[]/skupper/services/[]/name", "/clusters/[]/skupper/services/[]/container",
             "/clusters/[]/skupper/services/[]/port", "/clusters/[]/skupper/services/[]/listenPort") {
  ::setenv("KNETSIM_SKUPPER", "real", 1);
  ::setenv("KNETSIM_SKROUTERD", "/bin/false", 1);
  stand(json::parse(R"({
    "underlay": {"network": "10.0.0.0/8", "switches": [{"name": "s0"}]},
    "clusters": [
      {"name": "C0", "switch": "s0", "cni": "builtin",
       "workers": [{"name": "C0w1", "address": "10.0.0.3", "podSubnet": "11.1.0.0/24"}],
       "containers": [{"name": "c1", "worker": "C0w1"},
                      {"name": "web", "worker": "C0w1", "command": ["python3", "-m", "http.server", "8099"]}],
       "skupper": {"flavour": "builtin",
                   "services": [{"name": "pages", "container": "web", "port": 8099, "listenPort": 1033}]}},
      {"name": "C1", "switch": "s0", "cni": "builtin",
       "workers": [{"name": "C1w1", "address": "10.0.0.8", "podSubnet": "11.1.0.0/24"}],
       "containers": [{"name": "c1", "worker": "C1w1"}],
       "skupper": {"flavour": "builtin", "links": [{"cluster": "C0", "cost": 7}]}}
    ]})"));
  EXPECT_EQ(program_of(service_network().router(cluster("C0")).process()), "knetsim-skrouterd");
  const auto first = skupper::read_config("/tmp/knetsim/skupper/0.json");
  const auto second = skupper::read_config("/tmp/knetsim/skupper/1.json");
  ASSERT_THAT(second.connectors, SizeIs(1));
  EXPECT_EQ(second.connectors[0].host, "10.0.0.3") << "the link is with the cluster of that name";
  EXPECT_EQ(second.connectors[0].connection.cost, 7U);
  ASSERT_THAT(first.tcp_connectors, SizeIs(1));
  EXPECT_EQ(first.tcp_connectors[0].host, worker("C0w1").container("web").address().to_string());
  EXPECT_EQ(first.tcp_connectors[0].port, 8099);
  EXPECT_EQ(first.tcp_connectors[0].address, "pages");
  EXPECT_THAT(listening_tcp_ports(worker("C1w1").netns()), Contains(1033));
  EXPECT_THAT(worker("C1w1").exec_container("c1", {"wget", "-q", "-O", "-", "-T", "10", "10.0.0.8:1033"}),
              AllOf(Succeeds(), Prints(HasSubstr("Directory listing"))));
}

/// "/clusters/[]/etcd/[]/name": every member that holds a value, or a list of them.
void collect_members(const json& schema, const json& node, const std::string& path, std::set<std::string>& members) {
  if (node.contains("$ref"))
    return collect_members(schema, schema.at(json::json_pointer(node["$ref"].get<std::string>().substr(1))), path,
                           members);
  if (node.contains("oneOf"))
    for (const auto& one : node["oneOf"])
      if (one.contains("properties")) collect_members(schema, one, path, members);
  if (node.contains("properties")) {
    for (const auto& [name, member] : node["properties"].items())
      collect_members(schema, member, path + "/" + name, members);
  } else if (node.contains("items") && node["items"].contains("properties")) {
    collect_members(schema, node["items"], path + "/[]", members);
  } else {
    members.insert(path);
  }
}

TEST(TopologySchema, EveryMemberHasATestThatLooksAtItsEffect) {
  // Beside the directory of the topologies, as built and as installed.
  const auto schema = json::parse(read_file(find_topology("../topology.schema.json")));
  std::set<std::string> members;
  collect_members(schema, schema, "", members);
  EXPECT_THAT(members, SizeIs(testing::Ge(48U)));
  std::vector<std::string> untested;
  std::vector<std::string> unknown;
  std::set_difference(members.begin(), members.end(), proven_members().begin(), proven_members().end(),
                      std::back_inserter(untested));
  std::set_difference(proven_members().begin(), proven_members().end(), members.begin(), members.end(),
                      std::back_inserter(unknown));
  EXPECT_THAT(untested, IsEmpty()) << "in the schema, but no MEMBERS_TEST names it";
  EXPECT_THAT(unknown, IsEmpty()) << "named by a MEMBERS_TEST, but not in the schema";
}

class Pictures : public TopologyMembers {
 protected:
  const Place& place(const std::string& name) {
    places_ = places_of(emulation());
    for (const auto& one : places_)
      if (one.name == name) return one;
    static const Place nothing;
    return nothing;
  }

 private:
  std::vector<Place> places_;
};

TEST_F(Pictures, ShowWhatTheKernelHasAndNotWhatTheTopologySays) {
  stand(islands());
  EXPECT_EQ(place("w2").on, "s1");
  EXPECT_EQ(place("s0").on, "t0");
  EXPECT_THAT(place("w1").faults, IsEmpty());
  EXPECT_THAT(place("w1/c1").faults, IsEmpty());
  netlink::Socket switches(emulation().underlay().netns(), "underlay");
  const auto port = netlink::get_link(switches, "w1").index;
  netlink::set_master(switches, port, netlink::get_link(switches, "s1").index);
  EXPECT_EQ(place("w1").on, "s1") << "moved by hand";
  netlink::set_master(switches, port, 0);
  EXPECT_EQ(place("w1").on, "");
  EXPECT_THAT(place("w1").faults, Contains("plugged in nowhere"));
  emulation().underlay().cut("w2");
  EXPECT_THAT(place("w2").faults, Contains("its cable is out"));
  node("w3").exec({"ip", "link", "set", "eth0", "down"});
  EXPECT_THAT(place("w3").faults, Contains("eth0 is down"));
  auto& c1 = worker("w1").container("c1");
  worker("w1").exec({"ip", "link", "set", c1.network().host_interface(), "nomaster"});
  EXPECT_THAT(place("w1/c1").faults, Contains(HasSubstr("is in no bridge")));
  c1.exec({"ip", "address", "flush", "dev", "eth0"});
  EXPECT_THAT(place("w1/c1").addresses, IsEmpty());
  worker("w1").container("c2").program().kill();
  EXPECT_THAT(place("w1/c2").ended, ElementsAre("sleep: killed by SIGKILL"));
  worker("w1").delete_container("c3");
  EXPECT_EQ(place("w1/c3").name, "");
}

}  // namespace
}  // namespace knetsim::fixtures
