#include "knetsim/cli/shell/line_reader.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace knetsim::cli::shell {

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
  if (!whole_line() && !at_end_) {
    const auto watch = loop_.watch(input_, POLLIN, [this] { read_more(); });
    loop_.run_until([&] {
      if (std::exchange(requests_.interrupt, false))
        echo_ << "(nothing runs that could be interrupted; exit takes everything down)\n" << std::flush;
      return whole_line() || at_end_ || requests_.end;
    });
  }
  if (requests_.end || unread_.empty()) return std::nullopt;
  const auto newline = unread_.find('\n');
  auto line = unread_.substr(0, newline);
  unread_.erase(0, newline == std::string::npos ? newline : newline + 1);
  echo_ << kPrompt << line << '\n' << std::flush;
  return line;
}

}  // namespace knetsim::cli::shell
