#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "log_times.h"
#include "pod_runtime.h"

namespace knetsim {

/// What of a log is wanted.
struct LogOptions {
  bool follow = false;
  bool previous = false;
  std::optional<std::uint64_t> tail_lines = {};
  std::optional<std::uint64_t> limit_bytes = {};
  bool timestamps = false;            ///< each line begins with when it was written
  std::optional<LogTime> since = {};  ///< what was written then or later
};

/// What a kubelet's endpoint is asked for. Its node is for the endpoint to fill in.
struct KubeletRequest {
  enum class Deed { exec, attach, log, forward };
  Deed deed = Deed::log;
  PodContainer where;
  std::vector<std::string> command;  ///< of exec; not empty
  Streams streams;                   ///< of exec and attach; at least one
  LogOptions log;

  /// /exec/<namespace>/<pod>/<container>?command=..&input=1&output=1&error=1&tty=1, /attach/..., /containerLogs/...,
  /// and /portForward/<namespace>/<pod>, as k8s.io/kubernetes/pkg/kubelet/server has them. Throws kube::ApiError.
  static KubeletRequest parse(std::string_view target);
};

}  // namespace knetsim
