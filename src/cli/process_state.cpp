#include "process_state.h"

#include <fmt/format.h>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"

namespace knetsim::cli {

char process_state(pid_t pid) try {
  const auto stat = read_file(fmt::format("/proc/{}/stat", pid));
  const auto name_end = stat.rfind(") ");  // the name before may hold anything
  return name_end == std::string::npos || name_end + 2 >= stat.size() ? '\0' : stat[name_end + 2];
} catch (const SystemError&) {
  return '\0';
}

}  // namespace knetsim::cli
