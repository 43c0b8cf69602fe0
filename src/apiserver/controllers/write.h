#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "view.h"

namespace knetsim::controllers {

/// What the server must say before a write is done, as what is known here may be behind.
struct Question {
  std::string target;     ///< a collection that must be empty, or
  std::string not_uid{};  ///< an object's place, where no object of this uid may be
};

/// One request that a controller wants to be sent.
struct Write {
  const kube::Kind* kind = nullptr;
  std::string method;
  std::string target;
  json body = {};
  std::string type = "application/json";
  std::vector<Question> only_if = {};
  json removed = {};  ///< of a DELETE: what goes
};

/// What a controller decides about one key.
struct Decision {
  std::vector<Write> writes = {};                        ///< in this order, up to the first that fails
  std::optional<std::chrono::seconds> again_after = {};  ///< to look at the key again though nothing changes
};

/// "/api/v1/namespaces/shop/pods"; without a namespace, of all.
std::string collection_of(const kube::Kind& kind, const std::string& ns);
std::string target_of(const kube::Kind& kind, const json& object);

Write create(const kube::Kind& kind, json object);
/// PUT, refused if somebody else has changed it meanwhile.
Write replace(const kube::Kind& kind, json object);
/// The same of its status.
Write replace_status(const kube::Kind& kind, json object);
/// JSON merge patch.
Write merge(const kube::Kind& kind, const json& object, json patch);
/// DELETE of this very object. `propagation`: "Background", "Foreground", "Orphan" or "" for the default.
Write remove(const kube::Kind& kind, const json& object, const std::string& propagation = {});
Write remove_all(const kube::Kind& kind, const std::string& ns);

/// An Event (v1) about an object. `type`: Normal, Warning.
Write event(const View& view, const json& about, const char* component, const char* type, const char* reason,
            const std::string& message);

/// {apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true}
json controller_reference(const json& owner);

}  // namespace knetsim::controllers
