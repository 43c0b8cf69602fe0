#include "knetsim/sys/uts.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "knetsim/sys/error.h"
#include "knetsim/sys/limits.h"

namespace knetsim {

namespace {

Fd open_own_uts() {
  constexpr const char* kOwnUts = "/proc/thread-self/ns/uts";
  Fd fd(::open(kOwnUts, O_RDONLY | O_CLOEXEC));
  if (!fd) throw SystemError("open the UTS namespace", kOwnUts);
  return fd;
}

/// Brings the thread back to where it was made, as NetNs does.
class BackInUts {
 public:
  BackInUts() : home_(open_own_uts()) {}
  ~BackInUts() {
    if (::setns(home_.get(), CLONE_NEWUTS) == 0) return;
    std::fprintf(stderr, "knetsim: a thread can't leave a UTS namespace: %s\n", std::strerror(errno));
    std::abort();
  }
  BackInUts(const BackInUts&) = delete;
  BackInUts& operator=(const BackInUts&) = delete;

 private:
  Fd home_;
};

}  // namespace

UtsNs UtsNs::create(const std::string& hostname) {
  const BackInUts home;
  if (::unshare(CLONE_NEWUTS) != 0) {
    const int error = errno;
    throw SystemError(
        error,
        {.where = {}, .tried = "create a UTS namespace", .answer = {}, .remedy = remedy_for_namespaces(error, "uts")});
  }
  if (::sethostname(hostname.c_str(), hostname.size()) != 0) throw SystemError("set the hostname", hostname);
  return UtsNs(open_own_uts());
}

}  // namespace knetsim
