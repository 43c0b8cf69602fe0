#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/sys/error.h"

namespace knetsim::kubelet {

using Environment = std::map<std::string, std::string>;

/// Something that a container needs isn't there, or isn't as it should be: it waits with this reason.
class NotYet : public InputError {
 public:
  NotYet(std::string reason, const std::string& message) : InputError(message), reason_(std::move(reason)) {}
  const std::string& reason() const noexcept { return reason_; }  ///< "CreateContainerConfigError"

 private:
  std::string reason_;
};

/// `$(NAME)` is the value, `$$` one dollar sign; what isn't defined stays as it was written.
/// Source: k8s.io/kubernetes/third_party/forked/golang/expansion.
std::string expanded(std::string_view text, const Environment& environment);

/// An object of the pod's namespace: null if there is none. `plural` is "configmaps" or "secrets".
using FindObject = std::function<nlohmann::json(const std::string& plural, const std::string& name)>;

/// What a container of the pod is told: its services' addresses, then envFrom and env of its spec, where later ones may
/// name earlier ones. Throws NotYet if it refers to what isn't there and isn't optional.
Environment environment_of(const nlohmann::json& pod, const nlohmann::json& container, const Environment& services,
                           const FindObject& find);

/// The value of a field of the pod (downward API), as text: "metadata.labels['app']", "status.podIP". Throws NotYet for
/// one that isn't offered.
std::string field_of(const nlohmann::json& pod, const std::string& path);

/// A resource of the container (downward API): "limits.cpu". What isn't limited is what the node has, and nothing is
/// limited here: 0.
std::string resource_of(const nlohmann::json& container, const std::string& path);

/// {WEB_SERVICE_HOST, WEB_SERVICE_PORT, WEB_SERVICE_PORT_HTTP, WEB_PORT, WEB_PORT_80_TCP ...} of every Service that has
/// a cluster address. Source: k8s.io/kubernetes/pkg/kubelet/envvars.
Environment service_variables(const std::vector<nlohmann::json>& services);

/// What a ConfigMap or Secret holds: data and binaryData, decoded.
std::map<std::string, std::string> data_of(const nlohmann::json& object);

}  // namespace knetsim::kubelet
