#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "plan.h"
#include "result.h"
#include "tally.h"
#include "terminal.h"

namespace knetsim::cli {

/// Shows a run while it goes on: for each check that ends one line and its actions; on a terminal also a last line
/// that says what is going on now.
class Progress : public Listener {
 public:
  Progress(Terminal terminal, Style style, bool verbose, const std::vector<PlannedCheck>& plan);

  void test_started(const std::string& test) override;
  void step_started(const StepStarted& step) override;
  void test_ended(const TestResult& result) override;
  void output(std::string_view bytes) override;
  void tick() override;

  /// The checks that have ended, in the plan's order.
  std::vector<CheckResult> ended() const;
  /// The ids of the others.
  std::vector<std::string> not_ended() const;
  /// Takes the live line away.
  void erase_live_line();

 private:
  struct Entry {
    CheckResult result;
    std::size_t expected = 0;
    bool shown = false;
  };

  void show(const CheckResult& check);
  void show_step(const StepEnded& step);
  void show_outcome(const TestResult& test);

  Terminal terminal_;
  Style style_;
  bool verbose_;
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t> entry_of_;  // by test
  std::size_t label_ = 0;                        // width of the longest id
  std::size_t shown_ = 0;
  std::string running_;  // id of the check
  std::string doing_;
  std::chrono::steady_clock::time_point since_;
  std::chrono::steady_clock::time_point drawn_;
  std::size_t frame_ = 0;
  bool live_ = false;
};

}  // namespace knetsim::cli
