#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <regex>

#include "knetsim/flannel/launcher.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/installation.h"

namespace knetsim::flannel {

namespace fs = std::filesystem;

namespace {

constexpr const char* kBuiltin = "knetsim-flanneld";
constexpr const char* kHowToGetOne =
    "Debian has no package of it; take a release from https://github.com/flannel-io/flannel/releases and set "
    "KNETSIM_FLANNELD=/path/to/flanneld, or choose KNETSIM_FLANNEL=builtin";

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? std::optional<std::string>(value) : std::nullopt;
}

Program find_builtin(const Environment& environment) {
  std::vector<fs::path> directories{own_directory()};
  if (environment.bindir) directories.insert(directories.begin(), *environment.bindir);
  if (const auto path = find_own(kBuiltin, directories, {".", "../libexec/knetsim", "../bin", "../../bin"}))
    return {parts::Flavour::builtin, *path, {}, EtcdApi::v3, {}};
  if (const auto path = find_program(kBuiltin)) return {parts::Flavour::builtin, *path, {}, EtcdApi::v3, {}};
  throw InputError(describe({.where = {},
                             .tried = fmt::format("find {}", kBuiltin),
                             .answer = "it is neither beside this program nor on PATH",
                             .remedy = "build the target knetsim-flanneld, or set KNETSIM_BINDIR to its directory"}));
}

std::optional<fs::path> find_real(const Environment& environment) {
  if (!environment.flanneld) return find_program("flanneld");
  if (auto path = find_program(fs::absolute(*environment.flanneld))) return path;
  throw InputError(describe({.where = {},
                             .tried = "use KNETSIM_FLANNELD=" + *environment.flanneld,
                             .answer = "there is no executable file of that name",
                             .remedy = kHowToGetOne}));
}

/// Asks a real daemon what it is, and refuses one that can't work here.
Program examine(const fs::path& path) {
  const auto answer = exec({.argv = {path.string(), "--version"}}, std::chrono::seconds(10));
  const auto text = answer.err + answer.out;
  std::smatch match;
  if (!answer.ok() || !std::regex_search(text, match, std::regex(R"((\d+)\.(\d+)\.(\d+))")))
    throw InputError(describe({.where = path.string(),
                               .tried = "ask it for its version",
                               .answer = fmt::format("{}: {}", answer.status.describe(), text),
                               .remedy = kHowToGetOne}));
  const std::array<int, 3> version{std::stoi(match[1]), std::stoi(match[2]), std::stoi(match[3])};
  const bool after_v2 = version >= std::array{0, 20, 0};
  if (after_v2 && version < std::array{0, 21, 3}) {
    const auto* why = version == std::array{0, 20, 0}
                          ? "it can't speak plain http to etcd"
                          : "it arms its watch anew after each event, and never hears of a lease that was registered "
                            "in between: its workers lose each other";
    throw InputError(describe({.where = path.string(),
                               .tried = fmt::format("use flanneld {}", match.str()),
                               .answer = why,
                               .remedy = "use 0.21.3 or later (0.26.3 and later also end quietly), or 0.6 to 0.17"}));
  }
  require_program("iptables");
  const auto line = text.substr(0, text.find_first_of("\r\n"));
  Program program{parts::Flavour::real, path, line, after_v2 ? EtcdApi::v3 : EtcdApi::v2, {}};
  if (version >= std::array{0, 22, 0} && version < std::array{0, 26, 3})
    program.fault = "panics when it is stopped: \"close of closed channel\", exit code 2; 0.26.3 and later don't";
  return program;
}

}  // namespace

Environment Environment::current() {
  return {variable("KNETSIM_FLANNEL"), variable("KNETSIM_FLANNELD"), variable("KNETSIM_BINDIR")};
}

std::string to_string(const Program& program) {
  if (program.flavour == parts::Flavour::builtin) return program.path.filename().string() + " (built-in)";
  return program.path.string() + " " + program.version + (program.fault.empty() ? "" : " (" + program.fault + ")");
}

Program resolve(parts::Flavour requested, const Environment& environment) {
  if (requested == parts::Flavour::automatic && environment.flannel)
    requested = parts::parse_flavour(*environment.flannel, "flannel");
  if (requested == parts::Flavour::builtin) return find_builtin(environment);
  if (const auto path = find_real(environment)) return examine(*path);
  if (requested == parts::Flavour::automatic) return find_builtin(environment);
  throw InputError(describe(
      {.where = {}, .tried = "use a real flanneld", .answer = "there is none on PATH", .remedy = kHowToGetOne}));
}

}  // namespace knetsim::flannel
