#include "knetsim/sys/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/limits.h"
#include "knetsim/sys/netns.h"
#include "privileges.h"
#include "sandbox_dismantle.h"
#include "sandbox_init.h"
#include "sandbox_mounts.h"
#include "sandbox_view.h"

namespace knetsim {

namespace fs = std::filesystem;

namespace {

constexpr int kNamespaces = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

// The sandbox's own mounts would hide them.
void refuse_paths_that_vanish() {
  const auto check = [](const char* what, const fs::path& path) {
    for (const char* covered : {kStateView, "/run"}) {
      const auto below = fs::weakly_canonical(path).lexically_relative(covered);
      if (!below.empty() && *below.begin() != "..")
        throw InputError(fmt::format("{} ({}) lies below {}, which the sandbox covers\n  remedy: move it elsewhere",
                                     what, path.string(), covered));
    }
  };
  check("the program", fs::read_symlink("/proc/self/exe"));
  std::error_code gone;
  const auto directory = fs::current_path(gone);
  if (gone)
    throw SystemError(gone.value(), {.tried = "find the working directory",
                                     .remedy = "it may have been deleted: cd to one that is there"});
  check("the working directory", directory);
  check("KNETSIM_OUT", out_directory());
}

// An ordinary user's PATH lacks them, and nft, ip, iptables live there.
void append_sbin_to_path() {
  const char* before = std::getenv("PATH");
  std::string path = before != nullptr && *before != '\0' ? before : "/usr/local/bin:/usr/bin:/bin";
  for (const char* directory : {"/usr/local/sbin", "/usr/sbin", "/sbin"})
    if ((":" + path + ":").find(":" + std::string(directory) + ":") == std::string::npos)
      path += ":" + std::string(directory);
  ::setenv("PATH", path.c_str(), 1);
}

std::string sysctl_or_empty(const std::string& name) {
  try {
    return read_file("/proc/sys/" + name).substr(0, 1);
  } catch (const SystemError&) {
    return {};  // not every kernel has each of them
  }
}

std::string remedy_for_refused_namespaces(int error) {
  if (auto limit = remedy_for_namespaces(error, "user mnt pid net ipc uts"); !limit.empty()) return limit;
  if (sysctl_or_empty("kernel/unprivileged_userns_clone") == "0") return "sysctl kernel.unprivileged_userns_clone=1";
  if (sysctl_or_empty("kernel/apparmor_restrict_unprivileged_userns") == "1")
    return "sysctl kernel.apparmor_restrict_unprivileged_userns=0";
  return sandbox::kPrivilegesRemedy;
}

void write_map(const char* path, const std::string& content) {
  const Fd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), content.data(), content.size()) < 0) throw SystemError("write", path);
}

// Children of ours that aren't root lose their capabilities on exec unless these are ambient (capabilities(7)).
void make_capabilities_ambient() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) != 0) throw SystemError("read the capabilities");
  for (auto& half : data) half.inheritable = half.permitted;
  if (::syscall(SYS_capset, &header, data) != 0) throw SystemError("make capabilities inheritable");
  for (unsigned capability = 0; capability < 64; ++capability)
    if ((data[capability / 32].permitted >> (capability % 32) & 1) != 0)
      ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
}

// The user keeps its own number: mapped to 0 instead, programs that drop privileges (tcpdump, nginx) would fail in
// setgroups and chown.
void unshare_with_user_namespace(int namespaces) {
  const auto uid = ::geteuid();
  const auto gid = ::getegid();
  if (::unshare(namespaces | CLONE_NEWUSER) != 0) {
    const int error = errno;  // looking for the remedy changes it
    throw SystemError(error, {.tried = "create a user namespace (running as uid " + std::to_string(uid) + ")",
                              .remedy = remedy_for_refused_namespaces(error)});
  }
  write_map("/proc/self/setgroups", "deny");
  write_map("/proc/self/uid_map", fmt::format("{0} {0} 1", uid));
  write_map("/proc/self/gid_map", fmt::format("{0} {0} 1", gid));
  make_capabilities_ambient();
}

void unshare_all(int namespaces) {
  if (::geteuid() == 0) {
    if (::unshare(namespaces) == 0) return;
    // Root of a container without CAP_SYS_ADMIN may still be allowed a user namespace.
    if (errno != EPERM) {
      const int error = errno;
      throw SystemError(error,
                        {.tried = "create namespaces", .remedy = remedy_for_namespaces(error, "mnt pid net ipc uts")});
    }
  }
  unshare_with_user_namespace(namespaces);
}

// The kernel kills us when the outer process dies. If that happened before we asked for it, its end of `alive` is
// closed already.
void die_with_parent(const Fd& alive) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pollfd event{alive.get(), POLLIN, 0};
  if (::poll(&event, 1, 0) != 0) ::_exit(2);
}

// What is the same whether the sandbox has pids of its own or not.
void furnish(const Fd& view) {
  sandbox::mount_fresh();
  sandbox::show_view(view);
  sandbox::protect_host();
  sandbox::hide_name_servers();
  sandbox::mount_hosts();
  sandbox::ask_hosts_first();
  constexpr std::string_view kHostName = "knetsim";
  if (::sethostname(kHostName.data(), kHostName.size()) != 0) throw SystemError("set the sandbox's host name");
  NetNs::set_loopback_up();
  if (!keep_only(capabilities_of_the_sandbox())) throw SystemError("give up what a lab doesn't need");
}

bool enter_in_place(const Fd& view) {
  unshare_all(kNamespaces);
  sandbox::make_mounts_private();
  furnish(view);
  return false;
}

bool enter_with_init(const Fd& view) {
  std::fflush(nullptr);
  auto alive = Pipe::create();
  auto report = Pipe::create();
  unshare_all(kNamespaces | CLONE_NEWPID);
  sandbox::block_forwarded_signals();

  const pid_t init = ::fork();
  if (init < 0) throw SystemError("fork the sandbox's init");
  if (init > 0) {
    alive.read.reset();
    report.write.reset();
    sandbox::wait_outside(init, report.read);
  }

  alive.write.reset();
  report.read.reset();
  die_with_parent(alive.read);
  sandbox::make_mounts_private();
  sandbox::mount_proc();
  furnish(view);

  const pid_t program = ::fork();
  if (program < 0) throw SystemError("fork the program inside the sandbox");
  if (program > 0) sandbox::run_init(program, report.write, view);
  sandbox::unblock_forwarded_signals();
  return true;
}

bool another_process_runs() {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c); })) continue;
    if (name != "1" && name != std::to_string(::getpid())) return true;
  }
  return false;
}

// Without a pid namespace of its own, kill(-1) would reach the host: there, owners alone kill what they started.
void kill_all_others() {
  ::kill(-1, SIGKILL);
  eventually([]() -> std::optional<std::string> {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    return another_process_runs() ? std::optional<std::string>("the end of killed processes") : std::nullopt;
  });
}

}  // namespace

Sandbox Sandbox::enter() try {
  raise_limits();
  append_sbin_to_path();
  refuse_paths_that_vanish();
  auto view = sandbox::claim_view();
  const char* mode = std::getenv("KNETSIM_SANDBOX");
  const bool in_place = mode != nullptr && std::string_view(mode) == "off";
  const bool own_pids = in_place ? enter_in_place(view) : enter_with_init(view);
  return {own_pids, std::move(view)};
} catch (const std::exception& error) {
  std::fprintf(stderr, "knetsim: can't enter the sandbox: %s\n", error.what());
  // Not exit(3): this may be the init, and buffers and handlers are the outer process's.
  ::_exit(2);
}

void Sandbox::renew() const {
  if (own_pids_) kill_all_others();
  sandbox::dismantle();
  sandbox::unmount_hosts();
  sandbox::unmount_fresh();
  if (::unshare(CLONE_NEWNET) != 0) throw SystemError("create a network namespace");
  sandbox::mount_fresh();
  sandbox::mount_hosts();
  sandbox::show_view(view_);
  NetNs::set_loopback_up();
}

fs::path out_directory() {
  const char* set = std::getenv("KNETSIM_OUT");
  return fs::absolute(set != nullptr && *set != '\0' ? set : "knetsim-out");
}

}  // namespace knetsim
