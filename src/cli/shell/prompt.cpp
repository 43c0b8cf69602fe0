#include "prompt.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <ostream>

#include "attach/visit.h"
#include "command.h"
#include "complete.h"
#include "errands.h"
#include "explaining.h"
#include "inspection.h"
#include "jobs.h"
#include "knetsim/sys/error.h"
#include "line_source.h"
#include "lookup.h"
#include "picture.h"
#include "programs.h"
#include "session.h"

namespace knetsim::cli::shell {

namespace {

Host host_for(Session& session, EventLoop& loop, News* news, const std::string& topology, Requests& requests,
              std::vector<Fd>& waiting) {
  const auto started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::now()));
  return {.describe =
              [&session, topology, started] {
                std::size_t containers = 0;
                for (auto* cluster : session.emulation.clusters()) containers += cluster->containers().size();
                return nlohmann::json{{"schema", "knetsim.attach/1"},
                                      {"name", session.name},
                                      {"topology", topology},
                                      {"started", started},
                                      {"nodes", session.emulation.nodes().size() - containers},
                                      {"containers", containers}};
              },
          .inspect = [&session] { return inspection(session); },
          .command_on =
              [&session](const std::string& node, std::vector<std::string> argv) {
                if (!argv.empty()) session.emulation.prepare_for(argv.front());
                return find_node(session, {node, {0, node.size()}}).command(std::move(argv));
              },
          .kubectl =
              [&session](std::vector<std::string> arguments) {
                session.emulation.start_apis();
                return Emulation::kubectl(std::move(arguments));
              },
          .explain =
              [&session](const std::string& from, const std::string& to, bool verbose, bool json, bool dry) {
                const auto told = explain_to_person(
                    session.emulation, {.from = from, .to = to, .verbose = verbose, .json = json, .dry = dry},
                    [] { return false; });
                return nlohmann::json{{"text", told.text}, {"code", told.code}};
              },
          .do_errand =
              [&session, &loop, &requests, news](const std::shared_ptr<Errand>& errand) {
                const bool at_once = requests.idle && requests.errands.empty();
                requests.errands.emplace_back([&session, &loop, &requests, news, errand] {
                  if (!errand->over) run_errand(session, loop, requests, *errand, news);
                });
                return at_once;
              },
          .end =
              [&session, &requests, &waiting](Fd visitor) {
                session.terminal.err << "\nknetsim: taken down by knetsim down\n";
                waiting.push_back(std::move(visitor));
                requests.end = 0;
              }};
}

std::string greeting(Session& session, bool attended) {
  auto text = picture(session) + "\n";
  if (!attended)
    return text + fmt::format("it stands until knetsim down {0}; knetsim do --lab {0} help lists what can be done\n",
                              session.name);
  if (const auto nodes = session.emulation.nodes(); !nodes.empty())
    text += fmt::format("from another terminal: knetsim exec {} {} -- bash\n", session.name, nodes.front()->name());
  return text + session.style.dim("help lists what can be typed; Ctrl-C ends a program, Ctrl-D the lab") + "\n\n";
}

}  // namespace

PromptEnd run_prompt(Emulation& emulation, const Surroundings& around, Terminal& terminal, const Style& style) {
  EventLoop loop;
  Requests requests;
  std::vector<Fd> waiting;
  using Lines = Surroundings::Lines;
  const bool interactive = around.lines == Lines::typed;
  const bool attended = around.lines != Lines::visitors;
  News news;
  Foreground foreground(loop, requests, interactive);
  Background background;
  Session session{.emulation = emulation,
                  .name = around.registration.name(),
                  .terminal = terminal,
                  .style = style,
                  .run_in_front = [&](const knetsim::Command& command) { return foreground.run(command); },
                  .interrupted =
                      [&] {
                        loop.run_ready();
                        return requests.interrupt || requests.end.has_value();
                      },
                  .background = background};
  const Visitors visitors(loop, around.registration.listener(),
                          host_for(session, loop, attended ? nullptr : &news, around.topology, requests, waiting));
  News::settle(session);
  terminal.out << greeting(session, attended) << std::flush;

  std::unique_ptr<LineSource> lines;
  Editor* editor = nullptr;
  if (interactive) {
    auto made =
        std::make_unique<Editor>(loop, requests, [&](const std::string& line) { return complete(session, line); });
    editor = made.get();
    lines = std::move(made);
  } else if (!attended) {
    lines = std::make_unique<Nobody>(loop, requests);
  } else {
    lines = std::make_unique<LineReader>(loop, requests, FdView(STDIN_FILENO), terminal.out);
  }
  const auto signals = loop.watch(around.interrupts.fd(), POLLIN, [&] {
    const auto caught = around.interrupts.take();
    if (!caught) return;
    if (caught->number == SIGWINCH) {
      foreground.resize();
      if (editor != nullptr) editor->resize();
      return;
    }
    const bool key = interactive && caught->typed;
    requests.interrupt |= caught->number == SIGINT;
    // As in any shell, Ctrl-C ends a line and Ctrl-\ nothing. Sent from elsewhere, or to a script, they end all.
    if (!key || (caught->number != SIGINT && caught->number != SIGQUIT)) requests.end = kExitSignal + caught->number;
  });

  const auto tell_news = [&] {
    for (const auto& one : news.take(session)) terminal.err << style.red(one) << '\n';
    terminal.err << std::flush;
  };
  tell_news();
  if (around.on_ready) around.on_ready();
  int first_failure = kDone;
  while (!session.leaving) {
    const auto line = lines->next();
    if (!line) break;
    const int status = execute(session, *line);
    terminal.out << std::flush;
    if (first_failure == kDone) first_failure = status;
    tell_news();
    bury_retired(session);
    if (editor != nullptr) editor->type(foreground.take_typed_ahead());
  }
  tell_news();
  return {first_failure, requests.end, std::move(waiting)};
}

}  // namespace knetsim::cli::shell
