#include "visit.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "command.h"
#include "event_loop.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"
#include "knetsim/sys/pty.h"
#include "lab_socket.h"
#include "terminal_relay.h"

namespace knetsim::cli {

using nlohmann::json;

namespace {

constexpr int kPatience = 2000;  // milliseconds
// Who asks so often gets no answer: the lab is stopped or hangs.
constexpr int kAsksAtMost = 3;

/// The program's end, once the lab has told it.
class Ending {
 public:
  void take(FdView connection) {
    const auto message = receive_message(connection);
    content_ = message ? parse_json(message->text) : json{{"refused", "the lab has ended"}, {"code", kExitBad}};
  }
  explicit operator bool() const noexcept { return content_.has_value(); }

  int tell(Terminal& terminal) const {
    if (content_->contains("refused")) terminal.err << "knetsim: " << content_->value("refused", "") << '\n';
    if (content_->contains("killed")) return kExitSignal + content_->value("killed", 0);
    return content_->value(content_->contains("refused") ? "code" : "ended", kExitCouldNotRun);
  }

 private:
  std::optional<json> content_;
};

json request_for(const std::string& node, const std::vector<std::string>& argv, bool terminal,
                 const std::vector<std::string>& variables) {
  auto environment = json::object();
  for (const auto& name : variables)
    if (const char* value = std::getenv(name.c_str())) environment[name] = value;
  const char* term = std::getenv("TERM");
  return {{"ask", "run"},
          {"node", node},
          {"argv", argv},
          {"terminal", terminal},
          {"term", term ? term : ""},
          {"environment", environment}};
}

void ask_signal(FdView connection, int number) {
  send_message(connection, json{{"ask", "signal"}, {"number", number}}.dump());
}

int run_on_terminal(FdView connection, const json& request, Terminal& terminal) {
  EventLoop loop;
  const Interrupts interrupts({SIGWINCH});
  auto pty = PtyPair::open();
  copy_settings(FdView(STDIN_FILENO), pty.programs);
  Ending ending;
  {
    TerminalRelay relay(loop, pty.ours);
    send_message(connection, request.dump(), {pty.programs, pty.programs, pty.programs});
    const auto told = loop.watch(connection, POLLIN, [&] { ending.take(connection); });
    const auto signals = loop.watch(interrupts.fd(), POLLIN, [&] {
      const auto caught = interrupts.take();
      if (!caught) return;
      if (caught->number == SIGWINCH)
        relay.resize();
      else
        ask_signal(connection, caught->number);
    });
    loop.run_until([&] { return ending || relay.end_wanted(); });
    if (!ending) {
      ask_signal(connection, SIGKILL);
      loop.run_until([&] { return static_cast<bool>(ending); }, std::chrono::milliseconds(kPatience));
    }
    relay.drain();
  }
  return ending ? ending.tell(terminal) : kExitSignal + SIGKILL;
}

int run_plainly(FdView connection, const json& request, Terminal& terminal) {
  EventLoop loop;
  const Interrupts interrupts;
  Ending ending;
  send_message(connection, request.dump(), {FdView(STDIN_FILENO), FdView(STDOUT_FILENO), FdView(STDERR_FILENO)});
  const auto told = loop.watch(connection, POLLIN, [&] { ending.take(connection); });
  int asked = 0;
  int last = 0;
  const auto signals = loop.watch(interrupts.fd(), POLLIN, [&] {
    const auto caught = interrupts.take();
    if (!caught) return;
    last = caught->number;
    if (++asked < kAsksAtMost) ask_signal(connection, last);
  });
  loop.run_until([&] { return ending || asked == kAsksAtMost; });
  return ending ? ending.tell(terminal) : kExitSignal + last;
}

}  // namespace

int run_in_lab(FdView connection, const std::string& node, const std::vector<std::string>& argv, Terminal& terminal,
               const std::vector<std::string>& variables) {
  const bool on_terminal = ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0;
  const auto request = request_for(node, argv, on_terminal, variables);
  return on_terminal ? run_on_terminal(connection, request, terminal) : run_plainly(connection, request, terminal);
}

std::string describe_lab(FdView connection) {
  send_message(connection, json{{"ask", "describe"}}.dump());
  pollfd answer{connection.get(), POLLIN, 0};
  if (::poll(&answer, 1, kPatience) <= 0) return {};
  const auto message = receive_message(connection);
  return message ? message->text : std::string{};
}

void ask_for_the_end(FdView connection) { send_message(connection, json{{"ask", "down"}}.dump()); }

bool wait_for_the_end(FdView connection, std::chrono::milliseconds budget) {
  EventLoop loop;
  bool gone = false;
  const auto told = loop.watch(connection, POLLIN, [&] { gone = !receive_message(connection); });
  loop.run_until([&] { return gone; }, budget);
  return gone;
}

}  // namespace knetsim::cli
