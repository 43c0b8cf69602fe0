#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "knetsim/sys/fd.h"

namespace knetsim {

/// Reads and writes /proc/sys/<name> with dots or slashes ("net.ipv4.ip_forward"), for the calling thread's
/// namespaces: wrap it in NetNs::run.
std::string read_sysctl(std::string_view name);
void write_sysctl(std::string_view name, std::string_view value);

/// A directory below /proc/sys of the calling thread's namespaces, held open. Each step of a path costs the kernel a
/// search among the entries of all namespaces: whoever writes several sysctls to each of many goes down once.
class SysctlDirectory {
 public:
  explicit SysctlDirectory(std::string_view name);
  SysctlDirectory open(std::string_view name) const;
  void write(const std::string& name, std::string_view value) const;

 private:
  SysctlDirectory(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Fd fd_;
  std::string path_;
};

}  // namespace knetsim
