#include "log_times.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <charconv>
#include <map>

#include "knetsim/sys/error.h"
#include "knetsim/sys/limits.h"

namespace knetsim {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

LogTime this_moment() {
  return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
}

}  // namespace

std::string log_timestamp(LogTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:09}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (time - seconds).count());
}

fs::path times_of(const fs::path& log) { return log.string() + ".times"; }

struct LogClocks::Watch : std::enable_shared_from_this<Watch> {
  explicit Watch(asio::io_context& context) : changes(context) {
    Fd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    const int error = errno;
    if (!watch) throw SystemError(error, {.tried = "watch logs", .remedy = remedy_for_inotify(error)});
    changes.assign(watch.release());
  }

  asio::posix::stream_descriptor changes;
  std::map<int, std::weak_ptr<Clock::State>> clocks;  // by their watch descriptors

  void wait();
};

struct LogClocks::Clock::State {
  State(std::shared_ptr<Watch> of_watch, const fs::path& of_log)
      : watch(std::move(of_watch)),
        log(::open(of_log.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)),
        times(::open(times_of(of_log).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644)) {
    if (!log || !times) throw SystemError("note when it is written", of_log.string());
    id = ::inotify_add_watch(watch->changes.native_handle(), of_log.c_str(), IN_MODIFY | IN_DONT_FOLLOW);
    const int error = errno;
    if (id < 0)
      throw SystemError(error, {.where = of_log.string(), .tried = "watch it", .remedy = remedy_for_inotify(error)});
  }
  State(State&&) = delete;
  ~State() {
    ::inotify_rm_watch(watch->changes.native_handle(), id);
    watch->clocks.erase(id);
  }

  std::shared_ptr<Watch> watch;
  Fd log;
  Fd times;
  int id = -1;
  std::uint64_t noted = 0;  // bytes of the log

  void note() {
    struct stat facts {};
    if (::fstat(log.get(), &facts) != 0 || static_cast<std::uint64_t>(facts.st_size) <= noted) return;
    noted = static_cast<std::uint64_t>(facts.st_size);
    const auto line = fmt::format("{} {}\n", noted, this_moment().time_since_epoch().count());
    // Without room for it, what it tells is lost, and the log goes on.
    (void)!::write(times.get(), line.data(), line.size());
  }
};

void LogClocks::Watch::wait() {
  changes.async_wait(
      asio::posix::stream_descriptor::wait_read, [weak = weak_from_this()](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (!self || error) return;
        alignas(inotify_event) std::array<char, 4'096> events;
        for (ssize_t size = 0; (size = ::read(self->changes.native_handle(), events.data(), events.size())) > 0;)
          for (ssize_t at = 0; at < size;) {
            const auto& event = *reinterpret_cast<const inotify_event*>(events.data() + at);
            at += static_cast<ssize_t>(sizeof event + event.len);
            const auto found = self->clocks.find(event.wd);
            if (found == self->clocks.end()) continue;
            if (const auto clock = found->second.lock()) clock->note();
          }
        self->wait();
      });
}

LogClocks::LogClocks(asio::io_context& context) : watch_(std::make_shared<Watch>(context)) { watch_->wait(); }
LogClocks::~LogClocks() = default;

std::unique_ptr<LogClocks::Clock> LogClocks::start(const fs::path& log) {
  auto state = std::make_shared<Clock::State>(watch_, log);
  watch_->clocks[state->id] = state;
  state->note();
  return std::unique_ptr<Clock>(new Clock(std::move(state)));
}

LogClocks::Clock::~Clock() { state_->note(); }

LogTimes::LogTimes(const fs::path& log) : file_(::open(times_of(log).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) {
  if (!file_) throw InputError("nobody has noted when this log was written: --timestamps and --since can't be told");
}

void LogTimes::read_on() {
  std::array<char, 16'384> piece;
  for (ssize_t count = 0; (count = ::read(file_.get(), piece.data(), piece.size())) > 0;)
    rest_.append(piece.data(), static_cast<std::size_t>(count));
  std::size_t begin = 0;
  for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
    Note note{};
    std::int64_t nanoseconds = 0;
    const char* const last = rest_.data() + end;
    const auto [space, code] = std::from_chars(rest_.data() + begin, last, note.end);
    if (code == std::errc{} && space != last && std::from_chars(space + 1, last, nanoseconds).ec == std::errc{}) {
      note.time = LogTime(std::chrono::nanoseconds(nanoseconds));
      notes_.push_back(note);
    }
    begin = end + 1;
  }
  rest_.erase(0, begin);
}

LogTime LogTimes::at(std::uint64_t offset) {
  const auto covering = [&] {
    return std::ranges::upper_bound(notes_, offset, {}, [](const Note& note) { return note.end; });
  };
  if (covering() == notes_.end()) read_on();
  const auto found = covering();
  return found == notes_.end() ? this_moment() : found->time;
}

std::uint64_t LogTimes::since(LogTime time) {
  read_on();
  std::uint64_t end = 0;
  for (const auto& note : notes_) {
    if (note.time >= time) break;
    end = note.end;
  }
  return end;
}

}  // namespace knetsim
