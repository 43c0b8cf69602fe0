#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <future>
#include <optional>
#include <ostream>
#include <variant>

#include "attach/lab_socket.h"
#include "command.h"
#include "event_loop.h"
#include "host_ports.h"
#include "in_front.h"
#include "knetsim/emulator/emulation.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"
#include "options.h"
#include "shell/prompt.h"
#include "shell/verbs.h"
#include "text.h"

namespace knetsim::cli {

namespace fs = std::filesystem;

namespace {

struct UpOptions {
  std::string topology = "demo";
  std::string name;
  bool strict = false;
  bool detach = false;
  ColorMode color = ColorMode::automatic;
  FlavourChoices flavours;
  std::vector<std::string> variables;
  HostPortOptions host_ports;
};

fs::path topology_file(const std::string& name) {
  return name.find('/') != std::string::npos ? fs::path(name) : find_topology(name);
}

Registration reserve_name(const UpOptions& options, const fs::path& file) {
  const auto labs = StateDirectory::open();
  if (!options.name.empty()) return labs.reserve(options.name);
  // A file may be called what a lab can't.
  try {
    return labs.reserve_like(file.stem());
  } catch (const InputError&) {
    return labs.reserve_like("lab");
  }
}

/// Boots in a thread of its own, so that a signal can end it at once: the kernel destroys what stands by then.
std::unique_ptr<Emulation> boot(Topology topology, HostPorts& host_ports, const Interrupts& interrupts,
                                Registration& registration, Terminal& terminal, const Style& style) {
  const auto start = std::chrono::steady_clock::now();
  const auto tell = [&](const std::string& part, double spent) {
    terminal.out << fmt::format("{} {:<15} {}\n", style.green(kGood), part, style.dim(seconds_text(spent)))
                 << std::flush;
  };
  auto done = Pipe::create();
  auto booting = std::async(std::launch::async, [&] {
    const Fd closed_at_the_end = std::move(done.write);
    auto emulation = std::make_unique<Emulation>(Emulation::plug(std::move(topology)));
    host_ports.hand_over_apis(*emulation);
    emulation->start(tell);
    if (host_ports.any_api()) emulation->start_apis();
    host_ports.publish(*emulation);
    return emulation;
  });
  EventLoop loop;
  bool ready = false;
  std::optional<int> signal;
  const auto end = loop.watch(done.read, POLLIN, [&] { ready = true; });
  const auto signals = loop.watch(interrupts.fd(), POLLIN, [&] {
    if (const auto caught = interrupts.take(); caught && caught->number != SIGWINCH) signal = caught->number;
  });
  loop.run_until([&] { return ready || signal; });
  if (signal) {
    terminal.err << "knetsim: " << Interrupted(*signal).what() << '\n';
    registration.end();
    std::_Exit(kExitSignal + *signal);
  }
  auto emulation = booting.get();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  tell("ready", took.count());
  return emulation;
}

int validate(const std::vector<std::string>& names, Terminal& terminal) {
  int code = kExitGood;
  for (const auto& name : names) try {
      const auto file = topology_file(name);
      auto topology = Topology::from_file(file);
      shell::check_names(topology);
      topology.require_programs();
      topology.require_manifests();
      std::size_t nodes = 0;
      std::size_t containers = 0;
      for (const auto& cluster : topology.clusters) {
        nodes += cluster.etcd.size() + cluster.workers.size();
        containers += cluster.containers.size();
      }
      for (const auto& remark : topology.remarks) terminal.err << "knetsim: " << remark << '\n';
      terminal.out << fmt::format("{}: good: {}, {}, {}\n", file.string(),
                                  count_of(topology.clusters.size(), "cluster"), count_of(nodes, "node"),
                                  count_of(containers, "container"));
    } catch (const Error& error) {
      terminal.err << "knetsim: " << error.what() << '\n';
      code = kExitBad;
    }
  return code;
}

int up(const UpOptions& options, Terminal& terminal) {
  require_flavours(options.flavours);
  for (const auto& [variable, value] : environment_for(options.flavours)) ::setenv(variable.c_str(), value.c_str(), 1);
  if (!options.variables.empty()) ::setenv("KNETSIM_ENV", join(options.variables, ",").c_str(), 1);
  const auto file = topology_file(options.topology);
  auto topology = Topology::from_file(file);
  shell::check_names(topology);
  topology.require_programs();
  topology.require_manifests();
  for (const auto& remark : topology.remarks) terminal.err << "knetsim: " << remark << '\n';
  std::optional<Behind> behind;
  if (options.detach) {
    terminal.out << std::flush;
    auto side = split();
    if (const auto* background = std::get_if<InFront>(&side)) return wait_in_front(*background);
    behind = std::move(std::get<Behind>(side));
  }
  auto registration = reserve_name(options, file);
  const auto style = Style::choose(options.color, terminal);
  // For libedit, which takes what is typed for characters.
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) std::setlocale(LC_CTYPE, "");

  auto host_ports = HostPorts::open(options.host_ports, topology);

  Sandbox::enter();
  const Interrupts interrupts({SIGWINCH, SIGQUIT});
  terminal.out << style.bold(fmt::format("knetsim {}: {}", version(), registration.name())) << "\n" << std::flush;
  auto emulation = boot(std::move(topology), host_ports, interrupts, registration, terminal, style);
  if (host_ports.any_api())
    terminal.out << fmt::format(
                        "export KUBECONFIG={}\n",
                        registration.write_kubeconfig(emulation->kubeconfig_for(host_ports.contexts())).string())
                 << std::flush;
  using Lines = shell::Surroundings::Lines;
  const bool interactive = !behind && ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0;
  // A person finds it ready at the first question; a script that asks nothing doesn't pay for it. Why it doesn't come
  // up is told to the first who asks.
  std::future<void> apis;
  if (interactive || behind)
    apis = std::async(std::launch::async, [&emulation] {
      try {
        emulation->start_apis();
      } catch (const Error&) {
      }
    });
  const auto end = shell::run_prompt(*emulation,
                                     {.interrupts = interrupts,
                                      .registration = registration,
                                      .topology = file.filename().string(),
                                      .lines = interactive ? Lines::typed
                                               : behind    ? Lines::visitors
                                                           : Lines::read,
                                      .on_ready =
                                          [&] {
                                            if (!behind) return;
                                            terminal.out << std::flush;
                                            behind->get_ready();
                                          }},
                                     terminal, style);
  if (apis.valid()) apis.wait();
  emulation.reset();
  registration.end();
  if (end.asked_to) return *end.asked_to;
  return options.strict ? end.first_failure : kExitGood;
}

}  // namespace

Command make_validate(CLI::App& root) {
  auto* app = root.add_subcommand("validate", "See whether topology files are as they should be, and start nothing");
  auto files = std::make_shared<std::vector<std::string>>();
  app->add_option("TOPOLOGY", *files, "demo, pair, single, or the path of a file (docs/topology.md)")->required();
  app->footer(
      "What knetsim up would refuse before it starts anything is told with file, line and member; remarks are no "
      "faults.\n"
      "Exit codes: 0 all are good; 1 one isn't.");
  return {app, [files](Terminal& terminal) { return validate(*files, terminal); }};
}

Command make_up(CLI::App& root) {
  auto* app = root.add_subcommand("up", "Stand a network up, and give a prompt in the middle of it");
  auto options = std::make_shared<UpOptions>();
  app->add_option("TOPOLOGY", options->topology, "demo, pair, single, or the path of a file (docs/topology.md)")
      ->capture_default_str();
  app->add_option("--name", options->name, "What knetsim ps, exec and down call it; else it is the topology's name")
      ->type_name("NAME");
  app->add_flag("--strict", options->strict, "End with the exit code of the first line that failed");
  app->add_option("--api", options->host_ports.api,
                  "Offer the clusters' Kubernetes APIs on the host's loopback, each on a port of its own from this one "
                  "on; 0: any. Prints the kubeconfig to use")
      ->type_name("127.0.0.1:PORT");
  app->add_option("--publish", options->host_ports.publish,
                  "Let this port of the host's loopback lead to a port of the first worker")
      ->type_name("HOSTPORT:[CLUSTER:]NODEPORT")
      ->allow_extra_args(false);
  app->add_flag("-d,--detach", options->detach,
                "Give the terminal back once everything stands: knetsim do, exec and kubectl work in it, knetsim down "
                "ends it")
      ->excludes("--strict");
  add_env_option(*app, options->variables);
  add_color_option(*app, options->color);
  add_flavour_options(*app, options->flavours);
  app->footer(
      "On a terminal: line editing, history, completion; help tells what can be typed. Lines from a pipe or a file "
      "are\n"
      "echoed and done one by one. Ctrl-C ends the program in front, Ctrl-D or exit takes everything down.\n"
      "Exit codes: 0; 2 could not run; with --strict the first failed line's; 128 + the number of a signal.");
  return {app, [options](Terminal& terminal) { return up(*options, terminal); }};
}

}  // namespace knetsim::cli
