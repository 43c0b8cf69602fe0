#include "other_root.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {

namespace fs = std::filesystem;

namespace {

InputError refused(const fs::path& root, const std::string& answer) {
  return InputError(describe({.where = root.string(),
                              .tried = "use it as a root directory",
                              .answer = answer,
                              .remedy = "name the directory that an image was unpacked to, the one with usr/ in it"}));
}

}  // namespace

OtherRoot::OtherRoot(const fs::path& root)
    : root_(fs::absolute(root).string()), run_(root_ + "/run"), tmp_(root_ + "/tmp"), state_(root_ + kStateDirectory) {
  // Not links: those would lead the mounts astray.
  for (const char* directory : {"", "/proc", "/dev", "/run", "/tmp"}) {
    std::error_code error;
    if (!fs::is_directory(fs::symlink_status(root_ + directory, error)))
      throw refused(root_, "there is no directory " + root_ + directory);
  }
  binds_ = {{"/proc", root_ + "/proc"}, {"/dev", root_ + "/dev"}, {kStateDirectory, state_}};
}

fs::path OtherRoot::require_program(const std::string& path) const {
  std::error_code error;
  if (path.starts_with('/') && fs::exists(fs::symlink_status(root_ + path, error))) return path;
  throw refused(root_, "there is no program " + path + " in it");
}

bool OtherRoot::enter() const noexcept {
  if (::unshare(CLONE_NEWNS) != 0) return false;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  // On file systems of our own, so that nothing is written to the directory that somebody else may be using.
  if (::mount("tmpfs", run_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0) return false;
  if (::mount("tmpfs", tmp_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0) return false;
  if (::mkdir(state_.c_str(), 0755) != 0) return false;
  for (const auto& [from, to] : binds_)
    if (::mount(from, to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) return false;
  return ::chroot(root_.c_str()) == 0 && ::chdir("/") == 0;
}

}  // namespace knetsim
