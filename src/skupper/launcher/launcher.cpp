#include "knetsim/skupper/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"

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
                        .root = program.root,
                        .trust = Trust::daemon};
  note_in_log(spec.log, fmt::format("# {}: {}\n", to_string(program), fmt::join(command.argv, " ")));
  return Process::spawn(command, spec.log);
}

}  // namespace knetsim::skupper
