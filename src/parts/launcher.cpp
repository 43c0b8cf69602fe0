#include "knetsim/parts/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/file.h"

namespace knetsim::parts {

namespace {

void note_in_log(const std::filesystem::path& log, const std::string& line) {
  const Fd file(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file || ::write(file.get(), line.data(), line.size()) < 0) throw SystemError("write the log", log.string());
}

}  // namespace

Process launch(const LaunchSpec& spec) {
  make_directories(spec.directory);
  Command command{.argv = {spec.program.path.string()},
                  .netns = spec.netns,
                  .directory = spec.directory,
                  .root = spec.program.root,
                  .trust = Trust::daemon};
  command.argv.insert(command.argv.end(), spec.arguments.begin(), spec.arguments.end());
  note_in_log(spec.log, fmt::format("# {}: {}\n", to_string(spec.program), fmt::join(command.argv, " ")));
  return Process::spawn(command, spec.log, spec.kept);
}

}  // namespace knetsim::parts
