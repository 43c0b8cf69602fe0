// Topology from JSON: the shape of each value. What only the whole shows is checked in topology_validate.cpp.
#include <strings.h>

#include <array>

#include "json_reader.h"
#include "knetsim/cni/config.h"
#include "knetsim/emulator/topology.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"

namespace knetsim {

namespace {

std::vector<Network> networks(const JsonReader& reader) {
  std::vector<Network> result;
  for (const auto& element : reader.one_or_more()) {
    const auto network = element.parsed<Network>(parse_network);
    if (canonical(network) != network)
      element.complain("has bits set after its prefix", "write " + to_string(canonical(network)));
    result.push_back(network);
  }
  if (result.empty()) reader.complain("names no network", "name one, as 10.0.0.0/8, or leave it out");
  return result;
}

NodeSpec node(const JsonReader& reader, bool worker) {
  if (worker)
    reader.expect_keys({"name", "address", "switch", "podSubnet"});
  else
    reader.expect_keys({"name", "address", "switch"});
  NodeSpec spec{.name = reader.at("name").string(), .addresses = {}};
  for (const auto& address : reader.at("address").one_or_more())
    spec.addresses.push_back(address.parsed<Address>(parse_address));
  if (reader.has("switch")) spec.switch_name = reader.at("switch").name();
  if (reader.has("podSubnet")) spec.pod_subnets = networks(reader.at("podSubnet"));
  return spec;
}

// As Go's decoder reads them: in any case.
constexpr std::array<std::string_view, 12> kFlannelMembers{
    "EnableNFTables", "Network",     "SubnetLen",     "SubnetMin",     "SubnetMax",     "EnableIPv4",
    "EnableIPv6",     "IPv6Network", "IPv6SubnetLen", "IPv6SubnetMin", "IPv6SubnetMax", "Backend"};
constexpr std::array<std::string_view, 7> kBackendMembers{"Type", "VNI",      "Port",         "MTU",
                                                          "GBP",  "Learning", "DirectRouting"};

FlannelSpec flannel(const JsonReader& reader, std::vector<std::string>& remarks) {
  reader.expect_keys({"flavour", "prefix", "config"});
  FlannelSpec spec;
  const auto config = reader.at("config");
  spec.config = config.dump();
  config.remark_others(kFlannelMembers, "flannel takes no notice of it", remarks);
  for (const auto& [key, member] : config.members())
    if (strcasecmp(key.c_str(), "Backend") == 0)
      member.remark_others(kBackendMembers, "flannel takes no notice of it", remarks);
  if (reader.has("flavour"))
    spec.flavour = reader.at("flavour").choice({"auto", "builtin", "real", "mixed", "mixed-reversed"});
  if (reader.has("prefix")) spec.prefix = reader.at("prefix").string();
  return spec;
}

void services(const JsonReader& reader, ClusterSpec& cluster) {
  reader.expect_keys({"range", "vips"});
  cluster.service_ranges = networks(reader.at("range"));
  if (!reader.has("vips")) return;
  for (const auto& element : reader.at("vips").array()) {
    element.expect_keys({"address", "containers"});
    VipSpec vip{.address = element.at("address").parsed<Address>(parse_address), .containers = {}};
    for (const auto& container : element.at("containers").array()) vip.containers.push_back(container.string());
    cluster.vips.push_back(std::move(vip));
  }
}

constexpr std::size_t kLongestArgument = 128UL << 10;  // execve(2): MAX_ARG_STRLEN

std::vector<std::string> command(const JsonReader& reader) {
  std::vector<std::string> words;
  for (const auto& word : reader.array()) {
    words.push_back(word.string(kLongestArgument));
    if (words.back().find('\0') != std::string::npos)
      word.complain("holds a NUL byte, which ends an argument", "leave it away");
  }
  if (words.empty()) reader.complain("names no program", "name it first, then its arguments; or leave it out");
  return words;
}

ContainerSpec container(const JsonReader& reader) {
  reader.expect_keys({"name", "worker", "command", "runtimeConfig"});
  ContainerSpec spec{.name = reader.at("name").string(), .worker = reader.at("worker").string()};
  if (reader.has("command")) spec.command = command(reader.at("command"));
  if (reader.has("runtimeConfig")) {
    const auto config = reader.at("runtimeConfig");
    if (!config.is_object()) config.complain("must be an object", "write it like {\"portMappings\": [...]}");
    spec.runtime_config = config.dump();
  }
  return spec;
}

void cni_of(const JsonReader& reader, ClusterSpec& cluster) {
  if (!reader.is_object()) {
    cluster.cni = reader.choice({"auto", "builtin", "real", "mixed"});
    return;
  }
  reader.expect_keys({"conf"});
  const auto conf = reader.at("conf");
  try {
    cni::parse_network_config(conf.dump());
  } catch (const InputError& error) {
    conf.complain_of(error);
  }
  cluster.cni_conf = conf.dump();
}

std::uint16_t port(const JsonReader& reader) { return static_cast<std::uint16_t>(reader.number(1, 65535)); }

RouterLinkSpec router_link(const JsonReader& reader) {
  reader.expect_keys({"cluster", "cost"});
  RouterLinkSpec spec{.cluster = reader.at("cluster").string()};
  if (reader.has("cost")) spec.cost = reader.at("cost").number(1, 1'000'000);
  return spec;
}

SkupperSpec skupper(const JsonReader& reader) {
  reader.expect_keys({"flavour", "links", "services"});
  SkupperSpec spec;
  if (reader.has("flavour"))
    spec.flavour = reader.at("flavour").choice({"auto", "builtin", "real", "mixed", "mixed-reversed"});
  if (reader.has("links"))
    for (const auto& element : reader.at("links").array()) spec.links.push_back(router_link(element));
  if (reader.has("services"))
    for (const auto& element : reader.at("services").array()) {
      element.expect_keys({"name", "container", "port", "listenPort"});
      spec.services.push_back({.name = element.at("name").string(),
                               .container = element.at("container").string(),
                               .port = port(element.at("port")),
                               .listen_port = port(element.at("listenPort"))});
    }
  return spec;
}

ClusterSpec cluster(const JsonReader& reader, std::vector<std::string>& remarks) {
  reader.expect_keys({"name", "switch", "etcd", "workers", "flannel", "cni", "containers", "services", "skupper"});
  ClusterSpec spec{.name = reader.at("name").string(), .switch_name = reader.at("switch").string()};
  if (reader.has("etcd"))
    for (const auto& element : reader.at("etcd").array()) spec.etcd.push_back(node(element, false));
  for (const auto& element : reader.at("workers").array()) spec.workers.push_back(node(element, true));
  if (reader.has("flannel")) spec.flannel = flannel(reader.at("flannel"), remarks);
  if (reader.has("cni")) cni_of(reader.at("cni"), spec);
  if (reader.has("containers"))
    for (const auto& element : reader.at("containers").array()) spec.containers.push_back(container(element));
  if (reader.has("services")) services(reader.at("services"), spec);
  if (reader.has("skupper")) spec.skupper = skupper(reader.at("skupper"));
  return spec;
}

UnderlaySpec underlay(const JsonReader& reader) {
  reader.expect_keys({"network", "mtu", "switches", "permanentNeighbours"});
  UnderlaySpec spec{.networks = networks(reader.at("network")), .switches = {}};
  if (reader.has("mtu")) spec.mtu = reader.at("mtu").number(1280, 65535);
  if (reader.has("permanentNeighbours")) spec.permanent_neighbours = reader.at("permanentNeighbours").boolean();
  for (const auto& element : reader.at("switches").array()) {
    element.expect_keys({"name", "uplink"});
    spec.switches.push_back({.name = element.at("name").string(),
                             .uplink = element.has("uplink") ? element.at("uplink").name() : std::string{}});
  }
  return spec;
}

}  // namespace

Topology Topology::from_json(std::string_view text, const std::string& file) {
  Topology topology{.underlay = {}, .clusters = {}, .source = {file, std::string(text)}};
  const auto document = parse_strict_json(topology.source);
  const JsonReader reader(document, topology.source);
  reader.expect_keys({"$schema", "underlay", "clusters"});
  if (reader.has("$schema")) reader.at("$schema").string();  // editors follow it
  topology.underlay = knetsim::underlay(reader.at("underlay"));
  for (const auto& element : reader.at("clusters").array())
    topology.clusters.push_back(cluster(element, topology.remarks));
  topology.validate();
  return topology;
}

Topology Topology::from_file(const std::filesystem::path& path) {
  std::string text;
  try {
    text = read_file(path);
  } catch (const SystemError& error) {
    throw InputError(describe({.where = path.string(),
                               .tried = "read the topology",
                               .answer = errno_text(error.error()),
                               .remedy = "name a file that exists and may be read"}));
  }
  return from_json(text, path.string());
}

}  // namespace knetsim
