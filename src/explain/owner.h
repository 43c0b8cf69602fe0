#pragma once

#include <string>

#include "knetsim/explain/disposition.h"
#include "knetsim/nft/types.h"

namespace knetsim::explain {

/// Whose a rule is, and what a packet that it drops means.
struct RuleOwner {
  Disposition disposition = Disposition::dropped_by_rule;
  std::string object = {};  ///< "VIP 100.64.10.1", "policy default/deny"; empty: nobody's that is known here
};

/// By the names of table and chain and the rule's text with its comment. A new owner of tables is a line in owner.cpp.
RuleOwner owner_of_rule(const nft::ChainId& chain, const std::string& text);

/// What stands in quotes behind `comment` in a rule as nft(8) lists it; empty if there is none.
std::string comment_in(const std::string& text);

}  // namespace knetsim::explain
