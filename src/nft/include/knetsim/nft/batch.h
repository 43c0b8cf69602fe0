#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "knetsim/nft/error.h"
#include "knetsim/nft/objects.h"
#include "knetsim/sys/netns.h"

namespace knetsim::nft {

/// Changes to one namespace's ruleset, carried out together or not at all, in the order given. Adding what exists
/// already (tables, chains, sets with the same properties, elements) is no error; removing what doesn't is one. Values
/// that can't be expressed throw InputError at once. See nft(8) and nfnetlink's batches.
class Batch {
 public:
  Batch();
  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) noexcept;
  ~Batch();

  Batch& add(const Table& table);
  /// Empty afterwards, whether or not it existed.
  Batch& replace(const Table& table);
  Batch& remove(const TableId& table);
  /// Gone afterwards, whether or not it existed. Cheap where it doesn't: no deletion is asked for then.
  Batch& ensure_absent(const TableId& table);

  Batch& add(const Chain& chain);
  Batch& flush(const ChainId& chain);
  Batch& remove(const ChainId& chain);

  /// At the chain's end.
  Batch& add(const Rule& rule);
  /// At the chain's head.
  Batch& insert(const Rule& rule);
  /// In the place of the rule with that handle; its counters and turns start anew.
  Batch& replace(std::uint64_t handle, const Rule& rule);
  Batch& remove(const RuleId& rule);

  Batch& add(const Set& set);
  Batch& flush(const SetId& set);
  Batch& remove(const SetId& set);

  Batch& add(const SetId& set, const std::vector<Element>& elements);
  /// By key.
  Batch& remove(const SetId& set, const std::vector<Element>& elements);

  bool empty() const noexcept;
  /// Bytes that go to the kernel, in one message.
  std::size_t size() const noexcept;

  /// Sends everything and leaves the batch empty. Throws Error if the kernel refuses; then nothing has changed.
  void commit(const NetNs& netns);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace knetsim::nft
