#include "visit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "command.h"
#include "knetsim/sys/child.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/json_place.h"
#include "knetsim/sys/pty.h"
#include "lab_socket.h"

namespace knetsim::cli {

using nlohmann::json;

namespace {

constexpr int kPatience = 2000;  // milliseconds
constexpr const char* kWaits = R"({"waits":true})";
// Who asks so often gets no answer: the lab is stopped or hangs.
constexpr int kAsksAtMost = 3;

/// The program's end, once the lab has told it.
class ProgramEnd {
 public:
  void take(FdView connection) {
    const auto message = receive_message(connection);
    if (message && message->text == kWaits) {
      waits_ = true;
      return;
    }
    content_ = message ? read_json({.file = "the lab's answer", .text = message->text})
                       : JsonDocument{.value = {{"refused", "the lab has ended"}, {"code", kExitBad}}};
  }
  explicit operator bool() const noexcept { return content_.has_value(); }
  /// Whether it has told since the last time that the line has to wait.
  bool take_wait() { return std::exchange(waits_, false); }

  int tell(Terminal& terminal) const {
    const JsonPlace answer(*content_);
    const auto refused = answer.find("refused");
    if (refused) terminal.err << "knetsim: " << refused->string() << '\n';
    if (const auto killed = answer.find("killed")) return kExitSignal + killed->integer<int>();
    const auto code = answer.find(refused ? "code" : "ended");
    return code ? code->integer<int>() : kExitCouldNotRun;
  }

 private:
  std::optional<JsonDocument> content_;
  bool waits_ = false;
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
          {"directory", node.empty() ? std::filesystem::current_path().string() : ""},
          {"environment", environment}};
}

void ask_signal(FdView connection, int number) {
  send_message(connection, json{{"ask", "signal"}, {"number", number}}.dump());
}

void tell_of_wait(Terminal& terminal, const char* newline) {
  terminal.err << "knetsim: a line is being done at the lab's prompt; this one comes next (Ctrl-C gives it up)"
               << newline << std::flush;
}

int run_on_terminal(FdView connection, const json& request, Terminal& terminal) {
  EventLoop loop;
  const Interrupts interrupts({SIGWINCH});
  auto pty = PtyPair::open();
  copy_settings(FdView(STDIN_FILENO), pty.programs);
  ProgramEnd ending;
  {
    TerminalRelay relay(loop, pty.ours);
    send_message(connection, request.dump(), {pty.programs, pty.programs, pty.programs});
    const auto told = loop.watch(connection, POLLIN, [&] {
      ending.take(connection);
      if (ending.take_wait()) tell_of_wait(terminal, "\r\n");
    });
    const auto signals = loop.watch(interrupts.fd(), POLLIN, [&] {
      const auto caught = interrupts.take();
      if (!caught) return;
      if (caught->number == SIGWINCH)
        relay.resize();
      else
        ask_signal(connection, caught->number);
    });
    loop.run_until([&] {
      // A key for whom the pseudo terminal has no program to tell.
      if (relay.take_interrupt_key()) send_message(connection, json{{"ask", "interrupt"}}.dump());
      return ending || relay.end_wanted();
    });
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
  ProgramEnd ending;
  send_message(connection, request.dump(), {FdView(STDIN_FILENO), FdView(STDOUT_FILENO), FdView(STDERR_FILENO)});
  const auto told = loop.watch(connection, POLLIN, [&] {
    ending.take(connection);
    if (ending.take_wait()) tell_of_wait(terminal, "\n");
  });
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

constexpr int kNoProgram = 127;

json refusal(const std::string& reason, int code) { return {{"refused", reason}, {"code", code}}; }

Fd reserve_descriptor() { return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

json end_of(const ExitStatus& status) {
  if (const auto signal = status.signal()) return {{"killed", *signal}};
  return {{"ended", status.code().value_or(1)}};
}

}  // namespace

namespace {

bool on_terminal() { return ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0; }

int run_as_asked(FdView connection, const json& request, Terminal& terminal) {
  return on_terminal() ? run_on_terminal(connection, request, terminal) : run_plainly(connection, request, terminal);
}

}  // namespace

int run_in_lab(FdView connection, const std::string& node, const std::vector<std::string>& argv, Terminal& terminal,
               const std::vector<std::string>& variables) {
  return run_as_asked(connection, request_for(node, argv, on_terminal(), variables), terminal);
}

int do_in_lab(FdView connection, const std::string& line, Terminal& terminal) {
  const char* term = std::getenv("TERM");
  return run_as_asked(
      connection, {{"ask", "do"}, {"line", line}, {"terminal", on_terminal()}, {"term", term != nullptr ? term : ""}},
      terminal);
}

int explain_in_lab(FdView connection, const std::string& from, const std::string& to, bool verbose, bool as_json,
                   bool dry, Terminal& terminal) {
  const json question{{"ask", "explain"},   {"from", from},    {"to", to},
                      {"verbose", verbose}, {"json", as_json}, {"dry", dry}};
  send_message(connection, question.dump());
  const auto message = receive_message(connection);
  if (!message) throw InputError("the lab has ended");
  const auto document = read_json({.file = "the lab's answer", .text = message->text});
  const JsonPlace answer(document);
  if (const auto refused = answer.find("refused")) throw InputError(refused->string());
  terminal.out << answer["text"].string();
  return answer["code"].integer<int>();
}

namespace {

std::string ask_lab(FdView connection, const char* what) {
  send_message(connection, json{{"ask", what}}.dump());
  pollfd answer{connection.get(), POLLIN, 0};
  if (::poll(&answer, 1, kPatience) <= 0) return {};
  const auto message = receive_message(connection);
  return message ? message->text : std::string{};
}

}  // namespace

std::string describe_lab(FdView connection) { return ask_lab(connection, "describe"); }
std::string inspect_lab(FdView connection) { return ask_lab(connection, "inspect"); }

void ask_for_the_end(FdView connection) { send_message(connection, json{{"ask", "down"}}.dump()); }

bool wait_for_the_end(FdView connection, std::chrono::milliseconds budget) {
  EventLoop loop;
  bool gone = false;
  const auto told = loop.watch(connection, POLLIN, [&] { gone = !receive_message(connection); });
  loop.run_until([&] { return gone; }, budget);
  return gone;
}

class Visitors::Visit {
 public:
  Visit(EventLoop& loop, const Host& host, Fd connection)
      : loop_(loop), host_(host), connection_(std::move(connection)) {
    incoming_ = loop_.watch(connection_, POLLIN, [this] { on_message(); });
  }

  ~Visit() { leave(); }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  bool over() const noexcept { return over_; }

 private:
  void on_message() try {
    auto message = receive_message(connection_);
    if (!message) {
      leave();
      return;
    }
    const auto document = read_json({.file = "the question", .text = message->text}, {.depth = 8});
    const JsonPlace request(document);
    const auto ask = request["ask"].string();
    if (ask == "describe")
      answer(host_.describe());
    else if (ask == "explain")
      answer(host_.explain(request["from"].string(), request["to"].string(), request["verbose"].boolean(),
                           request["json"].boolean(), request["dry"].boolean()));
    else if (ask == "inspect")
      answer(host_.inspect());
    else if (ask == "run")
      run(request, message->descriptors);
    else if (ask == "do")
      do_line(request, std::move(message->descriptors));
    else if (ask == "signal")
      signal(request["number"].integer<int>());
    else if (ask == "interrupt")
      interrupt();
    else if (ask == "down")
      end();
    else
      answer(refusal("unknown question: " + ask, kExitCouldNotRun));
  } catch (const std::exception& error) {
    answer(refusal(error.what(), kExitCouldNotRun));
  }

  void require_first(const std::vector<Fd>& descriptors) const {
    if (child_ || errand_ || descriptors.size() != 3)
      throw InputError("a program or line needs three descriptors, and a visit of its own");
  }

  void do_line(const JsonPlace& request, std::vector<Fd> descriptors) {
    require_first(descriptors);
    if (request["line"].string().find_first_of(std::string_view("\n\0", 2)) != std::string::npos)
      throw InputError("a line has an end, and is text\n  remedy: one knetsim do for each line, or source FILE");
    errand_ = std::make_shared<Errand>(Errand{.line = request["line"].string(),
                                              .descriptors = std::move(descriptors),
                                              .terminal = request["terminal"].boolean(),
                                              .term = request["term"].string(),
                                              .tell_end = [this](int code) {
                                                answer({{"ended", code}});
                                              }});
    if (!host_.do_errand(errand_)) answer(json::parse(kWaits));
  }

  void run(const JsonPlace& request, const std::vector<Fd>& descriptors) {
    require_first(descriptors);
    const auto node = request["node"].string();
    auto argv = request["argv"].each(&JsonPlace::string);
    auto command = node.empty() ? host_.kubectl(std::move(argv)) : host_.command_on(node, std::move(argv));
    if (const auto directory = request.find("directory"); directory && !directory->string().empty())
      command.directory = directory->string();
    if (command.argv.empty()) throw InputError("which program?");
    if (const auto term = request.find("term"); term && !term->string().empty())
      command.environment["TERM"] = term->string();
    if (const auto environment = request.find("environment"))
      for (const auto& [name, value] : environment->members()) command.environment[std::string(name)] = value.string();
    try {
      require_program(command.argv.front());
    } catch (const InputError& error) {
      answer(refusal(error.what(), kNoProgram));
      return;
    }
    child_ = Child::launch(command, descriptors[0], descriptors[1], descriptors[2],
                           {.terminal = request["terminal"].boolean()});
    end_ = loop_.watch(child_->pidfd(), POLLIN, [this] {
      end_.end();
      answer(end_of(*child_->status()));
    });
  }

  void end() {
    leave();
    host_.end(std::move(connection_));
  }

  void signal(int number) {
    if (child_ && !end_.ended()) ::kill(-child_->pid(), number);
    if (!errand_) return;
    if (errand_->program != 0)
      ::kill(-errand_->program, number);
    else
      interrupt();
  }

  // A program in front has its terminal to learn it from.
  void interrupt() {
    if (!errand_ || errand_->program != 0) return;
    errand_->interrupted = true;
    if (errand_->begun) return;
    errand_->over = true;
    answer({{"killed", SIGINT}});
  }

  void answer(const json& content) {
    try {
      send_message(connection_, content.dump(-1, ' ', false, json::error_handler_t::replace));
    } catch (const Error&) {
      leave();
    }
  }

  // The list of visits forgets this one later: its handler still runs.
  void leave() {
    over_ = true;
    incoming_.end();
    end_.end();
    child_.reset();
    if (!errand_) return;
    errand_->over = true;
    errand_->tell_end = nullptr;
    // With whoever does it goes what it holds: who reads what a visitor wrote hears that there is no more.
    errand_.reset();
  }

  EventLoop& loop_;
  const Host& host_;
  Fd connection_;
  std::optional<Child> child_;
  std::shared_ptr<Errand> errand_;
  EventLoop::Watch incoming_;
  EventLoop::Watch end_;
  bool over_ = false;
};

Visitors::Visitors(EventLoop& loop, FdView listener, Host host)
    : loop_(loop), listener_(listener), host_(std::move(host)) {
  ::fcntl(listener_.get(), F_SETFL, O_NONBLOCK);
  spare_ = reserve_descriptor();
  door_ = loop_.watch(listener_, POLLIN, [this] { welcome(); });
}

Visitors::~Visitors() = default;

Fd Visitors::accept_one() const { return Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

// Left unaccepted, it would wake the loop again and again. The spare descriptor makes room for one refusal.
void Visitors::turn_away() {
  spare_.reset();
  if (const auto connection = accept_one()) {
    try {
      send_message(
          connection,
          refusal("the lab has no descriptors left: end some of what runs in it, or raise ulimit -n", kExitCouldNotRun)
              .dump());
    } catch (const Error&) {
      // It has hung up already.
    }
  }
  spare_ = reserve_descriptor();
}

void Visitors::welcome() {
  visits_.remove_if([](const std::unique_ptr<Visit>& visit) { return visit->over(); });
  auto connection = accept_one();
  if (!connection && (errno == EMFILE || errno == ENFILE)) {
    turn_away();
    return;
  }
  // In a lab of an ordinary user the kernel gives all whom it can't name one number, 65534: should that be the user's
  // own, then it is the mode of the socket's directory that lets nobody but root in beside it.
  if (connection && peer_of(connection).uid == ::geteuid())
    visits_.push_back(std::make_unique<Visit>(loop_, host_, std::move(connection)));
}

}  // namespace knetsim::cli
