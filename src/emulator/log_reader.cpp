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
  if (file_ && options.since) begin_at_line(LogTimes(log_.file).since(*options.since));
  if (file_ && options.tail_lines)
    ::lseek(file_.get(), std::max(begin_of_last(file_, *options.tail_lines), ::lseek(file_.get(), 0, SEEK_CUR)),
            SEEK_SET);
  if (!options.timestamps) return;
  times_.emplace(log_.file);
  offset_ = file_ ? static_cast<std::uint64_t>(::lseek(file_.get(), 0, SEEK_CUR)) : 0;
}

void LogReader::begin_at_line(std::uint64_t offset) {
  std::array<char, kLogPiece> block;
  auto at = static_cast<off_t>(offset);
  // What stands before it tells whether a line begins there.
  for (bool begins = at == 0; !begins;) {
    const auto count = ::pread(file_.get(), block.data(), block.size(), at - 1);
    if (count <= 1) break;
    const auto* const end = std::find(block.data(), block.data() + count, '\n');
    begins = end != block.data() + count;
    at += begins ? end - block.data() : count - 1;
  }
  ::lseek(file_.get(), at, SEEK_SET);
}

LogReader LogReader::from_now_on(const asio::any_io_executor& executor, PodLog log) {
  return {executor, std::move(log), {.follow = true, .tail_lines = 0, .limit_bytes = {}}};
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
  if (times_) piece = with_times(piece);
  left_ -= piece.size();
  return piece;
}

std::string LogReader::with_times(const std::string& piece) {
  std::string text;
  for (std::size_t begin = 0; begin < piece.size();) {
    const auto end = std::min(piece.find('\n', begin), piece.size() - 1) + 1;
    if (line_begins_) text += log_timestamp(times_->at(offset_)) + " ";
    text.append(piece, begin, end - begin);
    line_begins_ = piece[end - 1] == '\n';
    offset_ += end - begin;
    begin = end;
  }
  if (text.size() > left_) text.resize(left_);
  return text;
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
