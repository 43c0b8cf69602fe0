// Topologies from files: where they are found, and the shape of each value. What only the whole shows is checked in
// topology_validate.cpp.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "knetsim/cni/plugins.h"
#include "knetsim/emulator/topology.h"
#include "knetsim/flannel/config.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/installation.h"
#include "knetsim/sys/json_place.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/text.h"
#include "manifests.h"

namespace knetsim {

namespace fs = std::filesystem;

namespace {

/// "demo, pair, single"
std::string names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) names.push_back(entry.path().stem());
  std::sort(names.begin(), names.end());
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

using parts::Flavour;

std::string given_name(const JsonPlace& at) {
  auto text = at.string();
  if (text.empty()) at.refuse("names nothing", "leave it out, or give the name");
  return text;
}

std::vector<Network> networks(const JsonPlace& at) {
  std::vector<Network> result;
  for (const auto& one : at.one_or_more()) {
    const auto network = one.parsed(parse_network);
    if (canonical(network) != network)
      one.refuse("has bits set after its prefix", "write " + to_string(canonical(network)));
    result.push_back(network);
  }
  if (result.empty()) at.refuse("names no network", "name one, as 10.0.0.0/8, or leave it out");
  return result;
}

NodeSpec node(const JsonPlace& at) {
  NodeSpec spec{.name = at["name"].string(), .addresses = {}};
  for (const auto& one : at["address"].one_or_more()) spec.addresses.push_back(one.parsed(parse_address));
  at.take("switch", spec.switch_name, given_name);
  return spec;
}

NodeSpec etcd_node(const JsonPlace& at) {
  at.expect_members({"name", "address", "switch"});
  return node(at);
}

NodeSpec worker(const JsonPlace& at) {
  at.expect_members({"name", "address", "switch", "podSubnet"});
  auto spec = node(at);
  at.take("podSubnet", spec.pod_subnets, networks);
  return spec;
}

Flavour one_of(const JsonPlace& at, std::initializer_list<Flavour> flavours) {
  std::vector<std::string> names;
  for (const auto one : flavours) names.push_back(to_string(one));
  return parts::flavour_named(at.choice(names)).value();
}

Flavour flavour(const JsonPlace& at) {
  return one_of(at, {Flavour::automatic, Flavour::builtin, Flavour::real, Flavour::mixed, Flavour::mixed_reversed});
}

FlannelSpec flannel(const JsonPlace& at) {
  at.expect_members({"flavour", "prefix", "config"});
  FlannelSpec spec;
  spec.config = at["config"].value().dump();
  at.take("flavour", spec.flavour, flavour);
  at.take("prefix", spec.prefix, &JsonPlace::string);
  return spec;
}

VipSpec vip(const JsonPlace& at) {
  at.expect_members({"address", "containers"});
  return {.address = at["address"].parsed(parse_address), .containers = at["containers"].each(&JsonPlace::string)};
}

std::string argument(const JsonPlace& at) {
  constexpr std::size_t kLongest = 128UL << 10;  // execve(2): MAX_ARG_STRLEN
  auto word = at.string_up_to(kLongest);
  if (word.find('\0') != std::string::npos) at.refuse("holds a NUL byte, which ends an argument", "leave it away");
  return word;
}

std::vector<std::string> command(const JsonPlace& at) {
  auto words = at.each(argument);
  if (words.empty()) at.refuse("names no program", "name it first, then its arguments; or leave it out");
  return words;
}

std::string runtime_config(const JsonPlace& at) {
  if (!at.value().is_object()) at.refuse("must be an object", "write it like {\"portMappings\": [...]}");
  return at.value().dump();
}

ContainerSpec container(const JsonPlace& at) {
  at.expect_members({"name", "worker", "command", "runtimeConfig"});
  ContainerSpec spec{.name = at["name"].string(), .worker = at["worker"].string()};
  at.take("command", spec.command, command);
  at.take("runtimeConfig", spec.runtime_config, runtime_config);
  return spec;
}

void cni_of(const JsonPlace& at, ClusterSpec& cluster) {
  if (!at.value().is_object()) {
    cluster.cni = one_of(at, {Flavour::automatic, Flavour::builtin, Flavour::real, Flavour::mixed});
    return;
  }
  at.expect_members({"conf"});
  cni::read_network_config(at["conf"]);
  cluster.cni_conf = at["conf"].value().dump();
}

std::uint16_t port(const JsonPlace& at) { return at.integer<std::uint16_t>(1); }

RouterLinkSpec router_link(const JsonPlace& at) {
  at.expect_members({"cluster", "cost"});
  RouterLinkSpec spec{.cluster = at["cluster"].string()};
  at.take("cost", spec.cost, [](const JsonPlace& cost) { return cost.integer(1U, 1'000'000U); });
  return spec;
}

ExposedServiceSpec exposed_service(const JsonPlace& at) {
  at.expect_members({"name", "container", "port", "listenPort"});
  return {.name = at["name"].string(),
          .container = at["container"].string(),
          .port = port(at["port"]),
          .listen_port = port(at["listenPort"])};
}

SkupperSpec skupper(const JsonPlace& at) {
  at.expect_members({"flavour", "links", "services"});
  SkupperSpec spec;
  at.take("flavour", spec.flavour, flavour);
  spec.links = at.each("links", router_link);
  spec.services = at.each("services", exposed_service);
  return spec;
}

ClusterSpec cluster(const JsonPlace& at) {
  at.expect_members({"name", "switch", "etcd", "workers", "flannel", "cni", "kubeProxy", "containers", "services",
                     "skupper", "api", "manifests"});
  ClusterSpec spec{.name = at["name"].string(), .switch_name = at["switch"].string()};
  spec.etcd = at.each("etcd", etcd_node);
  spec.workers = at["workers"].each(worker);
  at.take("flannel", spec.flannel, flannel);
  if (const auto cni = at.find("cni")) cni_of(*cni, spec);
  at.take("kubeProxy", spec.kube_proxy, flavour);
  spec.containers = at.each("containers", container);
  if (const auto services = at.find("services")) {
    services->expect_members({"range", "vips"});
    spec.service_ranges = networks((*services)["range"]);
    spec.vips = services->each("vips", vip);
  }
  at.take("skupper", spec.skupper, skupper);
  at.take("api", spec.api, &JsonPlace::boolean);
  for (auto& file : at.each("manifests", given_name)) spec.manifests.emplace_back(std::move(file));
  return spec;
}

SwitchSpec switch_spec(const JsonPlace& at) {
  at.expect_members({"name", "uplink"});
  SwitchSpec spec{.name = at["name"].string()};
  at.take("uplink", spec.uplink, given_name);
  return spec;
}

UnderlaySpec underlay(const JsonPlace& at) {
  at.expect_members({"network", "mtu", "switches", "permanentNeighbours"});
  UnderlaySpec spec{.networks = networks(at["network"]), .switches = {}};
  at.take("mtu", spec.mtu, [](const JsonPlace& mtu) { return mtu.integer(1280U, 65535U); });
  at.take("permanentNeighbours", spec.permanent_neighbours, &JsonPlace::boolean);
  spec.switches = at["switches"].each(switch_spec);
  return spec;
}

}  // namespace

void Topology::require_programs() const {
  for (std::size_t i = 0; i < clusters.size(); ++i)
    for (std::size_t j = 0; j < clusters[i].containers.size(); ++j) {
      const auto& container = clusters[i].containers[j];
      if (container.command.empty()) continue;
      // Seen from the container's directory, and that is made at boot.
      const auto& program = container.command.front();
      if (program.find('/') != std::string::npos && program.front() != '/') continue;
      try {
        require_program(program);
      } catch (const InputError& error) {
        throw JsonError(source, {fmt::format("/clusters/{}/containers/{}/command/0", i, j), excerpt(program),
                                 fmt::format("container {} can't run it: {}", container.name, error.what())});
      }
    }
}

void Topology::require_manifests() const {
  for (std::size_t i = 0; i < clusters.size(); ++i)
    for (std::size_t j = 0; j < clusters[i].manifests.size(); ++j) {
      const auto& file = clusters[i].manifests[j];
      try {
        read_manifest_file(file);
      } catch (const SystemError& error) {
        throw JsonError(source, {fmt::format("/clusters/{}/manifests/{}", i, j), excerpt(file.string()),
                                 fmt::format("can't be read: {}", errno_text(error.error()))});
      }
    }
}

fs::path find_topology(const std::string& name) {
  const char* set = std::getenv("KNETSIM_TOPOLOGIES");
  const auto directories = set != nullptr ? std::vector<fs::path>{set} : own_directories();
  const auto* place = set != nullptr ? "." : "../share/knetsim/topologies";
  for (const auto& candidate : {name, name + ".json"})
    if (const auto file = find_file(candidate, directories, {place})) return *file;
  const auto last = (directories.back() / place).lexically_normal();
  const auto there = names_in(last);
  throw InputError(
      describe({.where = (last / name).string(),
                .tried = "find the topology",
                .answer = "there is no such file",
                .remedy = (there.empty() ? "" : "one of " + there + ", or a path with a slash in it; or ") +
                          "set KNETSIM_TOPOLOGIES to the directory that holds it"}));
}

Topology Topology::from_json(std::string_view text, const std::string& file) {
  constexpr std::size_t kLongestFile = 16UL << 20;
  constexpr std::size_t kLongestString = 1'000;  // names and addresses come back in messages
  Topology topology{.underlay = {},
                    .clusters = {},
                    .source = {file, std::string(text), "mend it at that place; docs/topology.md shows a whole one"}};
  const auto document =
      read_json(topology.source, {.size = kLongestFile, .refuse_doubled_keys = true, .string = kLongestString});
  const JsonPlace at(document);
  at.expect_members({"$schema", "underlay", "clusters"});
  if (const auto schema = at.find("$schema")) schema->string();  // editors follow it
  topology.underlay = knetsim::underlay(at["underlay"]);
  topology.clusters = at["clusters"].each(cluster);
  for (auto& one : topology.clusters)
    for (auto& manifest : one.manifests) manifest = (fs::path(file).parent_path() / manifest).lexically_normal();
  topology.validate();
  for (std::size_t i = 0; i < topology.clusters.size(); ++i)
    if (const auto& flannel = topology.clusters[i].flannel)
      for (const auto& remark : flannel::parse_config(flannel->config).remarks)
        topology.remarks.push_back(fmt::format(
            "{}: {}", topology.source.place(fmt::format("/clusters/{}/flannel/config{}", i, remark.pointer)),
            remark.problem));
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
