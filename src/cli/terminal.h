#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>

namespace knetsim::cli {

/// Where a command writes. Tests give it two string streams.
struct Terminal {
  std::ostream& out;
  std::ostream& err;
  bool interactive = false;  ///< `out` is a terminal that understands escape sequences
  std::size_t columns = 0;   ///< 0: unlimited, as in a file

  /// std::cout and std::cerr as they are.
  static Terminal standard();
};

enum class ColorMode { automatic, always, never };

/// The marks and colours of one run. Colour never carries a meaning alone: ✓ and ✗ are always there.
class Style {
 public:
  /// Automatic means on a terminal, unless NO_COLOR is set (https://no-color.org) or TERM is "dumb".
  static Style choose(ColorMode mode, const Terminal& terminal);
  explicit Style(bool color) : color_(color) {}

  std::string green(std::string_view text) const { return paint("32", text); }
  std::string red(std::string_view text) const { return paint("31", text); }
  std::string yellow(std::string_view text) const { return paint("33", text); }
  std::string dim(std::string_view text) const { return paint("2", text); }
  std::string bold(std::string_view text) const { return paint("1", text); }

 private:
  std::string paint(std::string_view code, std::string_view text) const;
  bool color_;
};

inline constexpr std::string_view kGood = "✓";
inline constexpr std::string_view kBad = "✗";
inline constexpr std::string_view kNeither = "–";

}  // namespace knetsim::cli
