#include "lookup.h"

#include <fmt/format.h>

#include <csignal>
#include <optional>

#include "knetsim/flannel/launcher.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/text.h"
#include "process_state.h"
#include "text.h"

namespace knetsim::cli::shell {

namespace {

[[noreturn]] void unknown(const Word& word, const std::string& kind, const std::vector<std::string>& candidates) {
  throw LineError(word.span,
                  fmt::format("there is no {} {}{}", kind, excerpt(word.text), did_you_mean(word.text, candidates)),
                  candidates.empty() ? "" : "one of " + join(candidates, ", "));
}

std::vector<std::string> worker_names(Session& session) {
  std::vector<std::string> names;
  for (auto* cluster : session.emulation.clusters())
    for (const auto* worker : cluster->workers()) names.push_back(worker->name());
  return names;
}

void add_etcd(Cluster& cluster, std::vector<Running>& all) {
  if (!cluster.has_etcd()) return;
  for (auto& member : cluster.etcd().members())
    all.push_back({member.spec().name, "etcd", &member.process(), [&member] { member.kill(); },
                   [&member, &cluster] {
                     if (member.process().running()) member.stop();
                     member.restart();
                     cluster.etcd().wait_until_healthy(std::chrono::seconds(30));
                   },
                   member.told_to_end()});
}

// None after a restart that has failed.
Process* process_of(Daemon& daemon) try { return &daemon.process(); } catch (const Error&) {
  return nullptr;
}

/// "python3" of "C0w3/c4 /usr/bin/python3"
std::string program_name(const Daemon& daemon) {
  return std::filesystem::path(daemon.name().substr(daemon.name().find(' ') + 1)).filename();
}

void restart_flanneld(Worker& worker) {
  const auto before = stamp_of(worker.subnet_file());
  worker.flanneld().restart();
  flannel::wait_for_lease(worker.flanneld().process(), worker.subnet_file(), before, std::chrono::seconds(30));
}

void add_flanneld(Worker& worker, std::vector<Running>& all) {
  auto& daemon = worker.flanneld();
  all.push_back({worker.name(), "flanneld", process_of(daemon), [&daemon] { daemon.kill(); },
                 [&worker] { restart_flanneld(worker); }, daemon.told_to_end()});
}

void add_daemon(const std::string& node, const std::string& name, Daemon& daemon, std::vector<Running>& all) {
  all.push_back({node, name, process_of(daemon), [&daemon] { daemon.kill(); }, [&daemon] { daemon.restart(); },
                 daemon.told_to_end()});
}

void add_router(Session& session, Cluster& cluster, std::vector<Running>& all) {
  auto& network = session.emulation.service_network();
  if (network.spec(cluster) == nullptr) return;
  auto& daemon = network.router(cluster);
  all.push_back({cluster.workers().front()->name(), "skrouterd", process_of(daemon), [&daemon] { daemon.kill(); },
                 [&daemon, &network] {
                   daemon.restart();
                   network.wait_until_ready();
                 },
                 daemon.told_to_end()});
}

void add_background(Session& session, std::vector<Running>& all) {
  for (auto& program : session.background.programs())
    all.push_back({program.node,
                   program.name,
                   &program.process,
                   [&program] {
                     program.process.signal(SIGKILL);
                     program.process.wait(std::chrono::seconds(10));
                   },
                   {},
                   false,
                   Running::Whose::prompt});
}

}  // namespace

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  const auto near = nearest(word, candidates);
  return near.empty() ? "" : fmt::format("; did you mean {}?", near);
}

std::vector<std::string> node_names(Session& session) {
  std::vector<std::string> names;
  for (const auto* node : session.emulation.nodes()) names.push_back(node->name());
  return names;
}

Node& find_node(Session& session, const Word& word) {
  if (auto* node = session.emulation.find(word.text)) return *node;
  unknown(word, "node", node_names(session));
}

Worker& find_worker(Session& session, const Word& word) {
  if (const auto* node = session.emulation.find(word.text))
    for (auto* cluster : session.emulation.clusters())
      for (auto* worker : cluster->workers())
        if (worker == node) return *worker;
  unknown(word, "worker", worker_names(session));
}

Cluster& find_cluster(Session& session, const Word& word) {
  std::vector<std::string> names;
  for (auto* cluster : session.emulation.clusters()) {
    if (cluster->name() == word.text) return *cluster;
    names.push_back(cluster->name());
  }
  unknown(word, "cluster", names);
}

Container& find_container(Session& session, const Word& word) {
  const auto* node = session.emulation.find(word.text);
  std::vector<std::string> names;
  for (auto* cluster : session.emulation.clusters())
    for (auto* container : cluster->containers()) {
      if (container == node) return *container;
      names.push_back(container->name());
    }
  unknown(word, "container", names);
}

std::vector<Running> running_programs(Session& session) {
  std::vector<Running> all;
  for (auto* cluster : session.emulation.clusters()) {
    add_etcd(*cluster, all);
    if (auto* server = cluster->api_server())
      add_daemon(cluster->etcd_nodes().front()->name(), "apiserver", *server, all);
    if (auto* controllers = cluster->api_controllers())
      add_daemon(cluster->etcd_nodes().front()->name(), "controllers", *controllers, all);
    for (auto* worker : cluster->workers()) {
      if (worker->has_flanneld()) add_flanneld(*worker, all);
      if (auto* proxy = cluster->kube_proxy(*worker)) add_daemon(worker->name(), "kube-proxy", *proxy, all);
    }
    add_router(session, *cluster, all);
    for (auto* container : cluster->containers())
      if (container->has_program())
        add_daemon(container->name(), program_name(container->program()), container->program(), all);
  }
  add_background(session, all);
  return all;
}

Running find_program_on(Session& session, const Word& node, const Word& program) {
  const auto& name = find_node(session, node).name();
  std::vector<std::string> there;
  for (auto& running : running_programs(session)) {
    if (running.node != name) continue;
    if (running.name == program.text) return running;
    there.push_back(running.name);
  }
  unknown(program, "program on " + name + " called", there);
}

void News::settle(Session& session) try {
  eventually(
      [&]() -> std::optional<std::string> {
        for (auto* cluster : session.emulation.clusters())
          for (auto* container : cluster->containers()) {
            if (!container->has_program()) continue;
            auto& process = container->program().process();
            // Whoever sleeps waits for the next request, most likely.
            if (process.running() && process_state(process.pid()) != 'S') return container->name() + "'s program";
          }
        return std::nullopt;
      },
      std::chrono::seconds(1));
} catch (const Error&) {
  // It works without end, or is gone: both are well.
}

std::vector<std::string> News::take(Session& session) {
  std::vector<std::string> news;
  for (const auto& program : running_programs(session)) {
    if (program.whose != Running::Whose::lab || program.told_to_end || program.process == nullptr) continue;
    const auto status = program.process->status();
    if (!status || !told_.insert(program.process->pid()).second) continue;
    news.push_back(fmt::format("{} {} has ended ({}); its log is {}", program.node, program.name, status->describe(),
                               program.process->log().string()));
  }
  return news;
}

}  // namespace knetsim::cli::shell
