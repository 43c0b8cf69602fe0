#include "sandbox_mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/sandbox.h"

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

// Opened without following a link, and then mounted on through the descriptor: nobody can swap it in between.
Fd open_state_mount_point() {
  Fd directory(::open(kStateDirectory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory)
    throw SystemError(errno, {.where = kStateDirectory,
                              .tried = "use it as a mount point",
                              .answer = {},
                              .remedy = "remove what is there; knetsim makes an empty directory of that name"});
  return directory;
}

}  // namespace

void make_state_mount_point() {
  if (::mkdir(kStateDirectory, 0755) != 0 && errno != EEXIST) throw SystemError("make the directory", kStateDirectory);
  open_state_mount_point();
}

void make_mounts_private() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) throw SystemError("make mounts private", "/");
}

void mount_proc() { mount_one("proc", "/proc", kPlain | MS_NOEXEC); }

void mount_fresh() {
  mount_one("sysfs", "/sys", kPlain | MS_NOEXEC);
  mount_one("tmpfs", "/run", kPlain, "mode=0755");
  for (const char* directory : {"/run/netns", "/run/lock", "/run/flannel"})
    if (::mkdir(directory, 0755) != 0) throw SystemError("make the directory", directory);
  const auto state = open_state_mount_point();
  mount_one("tmpfs", "/proc/self/fd/" + std::to_string(state.get()), kPlain, "mode=0755");
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
  for (const char* target : {kStateDirectory, "/run", "/sys"})
    if (::umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) != 0) throw SystemError("unmount", target);
}

}  // namespace knetsim::sandbox
