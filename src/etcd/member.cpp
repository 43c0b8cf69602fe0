#include "knetsim/etcd/member.h"

#include <fmt/format.h>

#include <csignal>
#include <utility>

#include "data_directory.h"
#include "member_probe.h"

namespace knetsim::etcd {
namespace {

constexpr std::chrono::milliseconds kEndBudget{10'000};
constexpr std::size_t kLogLines = 8;

Command make_command(const MemberSpec& spec, const std::vector<MemberSpec>& cluster, const Timing& timing) {
  std::string initial_cluster;
  for (const MemberSpec& each : cluster) {
    initial_cluster += fmt::format("{}{}={}", initial_cluster.empty() ? "" : ",", each.name, peer_url(each));
  }
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
