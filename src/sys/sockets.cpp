#include "knetsim/sys/sockets.h"

#include <sstream>
#include <string>

#include "knetsim/sys/file.h"

namespace knetsim {

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

}  // namespace knetsim
