#pragma once

#include <csignal>

#include "container_launch.h"
#include "pod_worker.h"
#include "process_end.h"

namespace knetsim::kubelet {

inline Instant steady_now() { return std::chrono::steady_clock::now(); }

/// A probe of a container that runs, again and again.
struct PodWorker::ProbeLoop {
  ProbeLoop(boost::asio::io_context& context, ProbeKind of_kind, const nlohmann::json& of_probe)
      : kind(of_kind),
        probe(of_probe),
        rules(ProbeRules::of(of_probe)),
        state(of_kind, rules, steady_now()),
        clock(context) {}

  ProbeKind kind;
  nlohmann::json probe;
  ProbeRules rules;
  ProbeState state;
  boost::asio::steady_timer clock;
  std::unique_ptr<HandlerRun> run = {};
  bool looked = true;  ///< `run` has told

  const char* name() const {
    if (kind == ProbeKind::startup) return "Startup";
    return kind == ProbeKind::liveness ? "Liveness" : "Readiness";
  }
};

/// A run of a container.
struct PodWorker::Run {
  Run(boost::asio::io_context& context, std::string of_name, Child of_child, Environment of_environment,
      std::function<void()> when_ended)
      : name(std::move(of_name)),
        child(std::move(of_child)),
        environment(std::move(of_environment)),
        end(context, child.pidfd(), std::move(when_ended)),
        clock(context) {}

  std::string name;
  std::unique_ptr<LogClocks::Clock> log_clock = {};
  Child child;
  Environment environment;
  std::vector<Shown> shown = {};  ///< files that its programs see in other places
  ProcessEnd end;
  boost::asio::steady_timer clock;  ///< the end of the grace
  bool stopping = false;
  Instant deadline{};
  std::unique_ptr<HandlerRun> hook = {};
  std::map<ProbeKind, std::unique_ptr<ProbeLoop>> probes = {};

  /// Together with all that it has started, as long as that has stayed in its process group.
  void kill() const { ::kill(-child.pid(), SIGKILL); }
};

}  // namespace knetsim::kubelet
