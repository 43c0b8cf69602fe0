#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "doctor.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "text.h"

namespace knetsim::cli {

namespace fs = std::filesystem;

namespace {

constexpr int kNetAdmin = 12;  // CAP_NET_ADMIN, capabilities(7)
constexpr int kSysAdmin = 21;  // CAP_SYS_ADMIN

std::optional<std::string> read_setting(const fs::path& path) {
  try {
    auto value = read_file(path);
    while (!value.empty() && value.back() == '\n') value.pop_back();
    return value;
  } catch (const SystemError&) {
    return std::nullopt;  // not every kernel has each of them
  }
}

Finding finding_of(std::string name, Finding::State state, std::string detail, std::string remedy = {}) {
  return {"privileges", std::move(name), state, std::move(detail), std::move(remedy)};
}

std::uint64_t effective_capabilities(const fs::path& status) {
  for (const auto& line : split_lines(read_setting(status).value_or("")))
    if (line.starts_with("CapEff:")) return std::stoull(line.substr(7), nullptr, 16);
  return 0;
}

Finding examine_user(const Machine& machine) {
  if (machine.user != 0)
    return finding_of("user", Finding::State::good, fmt::format("uid {}: rootless, in a user namespace", machine.user));
  const auto capabilities = effective_capabilities(machine.status);
  const auto has = [&](int number) { return (capabilities >> number & 1) != 0; };
  if (has(kNetAdmin) && has(kSysAdmin)) return finding_of("user", Finding::State::good, "root");
  const auto missing =
      fmt::format("root without {}{}", has(kSysAdmin) ? "" : "CAP_SYS_ADMIN ", has(kNetAdmin) ? "" : "CAP_NET_ADMIN");
  return finding_of("user", machine.may_make_namespaces ? Finding::State::good : Finding::State::bad, missing,
                    machine.may_make_namespaces ? "" : "docker run --privileged, or leave the container");
}

// A setting that forbids user namespaces matters only to an ordinary user whom the kernel did refuse.
Finding examine_setting(const Machine& machine, const std::string& name, const std::string& value, bool forbids,
                        const std::string& allow) {
  const auto detail = fmt::format("= {}", value);
  if (!forbids) return finding_of(name, Finding::State::good, detail);
  if (machine.user == 0) return finding_of(name, Finding::State::good, detail + ": no matter to root");
  if (machine.may_make_namespaces) return finding_of(name, Finding::State::good, detail + ", and yet it works");
  return finding_of(name, Finding::State::bad, detail + ": ordinary users may not make user namespaces",
                    fmt::format("sudo sysctl -w {}={}, or run it as root", name, allow));
}

}  // namespace

std::vector<Finding> examine_privileges(const Machine& machine) {
  struct Setting {
    const char* name;
    const char* path;
    const char* forbidding;
    const char* allowing;
  };
  constexpr Setting kSettings[] = {
      {"kernel.unprivileged_userns_clone", "kernel/unprivileged_userns_clone", "0", "1"},
      {"kernel.apparmor_restrict_unprivileged_userns", "kernel/apparmor_restrict_unprivileged_userns", "1", "0"},
      {"user.max_user_namespaces", "user/max_user_namespaces", "0", "10000"}};
  std::vector<Finding> findings{examine_user(machine)};
  for (const auto& setting : kSettings)
    if (const auto value = read_setting(machine.sysctls / setting.path))
      findings.push_back(
          examine_setting(machine, setting.name, *value, *value == setting.forbidding, setting.allowing));
  return findings;
}

}  // namespace knetsim::cli
