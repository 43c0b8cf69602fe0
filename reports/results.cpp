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

Reason reason_from(const JsonPlace& place) {
  return {place.at("file").text(), static_cast<int>(place.at("line").number()), place.at("text").text()};
}

TestResult test_from(const JsonPlace& place) {
  TestResult test{.name = place.at("test").text(), .seconds = place.at("seconds").number()};
  const auto word = place.at("outcome");
  const auto outcome = outcome_of(word.text());
  if (!outcome) word.refuse("it is none of passed, failed, skipped, flaky, missing");
  test.outcome = *outcome;
  const auto items = [&](const char* member) {
    return place.has(member) ? place.at(member).items() : std::vector<JsonPlace>{};
  };
  for (const auto& label : items("labels")) test.labels.push_back(label.text());
  for (const auto& reason : items("reasons")) test.reasons.push_back(reason_from(reason));
  test.evidence = place.text_or_empty("evidence");
  test.check = place.text_or_empty("check");
  test.title = place.text_or_empty("title");
  if (place.has("failed_step")) {
    const auto step = place.at("failed_step");
    test.step = FailedStep{step.at("from").text(), step.at("to").text(), step.at("what").text()};
  }
  for (const auto& part : items("boot")) test.boot.push_back({part.at("part").text(), part.at("seconds").number()});
  return test;
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
  const auto document = read_json(file);
  const JsonPlace root(document, file.string());
  require_schema(root, kSchema);
  RunResult run;
  run.version = root.at("version").text();
  run.started = root.at("started").text();
  run.seconds = root.at("seconds").number();
  run.facts = root.at("facts").texts();
  run.tools = root.at("tools").texts();
  if (root.has("shard")) run.shard = Shard{root.at("shard").at("index").count(), root.at("shard").at("total").count()};
  for (const auto& problem : root.at("problems").items()) run.problems.push_back(problem.text());
  for (const auto& item : root.at("figures").items())
    run.figures.push_back({item.at("name").text(), item.at("unit").text(), item.at("value").number(),
                           item.at("low").number(), item.at("high").number()});
  for (const auto& item : root.at("coverage").items())
    run.coverage.push_back({item.at("layer").text(), item.at("lines").count(), item.at("hit").count()});
  for (const auto& item : root.at("tests").items()) run.tests.push_back(test_from(item));
  if (root.has("elsewhere"))
    for (const auto& name : root.at("elsewhere").items()) run.elsewhere.push_back(name.text());
  return run;
}

}  // namespace knetsim::report
