#include "terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <iostream>

#include "knetsim/sys/error.h"
#include "knetsim/sys/pty.h"

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

constexpr char kEscape = '\x1d';  // Ctrl-]
constexpr int kEscapes = 3;
constexpr char kInterrupt = '\x03';  // Ctrl-C
// More than that nobody types ahead: a program that reads nothing mustn't cost memory without end.
constexpr std::size_t kKeysAtMost = 1 << 16;

// xterm's control sequences, which all terminals of today know.
constexpr std::string_view kEnterOtherScreen = "\x1b[?1049h";
constexpr std::string_view kLeaveOtherScreen = "\x1b[?1049l";
constexpr std::string_view kSoftReset = "\x1b[!p\x1b[0m\x1b[?25h";

void write_out(std::string_view text) {
  while (!text.empty()) {
    const auto count = ::write(STDOUT_FILENO, text.data(), text.size());
    if (count >= 0)
      text.remove_prefix(static_cast<std::size_t>(count));
    else if (errno != EINTR)
      return;  // nobody looks any more
  }
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

TerminalRelay::TerminalRelay(EventLoop& loop, FdView pseudo) : loop_(loop), pseudo_(pseudo) {
  if (::tcgetattr(STDIN_FILENO, &before_) != 0) throw SystemError("read the terminal's settings");
  resize();
  auto raw = before_;
  ::cfmakeraw(&raw);
  if (::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0) throw SystemError("change the terminal's settings");
  keyboard_ = loop_.watch(FdView(STDIN_FILENO), POLLIN, [this] { read_keys(); });
  output_ = loop_.watch(pseudo_, POLLIN, [this] { drain(); });
}

TerminalRelay::~TerminalRelay() { ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_); }

void TerminalRelay::resize() const {
  winsize size{};
  if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row != 0) set_window(pseudo_, size.ws_row, size.ws_col);
}

void TerminalRelay::read_keys() {
  std::array<char, 4096> buffer;
  const auto count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
  if (count <= 0) {
    if (count < 0 && errno == EINTR) return;
    keyboard_.end();
    end_wanted_ = true;  // the terminal is gone, and so is whoever used the program
    return;
  }
  for (const char key : std::string_view(buffer.data(), static_cast<std::size_t>(count))) {
    escapes_ = key == kEscape ? escapes_ + 1 : 0;
    if (escapes_ == kEscapes) end_wanted_ = true;
    interrupt_key_ |= key == kInterrupt;
  }
  keys_.append(buffer.data(), static_cast<std::size_t>(count));
  if (keys_.size() > kKeysAtMost) keys_.resize(kKeysAtMost);
  write_keys();
}

void TerminalRelay::write_keys() {
  while (!keys_.empty()) {
    const auto count = ::write(pseudo_.get(), keys_.data(), keys_.size());
    if (count > 0) {
      keys_.erase(0, static_cast<std::size_t>(count));
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else {
      if (errno == EAGAIN)
        room_ = loop_.watch(pseudo_, POLLOUT, [this] { write_keys(); });
      else
        keys_.clear();
      return;
    }
  }
  room_.end();
}

void TerminalRelay::drain() {
  std::array<char, 65536> buffer;
  // A program that prints without end must not keep us from the keyboard: a few buffers a round.
  for (int round = 0; round < 4; ++round) {
    const auto count = ::read(pseudo_.get(), buffer.data(), buffer.size());
    if (count > 0) {
      const std::string_view text(buffer.data(), static_cast<std::size_t>(count));
      write_out(text);
      const auto entered = text.rfind(kEnterOtherScreen);
      const auto left = text.rfind(kLeaveOtherScreen);
      if (entered != left)
        other_screen_ = left == std::string_view::npos || (entered != std::string_view::npos && entered > left);
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else {
      if (count == 0 || errno != EAGAIN) output_.end();  // EIO: its last program is gone
      return;
    }
  }
}

void TerminalRelay::tidy_up() {
  if (std::exchange(other_screen_, false)) {
    write_out(kLeaveOtherScreen);
    write_out(kSoftReset);
  }
  write_out("\r\n");
}

void copy_settings(FdView from, FdView to) {
  termios settings{};
  if (::tcgetattr(from.get(), &settings) != 0 || ::tcsetattr(to.get(), TCSANOW, &settings) != 0)
    throw SystemError("copy the terminal's settings");
}

std::string take_unread_keys(FdView programs_side) {
  termios settings{};
  if (::tcgetattr(programs_side.get(), &settings) != 0) return {};
  // Out of canonical mode everything that was typed can be read, not whole lines only.
  settings.c_lflag &= ~static_cast<tcflag_t>(ICANON | ISIG);
  settings.c_cc[VMIN] = 0;
  settings.c_cc[VTIME] = 0;
  if (::tcsetattr(programs_side.get(), TCSANOW, &settings) != 0) return {};
  std::string keys;
  std::array<char, 4096> buffer;
  for (;;) {
    const auto count = ::read(programs_side.get(), buffer.data(), buffer.size());
    if (count <= 0) return keys;
    keys.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace knetsim::cli
