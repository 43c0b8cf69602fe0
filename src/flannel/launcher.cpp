#include "knetsim/flannel/launcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "knetsim/netlink/monitor.h"
#include "knetsim/parts/launcher.h"
#include "knetsim/sys/ready.h"

namespace knetsim::flannel {

using parts::Flavour;
using std::chrono::milliseconds;

EtcdApi etcd_api_of(const parts::Program& program) {
  return program.release && *program.release < parts::Release{0, 20, 0} ? EtcdApi::v2 : EtcdApi::v3;
}

void wait_for_lease(Process& daemon, const std::filesystem::path& subnet_file, const std::optional<FileStamp>& before,
                    milliseconds budget) {
  const auto probe = [&]() -> std::optional<std::string> {
    if (const auto now = stamp_of(subnet_file); now && now != before) return std::nullopt;
    return fmt::format("{} hasn't written {}", daemon.name(), subnet_file.string());
  };
  wait_until_ready(daemon,
                   {.deed = std::string(parts::kFlannel.ready), .probe = probe, .watched = subnet_file.parent_path()},
                   budget);
}

Launched::Launched(LaunchSpec spec, std::optional<FileStamp> before, Process process)
    : spec_(std::move(spec)), before_(std::move(before)), process_(std::move(process)) {}

Launched Launched::start(LaunchSpec spec) {
  const auto& subnet_file = spec.options.subnet_file;
  make_directories(subnet_file.parent_path());
  if (spec.program.flavour == Flavour::real) spec.options.lease_ttl = DaemonOptions{}.lease_ttl;
  // The file of an earlier daemon stays: it is what this one takes its subnet from.
  const auto before = stamp_of(subnet_file);
  auto process = parts::launch({.program = spec.program,
                                .arguments = to_arguments(spec.options),
                                .netns = spec.netns,
                                .directory = spec.directory,
                                .log = spec.log});
  return {std::move(spec), before, std::move(process)};
}

SubnetEnv Launched::wait_until_ready(const Config& config, milliseconds budget) {
  const auto deadline = std::chrono::steady_clock::now() + budget;
  const auto& subnet_file = spec_.options.subnet_file;
  wait_for_lease(process_, subnet_file, before_, budget);
  auto env = read_subnet_env(subnet_file);
  if (config.backend.type == BackendType::vxlan) {
    const auto wait = [&](const std::optional<Network>& subnet, bool v6) {
      const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
      if (subnet)
        netlink::wait_for_address(*spec_.netns, vxlan_link_name(config.backend.vni, v6), address_of(canonical(*subnet)),
                                  std::max(left, milliseconds(1)));
    };
    wait(env.subnet, false);
    wait(env.ipv6_subnet, true);
  }
  return env;
}

std::vector<Launched> launch_all(const std::vector<LaunchSpec>& specs, const Config& config, milliseconds budget) {
  std::vector<std::optional<Launched>> daemons(specs.size());
  for (std::size_t i = 0; i < specs.size(); ++i)
    if (specs[i].program.flavour == Flavour::real)
      daemons[i].emplace(Launched::start(specs[i])).wait_until_ready(config, budget);
  for (std::size_t i = 0; i < specs.size(); ++i)
    if (!daemons[i]) daemons[i] = Launched::start(specs[i]);
  std::vector<Launched> launched;
  for (auto& daemon : daemons) {
    if (daemon->spec().program.flavour == Flavour::builtin) daemon->wait_until_ready(config, budget);
    launched.push_back(std::move(*daemon));
  }
  return launched;
}

void write_config(etcd::SyncClient& client, const std::string& prefix, const std::string& json) {
  const auto key = parse_prefix(prefix) + "/config";
  client.put(key, json);
  client.put_v2(key, json);
}

}  // namespace knetsim::flannel
