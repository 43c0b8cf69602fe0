#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "knetsim/nft/types.h"
#include "netlink_handles.h"

namespace knetsim::nft {

// libnftnl's objects with nothing but their names. Names that can't be one throw InputError.
TableHandle::Pointer encode_table(const TableId& id);
ChainHandle::Pointer encode_chain(const ChainId& id);
RuleHandle::Pointer encode_rule(const ChainId& chain, std::uint64_t handle = 0);
SetHandle::Pointer encode_set(const SetId& id);

/// `what` is "chain", "log prefix"...
void require_name(std::string_view what, std::string_view name);

// Objects in words, for errors: "chain ip kube-proxy prerouting".
std::string describe(const TableId& table);
std::string describe(const ChainId& chain);
std::string describe(const SetId& set);

}  // namespace knetsim::nft
