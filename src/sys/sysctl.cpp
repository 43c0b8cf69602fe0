#include "knetsim/sys/sysctl.h"

#include <fcntl.h>

#include <algorithm>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/file.h"

namespace knetsim {

namespace {
std::string path_of(std::string_view name) {
  std::string path(name);
  // A name with a slash may hold dots of its own: "net/ipv4/conf/eth0.100/forwarding".
  if (path.find('/') == std::string::npos) std::replace(path.begin(), path.end(), '.', '/');
  return "/proc/sys/" + path;
}

void write_value(const Fd& file, std::string_view value, const std::string& path) {
  if (!file || ::write(file.get(), value.data(), value.size()) < 0)
    throw SystemError("write \"" + std::string(value) + "\"", path);
}
}  // namespace

std::string read_sysctl(std::string_view name) {
  auto value = read_file(path_of(name));
  if (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

void write_sysctl(std::string_view name, std::string_view value) {
  const auto path = path_of(name);
  const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  write_value(file, value, path);
}

SysctlDirectory::SysctlDirectory(std::string_view name)
    : fd_(::open(path_of(name).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), path_(path_of(name)) {
  if (!fd_) throw SystemError("open", path_);
}

SysctlDirectory SysctlDirectory::open(std::string_view name) const {
  const auto path = path_ + "/" + std::string(name);
  Fd fd(::openat(fd_.get(), std::string(name).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw SystemError("open", path);
  return {std::move(fd), path};
}

void SysctlDirectory::write(const std::string& name, std::string_view value) const {
  const Fd file(::openat(fd_.get(), name.c_str(), O_WRONLY | O_CLOEXEC));
  write_value(file, value, path_ + "/" + name);
}

}  // namespace knetsim
