#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "../pod_runtime.h"

namespace knetsim::kubelet {

/// One container of a pod, as far as others may work with it.
struct RegisteredContainer {
  Command command = {};           ///< how a program is started in it; without argv
  std::vector<Shown> shown = {};  ///< files that its programs see in other places
  bool runs = false;
  std::filesystem::path log = {};                      ///< of its present run, else of the last; empty: it never ran
  std::optional<std::filesystem::path> previous = {};  ///< of the run before
  Fd ended = {};                                       ///< readable when its present run has ended
  Fd gone = {};                                        ///< hung up when the pod is taken away
  Fd in = {};                                          ///< of its program, if its spec has stdin; doesn't block
  bool in_once = false;                                ///< who attaches first takes it along: stdinOnce
  bool terminal = false;                               ///< `in` is our side of the program's terminal
};

/// The containers of the Pods that a kubelet runs: it puts them in and takes them out, others use them meanwhile.
class PodRegistry : public PodRuntime {
 public:
  /// `others` has the containers of all other Pods, and outlives this.
  explicit PodRegistry(PodRuntime& others) : others_(&others) {}

  /// From now on its containers are looked for here alone.
  void add(const std::string& ns, const std::string& pod);
  void put(const PodContainer& where, RegisteredContainer container);
  /// All of a pod's containers; from now on nothing of them is used.
  void forget(const std::string& ns, const std::string& pod);
  /// Its run has ended; its log stays.
  void ended(const PodContainer& where);

  PodProgram start(const PodContainer& where, std::vector<std::string> argv, Streams wanted) override;
  PodAttachment attach(const PodContainer& where) override;
  Fd socket_in(const PodContainer& pod) override;
  PodLog log(const PodContainer& where, bool previous) override;

 private:
  bool has(const PodContainer& where);
  static std::string key_of(const PodContainer& where);
  RegisteredContainer& find(const PodContainer& where);
  RegisteredContainer& find_running(const PodContainer& where);

  PodRuntime* others_;
  std::mutex mutex_;
  std::set<std::string> pods_;                             // namespace/name
  std::map<std::string, RegisteredContainer> containers_;  // by key_of()
};

}  // namespace knetsim::kubelet
