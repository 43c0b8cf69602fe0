#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ostream>

#include "color_option.h"
#include "command.h"
#include "doctor.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"

namespace knetsim::cli {

namespace {

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
