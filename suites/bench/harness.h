#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace knetsim::bench {

double seconds_since(std::chrono::steady_clock::time_point start);

/// The figures of several runs of one thing.
class Series {
 public:
  void add(double value) { values_.push_back(value); }
  double median() const;
  double min() const;
  double max() const;
  std::size_t size() const noexcept { return values_.size(); }

 private:
  std::vector<double> values_;
};

nlohmann::json to_json(const Series& series);

/// What a figure may be at most; it is held against the budget when it is printed and written.
struct Figure {
  std::string name;
  Series values;
  double budget;  ///< for the median, in the values' unit
};

/// "up 402.13 ms (331.00 - 527.11; budget 600.00) ✓" for figures in seconds.
std::string text_of(const Figure& figure);
/// {median, min, max, runs, budget, within_budget}
nlohmann::json to_json(const Figure& figure);

/// What a process that stands something up took, in seconds.
struct Life {
  double up;              ///< from the start of the process until it says that everything stands
  double exit;            ///< from being told to end until the process has ended
  double drain;           ///< from then on, until the kernel has dissolved its last namespace
  nlohmann::json report;  ///< what the scenario itself had to say
};

/// Times a life whose process `up` starts, returning its report when everything stands, and `down` ends, returning when
/// the process has ended. Call inside a sandbox: how the kernel drains is seen by a namespace of the caller's that is
/// dissolved after those of the process (the kernel takes them in their order).
Life time_life(const std::function<nlohmann::json()>& up, const std::function<void()>& down);

/// The life of this very program, run as a fresh process: `/proc/self/exe --scenario <scenario>`. Throws Error if that
/// fails.
Life time_scenario(const std::string& scenario);

/// The child's side: enters the sandbox, calls `scenario`, says on stdout that everything stands (with what `scenario`
/// returned) and waits until its stdin ends. What `scenario` has built must live in `hold`.
class Hold {
 public:
  virtual ~Hold() = default;
  virtual nlohmann::json build() = 0;
};
int live(Hold& hold);

/// Writes `document` to `file`, unless that is empty. Exit code: 0, or 2 if it can't be written.
int write_json(const std::string& file, const nlohmann::json& document);

}  // namespace knetsim::bench
