#include "knetsim/etcd/ensemble.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <set>
#include <utility>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"

namespace knetsim::etcd {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kFirstPatience{250};

void check(const std::vector<MemberSpec>& specs) {
  const auto refuse = [](const std::string& reason) { throw InputError("etcd cluster: " + reason); };
  if (specs.empty()) refuse("it has no members");
  std::set<std::string> names;
  std::set<Address> addresses;
  for (const MemberSpec& spec : specs) {
    if (spec.name.empty() || spec.name.find_first_of(",= \t\n") != std::string::npos)
      refuse("\"" + spec.name + "\" can't be a member's name");
    if (!names.insert(spec.name).second) refuse("two members are called \"" + spec.name + "\"");
    if (!addresses.insert(spec.address).second) refuse("two members have the address " + spec.address.to_string());
  }
}

/// Until a member that may still come up is asked again: at once if one of them ends.
class Pace {
 public:
  explicit Pace(std::vector<Member>& members) {
    for (Member& member : members) ends_.push_back({member.process().pidfd().get(), POLLIN, 0});
  }
  void wait() {
    ::poll(ends_.data(), ends_.size(), static_cast<int>(delay_.count()));
    // Boots take some 100 ms: ask often then, and seldom when it takes long.
    if (++rounds_ > 100) delay_ = std::min(delay_ * 2, milliseconds(50));
  }

 private:
  std::vector<pollfd> ends_;
  milliseconds delay_{2};
  int rounds_ = 0;
};

std::string title(const Member& member) {
  return fmt::format("etcd member {} ({})", member.spec().name, member.spec().address.to_string());
}

[[noreturn]] void report_end(Member& member) {
  throw knetsim::Error(
      describe({.where = title(member), .tried = "become healthy", .answer = member.ailment().value_or("it ended")}));
}

/// Says of each member that isn't well why, with the end of its log.
[[noreturn]] void report_delay(std::vector<Member>& members, milliseconds spent) {
  std::string reasons;
  for (Member& member : members) {
    std::optional<std::string> reason = member.peer_ailment();
    if (!reason && (reason = member.ailment(kFirstPatience))) *reason += " (its peer port answers)";
    if (!reason) continue;
    reasons += fmt::format("\n  {}: {}; the end of {}:\n{}", title(member), *reason, member.spec().log.string(),
                           member.log_tail());
  }
  throw knetsim::Error(describe({.where = "etcd",
                                 .tried = fmt::format("get healthy within {} ms", spent.count()),
                                 .answer = reasons.empty() ? "it did so only now" : reasons}));
}

/// Waits until `ailment` finds nothing wrong with any member; called `before` each round.
template <typename Before, typename Ailment>
void wait_for_all(std::vector<Member>& members, steady_clock::time_point begin, milliseconds budget, Before before,
                  Ailment ailment) {
  Pace pace(members);
  std::size_t well = 0;
  while (true) {
    before();
    std::optional<std::string> wrong;
    while (well < members.size() && !(wrong = ailment(members[well]))) ++well;
    if (!wrong) return;
    const auto spent = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
    for (Member& member : members)
      if (!member.process().running()) report_end(member);
    if (spent >= budget) report_delay(members, spent);
    pace.wait();
  }
}

/// Makes a cluster without a leader elect one now: its first member stands for election as soon as all can vote and,
/// should that come to nothing, the others in their turn.
class Election {
 public:
  Election(std::vector<Member>& members, steady_clock::time_point deadline) : members_(members), deadline_(deadline) {}

  void prompt() {
    if (steady_clock::now() < due_) return;
    if (turn_ > 0) patience_ *= 2;
    members_[turn_++ % members_.size()].prompt_election();
    due_ = steady_clock::now() + patience_;
  }
  /// How long to wait for what needs a leader before the next one stands: longer each time, for a machine that is short
  /// of time, but never past the deadline.
  milliseconds patience() const {
    const auto left = std::chrono::ceil<milliseconds>(deadline_ - steady_clock::now());
    return std::clamp(left, milliseconds(1), patience_);
  }

 private:
  std::vector<Member>& members_;
  steady_clock::time_point deadline_;
  std::size_t turn_ = 0;
  milliseconds patience_ = kFirstPatience;
  steady_clock::time_point due_ = steady_clock::time_point::min();
};

// Constant: the program's path is in the symbolic link beside it. No proxy of the host's serves an emulated network.
constexpr const char* kWrapper = R"(#!/bin/sh
ETCDCTL_API="${ETCDCTL_API:-2}"
NO_PROXY='*'
no_proxy='*'
export ETCDCTL_API NO_PROXY no_proxy
exec "${0%/*}/.etcdctl" "$@"
)";
constexpr unsigned kExecutable = 0755;

}  // namespace

Ensemble Ensemble::start(std::vector<MemberSpec> specs, const Options& options) {
  check(specs);
  const auto begin = steady_clock::now();
  const auto serves_peers = [](Member& member) { return member.peer_ailment(); };
  const auto nothing = [] {};

  std::vector<Member> members;
  members.push_back(Member::start(specs.front(), specs, options.timing));
  if (specs.size() > 1) {
    wait_for_all(members, begin, options.budget, nothing, serves_peers);
    for (std::size_t i = 1; i < specs.size(); ++i) members.push_back(Member::start(specs[i], specs, options.timing));
  }
  wait_for_all(members, begin, options.budget, nothing, serves_peers);
  Election election(members, begin + options.budget);
  wait_for_all(
      members, begin, options.budget, [&] { election.prompt(); },
      [&](Member& member) { return member.ailment(election.patience()); });
  return Ensemble(std::move(members));
}

std::vector<std::string> Ensemble::endpoints() const {
  std::vector<std::string> urls;
  for (const Member& member : members_) urls.push_back(member.endpoint());
  return urls;
}

SyncClient Ensemble::client() const {
  ClientOptions options;
  options.endpoints = endpoints();
  const NetNs* netns = members_.front().spec().netns;
  return netns == nullptr ? SyncClient(std::move(options)) : SyncClient(*netns, std::move(options));
}

void Ensemble::wait_until_healthy(milliseconds budget) {
  wait_for_all(
      members_, steady_clock::now(), budget, [] {}, [](Member& member) { return member.ailment(); });
}

void install_etcdctl(const std::filesystem::path& directory) {
  const std::filesystem::path program = require_program("etcdctl");
  replace_symlink(program, directory / ".etcdctl");
  write_file_atomically(directory / "etcdctl", kWrapper, kExecutable);
}

}  // namespace knetsim::etcd
