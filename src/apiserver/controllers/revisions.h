#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "write.h"

namespace knetsim::controllers {

struct Change;

/// The ControllerRevisions of a DaemonSet or StatefulSet: each keeps a template that it has had, and the one with the
/// highest number that which it has. Source: k8s.io/kubernetes/pkg/controller/history and daemon/update.go.
class Revisions {
 public:
  /// `label`: where a revision tells its hash. The write that makes the newest one, or makes an old one the newest
  /// again, comes into `writes`.
  Revisions(const View& view, const json& set, const char* label, std::vector<Write>& writes);

  /// Of the newest.
  const std::string& name() const noexcept { return name_; }
  const std::string& hash() const noexcept { return hash_; }
  /// The template that a revision keeps; null if there is no such revision.
  const json& template_of(const std::string& name) const;
  /// Of those that `is_live` doesn't hold, the oldest go, until spec.revisionHistoryLimit are left.
  void thin_out(const std::function<bool(const json& revision)>& is_live, std::vector<Write>& writes) const;

 private:
  const json& set_;
  std::vector<const json*> all_;  // by number
  std::string name_;
  std::string hash_;
};

/// The key of the object of that kind whose revision has changed.
void add_key_of_revision(const Change& change, const kube::Kind& kind, std::set<std::string>& keys);

}  // namespace knetsim::controllers
