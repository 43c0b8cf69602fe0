#pragma once

#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "knetsim/kubeproxy/desired.h"

namespace knetsim::kubeproxy {

/// What is to be written: entries that go (those that get another value, too), then entries that come. Those are the
/// ledger's own, until its next set().
struct Delta {
  std::vector<Entry> remove;
  std::vector<const Entry*> add;
  bool empty() const noexcept { return remove.empty() && add.empty(); }
};

/// Who wants what in one table, what the kernel holds of it, and so what has to be written. Pure: no kernel, no clock.
/// Changes that come faster than they are written fold: of what was wanted meanwhile, only the last counts. Several
/// owners may want the same entry, which stays until the last of them has gone; of different values for one key, the
/// smallest by comment and value is taken, whoever came first.
class Ledger {
 public:
  Ledger() = default;
  /// `extra`: bytes that an entry of each slot takes in a batch beside itself.
  explicit Ledger(std::vector<std::size_t> extra) : extra_(std::move(extra)) {}

  /// From now on that is what `owner` wants; nothing, and it is forgotten. `entries` are sorted.
  void set(const std::string& owner, Desired entries);
  const Desired* find(const std::string& owner) const;
  const std::map<std::string, Desired>& owners() const noexcept { return owners_; }
  /// What the table shall hold in all, sorted.
  Desired desired() const;

  /// What the kernel holds in the place of this entry, as far as we know.
  std::optional<Bytes> held(const Entry& place) const;
  /// How many entries the table shall hold.
  std::size_t size() const;
  bool in_step() const noexcept { return dirty_.empty(); }
  /// What has to be written for whole owners, the longest unwritten ones first, until that makes some `limit` bytes for
  /// the kernel: each such part leaves the table consistent. Empty if the kernel holds what is wanted.
  Delta next(std::size_t limit);
  /// The kernel has acknowledged what next() gave last.
  void acknowledge(const Delta& written);
  /// The kernel holds exactly this, sorted, as far as we know.
  void assume(const Desired& held);

 private:
  struct Key {
    std::uint8_t slot;
    Bytes bytes;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const;  // not noexcept: then the table keeps the hashes
  };
  struct State {
    boost::container::small_vector<const Entry*, 1> claims;  // in owners_; the first one wins
    std::optional<Bytes> held;
    std::uint64_t round = 0;  // in which it was looked at last
    unsigned waiting = 0;     // how often it stands in dirty_
  };
  using States = std::unordered_map<Key, State, Hash>;
  using Place = States::value_type;

  std::size_t weight(const Entry& entry) const;
  static Key key_of(const Entry& entry) { return {entry.slot, entry.key}; }
  static const Entry* winner(const State& state);
  static bool differs(const State& state);
  std::vector<Place*>& waiting_of(const std::string& owner);
  static bool is_idle(const State& state) { return state.claims.empty() && !state.held && state.waiting == 0; }
  void clean(const Key& key);

  std::vector<std::size_t> extra_;
  std::uint64_t round_ = 0;
  std::map<std::string, Desired> owners_;
  States states_;
  // What may differ from what the kernel holds, under the owner whose change made it so, in the order of change.
  std::list<std::pair<std::string, std::vector<Place*>>> dirty_;
  std::unordered_map<std::string_view, std::vector<Place*>*> waiting_;  // of owners, in dirty_
  std::vector<Place*> given_;                                           // of what next() gave last to add
  bool holds_nothing_ = true;                                           // the kernel, so far
};

}  // namespace knetsim::kubeproxy
