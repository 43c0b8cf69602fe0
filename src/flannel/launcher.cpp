#include "knetsim/flannel/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <array>
#include <tuple>
#include <utility>

#include "knetsim/netlink/monitor.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/file.h"

namespace knetsim::flannel {

namespace {

using Clock = std::chrono::steady_clock;

/// Tells one file from a later one of the same name.
using FileStamp = std::tuple<ino_t, time_t, long>;

std::optional<FileStamp> stamp_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || status.st_size == 0) return std::nullopt;
  return FileStamp{status.st_ino, status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
}

Fd watch_directory(const std::filesystem::path& directory) {
  Fd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watch || ::inotify_add_watch(watch.get(), directory.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO) < 0)
    throw SystemError("watch the directory", directory.string());
  return watch;
}

void drain(FdView watch) {
  std::array<char, 4096> buffer;
  while (::read(watch.get(), buffer.data(), buffer.size()) > 0) {
  }
}

void note_in_log(const std::filesystem::path& log, const std::string& line) {
  const Fd file(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file || ::write(file.get(), line.data(), line.size()) < 0) throw SystemError("write the log", log.string());
}

std::chrono::milliseconds left(Clock::time_point deadline) {
  return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()),
                  std::chrono::milliseconds(0));
}

}  // namespace

struct Launched::State {
  LaunchSpec spec;
  std::optional<FileStamp> before;
  Fd watch;
  Process process;
};

Launched::Launched(std::unique_ptr<State> state) : state_(std::move(state)) {}
Launched::Launched(Launched&&) noexcept = default;
Launched& Launched::operator=(Launched&&) noexcept = default;
Launched::~Launched() = default;

Process& Launched::process() noexcept { return state_->process; }
const LaunchSpec& Launched::spec() const noexcept { return state_->spec; }

Launched Launched::start(LaunchSpec spec) {
  const auto& program = spec.program;
  make_directories(spec.directory);
  const auto& subnet_file = spec.options.subnet_file;
  make_directories(subnet_file.parent_path());

  if (program.flavour == parts::Flavour::real) spec.options.lease_ttl = DaemonOptions{}.lease_ttl;
  Command command{
      .argv = {program.path.string()}, .netns = spec.netns, .directory = spec.directory, .trust = Trust::daemon};
  for (auto& argument : to_arguments(spec.options)) command.argv.push_back(std::move(argument));
  note_in_log(spec.log, fmt::format("# {}: {}\n", to_string(program), fmt::join(command.argv, " ")));
  // The file of an earlier daemon stays: it is what this one takes its subnet from.
  auto watch = watch_directory(subnet_file.parent_path());
  const auto before = stamp_of(subnet_file);
  auto process = Process::spawn(in_neutral_environment(std::move(command), "FLANNELD_"), spec.log);
  return Launched(std::make_unique<State>(State{std::move(spec), before, std::move(watch), std::move(process)}));
}

SubnetEnv Launched::wait_until_ready(const Config& config, std::chrono::milliseconds budget) {
  const auto deadline = Clock::now() + budget;
  const auto& spec = state_->spec;
  auto& process = state_->process;
  for (;;) {
    const auto now = stamp_of(spec.options.subnet_file);
    if (now && now != state_->before) break;
    if (const auto status = process.status())
      throw Error(fmt::format("{} ended before it had a lease ({}); its log {} ends:\n{}", process.name(),
                              status->describe(), spec.log.string(), process.log_tail()));
    if (left(deadline).count() == 0)
      throw StillMissing(fmt::format("{} hasn't written {}; its log {} ends:\n{}", process.name(),
                                     spec.options.subnet_file.string(), spec.log.string(), process.log_tail()),
                         budget);
    std::array<pollfd, 2> events{{{state_->watch.get(), POLLIN, 0}, {process.pidfd().get(), POLLIN, 0}}};
    ::poll(events.data(), events.size(), static_cast<int>(left(deadline).count()) + 1);
    drain(state_->watch);
  }
  auto env = read_subnet_env(spec.options.subnet_file);
  if (config.backend.type == BackendType::vxlan) {
    const auto wait = [&](const std::optional<Network>& subnet, bool v6) {
      if (subnet)
        netlink::wait_for_address(*spec.netns, vxlan_link_name(config.backend.vni, v6), address_of(canonical(*subnet)),
                                  std::max(left(deadline), std::chrono::milliseconds(1)));
    };
    wait(env.subnet, false);
    wait(env.ipv6_subnet, true);
  }
  return env;
}

std::vector<Launched> launch_all(const std::vector<LaunchSpec>& specs, const Config& config,
                                 std::chrono::milliseconds budget) {
  std::vector<std::optional<Launched>> daemons(specs.size());
  for (std::size_t i = 0; i < specs.size(); ++i)
    if (specs[i].program.flavour == parts::Flavour::real)
      daemons[i].emplace(Launched::start(specs[i])).wait_until_ready(config, budget);
  for (std::size_t i = 0; i < specs.size(); ++i)
    if (!daemons[i]) daemons[i] = Launched::start(specs[i]);
  std::vector<Launched> launched;
  launched.reserve(daemons.size());
  for (auto& daemon : daemons) {
    if (daemon->spec().program.flavour == parts::Flavour::builtin) daemon->wait_until_ready(config, budget);
    launched.push_back(std::move(*daemon));
  }
  return launched;
}

void write_config(etcd::SyncClient& client, const std::string& prefix, const std::string& json) {
  const auto key = parse_prefix(prefix) + "/config";
  client.put(key, json);
  client.put_v2(key, json);
}

}  // namespace knetsim::flannel
