#include "doctor.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <ostream>

#include "command.h"
#include "knetsim/sys/file.h"
#include "options.h"
#include "text.h"

namespace knetsim::cli {

namespace {

std::string mark_of(Finding::State state, const Style& style) {
  if (state == Finding::State::good) return style.green(kGood);
  return state == Finding::State::bad ? style.red(kBad) : style.yellow(kNeither);
}

std::string_view word_for(Finding::State state) {
  constexpr std::array<std::string_view, 3> kStates{"good", "bad", "optional"};
  return kStates.at(static_cast<std::size_t>(state));
}

struct DoctorOptions {
  std::string json;
  ColorMode color = ColorMode::automatic;
};

int doctor(const DoctorOptions& options, Terminal& terminal) {
  auto findings = examine_kernel();
  Machine machine;
  machine.user = ::geteuid();
  machine.may_make_namespaces = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.name == kSandboxFinding && finding.state == Finding::State::good;
  });
  for (auto examine : {examine_privileges(machine), examine_programs()})
    findings.insert(findings.end(), examine.begin(), examine.end());
  print_findings(findings, terminal, Style::choose(options.color, terminal));
  if (!options.json.empty()) write_user_file(options.json, to_json(findings));
  return healthy(findings) ? kExitGood : kExitBad;
}

}  // namespace

bool healthy(const std::vector<Finding>& findings) {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& finding) { return finding.state == Finding::State::bad; });
}

void print_findings(const std::vector<Finding>& findings, const Terminal& terminal, const Style& style) {
  std::size_t label = 0;
  for (const auto& finding : findings) label = std::max(label, width(finding.name));
  std::string group;
  for (const auto& finding : findings) {
    if (finding.group != group) {
      terminal.out << (group.empty() ? "" : "\n") << style.bold(finding.group) << '\n';
      group = finding.group;
    }
    auto lines = split_lines(finding.detail);
    terminal.out << "  " << mark_of(finding.state, style) << ' '
                 << pad_right(finding.name, lines.empty() ? 0 : label + 2) << (lines.empty() ? "" : lines.front())
                 << '\n';
    const std::string gap(label + 6, ' ');
    for (std::size_t i = 1; i < lines.size(); ++i) terminal.out << gap << lines[i] << '\n';
    if (!finding.remedy.empty()) terminal.out << gap << style.dim("remedy: " + finding.remedy) << '\n';
  }
  const auto bad = static_cast<std::size_t>(std::count_if(
      findings.begin(), findings.end(), [](const auto& finding) { return finding.state == Finding::State::bad; }));
  terminal.out << '\n'
               << (bad == 0 ? style.green(std::string(kGood) + " everything that the checks need is here")
                            : style.red(std::string(kBad) + " missing: " + count_of(bad, "thing")))
               << std::endl;
}

std::string to_json(const std::vector<Finding>& findings) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& finding : findings)
    list.push_back({{"group", finding.group},
                    {"name", finding.name},
                    {"state", word_for(finding.state)},
                    {"detail", finding.detail},
                    {"remedy", finding.remedy}});
  const nlohmann::ordered_json json{
      {"schema", "knetsim.doctor/1"}, {"version", version()}, {"healthy", healthy(findings)}, {"findings", list}};
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Command make_doctor(CLI::App& root) {
  auto* app = root.add_subcommand("doctor", "See whether this machine has what the checks need, by trying it");
  auto options = std::make_shared<DoctorOptions>();
  app->add_option("--json", options->json, "Write the findings to this file too (docs/results-schema.md)")
      ->type_name("FILE");
  add_color_option(*app, options->color);
  app->footer("Exit codes: 0 everything needed is here, 1 something is missing, 2 wrong usage.");
  return {app, [options](Terminal& terminal) { return doctor(*options, terminal); }};
}

}  // namespace knetsim::cli
