#include "sandbox_host.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::sandbox {

namespace fs = std::filesystem;

namespace {

// Of /dev the names: what a device is asked to do passes a read-only mount.
constexpr const char* kSystem[] = {"/bin",   "/boot",   "/dev", "/etc",  "/lib", "/lib32",
                                   "/lib64", "/libx32", "/opt", "/sbin", "/usr", "/var"};
constexpr const char* kKernel[] = {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus",
                                   "/proc/fs",  "/proc/acpi"};

// Where servers write that are started as they are, such as nginx.
constexpr const char* kScratch[] = {"/var/log", "/var/lib/nginx"};
constexpr int kScratchDepth = 2;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  const auto status = fs::symlink_status(path, ignored);
  return fs::exists(status) && !fs::is_symlink(status);
}

bool lies_below(const fs::path& path, const fs::path& directory) {
  const auto relative = fs::weakly_canonical(path).lexically_relative(directory);
  return !relative.empty() && *relative.begin() != "..";
}

bool caller_works_in(const fs::path& directory) {
  const char* home = std::getenv("HOME");
  return lies_below(fs::current_path(), directory) || lies_below(out_directory(), directory) ||
         (home != nullptr && *home == '/' && lies_below(home, directory));
}

void bind_onto_itself(const char* path) {
  if (::mount(path, path, nullptr, MS_BIND | MS_REC, nullptr) != 0) throw SystemError("bind it onto itself", path);
}

void make_read_only(const char* path) {
  bind_onto_itself(path);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(AT_FDCWD, path, 0, &attributes, sizeof attributes) != 0)
    throw SystemError("make it read-only", path);
}

// Empty but for the directories, which belong to whom they did.
void cover_with_scratch(const fs::path& path) {
  std::vector<std::pair<fs::path, struct stat>> directories;
  const auto add = [&](const fs::path& directory) {
    struct stat found {};
    if (::lstat(directory.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) directories.emplace_back(directory, found);
  };
  add(path);
  std::error_code ignored;
  constexpr auto kOptions = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator entry(path, kOptions, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    if (entry.depth() + 1 >= kScratchDepth) entry.disable_recursion_pending();
    add(entry->path());
  }
  if (::mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=10%") != 0)
    throw SystemError("mount a tmpfs", path.string());
  for (const auto& [directory, found] : directories) {
    if (directory != path && ::mkdir(directory.c_str(), 0700) != 0)
      throw SystemError("make the directory", directory.string());
    // In a user namespace its owner may have no number.
    const bool same_owner = ::chown(directory.c_str(), found.st_uid, found.st_gid) == 0;
    if ((!same_owner && errno != EPERM && errno != EINVAL) || ::chmod(directory.c_str(), found.st_mode) != 0)
      throw SystemError("give the directory its owner", directory.string());
  }
}

}  // namespace

void protect_host() {
  for (const char* path : kScratch)
    if (is_there(path) && !caller_works_in("/var")) cover_with_scratch(path);
  if (::geteuid() != 0) return;
  // Mounts of their own, which stay writable when what lies around them no longer is.
  for (const char* path : {"/proc/sys/net", "/var/tmp"})
    if (is_there(path)) bind_onto_itself(path);
  for (const char* path : kKernel)
    if (is_there(path)) make_read_only(path);
  for (const char* path : kSystem)
    if (is_there(path) && !caller_works_in(path)) make_read_only(path);
}

void make_root_a_mount_point() {
  const auto before = fs::current_path();
  const Fd root(static_cast<int>(::open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)));
  if (!root || ::move_mount(root.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0 || ::fchdir(root.get()) != 0 ||
      ::chroot(".") != 0 || ::chdir(before.c_str()) != 0)
    throw SystemError(errno, {.where = "/",
                              .tried = "make it a mount point (in a chroot it is none)",
                              .answer = {},
                              .remedy = "mount --bind ROOT ROOT before chroot, or use pivot_root"});
}

}  // namespace knetsim::sandbox
