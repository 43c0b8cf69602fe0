// Verbs that look and change nothing.
#include <fmt/format.h>

#include <map>
#include <ostream>

#include "knetsim/emulator/evidence.h"
#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/route.h"
#include "lookup.h"
#include "picture.h"
#include "text.h"
#include "verbs.h"

namespace knetsim::cli::shell {

namespace {

int nodes(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 0, 0);
  session.terminal.out << picture(session);
  return kDone;
}

/// The one that was named, or all of them.
std::vector<Node*> chosen(Session& session, const Words& words) {
  require_arguments(words, 0, 1);
  if (words.words.size() == 2) return {&find_node(session, words.words[1])};
  return session.emulation.nodes();
}

std::vector<Row> links_of(const Node& node) {
  auto socket = node.netlink();
  std::map<int, std::vector<std::string>> addresses;
  for (const auto& one : netlink::list_addresses(socket)) addresses[one.interface].push_back(to_string(one.address));
  std::vector<Row> rows;
  for (const auto& link : netlink::list_links(socket)) {
    if (link.name == "lo") continue;
    rows.push_back({node.name(), link.name, link.kind.empty() ? "-" : link.kind,
                    !link.up       ? "down"
                    : link.running ? "up"
                                   : "no carrier",
                    fmt::format("mtu {}", link.mtu), join(addresses[link.index], " ")});
  }
  return rows;
}

int links(Session& session, std::string_view /*line*/, const Words& words) {
  std::vector<Row> rows;
  for (const auto* node : chosen(session, words))
    for (auto& row : links_of(*node)) rows.push_back(std::move(row));
  session.terminal.out << table(rows);
  return kDone;
}

std::vector<Row> routes_of(const Node& node) {
  auto socket = node.netlink();
  std::map<int, std::string> names;
  for (const auto& link : netlink::list_links(socket)) names[link.index] = link.name;
  std::vector<Row> rows;
  for (const auto& route : netlink::list_routes(socket)) {
    const auto destination = prefix_length(route.destination) == 0 ? "default" : to_string(route.destination);
    rows.push_back({node.name(), destination, route.gateway ? "via " + route.gateway->to_string() : "direct",
                    names[route.interface]});
  }
  return rows;
}

int routes(Session& session, std::string_view /*line*/, const Words& words) {
  std::vector<Row> rows;
  for (const auto* node : chosen(session, words))
    for (auto& row : routes_of(*node)) rows.push_back(std::move(row));
  session.terminal.out << table(rows);
  return kDone;
}

int daemons(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 0, 0);
  std::vector<Row> rows;
  bool all_run = true;
  for (auto& program : running_programs(session)) {
    if (program.process == nullptr) {
      all_run = false;
      rows.push_back({program.node, program.name, "-", session.style.red("couldn't be restarted")});
      continue;
    }
    const auto ended = program.process->status();
    all_run = all_run && !ended;
    rows.push_back({program.node, program.name, fmt::format("pid {}", program.process->pid()),
                    ended ? session.style.red(ended->describe()) : session.style.green("runs"),
                    program.process->log().string()});
  }
  session.terminal.out << table(rows);
  return all_run ? kDone : kFailed;
}

/// The end of each log, or of the one that was named.
int logs(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 1, 2);
  const auto& name = find_node(session, words.words[1]).name();
  constexpr std::size_t kShown = 30;  // lines
  const auto show = [&](const Running& program) {
    if (program.process == nullptr) throw InputError(program.name + " couldn't be restarted: it has no log now");
    session.terminal.out << session.style.bold(
                                fmt::format("{} {}: {}", name, program.name, program.process->log().string()))
                         << '\n'
                         << program.process->log_tail(kShown) << '\n';
  };
  if (words.words.size() == 3) {
    show(find_program_on(session, words.words[1], words.words[2]));
    return kDone;
  }
  bool any = false;
  for (const auto& program : running_programs(session)) {
    if (program.node != name) continue;
    any = true;
    show(program);
  }
  if (!any) throw LineError(words.words[1].span, "nothing runs there that has a log", "daemons shows what runs where");
  return kDone;
}

int dump(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 1, 1);
  const std::filesystem::path directory = words.words[1].text;
  save_evidence(session.emulation, directory);
  session.terminal.out << fmt::format("what every node looks like is in {}\n",
                                      std::filesystem::absolute(directory).string());
  return kDone;
}

int graph(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 1, 1);
  return write_graph(session, words.words[1]);
}

}  // namespace

std::vector<Verb> showing_verbs() {
  return {
      {"nodes", "the picture: switches, nodes, containers, addresses, services", {"nodes"}, {}, nodes},
      {"links [NODE]",
       "interfaces, whether they are up, and their addresses",
       {"links", "links C0w1/c1"},
       {Argument::node},
       links},
      {"routes [NODE]", "routing tables", {"routes C0w1"}, {Argument::node}, routes},
      {"daemons",
       "what runs on the nodes: etcd, flanneld, what was started with &",
       {"daemons"},
       {},
       daemons,
       "Ends badly if one of them has ended."},
      {"logs NODE [PROGRAM]",
       "the end of what a node's programs have printed",
       {"logs C0w1 flanneld"},
       {Argument::node, Argument::daemon},
       logs},
      {"dump DIRECTORY",
       "write down what every node looks like",
       {"dump /tmp/knetsim/now"},
       {Argument::file},
       dump,
       "Links, addresses, routes, neighbours, FDB, packet filter with counters, connections and logs of\n"
       "every node, as the tests keep it when they fail."},
      {"graph FILE.svg",
       "draw the picture (Graphviz); the ending may be svg, png, pdf or dot",
       {"graph /tmp/knetsim/lab.dot"},
       {Argument::file},
       graph},
  };
}

}  // namespace knetsim::cli::shell
