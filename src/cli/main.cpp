// The program knetsim.

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "command.h"
#include "knetsim/sys/standard_output.h"

namespace {

// A pipe that got the number 0, 1 or 2 because the caller had closed it would be mistaken for a standard stream.
void fill_standard_descriptors() {
  int fd = 0;
  do fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_descriptors();
  auto terminal = knetsim::cli::Terminal::standard();
  return knetsim::exit_code_after_output("knetsim", knetsim::cli::run({argv + 1, argv + argc}, terminal));
}
