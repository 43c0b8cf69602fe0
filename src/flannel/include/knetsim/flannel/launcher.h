#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/etcd/sync_client.h"
#include "knetsim/flannel/config.h"
#include "knetsim/flannel/options.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/parts/program.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/process.h"

namespace knetsim::flannel {

/// Which of etcd's stores a daemon keeps its leases in: flanneld 0.6 to 0.17 v2, later ones and ours v3.
enum class EtcdApi { v2, v3 };
EtcdApi etcd_api_of(const parts::Program& program);

/// Where and how a daemon is to run. `netns` must outlive it.
struct LaunchSpec {
  parts::Program program = {};  ///< of parts::kFlannel
  const NetNs* netns = nullptr;
  DaemonOptions options;
  std::filesystem::path directory;  ///< cwd and HOME; made if absent
  std::filesystem::path log;        ///< appended to; the parent must exist
};

/// Waits until a daemon has written its subnet.env, in the place of the one that was there `before` it began: then it
/// has its lease. Throws StillMissing, or at once Error if the daemon has ended, both with the end of its log.
void wait_for_lease(Process& daemon, const std::filesystem::path& subnet_file, const std::optional<FileStamp>& before,
                    std::chrono::milliseconds budget);

/// A launched daemon, in a session of its own; killed with this handle. Move-only.
class Launched {
 public:
  /// Returns at once. The log begins with the program's version and arguments.
  static Launched start(LaunchSpec spec);

  Process& process() noexcept { return process_; }
  const LaunchSpec& spec() const noexcept { return spec_; }
  /// wait_for_lease(); and until its VXLAN link has its address.
  SubnetEnv wait_until_ready(const Config& config, std::chrono::milliseconds budget = kDefaultBudget);

 private:
  Launched(LaunchSpec spec, std::optional<FileStamp> before, Process process);

  LaunchSpec spec_;
  std::optional<FileStamp> before_;
  Process process_;
};

/// Starts one daemon for each spec and waits until all are ready: real ones one after the other, as an orderly rollout
/// does, then built-in ones all at once. In the order of the specs.
std::vector<Launched> launch_all(const std::vector<LaunchSpec>& specs, const Config& config,
                                 std::chrono::milliseconds budget = kDefaultBudget);

/// Writes the network config where every flannel daemon that is given this prefix looks for it, in etcd's v2 and v3
/// stores. Doesn't check the config: parse_config() does. Throws InputError as parse_prefix().
void write_config(etcd::SyncClient& client, const std::string& prefix, const std::string& json);

}  // namespace knetsim::flannel
