#include "event.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "knetsim/sys/json_place.h"
#include "knetsim/sys/text.h"

namespace knetsim::cli {

namespace {

double seconds_from(const JsonPlace& at) {
  const auto value = at.real();
  if (value < 0) at.refuse("is negative");
  return value;
}

std::size_t count_from(const JsonPlace& at) { return at.integer<std::size_t>(); }

Reason reason(const JsonPlace& at) { return {at["file"].string(), at["line"].integer<int>(), at["text"].string()}; }

Verdict verdict(const JsonPlace& at) {
  const auto word = at.string();
  for (const auto known : {Verdict::passed, Verdict::failed, Verdict::skipped})
    if (word == word_of(known)) return known;
  at.refuse("the verdict is none of passed, failed, skipped");
}

RunStarted run_started(const JsonPlace& at) {
  if (const auto schema = at["schema"]; schema.string() != kEventSchema)
    schema.refuse(fmt::format("this knetsim understands {}; install both from the same build", kEventSchema));
  return {at["program"].string(), count_from(at["tests"])};
}

TestEnded test_ended(const JsonPlace& at) {
  TestEnded ended{
      at["test"].string(), verdict(at["verdict"]), seconds_from(at["seconds"]), at["reasons"].each(reason), {}};
  at.take("evidence", ended.evidence, &JsonPlace::string);
  return ended;
}

Event event_from(const JsonPlace& at) {
  const auto kind = at["event"].string();
  const auto text = [&](std::string_view key) { return at[key].string(); };
  if (kind == "run started") return run_started(at);
  if (kind == "test listed") return TestListed{text("test"), text("check"), text("title")};
  if (kind == "test started") return TestStarted{text("test")};
  if (kind == "step started") return StepStarted{text("from"), text("to"), text("what")};
  if (kind == "step ended")
    return StepEnded{text("from"), text("to"), text("what"), seconds_from(at["seconds"]), at["ok"].boolean()};
  if (kind == "failure") return FailureSeen{reason(at)};
  if (kind == "evidence saved") return EvidenceSaved{text("path")};
  if (kind == "test ended") return test_ended(at);
  if (kind == "run ended")
    return RunEnded{count_from(at["passed"]), count_from(at["failed"]), count_from(at["skipped"])};
  return UnknownEvent{};
}

}  // namespace

std::string_view word_of(Verdict verdict) {
  constexpr std::array<std::string_view, 3> kVerdicts{"passed", "failed", "skipped"};
  return kVerdicts.at(static_cast<std::size_t>(verdict));
}

Event parse_event(std::string_view line) try {
  const JsonDocument document{.value = parse_json(line), .source = {}, .rules = {.remedies = false}};
  if (!document.value.is_object()) throw InputError("it is another value");
  return event_from(JsonPlace(document));
} catch (const JsonError& error) {
  throw ProtocolError(fmt::format("{}: {}", error.what(), excerpt(line)));
} catch (const InputError& error) {
  throw ProtocolError(fmt::format("not a JSON object: {} ({})", excerpt(line, 120), error.what()));
}

std::vector<LineSplitter::Line> LineSplitter::feed(std::string_view bytes) {
  std::vector<Line> lines;
  while (!bytes.empty()) {
    const auto newline = bytes.find('\n');
    pending_ += bytes.substr(0, newline);
    if (pending_.size() > kLongestLine) {
      pending_.resize(kLongestLine);
      overlong_ = true;
    }
    if (newline == std::string_view::npos) break;
    lines.push_back({std::exchange(pending_, {}), !std::exchange(overlong_, false)});
    bytes.remove_prefix(newline + 1);
  }
  return lines;
}

std::vector<LineSplitter::Line> LineSplitter::finish() {
  if (pending_.empty()) return {};
  overlong_ = false;
  return {{std::exchange(pending_, {}), false}};
}

}  // namespace knetsim::cli
