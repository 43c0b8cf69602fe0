#include "router/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <ctime>

namespace knetsim::skupper::router {

namespace {

constexpr std::array<std::string_view, 6> kNames{"debug", "info", "notice", "warning", "error", "critical"};
constexpr unsigned kAll = (1U << kNames.size()) - 1;

constexpr unsigned at_least(LogLevel level) { return kAll & ~((1U << static_cast<unsigned>(level)) - 1); }

/// skrouterd's -l notation: "info+", "debug,error", "none"; "trace" was a level once.
unsigned parse_levels(std::string_view text) {
  unsigned levels = 0;
  while (!text.empty()) {
    auto word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    const bool and_above = word.ends_with('+');
    if (and_above) word.remove_suffix(1);
    if (word == "trace") levels |= and_above ? kAll : 0;
    for (std::size_t index = 0; index < kNames.size(); ++index)
      if (kNames.at(index) == word) levels |= and_above ? at_least(static_cast<LogLevel>(index)) : 1U << index;
  }
  return levels;
}

}  // namespace

Log::Log(std::vector<LogSetting> settings, Sink sink) : sink_(std::move(sink)) {
  for (const auto& setting : settings)
    if (setting.enable != "default") rules_.push_back({setting.module, parse_levels(setting.enable)});
}

unsigned Log::levels_of(std::string_view module) const {
  unsigned otherwise = at_least(LogLevel::info);
  for (const auto& rule : rules_) {
    if (rule.module == module) return rule.levels;
    if (rule.module == "DEFAULT") otherwise = rule.levels;
  }
  return otherwise;
}

void Log::write(std::string_view module, LogLevel level, std::string_view text) const {
  if ((levels_of(module) & (1U << static_cast<unsigned>(level))) == 0) return;
  using namespace std::chrono;
  const auto now = system_clock::now();
  const auto micros = duration_cast<microseconds>(now.time_since_epoch()).count() % 1'000'000;
  const auto seconds = system_clock::to_time_t(now);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::string line = fmt::format("{:%Y-%m-%d %H:%M:%S}.{:06} {:%z} {} ({}) ", local, micros, local, module,
                                 kNames.at(static_cast<std::size_t>(level)));
  // What a peer sends may stand in it: one event stays one line.
  for (const char c : text) line += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  line += '\n';
  sink_(line);
}

void Log::to_stderr(std::string_view line) {
  while (!line.empty()) {
    const auto count = ::write(STDERR_FILENO, line.data(), line.size());
    if (count <= 0) return;
    line.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace knetsim::skupper::router
