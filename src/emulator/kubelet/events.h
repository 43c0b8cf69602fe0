#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "api_calls.h"
#include "knetsim/kube/time.h"

namespace knetsim::kubelet {

/// The Event (v1) that is the `count`th of its kind. `name` is its own.
nlohmann::json event_object(const nlohmann::json& pod, const std::string& name, bool warning, const std::string& reason,
                            const std::string& message, const std::string& container, int count, kube::Time first,
                            kube::Time now);

/// Tells of what happens to one pod: what happens again is counted, not told anew.
class PodEvents {
 public:
  explicit PodEvents(ApiCalls& writes) : writes_(writes) {}

  /// `container`: which of its containers, empty for the pod itself.
  void tell(const nlohmann::json& pod, bool warning, const std::string& reason, const std::string& message,
            const std::string& container = {});

 private:
  struct Told {
    std::string name;
    int count = 0;
    kube::Time first = {};
  };

  ApiCalls& writes_;
  std::map<std::string, Told> told_;
};

}  // namespace knetsim::kubelet
