#include "knetsim/parts/program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <regex>
#include <vector>

#include "knetsim/sys/error.h"
#include "knetsim/sys/installation.h"
#include "knetsim/sys/text.h"

namespace knetsim::parts {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kPatience{10};
constexpr std::size_t kLongestAnswer = 4096;

InputError refused(const Part& part, const std::string& tried, const std::string& answer) {
  return InputError(describe({.tried = tried, .answer = answer, .remedy = std::string(part.remedy)}));
}

bool is_program(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

Program find_builtin(const Part& part, const Environment& environment) {
  auto program = find_own(std::string(part.own), environment);
  program.part = &part;
  return program;
}

/// In an image: links in there are the image's own, and are followed only when it has become the root.
std::optional<fs::path> find_in_root(const fs::path& root, const std::string& name) {
  const auto there = [&](const fs::path& path) {
    std::error_code error;
    return fs::exists(fs::symlink_status(root / path.relative_path(), error));
  };
  if (name.find('/') != std::string::npos) return there(name) ? std::optional<fs::path>(name) : std::nullopt;
  for (const char* directory : {"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin", "/bin"})
    if (const auto path = fs::path(directory) / name; there(path)) return path;
  return std::nullopt;
}

/// Of a part whose variable may be the real one's path: that, if it is one.
std::optional<std::string> path_in(const Part& part, const Environment& environment) {
  auto value = part.on_request ? environment.get(part.variable) : std::nullopt;
  return value && value->find('/') != std::string::npos ? std::move(value) : std::nullopt;
}

std::optional<Program> find_real(const Part& part, const Environment& environment) {
  Program program{.part = &part, .flavour = Flavour::real, .path = {}};
  const auto wanted = part.on_request ? path_in(part, environment) : environment.get(part.path_variable);
  if (const auto root = environment.get(part.root_variable)) {
    const auto name = wanted.value_or(std::string(part.real.front()));
    const auto path = find_in_root(*root, name);
    if (!path)
      throw refused(part, fmt::format("use {}={}", part.root_variable, *root),
                    fmt::format("there is no {} in it", name));
    program.path = *path;
    program.root = *root;
    return program;
  }
  const auto path = find_program(wanted ? fs::absolute(*wanted).string() : std::string(part.real.front()));
  if (wanted && !path)
    throw refused(part, fmt::format("use {}={}", part.on_request ? part.variable : part.path_variable, *wanted),
                  "there is no executable file of that name");
  if (!path) return std::nullopt;
  program.path = *path;
  return program;
}

const Releases* known_of(const Program& program, Releases::Verdict verdict) {
  if (program.flavour == Flavour::builtin || !program.release) return nullptr;
  const auto& all = program.part->releases;
  const auto found = std::find_if(all.begin(), all.end(), [&](const Releases& one) {
    return one.verdict == verdict && one.from <= *program.release && *program.release < one.before;
  });
  return found != all.end() ? &*found : nullptr;
}

/// Asks a real one what it is, and so finds out whether it runs here.
Program examine(Program program) {
  const auto& part = *program.part;
  const auto answer = [&] {
    try {
      return ask_version({.argv = {program.path.string(), "--version"}, .root = program.root});
    } catch (const InputError& error) {
      throw InputError(fmt::format("{}\n  remedy: {}", error.what(), part.remedy));
    }
  }();
  program.version = answer.substr(0, answer.find_first_of("\r\n"));
  program.release = release_in(answer);
  if (!program.release && part.tells_release)
    throw refused(part, fmt::format("find a release in what {} says", program.path.string()), answer);
  if (const auto* known = known_of(program, Releases::Verdict::refused))
    throw InputError(describe({.where = program.path.string(),
                               .tried = fmt::format("use {} {}", part.real.front(), fmt::join(*program.release, ".")),
                               .answer = std::string(known->why),
                               .remedy = std::string(known->remedy)}));
  if (const auto* known = known_of(program, Releases::Verdict::faulty)) program.fault = known->why;
  if (!part.needs.empty()) require_program(std::string(part.needs));
  return program;
}

}  // namespace

Environment Environment::current() {
  std::map<std::string, std::string, std::less<>> variables;
  for (char** one = ::environ; one != nullptr && *one != nullptr; ++one) {
    const std::string_view text(*one);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return Environment(std::move(variables));
}

std::optional<std::string> Environment::get(std::string_view name) const {
  const auto found = variables_.find(name);
  if (found == variables_.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

Environment Environment::with(std::string_view name, std::string value) const {
  auto other = *this;
  other.variables_.insert_or_assign(std::string(name), std::move(value));
  return other;
}

Flavour parse_flavour(std::string_view text, const Part& part) {
  if (const auto flavour = flavour_named(text); flavour && !is_mixed(*flavour)) return *flavour;
  throw InputError(fmt::format("{} isn't a flavour of {}; choose {}", excerpt(text), part.name, choices_of(part)));
}

Flavour chosen(const Part& part, Flavour requested, const Environment& environment) {
  if (requested != Flavour::automatic) return requested;
  if (path_in(part, environment)) return Flavour::real;
  const auto value = environment.get(part.variable);
  const auto flavour = value ? parse_flavour(*value, part) : requested;
  return flavour == Flavour::automatic && part.on_request ? Flavour::builtin : flavour;
}

std::string to_string(const Program& program) {
  if (program.flavour == Flavour::builtin) return program.path.filename().string() + " (built-in)";
  return fmt::format("{} {}{}{}", program.path.string(), program.version,
                     program.root.empty() ? "" : " in " + program.root.string(),
                     program.fault.empty() ? "" : " (" + program.fault + ")");
}

Program resolve(const Part& part, Flavour requested, const Environment& environment) {
  const auto flavour = chosen(part, requested, environment);
  if (flavour == Flavour::builtin) return find_builtin(part, environment);
  if (auto program = find_real(part, environment)) return examine(std::move(*program));
  if (flavour == Flavour::automatic) return find_builtin(part, environment);
  throw refused(part, fmt::format("use a real {}", part.real.front()), "there is none on PATH");
}

Program find_own(const std::string& name, const Environment& environment) {
  std::vector<fs::path> directories{own_directory()};
  if (const auto bindir = environment.get("KNETSIM_BINDIR")) directories.insert(directories.begin(), *bindir);
  if (const auto path = find_file(name, directories, {".", "../libexec/knetsim", "../bin", "../../bin"});
      path && is_program(*path))
    return {.path = *path};
  if (const auto path = find_program(name)) return {.path = *path};
  throw InputError(
      describe({.tried = "find " + name,
                .answer = "it is neither beside this program nor on PATH",
                .remedy = fmt::format("build the target {}, or set KNETSIM_BINDIR to its directory", name)}));
}

std::optional<std::string> why_not_beside_builtin(const Program& program) {
  const auto* known = known_of(program, Releases::Verdict::apart);
  if (known == nullptr) return std::nullopt;
  return describe({.where = to_string(program),
                   .tried = fmt::format("run it beside a built-in {}", program.part->kind),
                   .answer = std::string(known->why),
                   .remedy = std::string(known->remedy)});
}

std::string ask_version(const Command& command, const std::string& input) try {
  const auto answer = exec(command, kPatience, input, kLongestAnswer);
  const auto trimmed = [](std::string_view text) {
    return fit_for_message(text.substr(0, text.find_last_not_of(" \r\n") + 1));
  };
  const auto& said = answer.out.empty() ? answer.err : answer.out;
  if (answer.ok() && !said.empty()) return trimmed(said);
  throw InputError(describe({.tried = fmt::format("ask {} for its version", command.argv.front()),
                             .answer = answer.timed_out ? fmt::format("no answer within {} s", kPatience.count())
                                                        : fmt::format("{}: {}", answer.status.describe(),
                                                                      trimmed(answer.out + answer.err))}));
} catch (const SystemError& error) {
  throw InputError(error.what());
}

std::optional<Release> release_in(std::string_view text) {
  const std::string start(text.substr(0, kLongestAnswer));  // a regular expression's stack grows with its text
  static const std::regex kRelease(R"((\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?)");
  std::smatch match;
  if (!std::regex_search(start, match, kRelease)) return std::nullopt;
  Release release{};
  for (std::size_t i = 0; i < release.size(); ++i)
    if (match[i + 1].matched) release.at(i) = static_cast<unsigned>(std::stoul(match[i + 1]));
  return release;
}

}  // namespace knetsim::parts
