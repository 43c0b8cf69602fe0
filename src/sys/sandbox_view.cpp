#include "sandbox_view.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>

#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::sandbox {

namespace fs = std::filesystem;

namespace {

constexpr mode_t kMode = 0755;
constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

std::string path_of(const Fd& directory) { return "/proc/self/fd/" + std::to_string(directory.get()); }

struct stat look_at(const Fd& directory) {
  struct stat found {};
  if (::fstat(directory.get(), &found) != 0) throw SystemError("look at", kStateView);
  return found;
}

// The kernel is asked, not the number alone: in a user namespace all strangers have the same one, which may be ours.
bool is_ours(const Fd& directory) {
  return look_at(directory).st_uid == ::geteuid() && ::chmod(path_of(directory).c_str(), kMode) == 0;
}

bool is_roots(const Fd& directory) {
  const auto found = look_at(directory);
  return found.st_uid == 0 && (found.st_mode & kWritableByOthers) == 0;
}

// The directory stays the same one, so that nothing is taken from its owner's labs. Its owner may have put something
// into it until the moment of the change: hence the second look.
bool root_takes_over(const Fd& directory) {
  if (::geteuid() != 0 || !fs::is_empty(path_of(directory))) return false;
  if (::fchownat(directory.get(), "", 0, 0, AT_EMPTY_PATH) != 0) return false;
  return ::chmod(path_of(directory).c_str(), kMode) == 0 && fs::is_empty(path_of(directory));
}

bool others_may_rename_it() {
  struct stat parent {};
  return ::stat(fs::path(kStateView).parent_path().c_str(), &parent) != 0 ||
         ((parent.st_mode & kWritableByOthers) != 0 && (parent.st_mode & S_ISVTX) == 0);
}

// Empty where it can't be made. Never through a link.
Fd make_or_open() {
  if (::mkdir(kStateView, kMode) != 0 && errno != EEXIST) return {};
  Fd directory(::open(kStateView, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory && errno != ENOENT)
    throw SystemError(errno, {.where = kStateView,
                              .tried = "use it as a mount point",
                              .remedy = "remove what is there; knetsim makes an empty directory of that name"});
  return directory;
}

// Why it isn't to be trusted; nothing if it is.
std::optional<Diagnosis> distrust(const Fd& directory) {
  if (others_may_rename_it())
    return Diagnosis{.where = kStateView,
                     .tried = "use it as a mount point",
                     .answer = "everybody may rename it: /tmp has no sticky bit",
                     .remedy = "chmod +t /tmp (as root)"};
  if (is_ours(directory) || is_roots(directory) || root_takes_over(directory)) return std::nullopt;
  return Diagnosis{.where = kStateView,
                   .tried = "use it as a mount point",
                   .answer = fmt::format("it belongs to uid {}, who may put anything there", look_at(directory).st_uid),
                   .remedy = "remove it, or have root make it for all users: install -d -o root -m 755 /tmp/knetsim"};
}

void go_without(const std::string& reason) {
  std::fprintf(stderr, "knetsim: %s\n  without it, the lab's files are found in %s alone\n", reason.c_str(),
               kStateDirectory);
}

bool is_shown() {
  struct stat state {};
  struct stat view {};
  return ::stat(kStateDirectory, &state) == 0 && ::stat(kStateView, &view) == 0 && state.st_dev == view.st_dev &&
         state.st_ino == view.st_ino;
}

bool is_the_same(const Fd& directory, const Fd& claimed) {
  if (!claimed) return false;
  const auto one = look_at(directory);
  const auto other = look_at(claimed);
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

}  // namespace

Fd claim_view() {
  auto place = make_or_open();
  if (!place) {
    go_without(describe({.where = kStateView, .tried = "make the directory", .answer = std::strerror(errno)}));
    return {};
  }
  const auto reason = distrust(place);
  if (!reason) return place;
  if (::geteuid() == 0) throw InputError(describe(*reason));
  go_without(describe(*reason));
  return {};
}

void show_view(const Fd& claimed) {
  if (is_shown()) return;
  // Opened anew: what was opened outside belongs to the host's mount namespace, where nothing can be mounted.
  const auto place = make_or_open();
  if (!place || (!is_the_same(place, claimed) && distrust(place))) return;
  if (::mount(kStateDirectory, path_of(place).c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0 && errno != ENOENT)
    throw SystemError("show the state directory", kStateView);
}

Fd watch_view() {
  Fd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  constexpr auto kChanges = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;
  if (watch && ::inotify_add_watch(watch.get(), fs::path(kStateView).parent_path().c_str(), kChanges) < 0)
    watch.reset();
  return watch;
}

void restore_view(const Fd& watch, const Fd& claimed) noexcept try {
  std::array<char, 4096> told;
  while (watch && ::read(watch.get(), told.data(), told.size()) > 0) {
  }
  show_view(claimed);
} catch (const std::exception&) {
  // What stands there is no directory: the next change is told again.
}

}  // namespace knetsim::sandbox
