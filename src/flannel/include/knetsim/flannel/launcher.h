#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/etcd/sync_client.h"
#include "knetsim/flannel/config.h"
#include "knetsim/flannel/options.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/parts/flavour.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/process.h"

namespace knetsim::flannel {

/// Which of etcd's stores a daemon keeps its leases in: flanneld 0.6 to 0.17 v2, later ones and ours v3.
enum class EtcdApi { v2, v3 };

/// A daemon that can be launched.
struct Program {
  parts::Flavour flavour = parts::Flavour::builtin;  ///< or real
  std::filesystem::path path;
  std::string version;  ///< what --version says
  EtcdApi api = EtcdApi::v3;
  std::string fault;  ///< a known one of that release, in words
};

/// "knetsim-flanneld (built-in)", "/usr/bin/flanneld v0.27.4", with its fault behind it
std::string to_string(const Program& program);

/// The variables that choose a daemon.
struct Environment {
  std::optional<std::string> flannel;   ///< KNETSIM_FLANNEL: auto, real or builtin
  std::optional<std::string> flanneld;  ///< KNETSIM_FLANNELD: a real one's path
  std::optional<std::string> bindir;    ///< KNETSIM_BINDIR: where our own programs are
  static Environment current();
};

/// `requested` isn't mixed. What is automatic follows KNETSIM_FLANNEL; if that says nothing either: the real daemon if
/// there is one, else the built-in. Throws InputError, saying how to get it, if a real one was asked for and there is
/// none or it can't work here (no iptables; 0.20.0, which can't use plain http; 0.20.1 to 0.21.2, which lose leases).
Program resolve(parts::Flavour requested = parts::Flavour::automatic,
                const Environment& environment = Environment::current());

/// Where and how a daemon is to run. `netns` must outlive it.
struct LaunchSpec {
  Program program = {};
  const NetNs* netns = nullptr;
  DaemonOptions options;
  std::filesystem::path directory;  ///< cwd and HOME; made if absent
  std::filesystem::path log;        ///< appended to; the parent must exist
};

/// A launched daemon, in a session of its own; killed with this handle. Move-only.
class Launched {
 public:
  /// Returns at once. The log begins with the program's version and arguments.
  static Launched start(LaunchSpec spec);
  Launched(Launched&&) noexcept;
  Launched& operator=(Launched&&) noexcept;
  ~Launched();

  Process& process() noexcept;
  const LaunchSpec& spec() const noexcept;
  /// Waits until this daemon (not an earlier one) has written its subnet.env and its VXLAN link has its address. Throws
  /// StillMissing, or at once Error if the daemon has ended, both with the end of its log.
  SubnetEnv wait_until_ready(const Config& config, std::chrono::milliseconds budget = kDefaultBudget);

 private:
  struct State;
  explicit Launched(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Starts one daemon for each spec and waits until all are ready: real ones one after the other, as an orderly rollout
/// does, then built-in ones all at once. In the order of the specs.
std::vector<Launched> launch_all(const std::vector<LaunchSpec>& specs, const Config& config,
                                 std::chrono::milliseconds budget = kDefaultBudget);

/// Writes the network config where every flannel daemon that is given this prefix looks for it, in etcd's v2 and v3
/// stores. Doesn't check the config: parse_config() does. Throws InputError as parse_prefix().
void write_config(etcd::SyncClient& client, const std::string& prefix, const std::string& json);

}  // namespace knetsim::flannel
