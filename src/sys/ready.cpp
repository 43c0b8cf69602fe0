#include "knetsim/sys/ready.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/limits.h"

namespace knetsim {

using std::chrono::milliseconds;

namespace {

/// Changes of a file, or of the files in a directory, from its construction on.
class FileChanges {
 public:
  explicit FileChanges(const std::filesystem::path& path) : watch_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    if (watch_ && ::inotify_add_watch(watch_.get(), path.c_str(), IN_CREATE | IN_MODIFY | IN_MOVED_TO) >= 0) return;
    const int error = errno;
    throw SystemError(error,
                      {.where = path.string(), .tried = "watch it", .answer = {}, .remedy = remedy_for_inotify(error)});
  }
  /// Returns when there was one, when `other` may be read, or when the time is over.
  void wait(milliseconds longest, FdView other = FdView(-1)) {
    std::array<pollfd, 2> events{{{watch_.get(), POLLIN, 0}, {other.get(), POLLIN, 0}}};
    ::poll(events.data(), events.size(), static_cast<int>(longest.count()));
    std::array<char, 4096> drained;
    while (::read(watch_.get(), drained.data(), drained.size()) > 0) {
    }
  }

 private:
  Fd watch_;
};

}  // namespace

void wait_for_file(const std::filesystem::path& path, milliseconds budget) {
  const auto deadline = std::chrono::steady_clock::now() + budget;
  FileChanges changes(path.parent_path());
  for (;;) {
    // Asked only after the watch stands, so that an appearance between the two can't be missed.
    std::error_code absent;
    const auto size = std::filesystem::file_size(path, absent);
    if (!absent && size > 0) return;
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) throw StillMissing(path.string() + (absent ? " doesn't exist" : " is empty"), budget);
    changes.wait(left);
  }
}

void wait_until_ready(Process& process, const Readiness& readiness, milliseconds budget) {
  const auto deadline = std::chrono::steady_clock::now() + budget;
  FileChanges changes(readiness.watched);
  const auto tail = [&] { return fmt::format("its log {} ends:\n{}", process.log().string(), process.log_tail()); };
  for (;;) {
    // In this order, so that what a program has done right before its end counts.
    const auto end = process.status();
    const auto missing = readiness.probe();
    if (!missing) return;
    if (end)
      throw Error(
          fmt::format("{} ended before it {} ({}); {}", process.name(), readiness.deed, end->describe(), tail()));
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) throw StillMissing(fmt::format("{}; {}", *missing, tail()), budget);
    changes.wait(std::min(left, readiness.look_again), process.pidfd());
  }
}

}  // namespace knetsim
