#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/sys/netns.h"
#include "knetsim/sys/network.h"
#include "knetsim/sys/process.h"

namespace knetsim::etcd {

inline constexpr std::uint16_t kClientPort = 2379;
inline constexpr std::uint16_t kPeerPort = 2380;

class MemberProbe;

/// One etcd node-to-be. `netns` must outlive the member.
struct MemberSpec {
  std::string name;                 ///< unique in its cluster
  const NetNs* netns = nullptr;     ///< where it runs; null: the caller's
  Address address;                  ///< its own, up, reachable from the others
  std::filesystem::path directory;  ///< its data and its cwd; made if absent; data in it are taken up
  std::filesystem::path log;        ///< appended to; the parent must exist
};

/// Raft's timing (etcd's Documentation/tuning.md).
struct Timing {
  std::chrono::milliseconds heartbeat{100};
  std::chrono::milliseconds election{1'000};
};

/// A real etcd process with both stores (--enable-v2), listening on its address and on 127.0.0.1. Ends with its owner.
class Member {
 public:
  /// Spawns it and returns at once. `cluster` holds this member and all others. Throws InputError, naming the Debian
  /// package, if there is no etcd.
  static Member start(const MemberSpec& spec, const std::vector<MemberSpec>& cluster, const Timing& timing = {});

  Member(Member&&) noexcept;
  Member& operator=(Member&&) noexcept;
  ~Member();

  const MemberSpec& spec() const noexcept { return spec_; }
  /// "http://10.0.0.1:2379"
  std::string endpoint() const;
  /// What keeps it from being healthy: it has ended (with its last log lines), it doesn't answer, its own /health
  /// complains, or it can't do a linearizable read; nullopt if it is healthy. Asked from inside its namespace.
  /// `patience` is given to each of the two questions.
  std::optional<std::string> ailment(std::chrono::milliseconds patience = std::chrono::milliseconds{2'000});
  /// How it ended, with its last log lines, if it did so without having been told to.
  std::optional<std::string> unexpected_end();
  /// What keeps its peer port from answering; nullopt if it does.
  std::optional<std::string> peer_ailment();
  /// Makes it stand for election now; for a cluster that has no leader. False if it didn't take that.
  bool prompt_election();

  /// SIGTERM, and waits for the end. The data stay.
  void stop();
  /// SIGKILL, and waits for the end. The data stay.
  void kill();
  /// Starts it again on its data, after stop() or kill() or its own end. Returns at once.
  void restart();

  /// By stop() or kill(), since it was started last.
  bool told_to_end() const noexcept { return told_to_end_; }

  Process& process() noexcept { return process_; }
  /// What it logged last.
  std::string log_tail() const;

 private:
  Member(MemberSpec spec, Command command, Process process);
  std::optional<std::string> end();

  MemberSpec spec_;
  Command command_;
  Process process_;
  bool told_to_end_ = false;
  std::unique_ptr<MemberProbe> probe_;
};

}  // namespace knetsim::etcd
