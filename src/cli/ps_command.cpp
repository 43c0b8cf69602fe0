#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <ostream>

#include "attach/state_directory.h"
#include "attach/visit.h"
#include "command.h"
#include "knetsim/sys/json.h"
#include "table.h"

namespace knetsim::cli {

namespace {

Row row_of(const StateDirectory& labs, const std::string& name) {
  const auto connection = labs.connect(name);
  const auto pid = std::to_string(peer_of(connection).pid);
  const auto text = describe_lab(connection);
  if (text.empty()) return {name, pid, "busy"};
  const auto lab = parse_json(text);
  return {name,
          pid,
          lab.value("started", ""),
          lab.value("topology", ""),
          std::to_string(lab.value("nodes", 0)),
          std::to_string(lab.value("containers", 0))};
}

int ps(bool names_only, Terminal& terminal) {
  const auto labs = StateDirectory::open();
  const auto names = labs.names();
  if (names_only) {
    for (const auto& name : names) terminal.out << name << '\n';
    return kExitGood;
  }
  if (names.empty()) {
    terminal.out << "no lab stands here; knetsim up starts one\n";
    return kExitGood;
  }
  std::vector<Row> rows{{"NAME", "PID", "STARTED", "TOPOLOGY", "NODES", "CONTAINERS"}};
  for (const auto& name : names) rows.push_back(row_of(labs, name));
  terminal.out << table(rows);
  return kExitGood;
}

}  // namespace

Command make_ps(CLI::App& root) {
  auto* app = root.add_subcommand("ps", "List the labs that stand: those of yours that knetsim up has started");
  auto names_only = std::make_shared<bool>(false);
  app->add_flag("-q,--quiet", *names_only, "Their names alone");
  return {app, [names_only](Terminal& terminal) { return ps(*names_only, terminal); }};
}

}  // namespace knetsim::cli
