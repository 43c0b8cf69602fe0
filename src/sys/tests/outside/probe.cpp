#include "probe.h"

#include <poll.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>

#include "knetsim/sys/error.h"

namespace knetsim {

namespace fs = std::filesystem;

Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::string probe() { return fs::read_symlink("/proc/self/exe").parent_path() / "sandbox-probe"; }

Arguments as_ordinary_user(const Arguments& command) {
  if (::geteuid() != 0) return command;
  return Arguments{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"} + command;
}

Arguments in_private_tmp(const std::string& script) {
  Arguments unshare = {"unshare", "--mount"};
  if (::geteuid() != 0) unshare.insert(unshare.end(), {"--user", "--map-root-user"});
  // Held open, since the build tree may lie below /tmp itself.
  return unshare + Arguments{"bash", "-c",
                             "exec 9<\"$0\" && mount -t tmpfs none /tmp || exit 99\nprobe=/proc/self/fd/9\n" + script,
                             probe()};
}

PublicDirectory::PublicDirectory() {
  auto name = (fs::temp_directory_path() / "knetsim-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw SystemError("make a directory", name);
  path_ = name;
  fs::permissions(path_, fs::perms(0755));
  fs::copy_file(knetsim::probe(), probe());
}

PublicDirectory::~PublicDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Flight::Flight(const Arguments& command) : child_(Child::launch({.argv = command}, in_.read, out_.write, out_.write)) {
  in_.read.reset();
  out_.write.reset();
}

// False at the end of the output; throws StillMissing if nothing comes.
bool Flight::read_some(std::chrono::milliseconds budget) {
  pollfd event{out_.read.get(), POLLIN, 0};
  if (::poll(&event, 1, static_cast<int>(budget.count())) == 0) throw StillMissing("output after: " + output_, budget);
  std::array<char, 4096> buffer;
  const auto count = ::read(out_.read.get(), buffer.data(), buffer.size());
  if (count > 0) output_.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0;
}

void Flight::wait_for(const std::string& line) {
  while (("\n" + output_).find("\n" + line + "\n") == std::string::npos)
    if (!read_some(kDefaultBudget)) throw Error("the output ended before \"" + line + "\": " + output_);
}

void Flight::wait_until_all_have_gone() {
  while (read_some(kDefaultBudget)) {
  }
}

}  // namespace knetsim
