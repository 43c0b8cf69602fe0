#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "version.h"

namespace knetsim::apiserver {

using JsonPtr = std::shared_ptr<const nlohmann::json>;
using TextPtr = std::shared_ptr<const std::string>;

/// One change of an object. While it is news, what one watcher needed of it is kept for the next.
class Change {
 public:
  /// `key` is "shop/web", or "w1" of a kind without namespaces. Without `before` it is new, without `after` it is gone.
  Change(std::string key, etcd::Revision revision, VersionPtr before, VersionPtr after)
      : key_(std::move(key)), revision_(revision), before_(std::move(before)), after_(std::move(after)) {}

  const std::string& key() const noexcept { return key_; }
  etcd::Revision revision() const noexcept { return revision_; }
  const VersionPtr& before() const noexcept { return before_; }
  const VersionPtr& after() const noexcept { return after_; }
  /// The last state under the revision of this change: what those see for whom the object is gone.
  VersionPtr parting() const;

  /// Null if there was none, or none that can be read.
  JsonPtr object_before(const kube::Kind& kind) const { return object(kind, before_, parsed_before_); }
  JsonPtr object_after(const kube::Kind& kind) const { return object(kind, after_, parsed_after_); }
  /// {"type": ..., "object": ...}, a line of a watch.
  TextPtr line(const kube::Kind& kind, std::string_view type) const;

  /// Every watcher has seen it.
  void grow_old() const;

 private:
  JsonPtr object(const kube::Kind& kind, const VersionPtr& version, JsonPtr& kept) const;

  std::string key_;
  etcd::Revision revision_;
  VersionPtr before_;
  VersionPtr after_;
  mutable bool news_ = true;
  mutable JsonPtr parsed_before_;
  mutable JsonPtr parsed_after_;
  mutable VersionPtr parting_;
  mutable TextPtr line_;
  mutable std::string line_type_;
};
using ChangePtr = std::shared_ptr<const Change>;

std::string event_line(std::string_view type, std::string_view object);

}  // namespace knetsim::apiserver
