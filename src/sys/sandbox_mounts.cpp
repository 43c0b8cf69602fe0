#include "sandbox_mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::sandbox {

namespace fs = std::filesystem;

namespace {

constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV;

void mount_one(const char* type, const std::string& target, unsigned long flags, const char* options = nullptr) {
  if (::mount(type, target.c_str(), type, flags, options) == 0) return;
  throw SystemError(
      errno,
      {.where = target, .tried = "mount " + std::string(type), .remedy = errno == EPERM ? kPrivilegesRemedy : ""});
}

// shm_overview(7). A link would lead elsewhere, into /run mostly.
constexpr const char* kSharedMemory = "/dev/shm";

bool has_shared_memory() {
  struct stat found {};
  return ::lstat(kSharedMemory, &found) == 0 && S_ISDIR(found.st_mode);
}

constexpr const char* kHosts = "/etc/hosts";
constexpr const char* kSwitch = "/etc/nsswitch.conf";

void bind_file(const char* from, const char* to) {
  if (::mount(from, to, nullptr, MS_BIND, nullptr) != 0 && errno != ENOENT) throw SystemError("mount a file", to);
}

// "files dns" of "hosts:  files dns  # comment"; empty for a line about something else
std::string sources_of_hosts(std::string line) {
  line.erase(std::min(line.find('#'), line.size()));
  std::istringstream words(line);
  std::string word;
  words >> word;
  if (word == "hosts:") return std::string(std::istreambuf_iterator<char>(words), {});
  return word.starts_with("hosts:") ? line.substr(line.find(':') + 1) : std::string{};
}

bool files_first(const std::string& sources) {
  std::istringstream words(sources);
  std::string first;
  words >> first;
  return first == "files";
}

// Of /dev the names: what a device is asked to do passes a read-only mount.
constexpr const char* kSystem[] = {"/bin",   "/boot",   "/dev", "/etc",  "/lib", "/lib32",
                                   "/lib64", "/libx32", "/opt", "/sbin", "/usr", "/var"};
constexpr const char* kKernel[] = {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus",
                                   "/proc/fs",  "/proc/acpi"};

// Where servers write that are started as they are, such as nginx.
constexpr const char* kScratch[] = {"/var/log", "/var/lib/nginx"};
constexpr int kScratchDepth = 2;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  const auto status = fs::symlink_status(path, ignored);
  return fs::exists(status) && !fs::is_symlink(status);
}

bool lies_below(const fs::path& path, const fs::path& directory) {
  const auto relative = fs::weakly_canonical(path).lexically_relative(directory);
  return !relative.empty() && *relative.begin() != "..";
}

bool caller_works_in(const fs::path& directory) {
  const char* home = std::getenv("HOME");
  return lies_below(fs::current_path(), directory) || lies_below(out_directory(), directory) ||
         (home != nullptr && *home == '/' && lies_below(home, directory));
}

void bind_onto_itself(const char* path) {
  if (::mount(path, path, nullptr, MS_BIND | MS_REC, nullptr) != 0) throw SystemError("bind it onto itself", path);
}

void make_read_only(const char* path) {
  bind_onto_itself(path);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(AT_FDCWD, path, 0, &attributes, sizeof attributes) != 0)
    throw SystemError("make it read-only", path);
}

// Empty but for the directories, which belong to whom they did.
void cover_with_scratch(const fs::path& path) {
  std::vector<std::pair<fs::path, struct stat>> directories;
  const auto add = [&](const fs::path& directory) {
    struct stat found {};
    if (::lstat(directory.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) directories.emplace_back(directory, found);
  };
  add(path);
  std::error_code ignored;
  constexpr auto kOptions = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator entry(path, kOptions, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    if (entry.depth() + 1 >= kScratchDepth) entry.disable_recursion_pending();
    add(entry->path());
  }
  if (::mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=10%") != 0)
    throw SystemError("mount a tmpfs", path.string());
  for (const auto& [directory, found] : directories) {
    if (directory != path && ::mkdir(directory.c_str(), 0700) != 0)
      throw SystemError("make the directory", directory.string());
    // In a user namespace its owner may have no number.
    const bool same_owner = ::chown(directory.c_str(), found.st_uid, found.st_gid) == 0;
    if ((!same_owner && errno != EPERM && errno != EINVAL) || ::chmod(directory.c_str(), found.st_mode) != 0)
      throw SystemError("give the directory its owner", directory.string());
  }
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

void mount_hosts() {
  write_file_atomically(kHostsFile, kLocalHosts);
  bind_file(kHostsFile, kHosts);
}

void unmount_hosts() noexcept { ::umount2(kHosts, MNT_DETACH); }

void ask_hosts_first() {
  std::error_code absent;
  if (!std::filesystem::is_regular_file(kSwitch, absent)) return;  // then that is what the C library does
  const auto changed = with_hosts_first(read_file(kSwitch));
  if (changed.empty()) return;
  constexpr const char* kPrivate = "/run/nsswitch.conf";
  write_file_atomically(kPrivate, changed);
  bind_file(kPrivate, kSwitch);
  std::filesystem::remove(kPrivate);
}

std::string with_hosts_first(std::string_view configuration) {
  std::istringstream lines{std::string(configuration)};
  std::string changed;
  bool is_so = true;
  for (std::string line; std::getline(lines, line);) {
    const auto sources = sources_of_hosts(line);
    if (!sources.empty() && !files_first(sources)) {
      line = "hosts: files dns";
      is_so = false;
    }
    changed += line + "\n";
  }
  return is_so ? std::string{} : changed;
}

void protect_host() {
  for (const char* path : kScratch)
    if (is_there(path) && !caller_works_in("/var")) cover_with_scratch(path);
  if (::geteuid() != 0) return;
  // Mounts of their own, which stay writable when what lies around them no longer is.
  for (const char* path : {"/proc/sys/net", "/var/tmp"})
    if (is_there(path)) bind_onto_itself(path);
  for (const char* path : kKernel)
    if (is_there(path)) make_read_only(path);
  for (const char* path : kSystem)
    if (is_there(path) && !caller_works_in(path)) make_read_only(path);
}

void make_root_a_mount_point() {
  const auto before = fs::current_path();
  const Fd root(static_cast<int>(::open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)));
  if (!root || ::move_mount(root.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0 || ::fchdir(root.get()) != 0 ||
      ::chroot(".") != 0 || ::chdir(before.c_str()) != 0)
    throw SystemError(errno, {.where = "/",
                              .tried = "make it a mount point (in a chroot it is none)",
                              .remedy = "mount --bind ROOT ROOT before chroot, or use pivot_root"});
}

}  // namespace knetsim::sandbox
