#pragma once

#include <cstddef>
#include <optional>

#include "knetsim/kubeproxy/desired.h"
#include "knetsim/kubeproxy/ledger.h"
#include "knetsim/nft/batch.h"
#include "knetsim/sys/netns.h"

namespace knetsim::kubeproxy {

/// What a write did, for whoever counts.
struct Written {
  std::size_t batches = 0;
  std::size_t entries = 0;  ///< that came or went
  bool whole = false;       ///< the table was made, or made anew
  bool looked = false;      ///< what stands was read first
};

/// Writes one table of one namespace, in batches of what the kernel takes from us at once. A table that isn't there is
/// filled first, and gets its base chains last: packets meet none of it or all of it. After that each batch leaves it
/// consistent. Only what the kernel has acknowledged counts as written; after a refusal, what stands is read and the
/// rest of what is wanted is written. Not thread-safe.
class Program {
 public:
  /// Both must outlive it. Nothing is read or written yet.
  Program(const NetNs& netns, Layout layout);

  /// What a batch may have at most, of what the kernel allows; for tests and for readers that mustn't wait.
  void set_most(std::size_t bytes) noexcept { most_ = bytes; }

  Ledger& ledger() noexcept { return ledger_; }
  const Ledger& ledger() const noexcept { return ledger_; }
  const Layout& layout() const noexcept { return layout_; }

  /// Writes what the ledger lacks. The first time, or after doubt(), what stands is read and adopted: where that is
  /// what is wanted, nothing is written. Throws nft::Error; then the kernel has what it had before the batch that it
  /// refused, and the next write begins with a look.
  Written write();
  /// Somebody else may have changed the table: the next write looks.
  void doubt() noexcept { known_ = false; }
  bool known() const noexcept { return known_; }
  /// Throws nft::Error. Absent is no error.
  void remove();

 private:
  void look(Written& written);
  void make(Written& written);
  void write_dirty(Written& written, bool made);
  /// `made`: none of its chains can stand already.
  void put(nft::Batch& batch, const Delta& delta, bool made) const;
  void put_rules(nft::Batch& batch, bool flush) const;
  bool chains_are_ours() const;
  bool rules_stand() const;
  Desired held() const;
  void commit(nft::Batch& batch, Written& written);
  /// Of entries in one batch: what frames them takes about as much.
  std::size_t limit() const { return std::min(room_, most_) / 2; }
  nft::ChainId chain_id(const std::string& name) const { return {layout_.table.id, name}; }

  const NetNs* netns_;
  Layout layout_;
  Ledger ledger_;
  std::size_t most_;
  std::optional<nft::Connection> connection_;
  std::size_t room_ = 0;
  bool known_ = false;
};

}  // namespace knetsim::kubeproxy
