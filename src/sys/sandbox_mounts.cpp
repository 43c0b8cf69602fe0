#include "sandbox_mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/sandbox.h"
#include "sandbox_host.h"

namespace knetsim::sandbox {

namespace {

constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV;

void mount_one(const char* type, const std::string& target, unsigned long flags, const char* options = nullptr) {
  if (::mount(type, target.c_str(), type, flags, options) == 0) return;
  throw SystemError(errno, {.where = target,
                            .tried = "mount " + std::string(type),
                            .answer = {},
                            .remedy = errno == EPERM ? kPrivilegesRemedy : ""});
}

// shm_overview(7). A link would lead elsewhere, into /run mostly.
constexpr const char* kSharedMemory = "/dev/shm";

bool has_shared_memory() {
  struct stat found {};
  return ::lstat(kSharedMemory, &found) == 0 && S_ISDIR(found.st_mode);
}

}  // namespace

void make_mounts_private() {
  const auto try_it = [] { return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0; };
  if (try_it()) return;
  if (errno == EINVAL) make_root_a_mount_point();
  if (!try_it()) throw SystemError("make mounts private", "/");
}

void mount_proc() { mount_one("proc", "/proc", kPlain | MS_NOEXEC); }

void mount_fresh() {
  mount_one("sysfs", "/sys", kPlain | MS_NOEXEC | MS_RDONLY);
  if (has_shared_memory()) mount_one("tmpfs", kSharedMemory, kPlain, "mode=1777");
  mount_one("tmpfs", "/run", kPlain, "mode=0755");
  for (const char* directory : {"/run/netns", "/run/lock", "/run/flannel"})
    if (::mkdir(directory, 0755) != 0) throw SystemError("make the directory", directory);
  if (::mkdir(kStateDirectory, 0755) != 0) throw SystemError("make the directory", kStateDirectory);
  // A daemon that fills its log fills this, and not the machine's memory.
  mount_one("tmpfs", kStateDirectory, kPlain, "mode=0755,size=25%");
  // What is mounted in there, such as an etcd's data, is then seen through the view as well.
  if (::mount(nullptr, kStateDirectory, nullptr, MS_SHARED, nullptr) != 0)
    throw SystemError("share the mounts below", kStateDirectory);
}

void hide_name_servers() {
  constexpr const char* kEmpty = "/run/resolv.conf";
  constexpr const char* kResolvConf = "/etc/resolv.conf";
  const Fd file(::open(kEmpty, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!file) throw SystemError("create", kEmpty);
  // Absent, also as the target of a link into the covered /run, it names no server.
  if (::mount(kEmpty, kResolvConf, nullptr, MS_BIND, nullptr) != 0 && errno != ENOENT)
    throw SystemError("mount an empty file", kResolvConf);
  ::unlink(kEmpty);
}

void unmount_fresh() {
  ::umount2(kStateView, MNT_DETACH | UMOUNT_NOFOLLOW);  // it may have gone already
  if (has_shared_memory()) ::umount2(kSharedMemory, MNT_DETACH | UMOUNT_NOFOLLOW);
  for (const char* target : {"/run", "/sys"})
    if (::umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) != 0) throw SystemError("unmount", target);
}

}  // namespace knetsim::sandbox
