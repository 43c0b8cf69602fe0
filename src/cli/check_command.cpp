#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <ostream>

#include "command.h"
#include "event_loop.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/installation.h"
#include "options.h"
#include "plan.h"
#include "progress.h"
#include "result.h"
#include "suite_run.h"
#include "text.h"

namespace knetsim::cli {

namespace fs = std::filesystem;

namespace {

struct CheckOptions {
  std::vector<std::string> suites{"suite-readme"};
  std::vector<std::string> only;
  bool list = false;
  bool list_ids = false;
  bool keep_evidence = false;
  bool verbose = false;
  std::string json;
  ColorMode color = ColorMode::automatic;
  unsigned timeout = 120;
  FlavourChoices flavours;
};

std::vector<Listing> list_suites(const CheckOptions& options, const Interrupts& interrupts) {
  std::vector<Listing> listings;
  for (const auto& suite : options.suites) {
    const auto program = find_suite(suite, own_directory());
    listings.push_back({program, list_suite(program, interrupts)});
  }
  return listings;
}

int print_list(const std::vector<PlannedCheck>& plan, bool titles, Terminal& terminal) {
  std::size_t label = 0;
  for (const auto& check : plan) label = std::max(label, width(check.id));
  for (const auto& check : plan)
    terminal.out << (titles ? pad_right(check.id, label) + "  " + check.title : check.id) << '\n';
  return kExitGood;
}

SuiteOptions suite_options(const CheckOptions& options) {
  SuiteOptions result;
  result.test_timeout = std::chrono::seconds(options.timeout);
  result.environment = environment_for(options.flavours);
  if (options.keep_evidence) result.environment["KNETSIM_KEEP_EVIDENCE"] = "1";
  return result;
}

/// The command that runs the same suites in the same flavours.
std::string command_for(const CheckOptions& options) {
  std::string command = "knetsim check";
  if (options.suites != CheckOptions().suites)
    for (const auto& suite : options.suites) command += " --suite " + suite;
  for (std::size_t i = 0; i < parts::kParts.size(); ++i)
    if (!options.flavours.at(i).empty())
      command += fmt::format(" {} {}", option_of(*parts::kParts.at(i)), options.flavours.at(i));
  return command;
}

/// The plan's tests, program by program, in the order in which the programs were named.
std::vector<std::pair<fs::path, std::vector<std::string>>> by_program(const std::vector<Listing>& listings,
                                                                      const std::vector<PlannedCheck>& plan) {
  std::vector<std::pair<fs::path, std::vector<std::string>>> programs;
  for (const auto& listing : listings) {
    std::vector<std::string> tests;
    for (const auto& check : plan)
      for (const auto& test : check.tests)
        if (test.program == listing.program) tests.push_back(test.test);
    if (!tests.empty()) programs.emplace_back(listing.program, std::move(tests));
  }
  return programs;
}

RunResult run_plan(const CheckOptions& options, const std::vector<Listing>& listings,
                   const std::vector<PlannedCheck>& plan, const Interrupts& interrupts, Terminal& terminal,
                   const Style& style) {
  RunResult run;
  run.started = std::chrono::system_clock::now();
  run.command = command_for(options);
  const auto start = std::chrono::steady_clock::now();
  Progress progress(terminal, style, options.verbose, plan);
  for (const auto& [program, tests] : by_program(listings, plan)) {
    const auto outcome = run_suite(program, tests, suite_options(options), interrupts, progress);
    const auto name = program.filename().string();
    for (const auto& text : outcome.problems) run.problems.push_back({name, text});
    run.ending = outcome.ending;
    run.signal = outcome.signal;
    if (outcome.ending == Ending::could_not_run) run.problems.push_back({name, outcome.refusal});
    if (outcome.ending != Ending::complete) break;
  }
  progress.erase_live_line();
  run.checks = progress.ended();
  run.not_run = progress.not_ended();
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return run;
}

int exit_code(const RunResult& run) {
  if (run.ending == Ending::interrupted) return kExitSignal + run.signal;
  if (run.ending == Ending::could_not_run) return kExitCouldNotRun;
  return run.green() ? kExitGood : kExitBad;
}

int write_json(const std::string& path, const RunResult& run, Terminal& terminal, int code) {
  if (path.empty()) return code;
  try {
    write_user_file(path, to_json(run));
    return code;
  } catch (const Error& error) {
    terminal.err << "knetsim: the verdict above stands, but --json failed: " << error.what() << '\n';
    return kExitCouldNotRun;
  }
}

int check(const CheckOptions& options, Terminal& terminal) {
  const auto style = Style::choose(options.color, terminal);
  const Interrupts interrupts;
  const auto listings = list_suites(options, interrupts);
  const auto plan = select_checks(plan_checks(listings), options.only);
  if (options.list || options.list_ids) return print_list(plan, !options.list_ids, terminal);
  require_flavours(options.flavours);

  terminal.out << style.bold(fmt::format("knetsim {}: {}", version(), count_of(plan.size(), "check"))) << "\n\n"
               << std::flush;
  const auto run = run_plan(options, listings, plan, interrupts, terminal, style);
  print_summary(run, terminal, style);
  return write_json(options.json, run, terminal, exit_code(run));
}

}  // namespace

Command make_check(CLI::App& root) {
  auto* app = root.add_subcommand("check", "Prove what the README says, check by check, on clusters stood up here");
  auto options = std::make_shared<CheckOptions>();
  app->add_option("--only", options->only, "Only these checks (--list tells their ids)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("ID,...");
  app->add_flag("--list", options->list, "List the checks, and run none");
  app->add_flag("--list-ids", options->list_ids)->group("");  // for the completion scripts
  app->add_option("--json", options->json, "Write the results to this file too (docs/results-schema.md)")
      ->type_name("FILE");
  app->add_flag("--keep-evidence", options->keep_evidence, "Keep what was captured of checks that pass, too");
  app->add_flag("-v,--verbose", options->verbose, "Show every action, and what the suites print");
  add_color_option(*app, options->color);
  add_flavour_options(*app, options->flavours);
  app->add_option("--timeout", options->timeout, "Seconds that one test may take before it counts as hanging")
      ->check(CLI::Range(1U, 86400U))
      ->capture_default_str();
  app->add_option("--suite", options->suites, "Suite programs to run, by path or name")
      ->allow_extra_args(false)
      ->type_name("PROGRAM")
      ->capture_default_str();
  app->footer(
      "Exit codes: 0 every check passed; 1 one failed, or was skipped and so isn't proven; 2 could not run;\n"
      "130 or 143 interrupted by Ctrl-C or SIGTERM.");
  return {app, [options](Terminal& terminal) { return check(*options, terminal); }};
}

}  // namespace knetsim::cli
