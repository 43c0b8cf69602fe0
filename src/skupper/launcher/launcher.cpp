#include "knetsim/skupper/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/sockets.h"

namespace knetsim::skupper {

namespace {

void note_in_log(const std::filesystem::path& log, const std::string& line) {
  const Fd file(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file || ::write(file.get(), line.data(), line.size()) < 0) throw SystemError("write the log", log.string());
}

}  // namespace

Process launch(const Program& program, const LaunchSpec& spec) {
  const Command command{.argv = {program.path.string(), "-c", spec.config.string()},
                        .netns = spec.netns,
                        .directory = spec.directory,
                        .root = program.root};
  note_in_log(spec.log, fmt::format("# {}: {}\n", to_string(program), fmt::join(command.argv, " ")));
  return Process::spawn(command, spec.log);
}

void wait_until_listening(Process& router, const NetNs& netns, const std::set<std::uint16_t>& ports,
                          std::chrono::milliseconds budget) {
  const auto tail = [&] { return fmt::format("its log {} ends:\n{}", router.log().string(), router.log_tail()); };
  // No event tells of a socket that begins to listen.
  eventually(
      [&]() -> std::optional<std::string> {
        const auto open = listening_tcp_ports(netns);
        std::vector<std::uint16_t> closed;
        std::set_difference(ports.begin(), ports.end(), open.begin(), open.end(), std::back_inserter(closed));
        if (closed.empty()) return std::nullopt;
        if (const auto status = router.status())
          throw Error(fmt::format("{} ended before it listened on {} ({}); {}", router.name(), fmt::join(closed, ", "),
                                  status->describe(), tail()));
        return fmt::format("{} listening on {}; {}", router.name(), fmt::join(closed, ", "), tail());
      },
      budget);
}

}  // namespace knetsim::skupper
