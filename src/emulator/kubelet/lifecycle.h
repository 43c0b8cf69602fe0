#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "back_off.h"
#include "knetsim/kube/time.h"

namespace knetsim::kubelet {

/// How a run of a container ended.
struct Ending {
  int exit_code = 0;
  int signal = 0;
  std::string reason = {};  ///< "Completed", "Error", "ContainerCannotRun"
  std::string message = {};
  kube::Time started = {};
  kube::Time finished = {};
  std::string id = {};  ///< of the run
  bool good() const noexcept { return exit_code == 0 && signal == 0; }
};

enum class Role {
  init,     ///< runs to its end, before the next begins
  sidecar,  ///< an init container that is always restarted: the next begins when it has started
  main,
  ephemeral,  ///< added while the pod runs, started once; the pod's state is none of its business
};
enum class RestartPolicy { always, on_failure, never };
enum class Stage { waiting, running, ended };

/// One container of a pod, and what has become of it.
struct ContainerRecord {
  std::string name;
  std::string image;
  Role role = Role::main;

  Stage stage = Stage::waiting;
  std::string reason = {};  ///< why it waits: "ContainerCreating", "CrashLoopBackOff"
  std::string message = {};
  kube::Time started_at = {};         ///< while it runs
  std::optional<Ending> ending = {};  ///< if its run has ended, and no other has begun or is waited for
  std::optional<Ending> last = {};    ///< the one before
  std::string id = {};                ///< of its run
  int runs = 0;                       ///< how often it was started
  bool started = false;               ///< runs, and its startup probe has succeeded
  bool ready = false;                 ///< its readiness probe, or if it has none, started

  BackOff back_off = {};
  Instant ended_at = {};  ///< or couldn't be started
  bool refused = false;   ///< its start failed
  std::string refusal_reason = {};
  std::string refusal = {};

  int restarts() const noexcept { return runs > 1 ? runs - 1 : 0; }
};

/// Seconds that an object asks for, as far as a clock can count them: a day at most.
std::chrono::seconds seconds_in(const nlohmann::json& number);

/// What is to be done next.
struct Steps {
  std::vector<std::string> start = {};
  std::vector<std::string> stop = {};           ///< sidecars of a pod that has done its work
  std::optional<Instant> again = std::nullopt;  ///< a back-off ends then
};

/// The containers of a pod, in order, and which of them is to run: what a kubelet decides, without a clock and without
/// a process.
class Lifecycle {
 public:
  explicit Lifecycle(const nlohmann::json& pod);

  /// One of `ephemeralContainers`, unless it is there already.
  void add_ephemeral(const nlohmann::json& container);
  /// Nothing is started from here on.
  void terminate() noexcept { terminating_ = true; }
  bool terminating() const noexcept { return terminating_; }

  /// Steps that are due. Whoever calls it tells of each that it was done.
  Steps next(Instant now);

  void started(const std::string& name, const std::string& id, bool has_startup, bool has_readiness, Instant now,
               kube::Time time);
  /// It couldn't be started: why, as a waiting reason and in words.
  void refused(const std::string& name, const std::string& reason, const std::string& message, Instant now);
  void ended(const std::string& name, Ending ending, Instant now);
  /// Its startup probe has succeeded.
  void startup_done(const std::string& name, bool has_readiness);
  void set_ready(const std::string& name, bool ready);

  const std::vector<ContainerRecord>& containers() const noexcept { return containers_; }
  ContainerRecord& container(const std::string& name);
  RestartPolicy policy() const noexcept { return policy_; }

  bool initialized() const;   ///< init containers have ended well, sidecars have started
  std::string phase() const;  ///< "Pending", "Running", "Succeeded", "Failed"
  /// Nothing of it will ever run again.
  bool finished() const;

 private:
  bool restarts(const ContainerRecord& record) const;
  void consider(ContainerRecord& record, Instant now, Steps& steps) const;

  std::string name_;  ///< "web_default(uid)", as messages have it
  RestartPolicy policy_ = RestartPolicy::always;
  std::vector<ContainerRecord> containers_;  ///< init containers first, ephemeral ones last
  bool terminating_ = false;
};

}  // namespace knetsim::kubelet
