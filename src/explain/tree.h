#pragma once

#include <vector>

#include "journey.h"
#include "judge.h"
#include "knetsim/explain/explanation.h"

namespace knetsim::explain {

/// The way as a tree: a node for each place, in it links, hooks, chains and rules, and leaves for what changed. `lost`
/// is marked where it belongs.
std::vector<Entry> tree_of(const Journey& journey, const AllFacts& facts, const Owners& owners, const Cause* lost);

}  // namespace knetsim::explain
