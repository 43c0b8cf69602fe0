#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/nft/error.h"
#include "knetsim/nft/objects.h"
#include "knetsim/sys/netns.h"

namespace knetsim::nft {

struct Counter {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Counter&) const = default;
};

/// A rule as the kernel holds it: what one needs to find it again and to read its counter.
struct RuleInfo {
  RuleId id;
  std::string comment;
  std::optional<Counter> counter;  ///< the first counter statement's
};

// Dumps of one namespace; consistent (a dump that a commit interrupted is taken again). Throw nft::Error; listing what
// is in a table or set that doesn't exist throws with ENOENT.
std::vector<TableId> list_tables(const NetNs& netns);
std::vector<Chain> list_chains(const NetNs& netns, const TableId& table);
std::vector<RuleInfo> list_rules(const NetNs& netns, const TableId& table);
std::vector<RuleInfo> list_rules(const NetNs& netns, const ChainId& chain);
std::vector<Element> list_elements(const NetNs& netns, const SetId& set);

bool exists(const NetNs& netns, const TableId& table);

}  // namespace knetsim::nft
