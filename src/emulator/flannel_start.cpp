#include "flannel_start.h"

#include <algorithm>

#include "knetsim/emulator/underlay.h"
#include "knetsim/flannel/launcher.h"
#include "knetsim/sys/error.h"

namespace knetsim {

namespace {

flannel::LaunchSpec launch_spec(const ClusterSpec& spec, const etcd::Ensemble& etcd, const Worker& worker) {
  flannel::DaemonOptions options;
  options.etcd_endpoints = etcd.endpoints();
  options.etcd_prefix = spec.flannel->prefix;
  options.interfaces = {Underlay::kInterface};
  options.subnet_file = worker.subnet_file();
  return {.netns = &worker.netns(),
          .options = std::move(options),
          .directory = worker.directory(),
          .log = worker.directory() / "flanneld.log"};
}

Daemon daemon_of(const Worker& worker, const flannel::Program& program, flannel::Launched launched) {
  const auto handle = [](flannel::Launched one) {
    auto owner = std::make_shared<flannel::Launched>(std::move(one));
    return Daemon::Handle(owner, &owner->process());
  };
  const auto spec = launched.spec();
  return {worker.name() + " flanneld", handle(std::move(launched)),
          [handle, program, spec] { return handle(flannel::Launched::start(program, spec)); }};
}

void launch_on(const std::vector<Worker*>& workers, const flannel::Program& program, const ClusterSpec& spec,
               const etcd::Ensemble& etcd) {
  std::vector<flannel::LaunchSpec> specs;
  for (const auto* worker : workers) specs.push_back(launch_spec(spec, etcd, *worker));
  auto launched = flannel::launch_all(program, std::move(specs), flannel::parse_config(spec.flannel->config),
                                      std::chrono::seconds(20));
  for (std::size_t i = 0; i < workers.size(); ++i)
    workers[i]->set_flanneld(daemon_of(*workers[i], program, std::move(launched[i])));
}

}  // namespace

FlannelPrograms flannel_programs(const FlannelSpec& spec) {
  if (!is_mixed(spec.flavour)) {
    const auto program = flannel::resolve(spec.flavour);
    return {program, program};
  }
  auto real = flannel::resolve("real");
  if (real.api == flannel::EtcdApi::v2)
    throw InputError(
        describe({.where = to_string(real),
                  .tried = "run it beside the built-in daemon",
                  .answer = "it keeps its leases in etcd's v2 store, the built-in one in v3",
                  .remedy = "set KNETSIM_FLANNELD to flanneld 0.21.3 or later, or choose another flavour"}));
  return {std::move(real), flannel::resolve("builtin")};
}

void start_flannel(const ClusterSpec& spec, const FlannelPrograms& programs, etcd::Ensemble& etcd,
                   const std::vector<std::unique_ptr<Worker>>& workers) {
  auto client = etcd.client();
  flannel::write_config(client, spec.flannel->prefix, spec.flannel->config);
  std::vector<Worker*> all;
  for (const auto& worker : workers) all.push_back(worker.get());
  if (!is_mixed(spec.flannel->flavour)) return launch_on(all, programs.first, spec, etcd);
  if (spec.flannel->flavour == "mixed-reversed") std::reverse(all.begin(), all.end());
  launch_on({all.front()}, programs.first, spec, etcd);
  launch_on({all.begin() + 1, all.end()}, programs.others, spec, etcd);
}

}  // namespace knetsim
