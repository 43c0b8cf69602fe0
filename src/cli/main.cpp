// The program knetsim.

#include <fcntl.h>
#include <unistd.h>

#include "command.h"
#include "knetsim/sys/standard_output.h"

namespace {

// A pipe that got the number 0, 1 or 2 because the caller had closed it would be mistaken for a standard stream. What
// is written to a stdout that was closed still fails, and the exit code tells.
void fill_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR);  // the lowest free one
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_descriptors();
  auto terminal = knetsim::cli::Terminal::standard();
  return knetsim::exit_code_after_output("knetsim", knetsim::cli::run({argv + 1, argv + argc}, terminal));
}
