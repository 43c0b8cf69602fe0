#include "knetsim/nft/batch.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>
#include <cerrno>
#include <optional>
#include <span>
#include <utility>

#include "attributes.h"
#include "batch_state.h"
#include "encode.h"
#include "knetsim/netlink/channel.h"
#include "knetsim/nft/error.h"
#include "knetsim/nft/ruleset.h"
#include "knetsim/sys/error.h"
#include "userdata.h"

namespace knetsim::nft {

namespace {

const char* chain_type(ChainType type) {
  switch (type) {
    case ChainType::filter:
      return "filter";
    case ChainType::nat:
      return "nat";
    case ChainType::route:
      return "route";
  }
  return "?";
}

std::vector<netlink::Verdict> send(netlink::Channel& channel, std::span<const std::uint8_t> messages) {
  try {
    return channel.transact(messages, "change the ruleset");
  } catch (const SystemError& error) {
    throw Error(error.error(), "the ruleset",
                {.where = "nft",
                 .tried = fmt::format("send a change of {} bytes to the kernel", messages.size()),
                 .remedy = error.error() == EMSGSIZE
                               ? "without root in the initial user namespace, a change can't be larger than twice the "
                                 "host's sysctl net.core.wmem_max: raise that, or make the change in several parts"
                               : ""});
  }
}

/// The number of the ruleset's present generation: every commit makes a new one.
std::uint32_t generation_of(netlink::Channel& channel) {
  alignas(nlmsghdr) std::array<std::uint8_t, MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(nfgenmsg))> message{};
  auto* header = mnl_nlmsg_put_header(message.data());
  header->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
  header->nlmsg_flags = NLM_F_REQUEST;
  mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg));
  std::optional<std::uint32_t> number;
  int error = EPROTO;
  try {
    const auto answer = channel.ask(*header, "ask for the ruleset's generation", {});
    for_each_attribute(payload_of(*reinterpret_cast<const nlmsghdr*>(answer->data()), sizeof(nfgenmsg)),
                       [&](Attribute attribute) {
                         if (attribute.type() == NFTA_GEN_ID) number = ntohl(mnl_attr_get_u32(attribute.raw()));
                       });
  } catch (const netlink::Error& refusal) {
    error = refusal.error();
  }
  if (!number) throw Error(error, "the ruleset", {.where = "nft", .tried = "ask for the ruleset's generation"});
  return *number;
}

}  // namespace

Batch::Batch() : state_(std::make_unique<State>()) {}
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;
Batch::~Batch() = default;

Batch& Batch::add(const Table& table) {
  state_->append_table(NFT_MSG_NEWTABLE, table);
  return *this;
}

Batch& Batch::replace(const Table& table) { return ensure_absent(table.id).add(table); }

Batch& Batch::remove(const TableId& table) {
  state_->append_table(NFT_MSG_DELTABLE, Table{.id = table});
  return *this;
}

Batch& Batch::ensure_absent(const TableId& table) {
  state_->append_absence(table);
  return *this;
}

Batch& Batch::add(const Chain& chain) {
  auto encoded = encode_chain(chain.id);
  if (chain.hook) {
    nftnl_chain_set_str(encoded.get(), NFTNL_CHAIN_TYPE, chain_type(chain.hook->type));
    nftnl_chain_set_u32(encoded.get(), NFTNL_CHAIN_HOOKNUM, static_cast<std::uint32_t>(chain.hook->point));
    nftnl_chain_set_s32(encoded.get(), NFTNL_CHAIN_PRIO, chain.hook->priority);
    nftnl_chain_set_u32(encoded.get(), NFTNL_CHAIN_POLICY, static_cast<std::uint32_t>(chain.hook->policy));
  }
  if (const Userdata comment = comment_userdata(chain.comment); !comment.empty()) {
    nftnl_chain_set_data(encoded.get(), NFTNL_CHAIN_USERDATA, comment.data(),
                         static_cast<std::uint32_t>(comment.size()));
  }
  state_->append(NFT_MSG_NEWCHAIN, chain.id.table.family, NLM_F_CREATE, "add", describe(chain.id),
                 [&](nlmsghdr& message) { nftnl_chain_nlmsg_build_payload(&message, encoded.get()); });
  return *this;
}

Batch& Batch::flush(const ChainId& chain) {
  auto encoded = encode_rule(chain, 0);
  state_->append(NFT_MSG_DELRULE, chain.table.family, 0, "flush", describe(chain),
                 [&](nlmsghdr& message) { nftnl_rule_nlmsg_build_payload(&message, encoded.get()); });
  return *this;
}

Batch& Batch::remove(const ChainId& chain) {
  auto encoded = encode_chain(chain);
  state_->append(NFT_MSG_DELCHAIN, chain.table.family, 0, "delete", describe(chain),
                 [&](nlmsghdr& message) { nftnl_chain_nlmsg_build_payload(&message, encoded.get()); });
  return *this;
}

Batch& Batch::add(const Rule& rule) {
  state_->append_rule(rule, 0, NLM_F_CREATE | NLM_F_APPEND, "add");
  return *this;
}

Batch& Batch::insert(const Rule& rule) {
  state_->append_rule(rule, 0, NLM_F_CREATE, "insert");
  return *this;
}

Batch& Batch::replace(std::uint64_t handle, const Rule& rule) {
  state_->append_rule(rule, handle, NLM_F_REPLACE, "replace");
  return *this;
}

Batch& Batch::remove(const RuleId& rule) {
  // A deletion without a handle would flush the chain.
  if (rule.handle == 0) throw InputError("nft: delete a rule in " + describe(rule.chain) + ": its handle is 0");
  auto encoded = encode_rule(rule.chain, rule.handle);
  state_->append(NFT_MSG_DELRULE, rule.chain.table.family, 0, "delete",
                 fmt::format("the rule with handle {} of {}", rule.handle, describe(rule.chain)),
                 [&](nlmsghdr& message) { nftnl_rule_nlmsg_build_payload(&message, encoded.get()); });
  return *this;
}

Batch& Batch::add(const Set& set) {
  state_->append_set(set);
  return *this;
}

Batch& Batch::flush(const SetId& set) {
  auto encoded = encode_set(set);
  state_->append(NFT_MSG_DELSETELEM, set.table.family, 0, "flush", describe(set),
                 [&](nlmsghdr& message) { nftnl_set_nlmsg_build_payload(&message, encoded.get()); });
  return *this;
}

Batch& Batch::remove(const SetId& set) {
  auto encoded = encode_set(set);
  state_->append(NFT_MSG_DELSET, set.table.family, 0, "delete", describe(set),
                 [&](nlmsghdr& message) { nftnl_set_nlmsg_build_payload(&message, encoded.get()); });
  return *this;
}

Batch& Batch::add(const SetId& set, const std::vector<Element>& elements) {
  state_->append_elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, {}, elements);
  return *this;
}

Batch& Batch::remove(const SetId& set, const std::vector<Element>& elements) {
  state_->append_elements(NFT_MSG_DELSETELEM, 0, set, {}, elements);
  return *this;
}

Batch& Batch::add(const Set& set, std::span<const RawElement> elements) {
  state_->append_elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, elements);
  return *this;
}

Batch& Batch::remove(const Set& set, std::span<const RawElement> elements) {
  state_->append_elements(NFT_MSG_DELSETELEM, 0, set, elements);
  return *this;
}

bool Batch::empty() const noexcept { return state_->empty(); }

std::size_t Batch::size() const noexcept { return state_->size(); }

void Batch::commit(const NetNs& netns) {
  if (!state_->empty()) Connection(netns).commit(*this);
}

Connection::Connection(const NetNs& netns)
    : netns_(&netns), channel_(netns.run([] { return netlink::open_netlink(NETLINK_NETFILTER); }), "nft") {}

void Connection::commit(Batch& batch) {
  if (batch.empty()) return;
  const auto sent = std::exchange(batch.state_, std::make_unique<Batch::State>());
  while (true) {
    std::optional<std::uint32_t> generation;
    std::vector<TableId> existing;
    if (sent->has_absences()) {
      generation = generation_of(channel_);
      existing = list_tables(*netns_);
    }
    const std::vector<std::uint8_t> messages = sent->assemble(existing, generation);
    if (messages.empty()) return;
    const auto refusals = send(channel_, messages);
    if (refusals.empty()) return;
    // Somebody else's change came in between: other tables may exist now.
    if (generation && refusals.front().error == ERESTART) continue;
    sent->raise(refusals);
  }
}

}  // namespace knetsim::nft
