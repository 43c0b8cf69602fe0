#include "cluster_parts.h"

#include <fmt/format.h>

#include <map>

#include "knetsim/emulator/underlay.h"
#include "knetsim/sys/error.h"

namespace knetsim {

namespace {

flannel::LaunchSpec launch_spec(const ClusterSpec& spec, const parts::Program& program, const etcd::Ensemble& etcd,
                                const Worker& worker) {
  flannel::DaemonOptions options;
  options.etcd_endpoints = etcd.endpoints();
  options.etcd_prefix = spec.flannel->prefix;
  options.interfaces = {Underlay::kInterface};
  options.subnet_file = worker.subnet_file();
  return {.program = program,
          .netns = &worker.netns(),
          .options = std::move(options),
          .directory = worker.directory(),
          .log = worker.directory() / "flanneld.log"};
}

Daemon daemon_of(const Worker& worker, flannel::Launched launched) {
  const auto handle = [](flannel::Launched one) {
    auto owner = std::make_shared<flannel::Launched>(std::move(one));
    return Daemon::Handle(owner, &owner->process());
  };
  const auto spec = launched.spec();
  return {worker.name() + " flanneld", handle(std::move(launched)),
          [handle, spec] { return handle(flannel::Launched::start(spec)); }};
}

}  // namespace

cni::Plugins plugins_of(const ClusterSpec& spec, std::size_t worker) {
  const auto environment = parts::Environment::current();
  if (!spec.cni_conf.empty())
    return cni::resolve_conf(cni::parse_network_config(spec.cni_conf), environment.get("CNI_PATH").value_or(""),
                             fmt::format("the CNI configuration of {}", spec.name));
  return cni::resolve(parts::at(spec.cni, worker, spec.workers.size()), environment,
                      fmt::format("\"cni\": \"{}\" of {}", to_string(spec.cni), spec.name));
}

std::vector<parts::Program> programs_of(const parts::Part& part, parts::Flavour flavour, std::size_t places) {
  std::map<parts::Flavour, parts::Program> found;  // each is asked for its version once
  std::vector<parts::Program> programs;
  for (std::size_t i = 0; i < places; ++i) {
    const auto wanted = parts::at(flavour, i, places);
    if (!found.contains(wanted)) found.emplace(wanted, parts::resolve(part, wanted));
    programs.push_back(found.at(wanted));
    if (!parts::is_mixed(flavour)) continue;
    if (const auto reason = why_not_beside_builtin(programs.back())) throw InputError(*reason);
  }
  return programs;
}

void start_flannel(const ClusterSpec& spec, const std::vector<parts::Program>& programs, etcd::Ensemble& etcd,
                   const std::vector<std::unique_ptr<Worker>>& workers) {
  auto client = etcd.client();
  flannel::write_config(client, spec.flannel->prefix, spec.flannel->config);
  std::vector<flannel::LaunchSpec> specs;
  for (std::size_t i = 0; i < workers.size(); ++i)
    specs.push_back(launch_spec(spec, programs.at(i), etcd, *workers[i]));
  auto launched = flannel::launch_all(specs, flannel::parse_config(spec.flannel->config), std::chrono::seconds(20));
  for (std::size_t i = 0; i < workers.size(); ++i)
    workers[i]->set_flanneld(daemon_of(*workers[i], std::move(launched[i])));
}

}  // namespace knetsim
