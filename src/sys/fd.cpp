#include "knetsim/sys/fd.h"

#include <fcntl.h>

#include "knetsim/sys/error.h"

namespace knetsim {

Pipe Pipe::create() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw SystemError("create a pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

}  // namespace knetsim
