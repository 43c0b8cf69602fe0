#include "sandbox_hosts.h"

#include <fcntl.h>
#include <sys/mount.h>

#include <cerrno>
#include <filesystem>
#include <sstream>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::sandbox {

namespace {

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

}  // namespace

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

}  // namespace knetsim::sandbox
