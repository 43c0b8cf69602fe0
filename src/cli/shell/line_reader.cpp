#include "line_reader.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "knetsim/sys/error.h"

namespace knetsim::cli::shell {

namespace {

// What isn't text may have no newline at all, and no end.
constexpr std::size_t kLongestLine = 1 << 16;

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
  if (!whole_line() && !at_end_) {
    const auto watch = loop_.watch(input_, POLLIN, [this] { read_more(); });
    loop_.run_until([&] { return whole_line() || at_end_ || requests_.end || unread_.size() > kLongestLine; });
    if (!whole_line() && unread_.size() > kLongestLine)
      throw InputError(describe({.where = "stdin",
                                 .tried = "read a line",
                                 .answer = fmt::format("it has more than {} bytes", kLongestLine),
                                 .remedy = "give it text: one command a line"}));
  }
  if (requests_.end || unread_.empty()) return std::nullopt;
  const auto newline = unread_.find('\n');
  auto line = unread_.substr(0, newline);
  unread_.erase(0, newline == std::string::npos ? newline : newline + 1);
  echo_ << kPrompt << line << '\n' << std::flush;
  return line;
}

}  // namespace knetsim::cli::shell
