#include "knetsim/nft/ruleset.h"

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <span>
#include <string_view>

#include "encode.h"
#include "knetsim/netlink/channel.h"
#include "knetsim/sys/error.h"
#include "userdata.h"

namespace knetsim::nft {

namespace {

constexpr std::size_t kRequestRoom = 4096;
constexpr auto kAnyFamily = static_cast<Family>(0);  // NFPROTO_UNSPEC

/// One answer, or a dump if the flags say so; `restart` forgets what was collected before a commit came in between.
/// Returns the errno of the kernel's refusal.
int ask(const NetNs& netns, std::uint16_t type, Family family, std::uint16_t flags,
        const std::function<void(nlmsghdr&)>& fill, const std::function<void()>& restart,
        const std::function<void(const nlmsghdr&)>& each) {
  alignas(nlmsghdr) std::array<std::uint8_t, kRequestRoom> buffer{};
  nlmsghdr* request =
      nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(buffer.data()), type, static_cast<std::uint16_t>(family), flags, 0);
  fill(*request);
  netlink::Channel channel(netns.run([] { return netlink::open_netlink(NETLINK_NETFILTER); }), "nft");
  try {
    if (flags == NLM_F_DUMP)
      channel.dump(*request, "list the ruleset", restart, [&](const nlmsghdr* message) { each(*message); });
    else if (const auto answer = channel.ask(*request, "look into the ruleset", {}))
      each(*reinterpret_cast<const nlmsghdr*>(answer->data()));
    return 0;
  } catch (const netlink::Error& refusal) {
    return refusal.error();
  }
}

[[noreturn]] void refuse(int error, const std::string& object) {
  throw Error(error, object, {.where = "nft", .tried = "list " + object});
}

void require(const NetNs& netns, const TableId& table) {
  if (!exists(netns, table)) refuse(ENOENT, describe(table));
}

std::span<const std::uint8_t> bytes(const void* data, std::uint32_t size) {
  return data == nullptr ? std::span<const std::uint8_t>{} : std::span(static_cast<const std::uint8_t*>(data), size);
}

ChainType chain_type(std::string_view name) {
  if (name == "nat") return ChainType::nat;
  if (name == "route") return ChainType::route;
  return ChainType::filter;
}

/// The types that `nft` (and this layer) packed into a set's number, 6 bits each, first one on top.
Types unpack_types(std::uint32_t number) {
  Types types;
  for (; number != 0; number >>= 6) types.push_back(static_cast<Type>(number & 0x3f));
  std::reverse(types.begin(), types.end());
  return types;
}

/// What the elements of a set are.
struct SetInfo {
  Types key;
  Types value;  ///< empty for sets and verdict maps
  bool verdicts = false;
};

SetInfo decode_set(const nftnl_set& set) {
  SetInfo info;
  info.key = unpack_types(nftnl_set_get_u32(&set, NFTNL_SET_KEY_TYPE));
  if ((nftnl_set_get_u32(&set, NFTNL_SET_FLAGS) & NFT_SET_MAP) != 0) {
    const std::uint32_t type = nftnl_set_get_u32(&set, NFTNL_SET_DATA_TYPE);
    info.verdicts = type == NFT_DATA_VERDICT;
    if (!info.verdicts) info.value = unpack_types(type);
  }
  return info;
}

Element decode_element(const SetInfo& set, nftnl_set_elem* raw) {
  std::uint32_t size = 0;
  const void* key = nftnl_set_elem_get(raw, NFTNL_SET_ELEM_KEY, &size);
  Element element{.key = Data::parse(set.key, bytes(key, size))};
  if (set.verdicts && nftnl_set_elem_is_set(raw, NFTNL_SET_ELEM_VERDICT)) {
    element.verdict = Verdict{static_cast<Verdict::Kind>(nftnl_set_elem_get_u32(raw, NFTNL_SET_ELEM_VERDICT)), {}};
    if (const char* chain = nftnl_set_elem_get_str(raw, NFTNL_SET_ELEM_CHAIN)) element.verdict->chain = chain;
  } else if (!set.value.empty()) {
    const void* value = nftnl_set_elem_get(raw, NFTNL_SET_ELEM_DATA, &size);
    element.value = Data::parse(set.value, bytes(value, size));
  }
  if (nftnl_set_elem_is_set(raw, NFTNL_SET_ELEM_KEY_END)) {
    key = nftnl_set_elem_get(raw, NFTNL_SET_ELEM_KEY_END, &size);
    element.key_end = Data::parse(set.key, bytes(key, size));
  }
  if (nftnl_set_elem_is_set(raw, NFTNL_SET_ELEM_USERDATA)) {
    const void* userdata = nftnl_set_elem_get(raw, NFTNL_SET_ELEM_USERDATA, &size);
    element.comment = comment_of(bytes(userdata, size));
  }
  if (nftnl_set_elem_is_set(raw, NFTNL_SET_ELEM_TIMEOUT))
    element.timeout = std::chrono::milliseconds(nftnl_set_elem_get_u64(raw, NFTNL_SET_ELEM_TIMEOUT));
  if (nftnl_set_elem_is_set(raw, NFTNL_SET_ELEM_EXPIRATION))
    element.expires = std::chrono::milliseconds(nftnl_set_elem_get_u64(raw, NFTNL_SET_ELEM_EXPIRATION));
  return element;
}

RuleInfo decode_rule(const TableId& table, nftnl_rule* raw) {
  RuleInfo info;
  info.id.chain = ChainId{table, nftnl_rule_get_str(raw, NFTNL_RULE_CHAIN)};
  info.id.handle = nftnl_rule_get_u64(raw, NFTNL_RULE_HANDLE);
  std::uint32_t size = 0;
  const void* userdata = nftnl_rule_get_data(raw, NFTNL_RULE_USERDATA, &size);
  info.comment = comment_of(bytes(userdata, size));
  nftnl_expr_foreach(
      raw,
      [](nftnl_expr* expression, void* into) {
        auto& counter = static_cast<RuleInfo*>(into)->counter;
        if (counter || std::string_view(nftnl_expr_get_str(expression, NFTNL_EXPR_NAME)) != "counter") return 0;
        counter = Counter{nftnl_expr_get_u64(expression, NFTNL_EXPR_CTR_PACKETS),
                          nftnl_expr_get_u64(expression, NFTNL_EXPR_CTR_BYTES)};
        return 0;
      },
      &info);
  return info;
}

SetInfo find_set(const NetNs& netns, const SetId& id) {
  auto wanted = encode_set(id);
  std::optional<SetInfo> info;
  const int error = ask(
      netns, NFT_MSG_GETSET, id.table.family, 0,
      [&](nlmsghdr& request) { nftnl_set_nlmsg_build_payload(&request, wanted.get()); }, [&] { info.reset(); },
      [&](const nlmsghdr& answer) {
        auto set = SetHandle::make();
        if (nftnl_set_nlmsg_parse(&answer, set.get()) == 0) info = decode_set(*set);
      });
  if (error != 0 || !info) refuse(error != 0 ? error : EPROTO, describe(id));
  return *info;
}

std::vector<Element> dump_elements(const NetNs& netns, const SetId& id, const SetInfo& info) {
  auto wanted = encode_set(id);
  std::vector<Element> elements;
  const int error = ask(
      netns, NFT_MSG_GETSETELEM, id.table.family, NLM_F_DUMP,
      [&](nlmsghdr& request) { nftnl_set_nlmsg_build_payload(&request, wanted.get()); }, [&] { elements.clear(); },
      [&](const nlmsghdr& answer) {
        auto set = SetHandle::make();
        if (nftnl_set_elems_nlmsg_parse(&answer, set.get()) != 0) return;
        struct Collected {
          const SetInfo& info;
          std::vector<Element>& elements;
        } collected{info, elements};
        nftnl_set_elem_foreach(
            set.get(),
            [](nftnl_set_elem* raw, void* into) {
              auto& to = *static_cast<Collected*>(into);
              to.elements.push_back(decode_element(to.info, raw));
              return 0;
            },
            &collected);
      });
  if (error != 0) refuse(error, "elements of " + describe(id));
  return elements;
}

/// For a while after many elements came or went the kernel moves a set to a larger or smaller table, and no commit
/// marks that. A dump that it overtakes has some elements twice and lacks others.
bool has_duplicates(const std::vector<Element>& elements) {
  std::vector<const Data::Bytes*> keys;
  keys.reserve(elements.size());
  for (const Element& element : elements) keys.push_back(&element.key.bytes());
  std::sort(keys.begin(), keys.end(), [](const auto* a, const auto* b) { return *a < *b; });
  return std::adjacent_find(keys.begin(), keys.end(), [](const auto* a, const auto* b) { return *a == *b; }) !=
         keys.end();
}

}  // namespace

bool exists(const NetNs& netns, const TableId& table) {
  auto wanted = encode_table(table);
  const int error = ask(
      netns, NFT_MSG_GETTABLE, table.family, 0,
      [&](nlmsghdr& request) { nftnl_table_nlmsg_build_payload(&request, wanted.get()); }, [] {},
      [](const nlmsghdr&) {});
  if (error != 0 && error != ENOENT) refuse(error, describe(table));
  return error == 0;
}

std::vector<TableId> list_tables(const NetNs& netns) {
  std::vector<TableId> tables;
  const int error = ask(
      netns, NFT_MSG_GETTABLE, kAnyFamily, NLM_F_DUMP, [](nlmsghdr&) {}, [&] { tables.clear(); },
      [&](const nlmsghdr& answer) {
        auto table = TableHandle::make();
        if (nftnl_table_nlmsg_parse(&answer, table.get()) != 0) return;
        tables.push_back(TableId{static_cast<Family>(nftnl_table_get_u32(table.get(), NFTNL_TABLE_FAMILY)),
                                 nftnl_table_get_str(table.get(), NFTNL_TABLE_NAME)});
      });
  if (error != 0) refuse(error, "tables");
  return tables;
}

std::vector<Chain> list_chains(const NetNs& netns, const TableId& table) {
  require(netns, table);
  std::vector<Chain> chains;
  const int error = ask(
      netns, NFT_MSG_GETCHAIN, table.family, NLM_F_DUMP, [](nlmsghdr&) {}, [&] { chains.clear(); },
      [&](const nlmsghdr& answer) {
        auto raw = ChainHandle::make();
        if (nftnl_chain_nlmsg_parse(&answer, raw.get()) != 0) return;
        if (nftnl_chain_get_str(raw.get(), NFTNL_CHAIN_TABLE) != table.name) return;
        Chain chain{.id = {table, nftnl_chain_get_str(raw.get(), NFTNL_CHAIN_NAME)}};
        if (nftnl_chain_is_set(raw.get(), NFTNL_CHAIN_HOOKNUM))
          chain.hook = Hook{.type = chain_type(nftnl_chain_get_str(raw.get(), NFTNL_CHAIN_TYPE)),
                            .point = static_cast<HookPoint>(nftnl_chain_get_u32(raw.get(), NFTNL_CHAIN_HOOKNUM)),
                            .priority = nftnl_chain_get_s32(raw.get(), NFTNL_CHAIN_PRIO),
                            .policy = static_cast<Policy>(nftnl_chain_get_u32(raw.get(), NFTNL_CHAIN_POLICY))};
        std::uint32_t size = 0;
        const void* userdata = nftnl_chain_get_data(raw.get(), NFTNL_CHAIN_USERDATA, &size);
        chain.comment = comment_of(bytes(userdata, size));
        chains.push_back(std::move(chain));
      });
  if (error != 0) refuse(error, "chains of " + describe(table));
  return chains;
}

std::vector<RuleInfo> list_rules(const NetNs& netns, const TableId& table) {
  require(netns, table);
  std::vector<RuleInfo> rules;
  const int error = ask(
      netns, NFT_MSG_GETRULE, table.family, NLM_F_DUMP,
      [&](nlmsghdr& request) { mnl_attr_put_strz(&request, NFTA_RULE_TABLE, table.name.c_str()); },
      [&] { rules.clear(); },
      [&](const nlmsghdr& answer) {
        auto raw = RuleHandle::make();
        if (nftnl_rule_nlmsg_parse(&answer, raw.get()) == 0) rules.push_back(decode_rule(table, raw.get()));
      });
  if (error != 0) refuse(error, "rules of " + describe(table));
  return rules;
}

std::vector<RuleInfo> list_rules(const NetNs& netns, const ChainId& chain) {
  const std::vector<Chain> chains = list_chains(netns, chain.table);
  if (std::none_of(chains.begin(), chains.end(), [&](const Chain& known) { return known.id == chain; }))
    refuse(ENOENT, describe(chain));
  std::vector<RuleInfo> rules = list_rules(netns, chain.table);
  std::erase_if(rules, [&](const RuleInfo& rule) { return rule.id.chain != chain; });
  return rules;
}

std::vector<Element> list_elements(const NetNs& netns, const SetId& id) {
  const SetInfo info = find_set(netns, id);
  while (true) {
    std::vector<Element> elements = dump_elements(netns, id, info);
    if (!has_duplicates(elements)) return elements;
  }
}

}  // namespace knetsim::nft
