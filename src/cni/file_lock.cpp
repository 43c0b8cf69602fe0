#include "file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"

namespace knetsim::cni {

Fd lock_file(const std::filesystem::path& path) {
  make_directories(path.parent_path());
  Fd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0750));
  if (!file) throw SystemError("open", path.string());
  while (::flock(file.get(), LOCK_EX) != 0)
    if (errno != EINTR) throw SystemError("lock", path.string());
  return file;
}

}  // namespace knetsim::cni
