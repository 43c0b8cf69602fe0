#include "knetsim/sys/sockets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"

namespace knetsim {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// No event tells of a socket that begins to listen. Most programs write a line about it, though: each change of the log
// is a reason to look, and so is the end of this time.
constexpr milliseconds kLookAgain{10};

Fd watch_file(const std::filesystem::path& path) {
  Fd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watch || ::inotify_add_watch(watch.get(), path.c_str(), IN_MODIFY) < 0)
    throw SystemError("watch the file", path.string());
  return watch;
}

void drain(FdView watch) {
  std::array<char, 4096> buffer;
  while (::read(watch.get(), buffer.data(), buffer.size()) > 0) {
  }
}

}  // namespace

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
  const auto deadline = steady_clock::now() + budget;
  const auto watch = watch_file(process.log());
  for (;;) {
    const auto open = listening_tcp_ports(netns);
    std::vector<std::uint16_t> closed;
    std::set_difference(ports.begin(), ports.end(), open.begin(), open.end(), std::back_inserter(closed));
    if (closed.empty()) return;
    const auto tail = [&] { return fmt::format("its log {} ends:\n{}", process.log().string(), process.log_tail()); };
    if (const auto status = process.status())
      throw Error(fmt::format("{} ended before it listened on {} ({}); {}", process.name(), fmt::join(closed, ", "),
                              status->describe(), tail()));
    if (steady_clock::now() >= deadline)
      throw StillMissing(fmt::format("{} listening on {}; {}", process.name(), fmt::join(closed, ", "), tail()),
                         budget);
    std::array<pollfd, 2> events{{{watch.get(), POLLIN, 0}, {process.pidfd().get(), POLLIN, 0}}};
    ::poll(events.data(), events.size(), static_cast<int>(kLookAgain.count()));
    drain(watch);
  }
}

}  // namespace knetsim
