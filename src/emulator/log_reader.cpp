#include "log_reader.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>

#include "knetsim/sys/error.h"
#include "knetsim/sys/limits.h"

namespace knetsim {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kLogPiece = 32 << 10;  // bytes

Fd open_to_read(const std::filesystem::path& path) {
  // The programs of a node share its directory: what lies there may be a link, or a pipe.
  Fd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file && errno == ENOENT) return file;
  if (!file) throw SystemError("open the log", path.string());
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode))
    throw Error(path.string() + " isn't a plain file: it is no log");
  return file;
}

Fd watch_of(const std::filesystem::path& path, std::uint32_t events) {
  Fd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (watch && ::inotify_add_watch(watch.get(), path.c_str(), events | IN_DONT_FOLLOW) >= 0) return watch;
  const int error = errno;
  throw SystemError(error, {.where = path.string(), .tried = "watch it", .remedy = remedy_for_inotify(error)});
}

/// Where the last lines begin; a line that isn't complete counts.
off_t begin_of_last(FdView file, std::uint64_t lines) {
  auto end = ::lseek(file.get(), 0, SEEK_END);
  if (lines == 0) return end;
  std::array<char, kLogPiece> block;
  std::uint64_t seen = 0;
  for (auto last = end; end > 0;) {
    const auto size = std::min<off_t>(end, static_cast<off_t>(block.size()));
    if (::pread(file.get(), block.data(), static_cast<std::size_t>(size), end - size) != size) return end;
    for (auto i = size; i-- > 0;) {
      const auto at = end - size + i;
      if (block[static_cast<std::size_t>(i)] == '\n' && at + 1 != last && ++seen == lines) return at + 1;
    }
    end -= size;
  }
  return 0;
}

}  // namespace

LogReader::LogReader(const asio::any_io_executor& executor, PodLog log, const LogOptions& options)
    : log_(std::move(log)),
      file_(open_to_read(log_.file)),
      events_(executor),
      follow_(options.follow && log_.ended),
      left_(options.limit_bytes.value_or(std::numeric_limits<std::uint64_t>::max())) {
  if (follow_) {
    events_.add(log_.ended, EPOLLIN);
    watch();
  }
  if (file_ && options.tail_lines) ::lseek(file_.get(), begin_of_last(file_, *options.tail_lines), SEEK_SET);
}

LogReader LogReader::from_now_on(const asio::any_io_executor& executor, PodLog log) {
  return {executor, std::move(log), {.follow = true, .previous = false, .tail_lines = 0, .limit_bytes = {}}};
}

void LogReader::watch() {
  changes_ = file_ ? watch_of(log_.file, IN_MODIFY) : watch_of(log_.file.parent_path(), IN_CREATE | IN_MOVED_TO);
  events_.add(changes_, EPOLLIN);
}

// Asked for while its directory is watched, so that none is missed.
void LogReader::open_late() {
  file_ = open_to_read(log_.file);
  if (file_) watch();
}

std::string LogReader::read_on() {
  std::string piece(std::min<std::uint64_t>(kLogPiece, left_), '\0');
  const auto count = file_ ? ::read(file_.get(), piece.data(), piece.size()) : 0;
  piece.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  left_ -= piece.size();
  return piece;
}

asio::awaitable<std::string> LogReader::next() {
  while (!stopped_ && left_ > 0) {
    // Asked before it is read: what the program printed before its end is then there.
    const bool over = !follow_ || happened(log_.ended);
    std::array<char, 4'096> dropped;
    while (changes_ && ::read(changes_.get(), dropped.data(), dropped.size()) > 0) {
    }
    if (follow_ && !file_) open_late();
    auto piece = read_on();
    if (!piece.empty()) co_return piece;
    if (over) break;
    co_await events_.wait();
  }
  co_return std::string();
}

void LogReader::stop() {
  stopped_ = true;
  events_.cancel();
}

}  // namespace knetsim
