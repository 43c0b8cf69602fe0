#include "model.h"

#include <algorithm>
#include <array>

namespace knetsim::report {

namespace {

constexpr std::array<std::pair<Outcome, std::string_view>, 5> kWords{{{Outcome::passed, "passed"},
                                                                      {Outcome::failed, "failed"},
                                                                      {Outcome::skipped, "skipped"},
                                                                      {Outcome::flaky, "flaky"},
                                                                      {Outcome::missing, "missing"}}};

}  // namespace

std::string_view to_string(Outcome outcome) {
  for (const auto& [known, word] : kWords)
    if (known == outcome) return word;
  return "missing";
}

std::optional<Outcome> outcome_of(std::string_view word) {
  for (const auto& [known, its_word] : kWords)
    if (its_word == word) return known;
  return std::nullopt;
}

std::string suite_of(const TestResult& test) { return test.name.substr(0, test.name.find(':')); }

std::string short_name(const TestResult& test) {
  const auto colon = test.name.find(':');
  return colon == std::string::npos ? test.name : test.name.substr(colon + 1);
}

std::string flavour_of(const TestResult& test) {
  auto last = test.name.substr(test.name.rfind('/') + 1);
  for (const auto* flavour : {"builtin", "real", "mixed", "mixed_reversed"})
    if (last == flavour) return last;
  return {};
}

std::string anchor_of(const RunResult& run, const TestResult& test) {
  return "t" + std::to_string(&test - run.tests.data());
}

bool Figure::bigger_is_better() const { return unit.ends_with("/s"); }

std::size_t RunResult::count(Outcome outcome) const {
  return static_cast<std::size_t>(
      std::count_if(tests.begin(), tests.end(), [&](const TestResult& test) { return test.outcome == outcome; }));
}

std::string RunResult::fact(const std::string& name) const {
  const auto found = facts.find(name);
  return found == facts.end() ? std::string{} : found->second;
}

std::optional<double> RunResult::covered() const {
  std::size_t lines = 0;
  std::size_t hit = 0;
  for (const auto& layer : coverage) {
    lines += layer.lines;
    hit += layer.hit;
  }
  if (lines == 0) return std::nullopt;
  return 100.0 * static_cast<double>(hit) / static_cast<double>(lines);
}

}  // namespace knetsim::report
