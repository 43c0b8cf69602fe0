#include "knetsim/sys/installation.h"

#include <cstdlib>

#include "knetsim/sys/error.h"

namespace knetsim {

namespace fs = std::filesystem;

namespace {

constexpr const char* kOwnProgram = "/proc/self/exe";

bool is_own_program(const fs::path& path) {
  std::error_code absent;
  return fs::equivalent(path, kOwnProgram, absent);
}

}  // namespace

fs::path own_directory() {
  std::error_code failure;
  const auto program = fs::read_symlink(kOwnProgram, failure);
  if (failure)
    throw SystemError(failure.value(),
                      {.tried = "find out which program this is", .remedy = "see that /proc is mounted"});
  // In a sandbox within a chroot the kernel names it as seen from outside: /srv/root/usr/bin/knetsim for
  // /usr/bin/knetsim.
  for (auto from = program.begin(); from != program.end(); ++from) {
    fs::path inside = "/";
    for (auto part = from; part != program.end(); ++part) inside /= *part;
    if (is_own_program(inside)) return inside.parent_path();
  }
  return program.parent_path();
}

std::vector<fs::path> own_directories() {
  std::vector<fs::path> directories;
  if (const char* bindir = std::getenv("KNETSIM_BINDIR"); bindir != nullptr && *bindir != '\0')
    directories.emplace_back(bindir);
  directories.push_back(own_directory());
  return directories;
}

std::optional<fs::path> find_file(const std::string& name, const std::vector<fs::path>& directories,
                                  std::initializer_list<const char*> places) {
  for (const auto& directory : directories)
    for (const auto* place : places) {
      std::error_code absent;
      // A directory is taken as it was given: ".." behind a link leads elsewhere than its text says.
      const bool itself = std::string_view(place) == ".";
      if (auto file = itself ? directory / name : (directory / place / name).lexically_normal();
          fs::is_regular_file(file, absent))
        return file;
    }
  return std::nullopt;
}

}  // namespace knetsim
