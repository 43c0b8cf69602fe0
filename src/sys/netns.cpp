#include "knetsim/sys/netns.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "knetsim/sys/error.h"
#include "knetsim/sys/limits.h"

namespace knetsim {

namespace {

constexpr const char* kOwnNetNs = "/proc/thread-self/ns/net";

Fd open_namespace(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw SystemError("open the network namespace", path);
  return fd;
}

[[noreturn]] void cannot_return() {
  std::fprintf(stderr, "knetsim: a thread can't leave a network namespace: %s\n", std::strerror(errno));
  std::abort();
}

bool is_the_same_namespace(FdView one, FdView other) {
  struct stat first {};
  struct stat second {};
  return ::fstat(one.get(), &first) == 0 && ::fstat(other.get(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

std::string pin_path(const std::string& name) { return "/run/netns/" + name; }

}  // namespace

void NetNs::set_loopback_up() {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) throw SystemError("open a socket to set lo up");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) throw SystemError("set lo up");
}

NetNs NetNs::create() {
  Fd home = open_namespace(kOwnNetNs);
  if (::unshare(CLONE_NEWNET) != 0) {
    const int error = errno;
    throw SystemError(error, {.where = {},
                              .tried = "create a network namespace",
                              .answer = {},
                              .remedy = remedy_for_namespaces(error, "net")});
  }
  Fd created;
  try {
    created = open_namespace(kOwnNetNs);
    set_loopback_up();
  } catch (...) {
    if (::setns(home.get(), CLONE_NEWNET) != 0) cannot_return();
    throw;
  }
  if (::setns(home.get(), CLONE_NEWNET) != 0) cannot_return();
  return NetNs(std::move(created));
}

NetNs NetNs::current() { return NetNs(open_namespace(kOwnNetNs)); }

NetNs NetNs::open(const std::string& path) {
  Fd fd = open_namespace(path);
  const int kind = ::ioctl(fd.get(), _IO(0xb7, 0x3) /* NS_GET_NSTYPE */);
  if (kind != CLONE_NEWNET) throw Error(path + " isn't a network namespace");
  return NetNs(std::move(fd));
}

NetNs::Switch::Switch(FdView target) : home_(open_namespace(kOwnNetNs)) {
  if (is_the_same_namespace(home_, target)) {
    home_.reset();  // to stay takes no right, and a daemon has none to go elsewhere
    return;
  }
  if (::setns(target.get(), CLONE_NEWNET) != 0) throw SystemError("enter a network namespace");
}

NetNs::Switch::~Switch() {
  if (home_ && ::setns(home_.get(), CLONE_NEWNET) != 0) cannot_return();
}

void NetNs::pin(const std::string& name) const {
  const auto path = pin_path(name);
  const Fd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444));
  if (!file) throw SystemError("make the mount point of a namespace", path);
  const auto source = "/proc/self/fd/" + std::to_string(fd_.get());
  if (::mount(source.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0)
    throw SystemError("bind a network namespace", path);
}

void NetNs::unpin(const std::string& name) {
  const auto path = pin_path(name);
  ::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  ::unlink(path.c_str());
}

ino_t NetNs::inode() const {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) throw SystemError("stat a network namespace");
  return status.st_ino;
}

}  // namespace knetsim
