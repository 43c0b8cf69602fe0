#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "event_loop.h"
#include "foreground.h"
#include "line_source.h"

namespace knetsim::cli::shell {

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
