#include "knetsim/sys/limits.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <optional>
#include <sstream>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"

namespace knetsim {

namespace {

std::optional<long> limit_of(const std::string& sysctl) {
  try {
    const auto text = read_file("/proc/sys/" + sysctl);
    long value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{}) return value;
  } catch (const SystemError&) {
    // not every kernel has each of them
  }
  return std::nullopt;
}

constexpr rlim_t kDescriptors = 1024;
constexpr rlim_t kAddressSpace = rlim_t{4} << 30;  // the Go runtime of etcd reserves it in large pieces

// Whether there is enough in the end.
bool raise_limit(__rlimit_resource_t resource, rlim_t enough) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur >= enough) return true;
  limit.rlim_cur = std::min(limit.rlim_max, enough);
  return ::setrlimit(resource, &limit) == 0 && limit.rlim_cur >= enough;
}

}  // namespace

void raise_limits() {
  raise_limit(RLIMIT_NOFILE, kDescriptors);
  if (!raise_limit(RLIMIT_AS, kAddressSpace))
    std::fputs("knetsim: the limit of address space is low (ulimit -v): etcd may not start below 4 GB\n", stderr);
}

std::string remedy_for_namespaces(int error, const std::string& kinds) {
  if (error != ENOSPC) return {};
  // The kernel doesn't tell which of them: the lowest limit is the likeliest.
  std::string lowest;
  std::optional<long> limit;
  std::istringstream words(kinds);
  for (std::string kind; words >> kind;) {
    const auto value = limit_of("user/max_" + kind + "_namespaces");
    if (value && (!limit || *value < *limit)) {
      limit = value;
      lowest = kind;
    }
  }
  if (!limit) return {};
  return fmt::format("sysctl user.max_{}_namespaces=10000 (now {}), or end other labs", lowest, *limit);
}

std::string remedy_for_inotify(int error) {
  const char* name = error == EMFILE ? "max_user_instances" : error == ENOSPC ? "max_user_watches" : nullptr;
  if (name == nullptr) return {};
  return fmt::format("sysctl fs.inotify.{0}=10000 (now {1}), or end what watches files", name,
                     limit_of(std::string("fs/inotify/") + name).value_or(0));
}

}  // namespace knetsim
