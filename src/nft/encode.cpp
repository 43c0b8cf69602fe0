#include "encode.h"

#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>

#include "knetsim/sys/error.h"

namespace knetsim::nft {

void require_name(std::string_view what, std::string_view name) {
  if (name.empty() || name.size() >= NFT_NAME_MAXLEN || name.find('\0') != std::string_view::npos) {
    throw InputError(
        fmt::format("nft: \"{}\" can't be the name of a {}: 1 to {} characters", name, what, NFT_NAME_MAXLEN - 1));
  }
}

TableHandle::Pointer encode_table(const TableId& id) {
  require_name("table", id.name);
  auto table = TableHandle::make();
  nftnl_table_set_str(table.get(), NFTNL_TABLE_NAME, id.name.c_str());
  nftnl_table_set_u32(table.get(), NFTNL_TABLE_FAMILY, static_cast<std::uint32_t>(id.family));
  return table;
}

ChainHandle::Pointer encode_chain(const ChainId& id) {
  require_name("table", id.table.name);
  require_name("chain", id.name);
  auto chain = ChainHandle::make();
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TABLE, id.table.name.c_str());
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_NAME, id.name.c_str());
  return chain;
}

RuleHandle::Pointer encode_rule(const ChainId& chain, std::uint64_t handle) {
  require_name("table", chain.table.name);
  require_name("chain", chain.name);
  auto rule = RuleHandle::make();
  nftnl_rule_set_str(rule.get(), NFTNL_RULE_TABLE, chain.table.name.c_str());
  nftnl_rule_set_str(rule.get(), NFTNL_RULE_CHAIN, chain.name.c_str());
  if (handle != 0) nftnl_rule_set_u64(rule.get(), NFTNL_RULE_HANDLE, handle);
  return rule;
}

SetHandle::Pointer encode_set(const SetId& id) {
  require_name("table", id.table.name);
  require_name("set", id.name);
  auto set = SetHandle::make();
  nftnl_set_set_str(set.get(), NFTNL_SET_TABLE, id.table.name.c_str());
  nftnl_set_set_str(set.get(), NFTNL_SET_NAME, id.name.c_str());
  return set;
}

std::string describe(const TableId& table) { return fmt::format("table {} {}", to_string(table.family), table.name); }

std::string describe(const ChainId& chain) {
  return fmt::format("chain {} {} {}", to_string(chain.table.family), chain.table.name, chain.name);
}

std::string describe(const SetId& set) {
  return fmt::format("set {} {} {}", to_string(set.table.family), set.table.name, set.name);
}

}  // namespace knetsim::nft
