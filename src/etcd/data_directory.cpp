#include "data_directory.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include <string>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::etcd {
namespace {

dev_t device(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_dev : 0;
}

/// Below the state directory of a sandbox, which is a mount of its own: what is mounted there is seen by nobody else.
bool in_sandbox(const std::filesystem::path& directory) {
  const std::filesystem::path state = kStateDirectory;
  return directory.lexically_normal().string().starts_with(state.string() + "/") &&
         device(state) != device(state.parent_path());
}

}  // namespace

void prepare_data_directory(const std::filesystem::path& directory) {
  make_directories(directory);
  // A kernel that refuses it leaves the memory spent, nothing else.
  if (in_sandbox(directory) && list_directory(directory).empty()) {
    ::mount("etcd", directory.c_str(), "ramfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700");
  }
  if (::chmod(directory.c_str(), S_IRWXU) != 0) throw SystemError("set the mode of", directory.string());
}

}  // namespace knetsim::etcd
