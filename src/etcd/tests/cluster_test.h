#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/etcd/ensemble.h"
#include "lab.h"

namespace knetsim::etcd::test {

inline constexpr std::chrono::milliseconds kPatience{20'000};
inline constexpr std::chrono::milliseconds kMoment{200};  ///< for what mustn't come

/// A healthy cluster of real members, one on each node.
class ClusterTest : public testing::Test {
 protected:
  void boot(std::size_t size) { boot(size, size); }
  /// More nodes than members: the others are for clients.
  void boot(std::size_t nodes, std::size_t members) {
    lab_ = std::make_unique<Lab>(nodes);
    ensemble_ = std::make_unique<Ensemble>(Ensemble::start(lab_->specs(members)));
  }

  Lab& lab() { return *lab_; }
  Ensemble& ensemble() { return *ensemble_; }
  Member& member(std::size_t index) { return ensemble_->members().at(index); }
  /// On the first node, knowing only the given members, in this order.
  SyncClient client(const std::vector<std::size_t>& members) {
    ClientOptions options;
    for (const std::size_t index : members) options.endpoints.push_back(member(index).endpoint());
    return SyncClient(lab_->node(0), std::move(options));
  }
  SyncClient client() { return ensemble_->client(); }
  /// The index of the member that leads.
  std::size_t leader() {
    const std::uint64_t id = client().status().leader;
    for (std::size_t i = 0; i < ensemble_->members().size(); ++i) {
      if (member(i).process().running() && client({i}).status().member == id) return i;
    }
    throw Error(Error::Code::other, {.where = "cluster", .tried = "find the leader", .answer = "none", .remedy = ""});
  }

 private:
  std::unique_ptr<Lab> lab_;
  std::unique_ptr<Ensemble> ensemble_;
};

/// Takes events until `count` have come.
inline std::vector<Event> take(SyncWatcher& watcher, std::size_t count) {
  std::vector<Event> events;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (events.size() < count && std::chrono::steady_clock::now() < deadline) {
    const auto batch = watcher.next(
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()));
    if (batch) events.insert(events.end(), batch->events.begin(), batch->events.end());
  }
  return events;
}

}  // namespace knetsim::etcd::test
