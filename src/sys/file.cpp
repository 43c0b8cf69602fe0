#include "knetsim/sys/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <array>
#include <fstream>
#include <iterator>

#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/fd.h"

namespace knetsim {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw SystemError("read", path.string());
  std::string content;
  std::array<char, 65536> buffer;
  for (;;) {
    const auto count = ::read(file.get(), buffer.data(), buffer.size());
    if (count == 0) return content;
    if (count > 0) {
      content.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      throw SystemError("read", path.string());
    }
  }
}

void write_file_atomically(const fs::path& path, std::string_view content, unsigned mode) {
  // O_EXCL: a link that somebody planted under the temporary name is refused, not followed.
  const auto temporary = fmt::format("{}.{}.tmp", path.string(), ::gettid());
  ::unlink(temporary.c_str());
  Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file) throw SystemError("create", temporary);
  const auto fail = [&](std::string_view tried) {
    SystemError error(tried, temporary);
    ::unlink(temporary.c_str());
    return error;
  };
  if (::fchmod(file.get(), mode) != 0) throw fail("set the mode of");
  while (!content.empty()) {
    const auto count = ::write(file.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw fail("write");
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw fail("rename to " + path.string());
}

void wait_for_file(const fs::path& path, std::chrono::milliseconds budget) {
  const auto deadline = std::chrono::steady_clock::now() + budget;
  const Fd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watch) throw SystemError("create an inotify instance");
  if (::inotify_add_watch(watch.get(), path.parent_path().c_str(), IN_CREATE | IN_MODIFY | IN_MOVED_TO) < 0)
    throw SystemError("watch the directory", path.parent_path().string());
  for (;;) {
    // Asked only after the watch stands, so that an appearance between the two can't be missed.
    std::error_code absent;
    const auto size = fs::file_size(path, absent);
    if (!absent && size > 0) return;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) throw StillMissing(path.string() + (absent ? " doesn't exist" : " is empty"), budget);
    pollfd event{watch.get(), POLLIN, 0};
    ::poll(&event, 1, static_cast<int>(left.count()) + 1);
    std::array<char, 4096> drained;
    while (::read(watch.get(), drained.data(), drained.size()) > 0) {
    }
  }
}

}  // namespace knetsim
