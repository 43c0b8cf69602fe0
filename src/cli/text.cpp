#include "text.h"

#include <fmt/format.h>

#include <algorithm>

namespace knetsim::cli {

namespace {

bool continues_code_point(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

std::size_t distance(std::string_view a, std::string_view b) {
  // Optimal string alignment: insertions, deletions, replacements, and swaps of two neighbours.
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t differ = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + differ});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  return cost[a.size()][b.size()];
}

}  // namespace

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues_code_point(c); }));
}

std::string shorten(std::string_view text, std::size_t columns) {
  if (columns == 0 || width(text) <= columns) return std::string(text);
  std::size_t end = 0;
  for (std::size_t kept = 0; end < text.size(); ++end)
    if (!continues_code_point(text[end]) && kept++ == columns - 1) break;
  return std::string(text.substr(0, end)) + "…";
}

std::string pad_right(std::string_view text, std::size_t columns) {
  const auto used = width(text);
  return std::string(text) + std::string(columns > used ? columns - used : 0, ' ');
}

std::string pad_left(std::string_view text, std::size_t columns) {
  const auto used = width(text);
  return std::string(columns > used ? columns - used : 0, ' ') + std::string(text);
}

std::string indent(std::string_view text, std::string_view prefix) {
  std::string result;
  for (const auto& line : split_lines(text)) result += line.empty() ? "\n" : fmt::format("{}{}\n", prefix, line);
  return result;
}

std::string seconds_text(double seconds) { return fmt::format("{:.{}f} s", seconds, seconds < 9.995 ? 2 : 1); }

std::string count_of(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto newline = text.find('\n');
    lines.emplace_back(text.substr(0, newline));
    if (newline == std::string_view::npos) break;
    text.remove_prefix(newline + 1);
  }
  return lines;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  // More than a third of the letters wrong isn't a slip any more.
  std::size_t limit = std::max<std::size_t>(1, (word.size() + 1) / 3) + 1;
  for (const auto& candidate : candidates)
    if (const auto d = distance(word, candidate); d < limit) {
      limit = d;
      best = candidate;
    }
  return best;
}

}  // namespace knetsim::cli
