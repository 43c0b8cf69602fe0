#include "environment.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace knetsim {

namespace {

using std::string_view_literals::operator""sv;

// A trailing star stands for any ending.
constexpr std::array kForAll{
    "PATH"sv,         "HOME"sv,         "USER"sv,         "LOGNAME"sv,         "LANG"sv,        "LANGUAGE"sv,
    "LC_*"sv,         "TZ"sv,           "TMPDIR"sv,       "LD_LIBRARY_PATH"sv, "LD_PRELOAD"sv,  "ASAN_OPTIONS"sv,
    "LSAN_OPTIONS"sv, "MSAN_OPTIONS"sv, "TSAN_OPTIONS"sv, "UBSAN_OPTIONS"sv,   "GCOV_PREFIX*"sv};
constexpr std::array kForPeople{"TERM"sv,     "COLORTERM"sv, "COLUMNS"sv, "LINES"sv,    "SHELL"sv,
                                "EDITOR"sv,   "VISUAL"sv,    "PAGER"sv,   "LESS"sv,     "LS_COLORS"sv,
                                "NO_COLOR"sv, "INPUTRC"sv,   "PWD"sv,     "KNETSIM_*"sv};

bool fits(std::string_view pattern, std::string_view variable) {
  return pattern.back() == '*' ? variable.starts_with(pattern.substr(0, pattern.size() - 1)) : variable == pattern;
}

bool named_by_the_user(std::string_view variable) {
  const char* list = std::getenv("KNETSIM_ENV");
  for (std::string_view rest = list != nullptr ? list : ""; !rest.empty();) {
    const auto comma = rest.find(',');
    if (rest.substr(0, comma) == variable) return true;
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  return false;
}

}  // namespace

bool hands_on(Trust trust, std::string_view variable) {
  const auto fits_it = [&](std::string_view pattern) { return fits(pattern, variable); };
  if (trust == Trust::full || std::any_of(kForAll.begin(), kForAll.end(), fits_it)) return true;
  if (trust == Trust::daemon) return false;
  return std::any_of(kForPeople.begin(), kForPeople.end(), fits_it) || named_by_the_user(variable);
}

}  // namespace knetsim
