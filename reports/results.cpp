#include "results.h"

#include "causes.h"
#include "json_file.h"
#include "judge.h"

namespace knetsim::report {

namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::string_view kSchema = "knetsim.report/1";

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

}  // namespace

std::string to_json(const RunResult& run, const std::vector<std::string>& regressions) {
  const auto reasons = reasons_for_red(run, regressions);
  OrderedJson json{{"schema", kSchema},
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
  require_schema(at, kSchema);
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

}  // namespace knetsim::report
