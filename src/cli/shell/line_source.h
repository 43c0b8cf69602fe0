#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "event_loop.h"
#include "jobs.h"

namespace knetsim::cli::shell {

/// Where lines come from: somebody's keyboard, or a script.
class LineSource {
 public:
  virtual ~LineSource() = default;
  /// Without its newline; nullopt at the end, or if somebody asked to end.
  virtual std::optional<std::string> next() = 0;
};

inline constexpr const char* kPrompt = "knetsim> ";

/// The lines of a pipe or a file, each echoed behind a prompt, so that the output reads like a session.
class LineReader : public LineSource {
 public:
  LineReader(EventLoop& loop, Requests& requests, FdView input, std::ostream& echo)
      : loop_(loop), requests_(requests), input_(input), echo_(echo) {}

  std::optional<std::string> next() override;

 private:
  void read_more();

  EventLoop& loop_;
  Requests& requests_;
  FdView input_;
  std::ostream& echo_;
  std::string unread_;
  bool at_end_ = false;
};

/// A lab that nobody sits at: visitors' errands are done until one of them, or a signal, asks for the end.
class Nobody : public LineSource {
 public:
  Nobody(EventLoop& loop, Requests& requests) : loop_(loop), requests_(requests) {}

  std::optional<std::string> next() override;

 private:
  EventLoop& loop_;
  Requests& requests_;
};

/// What could stand in place of the word that `line` (the text before the cursor) ends in.
struct Completion {
  std::size_t begin = 0;  ///< of that word
  std::vector<std::string> candidates;
};
using Completer = std::function<Completion(const std::string& line)>;

/// Somebody's keyboard, with editing, history and completion (libedit, editline(3)). History lasts as long as this
/// object. One at a time: it uses stdin and stdout.
class Editor : public LineSource {
 public:
  Editor(EventLoop& loop, Requests& requests, Completer completer);
  ~Editor() override;

  std::optional<std::string> next() override;
  /// The terminal has changed its size.
  void resize() const;
  /// Keys that were pressed earlier.
  void type(const std::string& keys);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace knetsim::cli::shell
