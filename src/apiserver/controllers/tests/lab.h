#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller.h"

namespace knetsim::controllers::test {

using nlohmann::json;

/// A view over objects that a test puts in, and what a server would make of the writes.
class Lab {
 public:
  Lab();
  /// As a server would have it: with a uid, a resourceVersion, defaults. Replaces what is there.
  const json& put(const kube::Kind& kind, json object);
  /// The same of what stands as it is to be.
  const json& change(const kube::Kind& kind, json object);
  void remove(const kube::Kind& kind, const std::string& key);
  const json& get(const kube::Kind& kind, const std::string& key) const { return objects_.at(&kind).at(key); }
  bool has(const kube::Kind& kind, const std::string& key) const { return objects_.at(&kind).contains(key); }
  std::vector<const json*> all(const kube::Kind& kind) const { return view.in(kind); }

  Decision decide(const Controller& controller, const std::string& key) { return controller.decide(view, key); }
  /// What it decides is done, again and again until nothing is left to do; every write as "POST pods shop/web-1",
  /// without those of Events. A rule that never rests is a failure.
  std::vector<std::string> settle(const Controller& controller, const std::string& key);
  /// What it decides is done once.
  void once(const Controller& controller, const std::string& key);
  /// The keys that the last change made it look at.
  std::set<std::string> concerned(const Controller& controller) const;

  View view;
  int writes = 0;                   ///< that were done, without those of Events
  std::vector<std::string> events;  ///< "Normal ScalingReplicaSet Scaled up ..."

 private:
  void apply(const Write& write);

  std::map<const kube::Kind*, View::Objects> objects_;
  std::uint64_t revision_ = 100;
  std::uint64_t random_ = 0;
  const kube::Kind* last_kind_ = nullptr;
  json last_before_;
  json last_now_;
};

json service(const std::string& name, const json& selector);
/// Of namespace shop, on that node, Running and Ready.
json pod(const std::string& name, const json& labels, const std::string& address = {}, const std::string& node = "w1");

}  // namespace knetsim::controllers::test
