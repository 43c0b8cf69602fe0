#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <utility>

#include "knetsim/sys/file.h"
#include "knetsim/sys/text.h"
#include "readers.h"

namespace knetsim::report {

namespace {

bool matches(const std::string& pattern, const std::string& test) {
  return ::fnmatch(pattern.c_str(), test.c_str(), FNM_NOESCAPE) == 0;
}

}  // namespace

AllowedSkips::AllowedSkips(const std::string& text, std::string name) : name_(std::move(name)) {
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = trim(std::string_view(text).substr(at, end - at));
    at = end + 1;
    ++number;
    if (line.empty() || line.starts_with('#')) continue;
    const auto hash = line.find('#');
    const std::string pattern(trim(line.substr(0, hash)));
    if (hash == std::string_view::npos || trim(line.substr(hash + 1)).empty())
      problems_.push_back(
          fmt::format("{}:{}: \"{}\" has no reason; write \"{}  # why\"", name_, number, pattern, pattern));
    if (std::find(patterns_.begin(), patterns_.end(), pattern) != patterns_.end())
      problems_.push_back(fmt::format("{}:{}: \"{}\" stands there twice", name_, number, pattern));
    patterns_.push_back(pattern);
  }
}

AllowedSkips AllowedSkips::read(const std::filesystem::path& file) {
  return {read_file(file), file.filename().string()};
}

bool AllowedSkips::allow(const std::string& test) const {
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const auto& pattern) { return matches(pattern, test); });
}

std::vector<std::string> AllowedSkips::rotten(const std::vector<std::string>& tests) const {
  std::vector<std::string> result;
  for (const auto& pattern : patterns_)
    if (std::none_of(tests.begin(), tests.end(), [&](const auto& test) { return matches(pattern, test); }))
      result.push_back(fmt::format("{}: \"{}\" matches no test; delete the line", name_, pattern));
  return result;
}

}  // namespace knetsim::report
