#include "knetsim/sys/pty.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <functional>

#include "knetsim/sys/child.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"

namespace knetsim {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t kShownAtMost = 2000;

void change_settings(const Fd& terminal, const std::function<void(termios&)>& change) {
  termios settings{};
  if (::tcgetattr(terminal.get(), &settings) != 0) throw SystemError("read the terminal's settings");
  change(settings);
  if (::tcsetattr(terminal.get(), TCSANOW, &settings) != 0) throw SystemError("change the terminal's settings");
}

void turn(tcflag_t& flags, tcflag_t bit, bool on) { flags = on ? flags | bit : flags & ~bit; }

// The end of it, with what isn't printable spelled out, so that a failure can be read.
std::string printable(std::string_view text) {
  std::string shown;
  if (text.size() > kShownAtMost) {
    shown = "...";
    text.remove_prefix(text.size() - kShownAtMost);
  }
  for (const char c : text) {
    if (c == '\n') {
      shown += "\n    ";
    } else if (c != '\r') {
      const auto byte = static_cast<unsigned char>(c);
      shown += byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
    }
  }
  return shown;
}

milliseconds until(steady_clock::time_point deadline) {
  return std::max(std::chrono::ceil<milliseconds>(deadline - steady_clock::now()), milliseconds(0));
}

}  // namespace

PtyPair PtyPair::open() {
  PtyPair pair{.ours = Fd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)), .programs = {}};
  if (!pair.ours || ::unlockpt(pair.ours.get()) != 0) throw SystemError("open a pseudo terminal", "/dev/ptmx");
  // Works whatever is mounted at /dev/pts in this mount namespace.
  pair.programs = Fd(::ioctl(pair.ours.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!pair.programs) throw SystemError("open the program's side of a pseudo terminal");
  return pair;
}

void set_window(FdView terminal, unsigned short rows, unsigned short columns) {
  const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  if (::ioctl(terminal.get(), TIOCSWINSZ, &size) != 0) throw SystemError("set the terminal's size");
}

struct PtyProcess::State {
  Fd terminal;  // the master's side
  std::optional<Child> child = {};
  std::string unread = {};
  bool hung_up = false;  // nobody holds the other side any more

  // Takes over what is there to read.
  void drain() {
    std::array<char, 4096> buffer;
    while (terminal && !hung_up) {
      const auto count = ::read(terminal.get(), buffer.data(), buffer.size());
      if (count > 0) {
        unread.append(buffer.data(), static_cast<std::size_t>(count));
      } else if (count < 0 && errno == EAGAIN) {
        return;
      } else if (count == 0 || errno != EINTR) {
        hung_up = true;  // Linux answers EIO
      }
    }
  }

  // Until there is something to read, or to write, or the program has ended.
  void wait_for_event(steady_clock::time_point deadline, bool to_write) {
    const int events = to_write ? POLLIN | POLLOUT : POLLIN;
    std::array<pollfd, 2> both{
        {{hung_up ? -1 : terminal.get(), static_cast<short>(events), 0}, {child->pidfd().get(), POLLIN, 0}}};
    ::poll(both.data(), both.size(), static_cast<int>(until(deadline).count()));
  }

  std::string circumstances(const std::optional<ExitStatus>& ended) const {
    return fmt::format("{}; seen since the last match:\n    {}",
                       ended     ? fmt::format(" of a program that has ended ({})", ended->describe())
                       : hung_up ? " that the program has closed"
                                 : "",
                       unread.empty() ? "(nothing)" : printable(unread));
  }

  // `find` returns the length of the output up to the end of the match, or npos.
  std::string expect(const std::function<std::size_t()>& find, const std::string& wanted, milliseconds budget) {
    const auto deadline = steady_clock::now() + budget;
    for (;;) {
      // The status first: what the program wrote before its end is then there to be drained.
      const auto ended = child->status();
      drain();
      if (const auto length = find(); length != std::string::npos) {
        auto output = unread.substr(0, length);
        unread.erase(0, length);
        return output;
      }
      const bool late = until(deadline).count() == 0;
      if (ended || late) throw StillMissing(wanted + " on the terminal" + circumstances(ended), budget);
      wait_for_event(deadline, false);
    }
  }
};

PtyProcess::PtyProcess(std::unique_ptr<State> state) : state_(std::move(state)) {}
PtyProcess::PtyProcess(PtyProcess&&) noexcept = default;
PtyProcess::~PtyProcess() { kill(); }

PtyProcess& PtyProcess::operator=(PtyProcess&& other) noexcept {
  if (this != &other) {
    kill();
    state_ = std::move(other.state_);
  }
  return *this;
}

PtyProcess PtyProcess::spawn(const Command& command, TerminalSettings settings) {
  auto pair = PtyPair::open();
  set_window(pair.ours, settings.rows, settings.columns);
  PtyProcess process(std::make_unique<State>(State{std::move(pair.ours)}));
  process.set_echo(settings.echo);
  if (settings.raw) process.set_raw(true);
  process.state_->child.emplace(
      Child::launch(command, pair.programs, pair.programs, pair.programs, {.terminal = true}));
  return process;
}

void PtyProcess::write(std::string_view text) {
  const auto deadline = steady_clock::now() + kDefaultBudget;
  while (!text.empty()) {
    const auto count = ::write(state_->terminal.get(), text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      if (state_->child->status() || until(deadline).count() == 0)
        throw StillMissing("a program that reads what is typed", kDefaultBudget);
      state_->wait_for_event(deadline, true);
      state_->drain();  // with a full output the program wouldn't read its input either
    } else if (errno != EINTR) {
      throw SystemError("write to a pseudo terminal");
    }
  }
}

std::string PtyProcess::expect(std::string_view text, milliseconds budget) {
  const auto find = [&] {
    const auto at = state_->unread.find(text);
    return at == std::string::npos ? at : at + text.size();
  };
  return state_->expect(find, fmt::format("\"{}\"", printable(text)), budget);
}

std::string PtyProcess::expect(const std::regex& expression, milliseconds budget) {
  const auto find = [&] {
    std::smatch match;
    if (!std::regex_search(state_->unread, match, expression)) return std::string::npos;
    return static_cast<std::size_t>(match.position() + match.length());
  };
  return state_->expect(find, "a match of the expression", budget);
}

std::string PtyProcess::rest() {
  state_->drain();
  return std::exchange(state_->unread, {});
}

void PtyProcess::resize(unsigned short rows, unsigned short columns) { set_window(state_->terminal, rows, columns); }

void PtyProcess::set_echo(bool on) {
  change_settings(state_->terminal, [on](termios& settings) { turn(settings.c_lflag, ECHO, on); });
}

void PtyProcess::set_raw(bool on) {
  change_settings(state_->terminal, [on](termios& settings) {
    turn(settings.c_lflag, ICANON | ISIG | IEXTEN, !on);
    turn(settings.c_iflag, ICRNL | IXON, !on);
    turn(settings.c_oflag, OPOST, !on);
  });
}

pid_t PtyProcess::pid() const noexcept { return state_->child->pid(); }
std::optional<ExitStatus> PtyProcess::status() { return state_->child->status(); }

void PtyProcess::signal(int number) {
  if (!status()) ::kill(pid(), number);
}

ExitStatus PtyProcess::wait(milliseconds budget) {
  const auto deadline = steady_clock::now() + budget;
  for (;;) {
    const auto ended = status();
    state_->drain();
    if (ended) return *ended;
    if (until(deadline).count() == 0) throw StillMissing(fmt::format("the end of process {}", pid()), budget);
    state_->wait_for_event(deadline, false);
  }
}

void PtyProcess::kill() {
  if (!state_) return;
  state_->drain();
  state_->terminal.reset();
  if (state_->child) state_->child->kill();
}

}  // namespace knetsim
