#include "result.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>

#include "command.h"
#include "knetsim/sys/failure.h"
#include "text.h"

namespace knetsim::cli {

namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Reason& reason) { return {{"file", reason.file}, {"line", reason.line}, {"text", reason.text}}; }

Json json_of(const StepEnded& step) {
  return {{"from", step.from}, {"to", step.to}, {"what", step.what}, {"seconds", step.seconds}, {"ok", step.ok}};
}

Json json_of(const TestResult& test);
Json json_of(const CheckResult& check);
Json json_of(const Problem& problem);

template <typename T>
Json list_of(const std::vector<T>& items) {
  auto list = Json::array();
  for (const auto& item : items) list.push_back(json_of(item));
  return list;
}

Json json_of(const TestResult& test) {
  Json json{{"test", test.test},       {"program", test.program},          {"verdict", word_of(test.verdict)},
            {"seconds", test.seconds}, {"reasons", list_of(test.reasons)}, {"steps", list_of(test.steps)}};
  if (!test.reasons.empty()) json["why"] = why(test);
  if (!test.evidence.empty()) json["evidence"] = test.evidence;
  return json;
}

Json json_of(const CheckResult& check) {
  return {{"id", check.id},
          {"title", check.title},
          {"verdict", word_of(check.verdict())},
          {"seconds", check.seconds()},
          {"tests", list_of(check.tests)}};
}

Json json_of(const Problem& problem) { return {{"program", problem.program}, {"text", problem.text}}; }

std::string verdict_of(const RunResult& run) {
  if (run.ending == Ending::interrupted) return "interrupted";
  if (run.ending == Ending::could_not_run) return "could not run";
  return run.green() ? "passed" : "failed";
}

Json host() {
  utsname name{};
  ::uname(&name);
  return {{"system", name.sysname},
          {"kernel", name.release},
          {"machine", name.machine},
          {"cpus", ::sysconf(_SC_NPROCESSORS_ONLN)},
          {"root", ::geteuid() == 0}};
}

std::string_view mark_of(Verdict verdict) {
  return verdict == Verdict::passed ? kGood : verdict == Verdict::failed ? kBad : kNeither;
}

std::string paint(const Style& style, Verdict verdict, std::string_view text) {
  if (verdict == Verdict::passed) return style.green(text);
  return verdict == Verdict::failed ? style.red(text) : style.yellow(text);
}

void print_table(const RunResult& run, const Terminal& terminal, const Style& style) {
  if (run.checks.empty()) return;
  std::size_t label = width("check");
  for (const auto& check : run.checks) label = std::max(label, width(check.id));
  const auto row = [&](std::string_view number, std::string_view id, std::string_view verdict, std::string_view actions,
                       std::string_view took) {
    return std::array<std::string, 3>{fmt::format("{}  {}  ", pad_left(number, 3), pad_right(id, label)),
                                      pad_right(verdict, 9),
                                      fmt::format("  {}  {}  ", pad_left(actions, 7), pad_left(took, 8))};
  };
  const auto title = row("#", "check", "verdict", "actions", "seconds");
  terminal.out << '\n' << style.bold(title[0] + title[1] + title[2] + "the README says") << '\n';
  for (std::size_t i = 0; i < run.checks.size(); ++i) {
    const auto& check = run.checks[i];
    const auto verdict = check.verdict();
    const auto cells = row(std::to_string(i + 1), check.id, fmt::format("{} {}", mark_of(verdict), word_of(verdict)),
                           std::to_string(check.actions()), fmt::format("{:.2f}", check.seconds()));
    const auto used = width(cells[0] + cells[1] + cells[2]);
    const auto room = terminal.columns > used + 8 ? terminal.columns - used : 0;
    terminal.out << cells[0] << paint(style, verdict, cells[1]) << cells[2] << shorten(check.title, room) << '\n';
  }
}

/// All that it said, unless the sentence is all.
std::string reasons_of(const TestResult& test) {
  std::string text;
  for (const auto& reason : test.reasons) {
    const bool told = reason.text == why(test);
    if (told && reason.file.empty()) continue;
    if (!reason.file.empty()) text += fmt::format("    {}:{}{}\n", reason.file, reason.line, told ? "" : ":");
    if (!told) text += indent(reason.text, reason.file.empty() ? "    " : "      ");
  }
  return text;
}

void print_failures(const RunResult& run, const Terminal& terminal, const Style& style) {
  std::vector<std::string> again;
  std::map<std::string, std::string> told;  // causes, and the check that had them first
  for (const auto& check : run.checks) {
    const auto verdict = check.verdict();
    if (verdict == Verdict::passed) continue;
    again.push_back(check.id);
    terminal.out << '\n'
                 << paint(style, verdict, fmt::format("{} {}: {}", mark_of(verdict), check.id, check.title)) << '\n';
    for (const auto& test : check.tests) {
      if (test.verdict == Verdict::passed) continue;
      terminal.out << fmt::format("  {} {} ({})\n", test.test, word_of(test.verdict), test.program);
      // One cause often fails many checks: a program that is missing, say.
      const auto [first, is_new] = told.emplace(cause(test), check.id);
      if (is_new)
        terminal.out << fmt::format("    {}\n", style.bold(why(test))) << reasons_of(test);
      else
        terminal.out << fmt::format("    for the same reason as {}\n", first->second);
      if (!test.evidence.empty()) terminal.out << fmt::format("    evidence: {}\n", test.evidence);
    }
  }
  for (const auto& problem : run.problems) {
    terminal.out << '\n' << style.red(fmt::format("{} {} itself", kBad, problem.program)) << '\n';
    terminal.out << indent(problem.text, "    ");
  }
  if (!again.empty())
    terminal.out << fmt::format("\nagain, these alone: {} --only {}\n", run.command, join(again, ","));
}

std::string total(const RunResult& run) {
  const auto all = run.checks.size() + run.not_run.size();
  auto text = fmt::format("{} of {} passed", run.count(Verdict::passed), count_of(all, "check"));
  if (const auto failed = run.count(Verdict::failed)) text += fmt::format(", {} failed", failed);
  if (const auto skipped = run.count(Verdict::skipped)) text += fmt::format(", {} skipped: not proven", skipped);
  if (!run.problems.empty()) text += fmt::format(", {} of the suites", count_of(run.problems.size(), "problem"));
  if (!run.not_run.empty()) text += fmt::format(", not run: {}", join(run.not_run, " "));
  return fmt::format("{}; {}", text, seconds_text(run.seconds));
}

}  // namespace

std::string why(const TestResult& test) {
  return test.reasons.empty() ? std::string() : failure_sentence(telling_reason(test.reasons));
}

std::string cause(const TestResult& test) {
  std::string text;
  for (const auto& reason : test.reasons) text += failure_cause(failure_sentence(reason.text)) + "\n";
  return text;
}

Verdict CheckResult::verdict() const {
  const auto any = [&](Verdict wanted) {
    return std::any_of(tests.begin(), tests.end(), [&](const auto& test) { return test.verdict == wanted; });
  };
  if (tests.empty() || any(Verdict::failed)) return Verdict::failed;
  return any(Verdict::skipped) ? Verdict::skipped : Verdict::passed;
}

double CheckResult::seconds() const {
  double sum = 0;
  for (const auto& test : tests) sum += test.seconds;
  return sum;
}

std::size_t CheckResult::actions() const {
  std::size_t sum = 0;
  for (const auto& test : tests) sum += test.steps.size();
  return sum;
}

std::size_t RunResult::count(Verdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(checks.begin(), checks.end(), [&](const auto& check) { return check.verdict() == verdict; }));
}

bool RunResult::green() const {
  return ending == Ending::complete && problems.empty() && not_run.empty() && !checks.empty() &&
         count(Verdict::passed) == checks.size();
}

std::string to_json(const RunResult& run) {
  Json json{{"schema", "knetsim.results/1"},
            {"version", version()},
            {"started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(run.started))},
            {"seconds", run.seconds},
            {"verdict", verdict_of(run)},
            {"host", host()},
            {"totals",
             {{"passed", run.count(Verdict::passed)},
              {"failed", run.count(Verdict::failed)},
              {"skipped", run.count(Verdict::skipped)},
              {"not_run", run.not_run.size()}}},
            {"checks", list_of(run.checks)},
            {"not_run", run.not_run},
            {"problems", list_of(run.problems)}};
  // What a program printed may hold any bytes.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void print_summary(const RunResult& run, const Terminal& terminal, const Style& style) {
  print_table(run, terminal, style);
  print_failures(run, terminal, style);
  terminal.out << '\n';
  if (run.ending == Ending::interrupted)
    terminal.out << style.red(fmt::format("{} interrupted by SIG{}", kBad, ::sigabbrev_np(run.signal))) << '\n';
  const auto line = fmt::format("{} {}", run.green() ? kGood : kBad, total(run));
  terminal.out << (run.green() ? style.green(line) : style.red(line)) << std::endl;
}

}  // namespace knetsim::cli
