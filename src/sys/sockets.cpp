#include "knetsim/sys/sockets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "knetsim/sys/file.h"
#include "knetsim/sys/ready.h"

namespace knetsim {

namespace {

using std::chrono::milliseconds;

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
