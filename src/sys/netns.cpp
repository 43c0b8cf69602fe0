#include "knetsim/sys/netns.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "knetsim/sys/error.h"
#include "knetsim/sys/limits.h"

namespace knetsim {

namespace {

// A kind of namespaces(7).
struct Kind {
  int flag;
  const char* name;
  const char* limited;  // its limit is /proc/sys/user/max_<that>_namespaces
  const char* own;
};
constexpr Kind kNet{CLONE_NEWNET, "network", "net", "/proc/thread-self/ns/net"};
constexpr Kind kUts{CLONE_NEWUTS, "UTS", "uts", "/proc/thread-self/ns/uts"};

Fd open_namespace(const Kind& kind, const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw SystemError(fmt::format("open the {} namespace", kind.name), path);
  return fd;
}

void return_to(const Fd& home, const Kind& kind) {
  if (::setns(home.get(), kind.flag) == 0) return;
  std::fprintf(stderr, "knetsim: a thread can't leave a %s namespace: %s\n", kind.name, std::strerror(errno));
  std::abort();
}

/// A fresh one, in which `furnish` is called; the thread is then where it was.
template <typename Furnish>
Fd create_namespace(const Kind& kind, Furnish&& furnish) {
  struct Home {
    const Kind& kind;
    Fd fd = open_namespace(kind, kind.own);
    ~Home() { return_to(fd, kind); }
  };
  const Home home{kind};
  if (::unshare(kind.flag) != 0) {
    const int error = errno;
    throw SystemError(error, {.tried = fmt::format("create a {} namespace", kind.name),
                              .remedy = remedy_for_namespaces(error, kind.limited)});
  }
  Fd created = open_namespace(kind, kind.own);
  furnish();
  return created;
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

NetNs NetNs::create() { return NetNs(create_namespace(kNet, set_loopback_up)); }

NetNs NetNs::current() { return NetNs(open_namespace(kNet, kNet.own)); }

NetNs NetNs::open(const std::string& path) {
  Fd fd = open_namespace(kNet, path);
  const int kind = ::ioctl(fd.get(), _IO(0xb7, 0x3) /* NS_GET_NSTYPE */);
  if (kind != CLONE_NEWNET) throw Error(path + " isn't a network namespace");
  return NetNs(std::move(fd));
}

NetNs::Switch::Switch(FdView target) : home_(open_namespace(kNet, kNet.own)) {
  if (is_the_same_namespace(home_, target)) {
    home_.reset();  // to stay takes no right, and a daemon has none to go elsewhere
    return;
  }
  if (::setns(target.get(), CLONE_NEWNET) != 0) throw SystemError("enter a network namespace");
}

NetNs::Switch::~Switch() {
  if (home_) return_to(home_, kNet);
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

UtsNs UtsNs::create(const std::string& hostname) {
  return UtsNs(create_namespace(kUts, [&] {
    if (::sethostname(hostname.c_str(), hostname.size()) != 0) throw SystemError("set the hostname", hostname);
  }));
}

}  // namespace knetsim
