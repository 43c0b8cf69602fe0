#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "../log_times.h"
#include "api_calls.h"
#include "environment.h"
#include "events.h"
#include "handler_run.h"
#include "knetsim/emulator/cluster.h"
#include "lifecycle.h"
#include "pod_account.h"
#include "pod_registry.h"
#include "pod_status.h"
#include "pod_volumes.h"
#include "probe_state.h"

namespace knetsim::kubelet {

/// What all pods of a kubelet have in common.
struct Surroundings {
  boost::asio::io_context& context;
  Cluster& cluster;
  ApiCalls& reads;
  ApiCalls& writes;
  PodRegistry& registry;
  LogClocks& clocks;
};

/// One Pod on its worker: from the moment that it is bound until it is gone. For the thread that runs the context. Its
/// probes are in pod_probes.cpp.
class PodWorker : public std::enable_shared_from_this<PodWorker> {
 public:
  PodWorker(Surroundings around, Worker& worker, nlohmann::json pod);
  PodWorker(PodWorker&&) = delete;
  ~PodWorker();

  /// As it is now in the API; the first time too.
  void update(nlohmann::json pod);
  /// It isn't in the API any more: what still runs is killed.
  void vanish();

  const std::string& uid() const noexcept { return uid_; }
  const nlohmann::json& pod() const noexcept { return pod_; }
  /// Its container in the emulation; null if there is none (any more).
  const Container* container() const noexcept { return container_; }

 private:
  struct Run;
  struct ProbeLoop;

  void turn();
  void turn_soon();
  bool stand();
  bool has_volumes();
  void start(const std::string& name);
  void gather(const std::string& name);
  void start_with(const std::string& name, const std::map<std::string, nlohmann::json>& objects);
  std::vector<Shown> view_of(const nlohmann::json& spec, const Environment& environment) const;
  void launch(const std::string& name, const nlohmann::json& spec, const Environment& environment);
  void run_hook(Run& run, const nlohmann::json& hook);
  void refuse(const std::string& name, const std::string& reason, const std::string& message);
  void stop(const std::string& name, const std::string& why, std::chrono::milliseconds grace);
  void send_end(Run& run);
  void has_ended(const std::string& name);
  void begin_probes(Run& run);
  void begin_probe(Run& run, ProbeKind kind);
  void look_later(const std::string& name, ProbeLoop& loop);
  void look(const std::string& name, ProbeKind kind);
  void looked(const std::string& name, ProbeLoop& loop, const std::optional<std::string>& failure);
  void terminate(std::chrono::seconds grace);
  void leave();
  void give_network_back();
  void report();

  const nlohmann::json& spec_of(const std::string& name) const;
  std::chrono::seconds grace() const;
  const Node& node() const;
  PodContainer where(const std::string& name) const;
  Command command_in(const std::string& name, const Environment& environment, std::vector<std::string> argv) const;
  HandlerPlace handler_place(const std::string& name, const Run& run) const;

  Surroundings around_;
  Worker& worker_;
  nlohmann::json pod_;
  std::string uid_;
  std::filesystem::path directory_;
  Lifecycle life_;
  PodPlace place_;
  Container* container_ = nullptr;
  bool host_network_;
  bool stands_ = false;  ///< its network is there
  std::chrono::seconds deletion_grace_{};
  bool over_ = false;  ///< nothing of it is left to be done
  nlohmann::json reported_;
  PodAccount account_;
  PodVolumes volumes_;
  PodEvents events_;
  boost::asio::steady_timer clock_;
  bool turn_is_due_ = false;
  std::chrono::milliseconds stand_again_{1000};
  Instant may_stand_{};
  std::set<std::string> starting_;
  std::map<std::string, std::unique_ptr<Run>> runs_;
  Pipe life_line_;  ///< its write end is closed when the pod is taken away
};

}  // namespace knetsim::kubelet
