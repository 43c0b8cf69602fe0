#include "line_source.h"

#include <fmt/format.h>
#include <histedit.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cwchar>

#include "knetsim/sys/error.h"

namespace knetsim::cli::shell {

namespace {

// What isn't text may have no newline at all, and no end.
constexpr std::size_t kLongestLine = 1 << 16;

constexpr int kRemembered = 1000;

struct EndLine {
  void operator()(EditLine* line) const { ::el_end(line); }
};
struct EndHistory {
  void operator()(History* history) const { ::history_end(history); }
};

std::string common_prefix(const std::vector<std::string>& words) {
  auto prefix = words.front();
  for (const auto& word : words) {
    const auto [a, b] = std::mismatch(prefix.begin(), prefix.end(), word.begin(), word.end());
    prefix.erase(a, prefix.end());
  }
  return prefix;
}

void list(const std::vector<std::string>& words) {
  std::fputc('\n', stdout);
  for (const auto& word : words) std::fprintf(stdout, "%s  ", word.c_str());
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

/// Waits until `done`, or somebody asks to end; what comes on the descriptor is given to the handler. Errands of
/// visitors are done meanwhile, during which nobody waits for the descriptor.
void wait_between_lines(EventLoop& loop, Requests& requests, FdView input, const std::function<void()>& handler,
                        const std::function<bool()>& done) {
  do {
    const auto watch = loop.watch(input, POLLIN, handler);
    requests.idle = true;
    loop.run_until([&] { return done() || requests.end || !requests.errands.empty(); });
    requests.idle = false;
  } while (requests.do_errand());
}

}  // namespace

void LineReader::read_more() {
  std::array<char, 4096> buffer;
  const auto count = ::read(input_.get(), buffer.data(), buffer.size());
  if (count > 0)
    unread_.append(buffer.data(), static_cast<std::size_t>(count));
  else if (count == 0 || (errno != EINTR && errno != EAGAIN))
    at_end_ = true;
}

std::optional<std::string> LineReader::next() {
  const auto whole_line = [this] { return unread_.find('\n') != std::string::npos; };
  loop_.run_ready();  // a script whose lines are all there must be interrupted, too
  wait_between_lines(
      loop_, requests_, input_, [this] { read_more(); },
      [&] { return whole_line() || at_end_ || unread_.size() > kLongestLine; });
  if (!whole_line() && unread_.size() > kLongestLine)
    throw InputError(describe({.where = "stdin",
                               .tried = "read a line",
                               .answer = fmt::format("it has more than {} bytes", kLongestLine),
                               .remedy = "give it text: one command a line"}));
  if (requests_.end || unread_.empty()) return std::nullopt;
  const auto newline = unread_.find('\n');
  auto line = unread_.substr(0, newline);
  unread_.erase(0, newline == std::string::npos ? newline : newline + 1);
  echo_ << kPrompt << line << '\n' << std::flush;
  return line;
}

std::optional<std::string> Nobody::next() {
  requests_.idle = true;
  while (!requests_.end) {
    loop_.run_until([&] { return requests_.end || !requests_.errands.empty(); });
    requests_.idle = false;
    requests_.do_errand();
    requests_.idle = true;
  }
  return std::nullopt;
}

struct Editor::State {
  EventLoop& loop;
  Requests& requests;
  Completer completer;
  std::string typed = {};  // keys that came before they were asked for
  std::mbstate_t shift = {};
  std::unique_ptr<History, EndHistory> history = {};
  std::unique_ptr<EditLine, EndLine> line = {};

  static State& of(EditLine* line) {
    void* state = nullptr;
    ::el_get(line, EL_CLIENTDATA, &state);
    return *static_cast<State*>(state);
  }

  // 1 and the byte, 0 at the end, -1 if there is something else to do.
  int next_byte(char& byte) {
    if (typed.empty()) {
      bool ready = false;
      wait_between_lines(
          loop, requests, FdView(STDIN_FILENO), [&] { ready = true; }, [&] { return ready || requests.interrupt; });
      if (requests.interrupt || requests.end) return -1;
      std::array<char, 256> buffer;
      const auto count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
      if (count <= 0) return static_cast<int>(count);
      typed.assign(buffer.data(), static_cast<std::size_t>(count));
    }
    byte = typed.front();
    typed.erase(0, 1);
    return 1;
  }

  static int read_character(EditLine* line, wchar_t* character) {
    auto& state = of(line);
    for (;;) {
      char byte = 0;
      if (const int got = state.next_byte(byte); got != 1) return got;
      const auto length = std::mbrtowc(character, &byte, 1, &state.shift);
      if (length == static_cast<std::size_t>(-2)) continue;  // a character of several bytes
      if (length == static_cast<std::size_t>(-1)) {          // not one at all: passed over
        state.shift = {};
        continue;
      }
      return 1;
    }
  }

  static char* prompt(EditLine* /*line*/) {
    static std::string text = kPrompt;
    return text.data();
  }

  static unsigned char complete(EditLine* line, int /*key*/) {
    const auto* info = ::el_line(line);
    const std::string before(info->buffer, static_cast<std::size_t>(info->cursor - info->buffer));
    const auto completion = of(line).completer(before);
    if (completion.candidates.empty()) return CC_REFRESH_BEEP;
    const auto known = before.substr(completion.begin);
    auto more = common_prefix(completion.candidates).substr(known.size());
    const bool only = completion.candidates.size() == 1;
    // A path may go on, and so may a call.
    if (only && (more.empty() || std::string_view("/.(\"").find(more.back()) == std::string_view::npos)) more += ' ';
    if (!more.empty() && ::el_insertstr(line, more.c_str()) == 0) return CC_REFRESH;
    list(completion.candidates);
    return CC_REDISPLAY;
  }
};

Editor::Editor(EventLoop& loop, Requests& requests, Completer completer)
    : state_(std::make_unique<State>(State{loop, requests, std::move(completer)})) {
  state_->line.reset(::el_init("knetsim", stdin, stdout, stderr));
  state_->history.reset(::history_init());
  if (!state_->line || !state_->history) throw Error("can't set up line editing");
  auto* line = state_->line.get();
  HistEvent event{};
  ::history(state_->history.get(), &event, H_SETSIZE, kRemembered);
  ::history(state_->history.get(), &event, H_SETUNIQUE, 1);
  ::el_set(line, EL_CLIENTDATA, state_.get());
  ::el_set(line, EL_PROMPT, &State::prompt);
  ::el_set(line, EL_EDITOR, "emacs");
  ::el_set(line, EL_HIST, ::history, state_->history.get());
  ::el_set(line, EL_GETCFN, &State::read_character);
  ::el_set(line, EL_SIGNAL, 1);  // stop and continue; the others are blocked and come through the loop
  // Wide, since el_set() converts the names and never frees them.
  ::el_wset(line, EL_ADDFN, L"knetsim-complete", L"Complete nodes, verbs and programs", &State::complete);
  ::el_set(line, EL_BIND, "^I", "knetsim-complete", nullptr);
  ::el_set(line, EL_BIND, "^R", "em-inc-search-prev", nullptr);
}

Editor::~Editor() = default;

void Editor::resize() const { ::el_resize(state_->line.get()); }

void Editor::type(const std::string& keys) { state_->typed += keys; }

std::optional<std::string> Editor::next() {
  auto* line = state_->line.get();
  for (;;) {
    state_->requests.interrupt = false;
    int length = 0;
    // libedit shows the prompt before it takes the terminal over: what is typed in between would be echoed twice, and a
    // Ctrl-D lost.
    ::el_set(line, EL_PREP_TERM, 1);
    const char* text = ::el_gets(line, &length);
    if (state_->requests.end) return std::nullopt;
    if (state_->requests.interrupt) {  // Ctrl-C drops the line
      std::fputs("^C\n", stdout);
      ::el_reset(line);
      continue;
    }
    if (text == nullptr || length <= 0) {
      std::fputc('\n', stdout);
      return std::nullopt;
    }
    std::string result(text, static_cast<std::size_t>(length));
    while (!result.empty() && (result.back() == '\n' || result.back() == '\r')) result.pop_back();
    HistEvent event{};
    if (result.find_first_not_of(" \t") != std::string::npos)
      ::history(state_->history.get(), &event, H_ENTER, result.c_str());
    return result;
  }
}

}  // namespace knetsim::cli::shell
