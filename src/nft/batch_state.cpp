#include "batch_state.h"

#include <arpa/inet.h>
#include <endian.h>
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "attributes.h"
#include "encode.h"
#include "knetsim/sys/error.h"
#include "userdata.h"

namespace knetsim::nft {

namespace {

constexpr std::size_t kMessageRoom = 128 * 1024;
// A list of elements is one attribute, whose length has 16 bits; the last element takes less than 1,000 bytes.
constexpr std::size_t kElementsRoom = 60'000;
// What nft gives a set that rules write to, lest the traffic fill the memory.
constexpr std::uint32_t kDynamicSetSize = 65535;
constexpr std::uint32_t kVerdictType = NFT_DATA_VERDICT;

/// The number that `nft` makes of a concatenation's types: 6 bits for each.
std::uint32_t type_number(const Types& types) {
  std::uint32_t number = 0;
  for (const Type type : types) number = number << 6 | static_cast<std::uint32_t>(type);
  return number;
}

std::uint32_t flag(bool on, nft_set_flags bit) { return on ? static_cast<std::uint32_t>(bit) : 0; }

void set_types(nftnl_set* encoded, const Types& key, const Types& value, bool verdicts) {
  nftnl_set_set_u32(encoded, NFTNL_SET_KEY_TYPE, type_number(key));
  nftnl_set_set_u32(encoded, NFTNL_SET_KEY_LEN, static_cast<std::uint32_t>(size_of(key)));
  if (verdicts) {
    nftnl_set_set_u32(encoded, NFTNL_SET_DATA_TYPE, kVerdictType);
    nftnl_set_set_u32(encoded, NFTNL_SET_DATA_LEN, 0);
  } else if (!value.empty()) {
    nftnl_set_set_u32(encoded, NFTNL_SET_DATA_TYPE, type_number(value));
    nftnl_set_set_u32(encoded, NFTNL_SET_DATA_LEN, static_cast<std::uint32_t>(size_of(value)));
  }
}

void set_userdata_of(nftnl_set* encoded, const Userdata& userdata) {
  nftnl_set_set_data(encoded, NFTNL_SET_USERDATA, userdata.data(), static_cast<std::uint32_t>(userdata.size()));
}

void put_data(nlmsghdr& message, std::uint16_t type, std::span<const std::uint8_t> bytes) {
  nlattr* nest = mnl_attr_nest_start(&message, type);
  mnl_attr_put(&message, NFTA_DATA_VALUE, bytes.size(), bytes.data());
  mnl_attr_nest_end(&message, nest);
}

void put_comment(nlmsghdr& message, std::string_view text) {
  if (text.empty()) return;
  const Userdata comment = comment_userdata(text);
  mnl_attr_put(&message, NFTA_SET_ELEM_USERDATA, comment.size(), comment.data());
}

void put_verdict(nlmsghdr& message, const Verdict& verdict) {
  nlattr* data = mnl_attr_nest_start(&message, NFTA_SET_ELEM_DATA);
  nlattr* nest = mnl_attr_nest_start(&message, NFTA_DATA_VERDICT);
  mnl_attr_put_u32(&message, NFTA_VERDICT_CODE, htonl(static_cast<std::uint32_t>(verdict.kind)));
  if (!verdict.chain.empty()) mnl_attr_put_strz(&message, NFTA_VERDICT_CHAIN, verdict.chain.c_str());
  mnl_attr_nest_end(&message, nest);
  mnl_attr_nest_end(&message, data);
}

// Elements come by the ten thousand: written straight into the message, they cost a tenth of libnftnl's objects.
void put_element(nlmsghdr& message, const Element& element) {
  nlattr* nest = mnl_attr_nest_start(&message, NFTA_LIST_ELEM);
  put_data(message, NFTA_SET_ELEM_KEY, element.key.bytes());
  if (element.key_end) put_data(message, NFTA_SET_ELEM_KEY_END, element.key_end->bytes());
  if (element.value) put_data(message, NFTA_SET_ELEM_DATA, element.value->bytes());
  if (element.verdict) put_verdict(message, *element.verdict);
  if (element.timeout)
    mnl_attr_put_u64(&message, NFTA_SET_ELEM_TIMEOUT, htobe64(static_cast<std::uint64_t>(element.timeout->count())));
  put_comment(message, element.comment);
  mnl_attr_nest_end(&message, nest);
}

void put_element(nlmsghdr& message, const RawElement& element) {
  nlattr* nest = mnl_attr_nest_start(&message, NFTA_LIST_ELEM);
  put_data(message, NFTA_SET_ELEM_KEY, element.key);
  if (!element.key_end.empty()) put_data(message, NFTA_SET_ELEM_KEY_END, element.key_end);
  if (!element.value.empty()) put_data(message, NFTA_SET_ELEM_DATA, element.value);
  put_comment(message, element.comment);
  mnl_attr_nest_end(&message, nest);
}

std::string remedy_for(int error) {
  switch (error) {
    case EPERM:
      return "changing the packet filter needs root, or CAP_NET_ADMIN over the namespace";
    case ENOENT:
      return "the table, chain, set or rule that it names must exist, or come earlier in the same change";
    case EOPNOTSUPP:
      return "the kernel lacks a part of nf_tables that this needs: load the module (nft_nat, nft_numgen, "
             "nft_fib_ipv4, "
             "nft_masq, nft_reject_ipv4...), or use another kernel";
    case EBUSY:
      return "a rule or map still refers to it: remove that first, or in the same change";
    default:
      return {};
  }
}

}  // namespace

void Batch::State::append_message(std::vector<std::uint8_t>& buffer, std::span<std::uint8_t> scratch,
                                  const nlmsghdr& wanted, std::uint8_t family, std::uint16_t resource,
                                  const Fill& fill) {
  auto* header = mnl_nlmsg_put_header(scratch.data());
  header->nlmsg_type = wanted.nlmsg_type;
  header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | wanted.nlmsg_flags);
  header->nlmsg_seq = wanted.nlmsg_seq;
  auto* extra = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
  extra->nfgen_family = family;
  extra->version = NFNETLINK_V0;
  extra->res_id = htons(resource);
  fill(*header);
  buffer.insert(buffer.end(), scratch.begin(), scratch.begin() + MNL_ALIGN(header->nlmsg_len));
}

void Batch::State::append(std::uint16_t type, Family family, std::uint16_t flags, std::string_view verb,
                          std::string object, const Fill& fill) {
  steps_.push_back(Step{.position = buffer_.size(), .verb = verb, .object = std::move(object), .key = {}});
  nlmsghdr header{};
  header.nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type);
  header.nlmsg_flags = flags;
  header.nlmsg_seq = static_cast<std::uint32_t>(steps_.size());
  scratch_.resize(kMessageRoom);
  append_message(buffer_, scratch_, header, static_cast<std::uint8_t>(family), 0, fill);
}

void Batch::State::append_table(std::uint16_t type, const Table& table) {
  auto encoded = encode_table(table.id);
  if (const Userdata comment = comment_userdata(table.comment); !comment.empty()) {
    nftnl_table_set_data(encoded.get(), NFTNL_TABLE_USERDATA, comment.data(),
                         static_cast<std::uint32_t>(comment.size()));
  }
  const bool adds = type == NFT_MSG_NEWTABLE;
  append(type, table.id.family, adds ? NLM_F_CREATE : 0, adds ? "add" : "delete", describe(table.id),
         [&](nlmsghdr& message) { nftnl_table_nlmsg_build_payload(&message, encoded.get()); });
}

void Batch::State::append_absence(const TableId& table) {
  // What was added before in this batch exists by then, whatever the kernel holds now.
  const std::string object = describe(table);
  const bool known = std::any_of(steps_.begin(), steps_.end(), [&](const Step& step) { return step.object == object; });
  if (!known) absences_.push_back(Absence{table, steps_.size()});
  append_table(NFT_MSG_NEWTABLE, Table{.id = table});
  append_table(NFT_MSG_DELTABLE, Table{.id = table});
}

void Batch::State::whole_or_not(const std::function<void()>& change) {
  const std::size_t bytes = buffer_.size();
  const std::size_t steps = steps_.size();
  try {
    change();
  } catch (...) {
    buffer_.resize(bytes);
    steps_.resize(steps);
    throw;
  }
}

void Batch::State::append_rule(const Rule& rule, std::uint64_t handle, std::uint16_t flags, std::string_view verb) {
  const TableId& table = rule.chain.table;
  auto encoded = encode_rule(rule.chain, handle);
  if (const Userdata comment = comment_userdata(rule.comment); !comment.empty())
    nftnl_rule_set_data(encoded.get(), NFTNL_RULE_USERDATA, comment.data(), static_cast<std::uint32_t>(comment.size()));
  std::string object = "a rule in " + describe(rule.chain);
  if (!rule.comment.empty()) object += fmt::format(" (\"{}\")", rule.comment);
  whole_or_not([&] {
    RuleCompiler compiler(table.family, *encoded,
                          [this, &table](const AnonymousSet& set) { return declare(table, set); });
    for (const Statement& statement : rule.statements) compiler.add(statement);
    append(NFT_MSG_NEWRULE, table.family, flags, verb, std::move(object),
           [&](nlmsghdr& message) { nftnl_rule_nlmsg_build_payload(&message, encoded.get()); });
  });
}

std::uint32_t Batch::State::declare(const TableId& table, const AnonymousSet& set) {
  const std::uint32_t id = next_set_++;
  auto encoded = encode_set(SetId{table, set.name()});
  nftnl_set_set_u32(encoded.get(), NFTNL_SET_ID, id);
  nftnl_set_set_u32(encoded.get(), NFTNL_SET_FLAGS,
                    flag(true, NFT_SET_ANONYMOUS) | flag(true, NFT_SET_CONSTANT) | flag(set.is_map(), NFT_SET_MAP));
  nftnl_set_set_u32(encoded.get(), NFTNL_SET_DESC_SIZE, static_cast<std::uint32_t>(set.elements.size()));
  set_types(encoded.get(), set.key, set.value, set.verdicts);
  set_userdata_of(encoded.get(), anonymous_set_userdata(set.key, set.value, set.is_map()));
  append(NFT_MSG_NEWSET, table.family, NLM_F_CREATE, "add", "a rule's own set in " + describe(table),
         [&](nlmsghdr& message) { nftnl_set_nlmsg_build_payload(&message, encoded.get()); });
  append_elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE, SetId{table, set.name()}, id, set.elements);
  return id;
}

void Batch::State::append_set(const Set& set) {
  if (set.verdicts && set.value) throw InputError(describe(set.id) + ": holds verdicts or values, not both");
  auto encoded = encode_set(set.id);
  nftnl_set_set_u32(encoded.get(), NFTNL_SET_ID, next_set_++);
  nftnl_set_set_u32(encoded.get(), NFTNL_SET_FLAGS,
                    flag(set.verdicts || set.value, NFT_SET_MAP) | flag(set.dynamic, NFT_SET_EVAL) |
                        flag(set.timeout.has_value(), NFT_SET_TIMEOUT) |
                        (set.interval ? NFT_SET_INTERVAL | NFT_SET_CONCAT : 0U));
  if (set.interval) {
    std::vector<std::uint8_t> lengths;
    for (const Type part : set.key.types()) lengths.push_back(static_cast<std::uint8_t>(size_of(part)));
    nftnl_set_set_data(encoded.get(), NFTNL_SET_DESC_CONCAT, lengths.data(),
                       static_cast<std::uint32_t>(lengths.size()));
  }
  if (set.timeout) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(*set.timeout).count();
    nftnl_set_set_u64(encoded.get(), NFTNL_SET_TIMEOUT, static_cast<std::uint64_t>(milliseconds));
  }
  if (set.size || set.dynamic)
    nftnl_set_set_u32(encoded.get(), NFTNL_SET_DESC_SIZE, set.size.value_or(kDynamicSetSize));
  set_types(encoded.get(), set.key.types(), set.value ? set.value->types() : Types{}, set.verdicts);
  set_userdata_of(encoded.get(), set_userdata(set));
  append(NFT_MSG_NEWSET, set.id.table.family, NLM_F_CREATE, "add", describe(set.id),
         [&](nlmsghdr& message) { nftnl_set_nlmsg_build_payload(&message, encoded.get()); });
}

void Batch::State::append_elements(std::uint16_t type, std::uint16_t flags, const SetId& set,
                                   std::optional<std::uint32_t> id, const std::vector<Element>& elements) {
  for (const Element& element : elements)
    if (element.verdict && !element.verdict->chain.empty()) require_name("chain", element.verdict->chain);
  if (elements.empty()) return;
  append_lists(type, flags, set, id, elements.front().key.types(), elements.size(),
               [&](nlmsghdr& message, std::size_t which) { put_element(message, elements[which]); });
}

void Batch::State::append_elements(std::uint16_t type, std::uint16_t flags, const Set& set,
                                   std::span<const RawElement> elements) {
  const auto key = size_of(set.key.types());
  const auto value = set.value && type == NFT_MSG_NEWSETELEM ? size_of(set.value->types()) : 0;
  const auto key_end = set.interval ? key : 0;
  append_lists(type, flags, set.id, {}, set.key.types(), elements.size(), [&](nlmsghdr& message, std::size_t which) {
    const auto& element = elements[which];
    if (element.key.size() != key || element.value.size() != value || element.key_end.size() != key_end)
      throw InputError(fmt::format("an element of {} with {}, {} and {} bytes: it takes {}, {} and {}",
                                   describe(set.id), element.key.size(), element.value.size(), element.key_end.size(),
                                   key, value, key_end));
    put_element(message, element);
  });
}

void Batch::State::append_lists(std::uint16_t type, std::uint16_t flags, const SetId& set,
                                std::optional<std::uint32_t> id, const Types& key, std::size_t count,
                                const std::function<void(nlmsghdr&, std::size_t)>& put) {
  require_name("table", set.table.name);
  require_name("set", set.name);
  whole_or_not([&] {
    for (std::size_t next = 0; next != count;) {
      append(type, set.table.family, flags, type == NFT_MSG_DELSETELEM ? "delete" : "add",
             "elements of " + describe(set), [&](nlmsghdr& message) {
               mnl_attr_put_strz(&message, NFTA_SET_ELEM_LIST_TABLE, set.table.name.c_str());
               mnl_attr_put_strz(&message, NFTA_SET_ELEM_LIST_SET, set.name.c_str());
               if (id) mnl_attr_put_u32(&message, NFTA_SET_ELEM_LIST_SET_ID, htonl(*id));
               nlattr* list = mnl_attr_nest_start(&message, NFTA_SET_ELEM_LIST_ELEMENTS);
               const std::size_t limit = message.nlmsg_len + kElementsRoom;
               for (; next != count && message.nlmsg_len < limit; ++next) put(message, next);
               mnl_attr_nest_end(&message, list);
             });
      steps_.back().key = key;
    }
  });
}

std::vector<std::uint8_t> Batch::State::assemble(const std::vector<TableId>& existing,
                                                 std::optional<std::uint32_t> generation) const {
  std::vector<bool> skipped(steps_.size());
  for (const Absence& absence : absences_) {
    if (std::find(existing.begin(), existing.end(), absence.table) != existing.end()) continue;
    skipped[absence.first] = true;
    skipped[absence.first + 1] = true;
  }
  std::array<std::uint8_t, 64> scratch{};  // for the marks
  std::vector<std::uint8_t> all;
  all.reserve(size());
  nlmsghdr mark{};
  mark.nlmsg_type = NFNL_MSG_BATCH_BEGIN;
  append_message(all, scratch, mark, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, [&](nlmsghdr& message) {
    if (generation) mnl_attr_put_u32(&message, NFNL_BATCH_GENID, htonl(*generation));
  });
  std::optional<std::size_t> last;
  for (std::size_t index = 0; index < steps_.size(); ++index) {
    if (skipped[index]) continue;
    last = all.size();
    const auto first = buffer_.begin() + static_cast<std::ptrdiff_t>(steps_[index].position);
    all.insert(all.end(), first, first + MNL_ALIGN(message(steps_[index]).nlmsg_len));
  }
  if (!last) return {};
  // One acknowledgement is enough to know that the kernel has answered: the last message's.
  reinterpret_cast<nlmsghdr*>(all.data() + *last)->nlmsg_flags |= NLM_F_ACK;
  mark.nlmsg_type = NFNL_MSG_BATCH_END;
  append_message(all, scratch, mark, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, [](nlmsghdr&) {});
  return all;
}

const nlmsghdr& Batch::State::message(const Step& step) const {
  return *reinterpret_cast<const nlmsghdr*>(buffer_.data() + step.position);
}

std::string Batch::State::element_at(const Step& step, std::uint32_t offset) const {
  const std::uint8_t* start = buffer_.data() + step.position;
  std::string found;
  const auto look_for_key = [&](Attribute field) {
    if (field.type() != NFTA_SET_ELEM_KEY) return;
    for_each_attribute(field.payload(), [&](Attribute value) {
      if (value.payload().size() == size_of(step.key)) found = Data::parse(step.key, value.payload()).to_string();
    });
  };
  for_each_attribute(payload_of(message(step), sizeof(nfgenmsg)), [&](Attribute list) {
    if (list.type() != NFTA_SET_ELEM_LIST_ELEMENTS) return;
    for_each_attribute(list.payload(), [&](Attribute element) {
      const auto position = static_cast<std::size_t>(reinterpret_cast<const std::uint8_t*>(element.raw()) - start);
      if (offset >= position && offset < position + element.size()) for_each_attribute(element.payload(), look_for_key);
    });
  });
  return found;
}

void Batch::State::raise(const std::vector<netlink::Verdict>& refusals) const {
  const auto& first = refusals.front();
  // A commit that is refused as a whole is reported on the mark of its begin, which no step has the number of.
  std::string object = "the ruleset";
  std::string_view verb = "change";
  if (first.sequence > 0 && first.sequence <= steps_.size()) {
    const Step& step = steps_[first.sequence - 1];
    verb = step.verb;
    object = step.object;
    const std::string element = first.offset && !step.key.empty() ? element_at(step, *first.offset) : "";
    if (!element.empty()) object += fmt::format(" ({})", element);
  }
  std::string answer = first.extack;
  if (refusals.size() > 1)
    answer += fmt::format("{}and {} more refusals", answer.empty() ? "" : ", ", refusals.size() - 1);
  throw Error(first.error, object,
              {.where = "nft",
               .tried = fmt::format("{} {}", verb, object),
               .answer = answer,
               .remedy = remedy_for(first.error)});
}

}  // namespace knetsim::nft
