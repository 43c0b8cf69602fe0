#include "event.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "knetsim/sys/text.h"
#include "text.h"

namespace knetsim::cli {

namespace {

using Json = nlohmann::json;

/// The members of one event, with errors that name the member.
class Members {
 public:
  Members(const Json& object, std::string_view line) : object_(object), line_(line) {}

  std::string text(const char* name) const { return get(name, &Json::is_string, "text").get<std::string>(); }
  std::string text_or_empty(const char* name) const { return object_.contains(name) ? text(name) : std::string{}; }
  double seconds(const char* name) const {
    const auto value = get(name, &Json::is_number, "a number").get<double>();
    if (!(value >= 0)) throw refuse(fmt::format("\"{}\" is negative", name));
    return value;
  }
  bool boolean(const char* name) const { return get(name, &Json::is_boolean, "true or false").get<bool>(); }
  int number(const char* name) const { return get(name, &Json::is_number_integer, "a whole number").get<int>(); }
  std::size_t count(const char* name) const {
    return get(name, &Json::is_number_unsigned, "a count").get<std::size_t>();
  }
  const Json& array(const char* name) const { return get(name, &Json::is_array, "a list"); }

  ProtocolError refuse(const std::string& why) const {
    return ProtocolError(fmt::format("{}: {}", why, excerpt(line_)));
  }

 private:
  const Json& get(const char* name, bool (Json::*is_kind)() const noexcept, std::string_view kind) const {
    const auto member = object_.find(name);
    if (member == object_.end()) throw refuse(fmt::format("\"{}\" is missing", name));
    if (!((*member).*is_kind)()) throw refuse(fmt::format("\"{}\" isn't {}", name, kind));
    return *member;
  }

  const Json& object_;
  std::string_view line_;
};

Reason reason(const Members& from) { return {from.text("file"), from.number("line"), from.text("text")}; }

Verdict verdict(const Members& from) {
  const auto word = from.text("verdict");
  for (const auto known : {Verdict::passed, Verdict::failed, Verdict::skipped})
    if (word == to_string(known)) return known;
  throw from.refuse("the verdict is none of passed, failed, skipped");
}

Event run_started(const Members& from) {
  const auto schema = from.text("schema");
  if (schema != kEventSchema)
    throw from.refuse(fmt::format("it speaks {}, and this knetsim understands {}; install both from the same build",
                                  schema, kEventSchema));
  return RunStarted{from.text("program"), from.count("tests")};
}

Event test_ended(const Members& from, std::string_view line) {
  TestEnded ended{from.text("test"), verdict(from), from.seconds("seconds"), {}, from.text_or_empty("evidence")};
  for (const auto& item : from.array("reasons")) {
    if (!item.is_object()) throw from.refuse("\"reasons\" holds something that isn't an object");
    ended.reasons.push_back(reason(Members(item, line)));
  }
  return ended;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed:
      return "passed";
    case Verdict::failed:
      return "failed";
    case Verdict::skipped:
      return "skipped";
  }
  std::abort();
}

Event parse_event(std::string_view line) {
  const auto object = Json::parse(line, nullptr, false);
  const Members members(object, line);
  if (!object.is_object()) throw members.refuse("not a JSON object");
  const auto kind = members.text("event");
  if (kind == "run started") return run_started(members);
  if (kind == "test listed") return TestListed{members.text("test"), members.text("check"), members.text("title")};
  if (kind == "test started") return TestStarted{members.text("test")};
  if (kind == "step started") return StepStarted{members.text("from"), members.text("to"), members.text("what")};
  if (kind == "step ended")
    return StepEnded{members.text("from"), members.text("to"), members.text("what"), members.seconds("seconds"),
                     members.boolean("ok")};
  if (kind == "failure") return FailureSeen{reason(members)};
  if (kind == "evidence saved") return EvidenceSaved{members.text("path")};
  if (kind == "test ended") return test_ended(members, line);
  if (kind == "run ended") return RunEnded{members.count("passed"), members.count("failed"), members.count("skipped")};
  return UnknownEvent{};
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
