#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <vector>

#include "knetsim/skupper/launcher.h"
#include "knetsim/sys/error.h"

namespace knetsim::skupper {

namespace fs = std::filesystem;

namespace {

constexpr const char* kBuiltin = "knetsim-skrouterd";
constexpr const char* kReal = "skrouterd";
constexpr const char* kHowToGetOne =
    "Debian has no package of it; unpack the image quay.io/skupper/skupper-router and set "
    "KNETSIM_SKUPPER_ROOT=/path/to/it, or set KNETSIM_SKROUTERD=/path/to/skrouterd, or choose KNETSIM_SKUPPER=builtin";

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? std::optional<std::string>(value) : std::nullopt;
}

InputError refused(const std::string& tried, const std::string& answer) {
  return InputError(describe({.where = {}, .tried = tried, .answer = answer, .remedy = kHowToGetOne}));
}

bool is_program(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

Program find_builtin(const Environment& environment) {
  std::vector<fs::path> places;
  if (environment.bindir) places.emplace_back(*environment.bindir);
  std::error_code error;
  if (const auto own = fs::read_symlink("/proc/self/exe", error).parent_path(); !error) {
    for (const auto* relative : {".", "../libexec/knetsim", "../bin", "../../bin"}) places.push_back(own / relative);
  }
  for (const auto& place : places) {
    if (const auto path = (place / kBuiltin).lexically_normal(); is_program(path))
      return {.flavour = parts::Flavour::builtin, .path = path};
  }
  if (const auto path = find_program(kBuiltin)) return {.flavour = parts::Flavour::builtin, .path = *path};
  throw InputError(describe({.where = {},
                             .tried = fmt::format("find {}", kBuiltin),
                             .answer = "it is neither beside this program nor on PATH",
                             .remedy = "build the target knetsim-skrouterd, or set KNETSIM_BINDIR to its directory"}));
}

/// In an image: links in there are the image's own, and are followed only when it has become the root.
std::optional<fs::path> find_in_root(const fs::path& root, const std::optional<std::string>& wanted) {
  const auto there = [&](const fs::path& path) {
    std::error_code error;
    return fs::exists(fs::symlink_status(root / path.relative_path(), error));
  };
  if (wanted) return there(*wanted) ? std::optional<fs::path>(*wanted) : std::nullopt;
  for (const char* directory : {"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin", "/bin"})
    if (const auto path = fs::path(directory) / kReal; there(path)) return path;
  return std::nullopt;
}

std::optional<Program> find_real(const Environment& environment) {
  if (environment.skupper_root) {
    const fs::path root = *environment.skupper_root;
    if (const auto path = find_in_root(root, environment.skrouterd))
      return Program{.flavour = parts::Flavour::real, .path = *path, .root = root};
    throw refused("use KNETSIM_SKUPPER_ROOT=" + root.string(),
                  "there is no " + environment.skrouterd.value_or(kReal) + " in it");
  }
  if (environment.skrouterd) {
    if (is_program(*environment.skrouterd))
      return Program{.flavour = parts::Flavour::real, .path = *environment.skrouterd};
    throw refused("use KNETSIM_SKROUTERD=" + *environment.skrouterd, "there is no executable file of that name");
  }
  if (const auto path = find_program(kReal)) return Program{.flavour = parts::Flavour::real, .path = *path};
  return std::nullopt;
}

/// Asks it what it is, and so finds out whether it runs here.
Program examine(Program program) {
  const auto answer =
      exec({.argv = {program.path.string(), "--version"}, .root = program.root}, std::chrono::seconds(10));
  program.version = answer.out.substr(0, answer.out.find_first_of("\r\n"));
  if (!answer.ok() || program.version.empty())
    throw refused("ask " + program.path.string() + " for its version",
                  fmt::format("{}: {}{}", answer.status.describe(), answer.out, answer.err));
  return program;
}

}  // namespace

std::optional<std::string> why_not_beside_builtin(const Program& program) {
  constexpr int kFirstRelease = 3;
  if (program.flavour == parts::Flavour::builtin) return std::nullopt;
  int release = 0;
  const auto digit = program.version.find_first_of("0123456789");
  const auto number = std::string_view(program.version).substr(std::min(digit, program.version.size()));
  const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), release);
  if (code != std::errc{} || release >= kFirstRelease) return std::nullopt;
  return describe({.where = to_string(program),
                   .tried = "run it beside a built-in router",
                   .answer = "before release 3 skrouterd carries TCP in another way: services are offered, and each of "
                             "their connections breaks",
                   .remedy = "use release 3 or later, or the same flavour, real or builtin, for all routers"});
}

Environment Environment::current() {
  return {.skupper = variable("KNETSIM_SKUPPER"),
          .skrouterd = variable("KNETSIM_SKROUTERD"),
          .skupper_root = variable("KNETSIM_SKUPPER_ROOT"),
          .bindir = variable("KNETSIM_BINDIR")};
}

std::string to_string(const Program& program) {
  if (program.flavour == parts::Flavour::builtin) return program.path.filename().string() + " (built-in)";
  return fmt::format("{} {}{}", program.path.string(), program.version,
                     program.root.empty() ? "" : " in " + program.root.string());
}

Program resolve(parts::Flavour requested, const Environment& environment) {
  if (requested == parts::Flavour::automatic && environment.skupper)
    requested = parts::parse_flavour(*environment.skupper, "skupper");
  if (requested == parts::Flavour::builtin) return find_builtin(environment);
  if (auto program = find_real(environment)) return examine(std::move(*program));
  if (requested == parts::Flavour::automatic) return find_builtin(environment);
  throw refused("use a real skrouterd", "there is none on PATH");
}

}  // namespace knetsim::skupper
