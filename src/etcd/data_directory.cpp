#include "data_directory.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include <string>

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
  namespace fs = std::filesystem;
  fs::create_directories(directory);
  // A kernel that refuses it leaves the memory spent, nothing else.
  if (in_sandbox(directory) && fs::is_empty(directory)) {
    ::mount("etcd", directory.c_str(), "ramfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700");
  }
  fs::permissions(directory, fs::perms::owner_all);
}

}  // namespace knetsim::etcd
