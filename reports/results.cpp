#include "results.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "causes.h"
#include "json_file.h"
#include "judge.h"
#include "knetsim/sys/error.h"

namespace knetsim::report {

namespace fs = std::filesystem;

namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::string_view kReportSchema = "knetsim.report/1";

OrderedJson json_of(const Reason& reason) {
  return {{"file", reason.file}, {"line", reason.line}, {"text", reason.text}};
}

OrderedJson json_of(const TestResult& test) {
  OrderedJson json{{"test", test.name}, {"outcome", to_string(test.outcome)}, {"seconds", test.seconds}};
  if (!test.labels.empty()) json["labels"] = test.labels;
  if (!test.reasons.empty()) json["why"] = why(test);
  for (const auto& reason : test.reasons) json["reasons"].push_back(json_of(reason));
  if (!test.evidence.empty()) json["evidence"] = test.evidence;
  if (!test.check.empty()) json["check"] = test.check;
  if (!test.title.empty()) json["title"] = test.title;
  if (test.step) json["failed_step"] = {{"from", test.step->from}, {"to", test.step->to}, {"what", test.step->what}};
  for (const auto& part : test.boot) json["boot"].push_back({{"part", part.name}, {"seconds", part.seconds}});
  return json;
}

OrderedJson json_of(const Figure& figure) {
  return {{"name", figure.name},
          {"unit", figure.unit},
          {"value", figure.value},
          {"low", figure.low},
          {"high", figure.high}};
}

OrderedJson json_of(const LayerCoverage& layer) {
  return {{"layer", layer.layer}, {"lines", layer.lines}, {"hit", layer.hit}};
}

template <typename T>
OrderedJson list_of(const std::vector<T>& items) {
  auto list = OrderedJson::array();
  for (const auto& item : items) list.push_back(json_of(item));
  return list;
}

std::size_t count(const JsonPlace& at) { return at.integer<std::size_t>(); }

Reason reason_from(const JsonPlace& at) {
  return {at["file"].string(), at["line"].integer<int>(), at["text"].string()};
}

Outcome outcome_from(const JsonPlace& at) {
  const auto outcome = outcome_of(at.string());
  if (!outcome) at.refuse("it is none of passed, failed, skipped, flaky, missing");
  return *outcome;
}

TestResult test_from(const JsonPlace& at) {
  TestResult test{.name = at["test"].string(), .outcome = outcome_from(at["outcome"]), .seconds = at["seconds"].real()};
  test.labels = at.each("labels", &JsonPlace::string);
  test.reasons = at.each("reasons", reason_from);
  at.take("evidence", test.evidence, &JsonPlace::string);
  at.take("check", test.check, &JsonPlace::string);
  at.take("title", test.title, &JsonPlace::string);
  if (const auto step = at.find("failed_step"))
    test.step = FailedStep{(*step)["from"].string(), (*step)["to"].string(), (*step)["what"].string()};
  for (const auto& part : at.elements("boot")) test.boot.push_back({part["part"].string(), part["seconds"].real()});
  return test;
}

Figure figure_from(const JsonPlace& at) {
  return {at["name"].string(), at["unit"].string(), at["value"].real(), at["low"].real(), at["high"].real()};
}

LayerCoverage coverage_from(const JsonPlace& at) {
  return {at["layer"].string(), count(at["lines"]), count(at["hit"])};
}

struct Part {
  std::string file;
  RunResult run;
};

Part read_part(const fs::path& file, const fs::path& report) {
  Part part{file.string(), read_results(file)};
  const auto here = fs::absolute(file).parent_path();
  const auto there = fs::absolute(report).lexically_normal();
  for (auto& test : part.run.tests)
    if (!test.evidence.empty()) test.evidence = (here / test.evidence).lexically_normal().lexically_relative(there);
  if (!part.run.shard)
    throw InputError(describe({.where = part.file,
                               .tried = "merge it",
                               .answer = "it is a whole run, not a shard of one",
                               .remedy = "give the results.json of each shard"}));
  return part;
}

/// Each index once, all of one total and one commit.
void compare_parts(const std::vector<Part>& parts, RunResult& merged) {
  const auto total = parts.front().run.shard->total;
  std::map<std::size_t, std::string> files;
  for (const auto& part : parts) {
    const auto& shard = *part.run.shard;
    if (shard.total != total)
      merged.problems.push_back(
          fmt::format("{}: is one of {} shards, and {} one of {}", part.file, shard.total, parts.front().file, total));
    const auto [other, fresh] = files.emplace(shard.index, part.file);
    if (!fresh)
      merged.problems.push_back(fmt::format("{}: is shard {}, and so is {}", part.file, shard.index, other->second));
    if (part.run.fact("commit") != merged.fact("commit"))
      merged.problems.push_back(fmt::format("{}: is of commit {}, and {} of {}", part.file, part.run.fact("commit"),
                                            parts.front().file, merged.fact("commit")));
  }
  for (std::size_t index = 0; index < total && index < 10'000; ++index)
    if (!files.contains(index)) merged.problems.push_back(fmt::format("shard {} of {} is absent", index, total));
}

void add_missing(const std::vector<Part>& parts, RunResult& merged) {
  std::unordered_set<std::string> ran;
  for (const auto& test : merged.tests) ran.insert(test.name);
  std::set<std::string> missing;
  for (const auto& part : parts)
    for (const auto& name : part.run.elsewhere)
      if (!ran.contains(name)) missing.insert(name);
  for (const auto& name : missing)
    merged.tests.push_back(
        {.name = name, .outcome = Outcome::missing, .reasons = {{{}, 0, "no shard brought a result of it"}}});
}

}  // namespace

std::string to_json(const RunResult& run, const std::vector<std::string>& regressions) {
  const auto reasons = reasons_for_red(run, regressions);
  OrderedJson json{{"schema", kReportSchema},
                   {"version", run.version},
                   {"started", run.started},
                   {"seconds", run.seconds},
                   {"verdict", reasons.empty() ? "green" : "red"},
                   {"reasons", reasons},
                   {"facts", run.facts},
                   {"tools", run.tools}};
  auto& totals = json["totals"];
  for (const auto outcome : {Outcome::passed, Outcome::failed, Outcome::skipped, Outcome::flaky, Outcome::missing})
    totals[std::string(to_string(outcome))] = run.count(outcome);
  if (run.shard) json["shard"] = {{"index", run.shard->index}, {"total", run.shard->total}};
  json["problems"] = run.problems;
  json["figures"] = list_of(run.figures);
  json["coverage"] = list_of(run.coverage);
  json["tests"] = list_of(run.tests);
  if (!run.elsewhere.empty()) json["elsewhere"] = run.elsewhere;
  return json.dump(1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

RunResult read_results(const std::filesystem::path& file) {
  const auto document = read_json_file(file);
  const JsonPlace at(document);
  require_schema(at, kReportSchema);
  RunResult run;
  run.version = at["version"].string();
  run.started = at["started"].string();
  run.seconds = at["seconds"].real();
  run.facts = texts_of(at["facts"]);
  run.tools = texts_of(at["tools"]);
  if (const auto shard = at.find("shard")) run.shard = Shard{count((*shard)["index"]), count((*shard)["total"])};
  run.problems = at["problems"].each(&JsonPlace::string);
  run.figures = at["figures"].each(figure_from);
  run.coverage = at["coverage"].each(coverage_from);
  run.tests = at["tests"].each(test_from);
  run.elsewhere = at.each("elsewhere", &JsonPlace::string);
  return run;
}

RunResult merge(const std::vector<fs::path>& results, const fs::path& report) {
  std::vector<Part> parts;
  for (const auto& file : results) parts.push_back(read_part(file, report));
  if (parts.empty()) throw InputError("there is no shard to merge");
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Part& one, const Part& other) { return one.run.shard->index < other.run.shard->index; });

  RunResult merged;
  const auto& first = parts.front().run;
  merged.version = first.version;
  merged.started = first.started;
  merged.facts = first.facts;
  merged.tools = first.tools;
  compare_parts(parts, merged);
  std::unordered_set<std::string> seen;
  for (auto& [file, run] : parts) {
    merged.started = std::min(merged.started, run.started);
    merged.seconds = std::max(merged.seconds, run.seconds);
    merged.problems.insert(merged.problems.end(), run.problems.begin(), run.problems.end());
    merged.figures.insert(merged.figures.end(), run.figures.begin(), run.figures.end());
    for (auto& test : run.tests) {
      if (!seen.insert(test.name).second) merged.problems.push_back(test.name + ": more than one shard ran it");
      merged.tests.push_back(std::move(test));
    }
  }
  add_missing(parts, merged);
  return merged;
}

}  // namespace knetsim::report
