#include "privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

namespace knetsim {

namespace {

constexpr Capabilities bits(std::initializer_list<unsigned> capabilities) {
  Capabilities set = 0;
  for (const auto capability : capabilities) set |= Capabilities{1} << capability;
  return set;
}

constexpr Capabilities kDaemon = bits({CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID,
                                       CAP_SETUID, CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW});
constexpr Capabilities kSandbox = kDaemon | bits({CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAP_SYS_PTRACE, CAP_SETFCAP});

}  // namespace

Capabilities capabilities_of_the_sandbox() noexcept { return kSandbox; }
Capabilities capabilities_of_a_daemon() noexcept { return kDaemon; }

bool keep_only(Capabilities kept) noexcept {
  // Before CAP_SETPCAP may go. EINVAL: the kernel knows no more of them.
  for (unsigned capability = 0; capability < 64; ++capability)
    if ((kept >> capability & 1U) == 0 && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      if (errno == EINVAL) break;
      if (errno != EPERM) return false;  // who can't change the set is left with the rest
    }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  for (unsigned half = 0; half < 2; ++half) {
    const auto mask = static_cast<std::uint32_t>(kept >> (32 * half));
    data[half].permitted &= mask;
    data[half].effective &= mask;
    data[half].inheritable &= mask;  // the ambient ones follow
  }
  return ::syscall(SYS_capset, &header, data) == 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

}  // namespace knetsim
