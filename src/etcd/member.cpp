#include "knetsim/etcd/member.h"

#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <csignal>
#include <utility>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"
#include "member_probe.h"

namespace knetsim::etcd {
namespace {

constexpr std::chrono::milliseconds kEndBudget{10'000};
constexpr std::size_t kLogLines = 8;

Command make_command(const MemberSpec& spec, const std::vector<MemberSpec>& cluster, const Timing& timing) {
  std::string initial_cluster;
  for (const MemberSpec& each : cluster)
    initial_cluster += fmt::format("{}{}={}", initial_cluster.empty() ? "" : ",", each.name, peer_url(each));
  const std::string loopback = Endpoint{"127.0.0.1", std::to_string(kClientPort)}.url();
  Command command;
  command.argv = {require_program("etcd").string(), "--name=" + spec.name, "--data-dir=" + spec.directory.string(),
                  "--listen-client-urls=" + client_url(spec) + "," + loopback,
                  "--advertise-client-urls=" + client_url(spec), "--listen-peer-urls=" + peer_url(spec),
                  "--initial-advertise-peer-urls=" + peer_url(spec), "--initial-cluster=" + initial_cluster,
                  "--initial-cluster-state=new", fmt::format("--heartbeat-interval={}", timing.heartbeat.count()),
                  fmt::format("--election-timeout={}", timing.election.count()),
                  // A member that was frozen or cut off doesn't depose the leader when it comes back.
                  "--pre-vote=true", "--enable-v2=true", "--logger=zap", "--log-outputs=stderr", "--log-level=warn"};
  command.netns = spec.netns;
  command.directory = spec.directory;
  command.trust = Trust::daemon;
  return in_neutral_environment(std::move(command), "ETCD_");
}

dev_t device(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_dev : 0;
}

/// Below the state directory of a sandbox, which is a mount of its own: what is mounted there is seen by nobody else.
bool in_sandbox(const std::filesystem::path& directory) {
  const std::filesystem::path state = kStateDirectory;
  return directory.lexically_normal().string().starts_with(state.string() + "/") &&
         device(state) != device(state.parent_path());
}

/// Makes the directory (0700, as etcd wants it) if it is absent. An empty one in a sandbox becomes a ramfs: etcd
/// preallocates two WAL segments of 64 MB with fallocate(2), which on a tmpfs costs 123 MiB of memory and 40 ms a
/// member; where the filesystem can't do that, as ramfs can't, it makes sparse files instead. One that holds data stays
/// as it is.
void prepare_data_directory(const std::filesystem::path& directory) {
  make_directories(directory);
  // A kernel that refuses it leaves the memory spent, nothing else.
  if (in_sandbox(directory) && list_directory(directory).empty())
    ::mount("etcd", directory.c_str(), "ramfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700");
  if (::chmod(directory.c_str(), S_IRWXU) != 0) throw SystemError("set the mode of", directory.string());
}

}  // namespace

Member::Member(MemberSpec spec, Command command, Process process)
    : spec_(std::move(spec)),
      command_(std::move(command)),
      process_(std::move(process)),
      probe_(std::make_unique<MemberProbe>(spec_)) {}
Member::Member(Member&&) noexcept = default;
Member& Member::operator=(Member&&) noexcept = default;
Member::~Member() = default;

Member Member::start(const MemberSpec& spec, const std::vector<MemberSpec>& cluster, const Timing& timing) {
  Command command = make_command(spec, cluster, timing);
  prepare_data_directory(spec.directory);
  Process process = Process::spawn(command, spec.log);
  return Member(spec, std::move(command), std::move(process));
}

std::string Member::endpoint() const { return client_url(spec_); }

std::optional<std::string> Member::end() {
  const auto status = process_.status();
  if (!status) return std::nullopt;
  return "etcd has ended (" + status->describe() + "); the end of " + spec_.log.string() + ":\n" + log_tail();
}

std::string Member::log_tail() const { return process_.log_tail(kLogLines); }

std::optional<std::string> Member::ailment(std::chrono::milliseconds patience) {
  if (auto ended = end()) return ended;
  auto ailment = probe_->client_ailment(patience);
  if (!ailment) return std::nullopt;
  // It may have ended while it was asked: that says more.
  if (auto ended = end()) return ended;
  return ailment;
}

std::optional<std::string> Member::peer_ailment() {
  if (auto ended = end()) return ended;
  return probe_->peer_ailment();
}

bool Member::prompt_election() { return probe_->prompt_election(); }

void Member::stop() {
  told_to_end_ = true;
  process_.terminate(kEndBudget);
}

void Member::kill() {
  told_to_end_ = true;
  process_.signal(SIGKILL);
  process_.wait(kEndBudget);
}

void Member::restart() {
  if (process_.running()) stop();
  process_ = Process::spawn(command_, spec_.log);
  told_to_end_ = false;
}

std::optional<std::string> Member::unexpected_end() { return told_to_end_ ? std::nullopt : end(); }

}  // namespace knetsim::etcd
