#include "knetsim/sys/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/sandbox.h"
#include "privileges.h"

namespace knetsim {

namespace bp = boost::process::v2;
using boost::system::error_code;
namespace fs = std::filesystem;

namespace {

using std::string_view_literals::operator""sv;

// A trailing star stands for any ending.
constexpr std::array kForAll{
    "PATH"sv,         "HOME"sv,         "USER"sv,         "LOGNAME"sv,         "LANG"sv,        "LANGUAGE"sv,
    "LC_*"sv,         "TZ"sv,           "TMPDIR"sv,       "LD_LIBRARY_PATH"sv, "LD_PRELOAD"sv,  "ASAN_OPTIONS"sv,
    "LSAN_OPTIONS"sv, "MSAN_OPTIONS"sv, "TSAN_OPTIONS"sv, "UBSAN_OPTIONS"sv,   "GCOV_PREFIX*"sv};
constexpr std::array kForPeople{"TERM"sv,     "COLORTERM"sv, "COLUMNS"sv, "LINES"sv,    "SHELL"sv,
                                "EDITOR"sv,   "VISUAL"sv,    "PAGER"sv,   "LESS"sv,     "LS_COLORS"sv,
                                "NO_COLOR"sv, "INPUTRC"sv,   "PWD"sv,     "KNETSIM_*"sv};

bool fits(std::string_view pattern, std::string_view variable) {
  return pattern.back() == '*' ? variable.starts_with(pattern.substr(0, pattern.size() - 1)) : variable == pattern;
}

bool named_by_the_user(std::string_view variable) {
  const char* list = std::getenv("KNETSIM_ENV");
  for (std::string_view rest = list != nullptr ? list : ""; !rest.empty();) {
    const auto comma = rest.find(',');
    if (rest.substr(0, comma) == variable) return true;
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  return false;
}

/// Whether a program of this trust is told the variable: an allow-list, so that a token of whoever started the lab
/// isn't handed to everything in it.
bool hands_on(Trust trust, std::string_view variable) {
  const auto fits_it = [&](std::string_view pattern) { return fits(pattern, variable); };
  if (trust == Trust::full || std::any_of(kForAll.begin(), kForAll.end(), fits_it)) return true;
  if (trust == Trust::daemon) return false;
  return std::any_of(kForPeople.begin(), kForPeople.end(), fits_it) || named_by_the_user(variable);
}

InputError refused(const fs::path& root, const std::string& answer) {
  return InputError(describe({.where = root.string(),
                              .tried = "use it as a root directory",
                              .answer = answer,
                              .remedy = "name the directory that an image was unpacked to, the one with usr/ in it"}));
}

/// A directory that a child takes for its root: Command::root.
class OtherRoot {
 public:
  /// Throws InputError if it can't be one: it has no /proc, /dev, /run or /tmp of its own.
  explicit OtherRoot(const std::filesystem::path& root);

  /// A program's path in there. Throws InputError if it isn't absolute or isn't there.
  std::filesystem::path require_program(const std::string& path) const;

  /// Between fork and exec, async-signal-safe: gives the calling process mounts of its own and makes this its root.
  /// False, with errno set, if the kernel refuses.
  bool enter() const noexcept;

 private:
  std::string root_;
  std::string run_;
  std::string tmp_;
  std::string state_;
  std::vector<std::pair<const char*, std::string>> binds_;  ///< from where, to where
};

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

/// Of a mount and of those below it: mount_setattr(2), which glibc 2.35 doesn't know. Kernels before 5.12 don't either:
/// of the mount alone then.
bool forbid_writes(const char* at) noexcept {
  struct {
    std::uint64_t set, clear, propagation, userns;
  } attributes{.set = 1, .clear = 0, .propagation = 0, .userns = 0};  // MOUNT_ATTR_RDONLY
  constexpr long kMountSetattr = 442;
  if (::syscall(kMountSetattr, AT_FDCWD, at, AT_RECURSIVE, &attributes, sizeof attributes) == 0) return true;
  constexpr unsigned long kNoWrites = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV;
  return errno == ENOSYS && ::mount(nullptr, at, nullptr, kNoWrites, nullptr) == 0;
}

/// Between fork and exec, async-signal-safe. What is mounted outside later is seen inside as well.
bool show(const std::vector<Shown>& shown) noexcept {
  if (shown.empty()) return true;
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return false;
  for (const auto& one : shown) {
    const char* const from = one.from.c_str();
    const char* const at = one.at.c_str();
    if (at[0] == '/' && at[1] == '\0') {
      if (::chroot(from) != 0 || ::chdir("/") != 0) return false;
      continue;
    }
    if (::mount(from, at, nullptr, MS_BIND | MS_REC, nullptr) != 0) {
      if (one.if_there && ::access(from, F_OK) != 0) continue;
      return false;
    }
    if (one.read_only && !forbid_writes(at)) return false;
  }
  return true;
}

// Runs between fork and exec: async-signal-safe calls only.
struct ChildSetup {
  int netns;
  int uts;
  const char* directory;
  const OtherRoot* root;
  int stdio[3];
  const Extras& extras;
  pid_t parent;
  bool confined;

  error_code on_exec_setup(bp::posix::default_launcher&, const boost::filesystem::path&, const char* const*&) const {
    const auto failed = [] { return error_code(errno, boost::system::system_category()); };
    if (::setsid() < 0) return failed();
    if (extras.dies_with_caller) {
      if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return failed();
      if (::getppid() != parent) ::_exit(2);  // it has died before the line above
    }
    if (netns >= 0 && ::setns(netns, CLONE_NEWNET) != 0) return failed();
    if (uts >= 0 && ::setns(uts, CLONE_NEWUTS) != 0) return failed();
    if (!show(extras.shown)) return failed();
    if (root != nullptr && !root->enter()) return failed();
    if (directory[0] != '\0' && ::chdir(directory) != 0) return failed();
    for (int target = 0; target < 3; ++target) {
      if (stdio[target] == target) {
        if (::fcntl(target, F_SETFD, 0) != 0) return failed();
      } else if (::dup2(stdio[target], target) < 0) {
        return failed();
      }
    }
    if (extras.terminal && ::ioctl(0, TIOCSCTTY, 0) != 0) return failed();
    // Boost 1.81 leaves descriptors open that lie below its own error pipe.
    if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return failed();
    for (const FdView kept : extras.kept)
      if (::fcntl(kept.get(), F_SETFD, 0) != 0) return failed();
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (confined && !keep_only(capabilities_of_a_daemon())) return failed();
    for (int number : {SIGPIPE, SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGCHLD}) ::signal(number, SIG_DFL);
    return {};
  }

  // The launcher would call exit(3) next, which runs the parent's atexit handlers in the child.
  template <typename... Ignored>
  [[noreturn]] void on_exec_error(Ignored&&...) const {
    ::_exit(127);
  }
};

std::vector<std::string> environment_of(const Command& command) {
  auto added = command.environment;
  if (!command.directory.empty()) added.emplace("HOME", command.directory.string());
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto begins = [&](const std::string& prefix) { return text.starts_with(prefix); };
    const auto name = text.substr(0, text.find('='));
    if (std::any_of(command.withheld.begin(), command.withheld.end(), begins)) continue;
    if (!hands_on(command.trust, name)) continue;
    if (!added.contains(std::string(name))) entries.emplace_back(text);
  }
  for (const auto& [name, value] : added) entries.push_back(name + "=" + value);
  return entries;
}

}  // namespace

struct Child::State {
  boost::asio::io_context context{1};
  std::optional<bp::process> process;
  Fd pidfd;  // Boost 1.81 has one, but its native_handle() doesn't compile
};

Child::Child(std::unique_ptr<State> state) : state_(std::move(state)) {}
Child::Child(Child&&) noexcept = default;

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    kill();
    state_ = std::move(other.state_);
  }
  return *this;
}

Child::~Child() { kill(); }

Child Child::launch(const Command& command, FdView in, FdView out, FdView err, const Extras& extras) {
  if (command.argv.empty()) throw InputError("can't run an empty command");
  std::optional<OtherRoot> root;
  if (!command.root.empty()) root.emplace(command.root);
  const auto& name = command.argv.front();
  const bool is_elsewhere = name.starts_with('/') && std::any_of(extras.shown.begin(), extras.shown.end(),
                                                                 [](const Shown& one) { return one.at == "/"; });
  const auto program = root           ? root->require_program(name)
                       : is_elsewhere ? fs::path(name)  // only the child sees whether it is there
                                      : require_program(name);
  const auto entries = environment_of(command);
  std::vector<const char*> environment;
  for (const auto& entry : entries) environment.push_back(entry.c_str());
  environment.push_back(nullptr);

  bp::posix::default_launcher launcher;
  launcher.env = environment.data();
  // dup2 onto 0..2 must not overwrite one of the others before it is used: lift low descriptors out of the way.
  std::vector<Fd> lifted;
  ChildSetup setup{command.netns ? command.netns->fd().get() : -1,
                   command.uts ? command.uts->fd().get() : -1,
                   command.directory.c_str(),
                   root ? &*root : nullptr,
                   {},
                   extras,
                   ::getpid(),
                   command.trust >= Trust::pod};
  const FdView stdio[] = {in, out, err};
  for (int i = 0; i < 3; ++i) {
    setup.stdio[i] = stdio[i].get();
    if (setup.stdio[i] < 3 && setup.stdio[i] != i) {
      lifted.emplace_back(::fcntl(setup.stdio[i], F_DUPFD_CLOEXEC, 3));
      setup.stdio[i] = lifted.back().get();
    }
  }

  auto state = std::make_unique<State>();
  const std::vector<std::string> arguments(command.argv.begin() + 1, command.argv.end());
  error_code error;
  state->process.emplace(launcher(state->context.get_executor(), error, program.c_str(), arguments, setup));
  if (error) {
    if (launcher.pid > 0) ::waitpid(launcher.pid, nullptr, 0);
    throw SystemError(
        error.value(),
        {.tried = "start " + program.string(),
         .remedy = command.directory.empty() ? std::string{} : "see that " + command.directory.string() + " exists"});
  }
  state->pidfd = Fd(static_cast<int>(::syscall(SYS_pidfd_open, state->process->id(), 0)));
  if (!state->pidfd) throw SystemError("open a pidfd of " + program.string());
  return Child(std::move(state));
}

pid_t Child::pid() const noexcept { return state_ ? state_->process->id() : -1; }
FdView Child::pidfd() const noexcept { return state_->pidfd; }

std::optional<ExitStatus> Child::status() {
  error_code error;
  if (state_->process->running(error)) return std::nullopt;
  return ExitStatus(state_->process->native_exit_code());
}

ExitStatus Child::wait(std::chrono::milliseconds budget) {
  const auto deadline = std::chrono::steady_clock::now() + budget;
  for (;;) {
    if (const auto ended = status()) return *ended;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) throw StillMissing(fmt::format("the end of process {}", pid()), budget);
    pollfd event{pidfd().get(), POLLIN, 0};
    ::poll(&event, 1, static_cast<int>(left.count()));
  }
}

void Child::kill() {
  if (!state_ || !state_->process) return;
  if (!status()) {
    ::kill(-pid(), SIGKILL);
    error_code ignored;
    state_->process->wait(ignored);
  }
}

}  // namespace knetsim
