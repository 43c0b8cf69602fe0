#include "terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace knetsim::cli {

namespace {

// Of a terminal that doesn't tell.
constexpr std::size_t kUsualColumns = 80;

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool is_dumb() {
  const char* terminal = std::getenv("TERM");
  return terminal == nullptr || std::string_view(terminal) == "dumb" || *terminal == '\0';
}

}  // namespace

Terminal Terminal::standard() {
  Terminal terminal{std::cout, std::cerr};
  if (::isatty(STDOUT_FILENO) == 0) return terminal;
  terminal.interactive = !is_dumb();
  winsize size{};
  ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
  terminal.columns = size.ws_col != 0 ? size.ws_col : kUsualColumns;
  return terminal;
}

Style Style::choose(ColorMode mode, const Terminal& terminal) {
  if (mode == ColorMode::automatic) return Style(terminal.interactive && !is_set("NO_COLOR"));
  return Style(mode == ColorMode::always);
}

std::string Style::paint(std::string_view code, std::string_view text) const {
  return color_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

}  // namespace knetsim::cli
