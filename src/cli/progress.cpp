#include "progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ostream>

#include "knetsim/sys/failure.h"
#include "text.h"

namespace knetsim::cli {

namespace {

constexpr std::size_t kFewActions = 4;
constexpr std::size_t kFewLines = 4;
constexpr std::chrono::milliseconds kFrame{80};
constexpr std::array<std::string_view, 10> kSpinner{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
constexpr std::string_view kEraseLine = "\r\x1b[2K";

std::string action(const std::string& from, const std::string& to, const std::string& what) {
  return to.empty() ? fmt::format("{}: {}", from, what) : fmt::format("{} -> {}: {}", from, to, what);
}

}  // namespace

Progress::Progress(Terminal terminal, Style style, bool verbose, const std::vector<PlannedCheck>& plan)
    : terminal_(terminal), style_(style), verbose_(verbose) {
  for (const auto& check : plan) {
    for (const auto& test : check.tests) entry_of_[test.test] = entries_.size();
    entries_.push_back({{check.id, check.title, {}}, check.tests.size(), false});
    label_ = std::max(label_, width(check.id));
  }
}

void Progress::test_started(const std::string& test) {
  running_ = entries_.at(entry_of_.at(test)).result.id;
  doing_.clear();
  since_ = std::chrono::steady_clock::now();
}

void Progress::step_started(const StepStarted& step) { doing_ = action(step.from, step.to, step.what); }

void Progress::test_ended(const TestResult& result) {
  auto& entry = entries_.at(entry_of_.at(result.test));
  entry.result.tests.push_back(result);
  running_.clear();
  if (entry.result.tests.size() < entry.expected) return;
  entry.shown = true;
  ++shown_;
  erase_live_line();
  show(entry.result);
  terminal_.out.flush();
}

void Progress::output(std::string_view bytes) {
  if (!verbose_) return;
  erase_live_line();
  terminal_.out.flush();
  terminal_.err << bytes << std::flush;
}

void Progress::tick() {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_.interactive || running_.empty() || now < drawn_ + kFrame) return;
  drawn_ = now;
  const std::chrono::duration<double> elapsed = now - since_;
  const auto line = fmt::format("{} [{}/{}] {}  {:.1f} s  {}", kSpinner.at(frame_++ % kSpinner.size()), shown_ + 1,
                                entries_.size(), running_, elapsed.count(), doing_);
  terminal_.out << kEraseLine << shorten(line, terminal_.columns > 1 ? terminal_.columns - 1 : 0) << std::flush;
  live_ = true;
}

void Progress::erase_live_line() {
  if (live_) terminal_.out << kEraseLine;
  live_ = false;
}

void Progress::show(const CheckResult& check) {
  const auto verdict = check.verdict();
  const auto mark = verdict == Verdict::passed   ? style_.green(kGood)
                    : verdict == Verdict::failed ? style_.red(kBad)
                                                 : style_.yellow(kNeither);
  const auto total = std::to_string(entries_.size());
  const auto head = fmt::format("[{}/{}] ", pad_left(std::to_string(shown_), total.size()), total);
  const auto facts = fmt::format("{}  {}  ", pad_right(check.id, label_), pad_left(seconds_text(check.seconds()), 7));
  const auto used = width(head) + 2 + width(facts);
  const auto room = terminal_.columns > used + 8 ? terminal_.columns - used : 0;
  terminal_.out << head << mark << ' ' << facts << shorten(check.title, room) << '\n';

  std::size_t hidden = 0;
  std::size_t good = 0;
  for (const auto& test : check.tests) {
    for (const auto& step : test.steps) {
      if (!step.ok || verbose_ || good < kFewActions)
        show_step(step);
      else
        ++hidden;
      if (step.ok) ++good;
    }
  }
  if (hidden > 0)
    terminal_.out << style_.dim(fmt::format("        … and {} more (--verbose shows all)", count_of(hidden, "action")))
                  << '\n';
  for (const auto& test : check.tests) show_outcome(test);
}

void Progress::show_outcome(const TestResult& test) {
  const auto room = terminal_.columns > 16 ? terminal_.columns - 8 : 0;
  if (test.verdict == Verdict::passed) {
    if (!test.evidence.empty()) terminal_.out << style_.dim("        evidence: " + test.evidence) << '\n';
    return;
  }
  // The whole of it follows at the end of the run.
  std::vector<std::string> lines{why(test)};
  for (const auto& reason : test.reasons)
    if (auto sentence = failure_sentence(reason.text); sentence != lines.front()) lines.push_back(std::move(sentence));
  if (lines.size() > kFewLines) {
    lines.resize(kFewLines);
    lines.emplace_back("…");
  }
  for (const auto& line : lines)
    if (!line.empty()) terminal_.out << "        " << shorten(line, room) << '\n';
}

void Progress::show_step(const StepEnded& step) {
  const auto mark = step.ok ? style_.green(kGood) : style_.red(kBad);
  const auto took = "  " + seconds_text(step.seconds);
  const auto room = terminal_.columns > 30 + width(took) ? terminal_.columns - 10 - width(took) : 0;
  terminal_.out << "        " << mark << ' ' << shorten(action(step.from, step.to, step.what), room) << style_.dim(took)
                << '\n';
}

std::vector<CheckResult> Progress::ended() const {
  std::vector<CheckResult> results;
  for (const auto& entry : entries_)
    if (entry.shown) results.push_back(entry.result);
  return results;
}

std::vector<std::string> Progress::not_ended() const {
  std::vector<std::string> ids;
  for (const auto& entry : entries_)
    if (!entry.shown) ids.push_back(entry.result.id);
  return ids;
}

}  // namespace knetsim::cli
