#include "tally.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "knetsim/sys/text.h"
#include "text.h"

namespace knetsim::cli {

namespace {

constexpr int kAllSkipped = 77;
constexpr int kHung = 124;  // fixtures/rescue.cpp
// A suite that writes nonsense writes a lot of it.
constexpr std::size_t kMostProblems = 10;

std::string with_output(std::string text, std::string_view output) {
  if (!output.empty()) text += "\nthe end of what it printed:\n" + indent(output, "  ");
  return text;
}

}  // namespace

Tally::Tally(std::string program, std::vector<std::string> asked, Listener& listener)
    : program_(std::move(program)), asked_(std::move(asked)), listener_(listener) {}

void Tally::problem(std::string text) {
  if (problems_.size() < kMostProblems) problems_.push_back(std::move(text));
}

void Tally::on_line(const LineSplitter::Line& line) {
  if (!line.whole) {
    problem(fmt::format("it reported a line that is {}: {}", line.text.size() >= kLongestLine ? "too long" : "cut off",
                        excerpt(line.text)));
    return;
  }
  try {
    std::visit([this](const auto& event) { on(event); }, parse_event(line.text));
  } catch (const ProtocolError& error) {
    problem(fmt::format("it reported something that isn't an event: {}", error.what()));
  }
}

void Tally::on(const RunStarted& event) {
  if (run_started_) return problem("it reported its start twice");
  run_started_ = event;
  if (event.tests != asked_.size())
    problem(fmt::format("it was asked for {} and announced {}", count_of(asked_.size(), "test"), event.tests));
}

void Tally::on(const TestListed& /*event*/) {}

void Tally::on(const TestStarted& event) {
  if (!run_started_) problem("it started a test before it told its version and number of tests");
  if (current_) problem(fmt::format("{} started while {} hadn't ended", event.test, current_->test));
  if (current_) fail_current("it never ended: another test started meanwhile");
  if (std::find(asked_.begin(), asked_.end(), event.test) == asked_.end())
    return problem(fmt::format("it ran {}, which nobody asked for", event.test));
  if (ended_.contains(event.test)) return problem(fmt::format("it ran {} twice", event.test));
  any_started_ = true;
  current_ = TestResult{};
  current_->program = program_;
  current_->test = event.test;
  listener_.test_started(event.test);
}

void Tally::on(const StepStarted& event) {
  steps_.push_back(event);
  listener_.step_started(event);
}

void Tally::on(const StepEnded& event) {
  if (!steps_.empty()) steps_.pop_back();
  if (current_) current_->steps.push_back(event);
}

void Tally::on(const FailureSeen& event) {
  if (current_) return current_->reasons.push_back(event.reason);
  problem(fmt::format("outside any test: {}:{}: {}", event.reason.file, event.reason.line, event.reason.text));
}

void Tally::on(const EvidenceSaved& event) {
  if (current_) current_->evidence = event.path;
}

void Tally::on(const TestEnded& event) {
  if (!current_ || current_->test != event.test)
    return problem(fmt::format("{} ended without having started", event.test));
  auto result = std::move(*current_);
  current_.reset();
  const bool failed_before = !result.reasons.empty();
  result.verdict = event.verdict;
  result.seconds = event.seconds;
  if (!event.evidence.empty()) result.evidence = event.evidence;
  if (!event.reasons.empty()) result.reasons = event.reasons;
  const bool failed_step = std::any_of(result.steps.begin(), result.steps.end(), [](const auto& s) { return !s.ok; });
  if (event.verdict != Verdict::failed && (failed_before || failed_step)) {
    problem(fmt::format("{} is said to have {}, but reported a failure", event.test, word_of(event.verdict)));
    result.verdict = Verdict::failed;
  }
  close(std::move(result));
}

void Tally::on(const RunEnded& event) {
  run_ended_ = true;
  if (event.passed != count(Verdict::passed) || event.failed != count(Verdict::failed) ||
      event.skipped != count(Verdict::skipped))
    problem(fmt::format("its totals ({} passed, {} failed, {} skipped) don't agree with its tests ({}, {}, {})",
                        event.passed, event.failed, event.skipped, count(Verdict::passed), count(Verdict::failed),
                        count(Verdict::skipped)));
}

void Tally::on(const UnknownEvent& /*event*/) {}

void Tally::on_end(ExitStatus status, const std::optional<std::string>& why, std::string_view output) {
  if (why || !status.code()) {
    died_ = true;
    const auto words = with_output(why ? fmt::format("killed: {}", *why) : status.describe(), output);
    if (current_)
      fail_current(words);
    else
      problem((any_started_ ? "outside any test: " : "before its first test: ") + words);
    return;
  }
  if (status.code() == 2 && !any_started_) {
    refused_ = true;
    return;
  }
  judge_exit(status, output);
}

void Tally::judge_exit(ExitStatus status, std::string_view output) {
  if (current_) {
    died_ = true;
    const auto how = status.code() == kHung
                         ? std::string("it hung, and its own watchdog ended it")
                         : fmt::format("the program ended in the midst of it ({})", status.describe());
    return fail_current(with_output(how, output));
  }
  const auto quiet_end = with_output(status.describe(), output);
  if (!run_started_) return problem("it ended without reporting anything: " + quiet_end);
  if (!run_ended_) {
    died_ = any_started_;
    return problem("it ended without reporting its end: " + quiet_end);
  }
  const bool failed = count(Verdict::failed) > 0;
  const bool all_skipped = !results_.empty() && count(Verdict::skipped) == results_.size();
  const bool agrees = failed ? status.code() == 1 : status.code() == 0 || (all_skipped && status.code() == kAllSkipped);
  if (!agrees) problem(fmt::format("{} of its tests failed, yet it ended with {}", count(Verdict::failed), quiet_end));
}

std::vector<std::string> Tally::left() const {
  std::vector<std::string> names;
  for (const auto& test : asked_)
    if (!ended_.contains(test)) names.push_back(test);
  return names;
}

void Tally::give_up(const std::string& reason) {
  for (const auto& test : left()) {
    TestResult result;
    result.program = program_;
    result.test = test;
    result.reasons.push_back({"", 0, reason});
    close(std::move(result));
  }
}

void Tally::close(TestResult result) {
  ended_.insert(result.test);
  steps_.clear();
  results_.push_back(std::move(result));
  listener_.test_ended(results_.back());
}

void Tally::fail_current(const std::string& reason) {
  auto result = std::move(*current_);
  current_.reset();
  result.verdict = Verdict::failed;
  if (!steps_.empty()) {
    const auto& step = steps_.back();
    result.steps.push_back({step.from, step.to, step.what, 0, false});
    const auto first = reason.substr(0, reason.find('\n'));
    result.reasons.push_back(
        {"", 0,
         fmt::format("{}, in the midst of {}{}{}: {}{}", first, step.from, step.to.empty() ? "" : " -> ", step.to,
                     step.what, reason.substr(first.size()))});
  } else {
    result.reasons.push_back({"", 0, reason});
  }
  close(std::move(result));
}

std::size_t Tally::count(Verdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(results_.begin(), results_.end(), [&](const auto& r) { return r.verdict == verdict; }));
}

}  // namespace knetsim::cli
