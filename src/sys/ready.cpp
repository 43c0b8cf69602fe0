#include "knetsim/sys/ready.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

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
    throw SystemError(error, {.where = path.string(), .tried = "watch it", .remedy = remedy_for_inotify(error)});
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

using std::chrono::milliseconds;

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

std::set<std::uint16_t> listening_tcp_ports(const NetNs& netns) {
  constexpr std::string_view kListening = "0A";
  std::set<std::uint16_t> ports;
  netns.run([&] {
    for (const char* table : {"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"}) {
      std::istringstream lines(read_file(table));
      std::string line;
      std::getline(lines, line);  // the heading
      while (std::getline(lines, line)) {
        std::istringstream fields(line);
        std::string slot, local, remote, state;
        fields >> slot >> local >> remote >> state;
        if (state == kListening)
          ports.insert(static_cast<std::uint16_t>(std::stoul(local.substr(local.rfind(':') + 1), nullptr, 16)));
      }
    }
  });
  return ports;
}

void wait_until_listening(Process& process, const NetNs& netns, const std::set<std::uint16_t>& ports,
                          milliseconds budget) {
  // No event tells of a socket that begins to listen. Most programs write a line about it, though.
  wait_until_ready(process,
                   {.deed = fmt::format("listened on {}", fmt::join(ports, ", ")),
                    .probe = [&]() -> std::optional<std::string> {
                      const auto open = listening_tcp_ports(netns);
                      std::vector<std::uint16_t> closed;
                      std::set_difference(ports.begin(), ports.end(), open.begin(), open.end(),
                                          std::back_inserter(closed));
                      if (closed.empty()) return std::nullopt;
                      return fmt::format("{} listening on {}", process.name(), fmt::join(closed, ", "));
                    },
                    .watched = process.log(),
                    .look_again = milliseconds(10)},
                   budget);
}

}  // namespace knetsim
