#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "knetsim/netlink/channel.h"
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
  /// The same from bytes; what is removed has no values. Throw InputError where the bytes aren't of the set's types.
  Batch& add(const Set& set, std::span<const RawElement> elements);
  Batch& remove(const Set& set, std::span<const RawElement> elements);

  bool empty() const noexcept;
  /// Bytes that go to the kernel, in one message.
  std::size_t size() const noexcept;

  /// Sends everything and leaves the batch empty. Throws Error if the kernel refuses; then nothing has changed.
  void commit(const NetNs& netns);

 private:
  friend class Connection;
  struct State;
  std::unique_ptr<State> state_;
};

/// A way to one namespace's ruleset for whoever changes it often. To close one costs a grace period of the kernel's RCU
/// (about 15 ms) when something was removed a moment ago, be it by others. Move-only, not thread-safe.
class Connection {
 public:
  /// `netns` must outlive it.
  explicit Connection(const NetNs& netns);

  /// As Batch::commit().
  void commit(Batch& batch);
  /// How large a batch the kernel takes from us there, if we wish for `size` bytes: as root any, else what the host's
  /// net.core.wmem_max allows.
  std::size_t room_for(std::size_t size) { return channel_.room_for(size); }

 private:
  const NetNs* netns_;
  netlink::Channel channel_;
};

}  // namespace knetsim::nft
