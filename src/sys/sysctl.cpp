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
}  // namespace

std::string read_sysctl(std::string_view name) {
  auto value = read_file(path_of(name));
  if (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

void write_sysctl(std::string_view name, std::string_view value) {
  const auto path = path_of(name);
  const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), value.data(), value.size()) < 0)
    throw SystemError("write \"" + std::string(value) + "\"", path);
}

}  // namespace knetsim
