#include "vip_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace knetsim::kubeproxy {

namespace {

using nft::Data;

enum VipSlot : std::uint8_t { kVips, kTurns, kVipHairpin, kGone, kAtPrerouting, kAtOutput };

// A turn is a mark with this bit, taken off before the packet leaves; bit 31 is for ids of services' endpoints.
constexpr std::uint32_t kTurnBit = 1U << 30;

constexpr auto kTake = "take";

// A value is the number of endpoints, and a print of what makes the turns start anew when it changes.
struct TurnsValue {
  std::uint32_t count = 0;
  std::uint64_t print = 0;
};

Bytes bytes_of_value(const TurnsValue& value) {
  Bytes bytes(sizeof value.count + sizeof value.print);
  std::memcpy(bytes.data(), &value.count, sizeof value.count);
  std::memcpy(bytes.data() + sizeof value.count, &value.print, sizeof value.print);
  return bytes;
}

std::uint32_t count_in(const Bytes& bytes) {
  std::uint32_t count = 0;
  if (bytes.size() >= sizeof count) std::memcpy(&count, bytes.data(), sizeof count);
  return count;
}

std::uint64_t print_of(const Vip& vip) {
  std::uint64_t print = 14'695'981'039'346'656'037ULL;  // FNV-1a
  const auto add = [&print](std::string_view text) {
    for (const char c : text) print = (print ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
  };
  add(fmt::format("{} {}", vip.revision, vip.name));
  for (const VipEndpoint& endpoint : vip.endpoints) add(" " + endpoint.address.to_string());
  return print;
}

Data address_in(const Entry& entry, nft::Family family) { return Data::parse({nft::address_type(family)}, entry.key); }

std::string chain_name(const Entry& entry, nft::Family family) {
  auto address = address_in(entry, family).to_string();
  std::ranges::replace(address, ':', '.');  // which no name can have that nft reads
  return fmt::format("{}-{}", entry.slot == kAtOutput ? "output" : "vip", address);
}

/// As kube-proxy does it: a random source port spares two clients that chose the same one from a search.
nft::Statement fully_random() { return nft::masquerade({.fully_random = true}); }

std::vector<nft::Rule> postrouting_rules(const nft::ChainId& chain, const Layout& layout, const VipOptions& options) {
  const auto family = chain.table.family;
  std::vector<nft::Rule> rules;
  const nft::Statement translated = nft::any_of({nft::CtStatus::dnat});
  const nft::Statement sent_to_vip = nft::in(nft::ct::original_daddr(family), layout.slots[kVips].set);
  rules.push_back(
      nft::Rule{.chain = chain,
                .statements = {sent_to_vip, (nft::meta::mark() & kTurnBit) == Data::mark(kTurnBit), nft::set_mark(0U)},
                .comment = "its turn has been taken"});
  // A flow is tracked from here on; one whose first packet is dropped isn't, and is looked at anew.
  rules.push_back(nft::Rule{.chain = chain,
                            .statements = {translated, nft::in(nft::daddr_of(family), layout.slots[kGone].set),
                                           sent_to_vip, nft::meta::l4proto() != nft::L4Proto::tcp, nft::drop()},
                            .comment = "the turn of an endpoint that is gone"});
  const nft::Value pair = nft::concat({nft::saddr_of(family), nft::daddr_of(family)});
  rules.push_back(nft::Rule{.chain = chain,
                            .statements = {translated, nft::in(pair, layout.slots[kVipHairpin].set), fully_random()},
                            .comment = "an endpoint that reached itself"});
  std::vector<nft::Statement> from_elsewhere{sent_to_vip};
  for (const Network& network : options.pod_networks)
    if (is_v6(network) == (family == nft::Family::ip6)) from_elsewhere.push_back(nft::saddr_of(family) != network);
  if (from_elsewhere.size() == 1) return rules;
  from_elsewhere.push_back(fully_random());
  rules.push_back(nft::Rule{.chain = chain, .statements = from_elsewhere, .comment = "from outside the pod network"});
  return rules;
}

}  // namespace

nft::Family family_of(const Vip& vip) { return vip.address.is_v4() ? nft::Family::ip : nft::Family::ip6; }

std::string comment_of(const Vip& vip) {
  return vip.name.empty() ? "VIP " + vip.address.to_string() : "VIP " + vip.address.to_string() + ": " + vip.name;
}

std::string turns_chain(const Vip& vip, bool output) {
  const Entry place{.slot = output ? kAtOutput : kAtPrerouting, .key = bytes_of(vip.address), .value = {}};
  return chain_name(place, family_of(vip));
}

Layout vips_layout(nft::Family family, const VipOptions& options) {
  const nft::TableId table{family, kVipTableName};
  const nft::Type address = nft::address_type(family);
  const nft::Set turns{.id = {table, "turns"},
                       .key = nft::TypeSpec::of({nft::daddr_of(family), nft::meta::mark()}),
                       .value = nft::TypeSpec::of({nft::daddr_of(family)})};
  const auto chain = [family](const Entry& entry) { return chain_name(entry, family); };
  // Which address it is could be left out, but for those who look for it in a listing. Who has the turn is looked up in
  // one place for all: the kernel walks through a map and all rules that look into it whenever one more does.
  const auto rules = [family, table](const Entry& entry) {
    const auto count = std::max(1U, count_in(entry.value));
    return std::vector{nft::Rule{.chain = {table, chain_name(entry, family)},
                                 .statements = {nft::daddr_of(family) == address_in(entry, family), nft::counter(),
                                                nft::set_mark(nft::numgen::inc(count, kTurnBit)), nft::goto_(kTake)},
                                 .comment = entry.comment}};
  };
  const auto verdicts = [&](const char* name) {
    return Slot{.set = {.id = {table, name}, .key = {address}, .verdicts = true}, .chain = chain, .rules = rules};
  };
  Layout layout{.table = {.id = table, .comment = "virtual addresses and who serves them in turn"},
                .slots = {{{.id = {table, "vips"}, .key = {address}}},
                          {turns},
                          {{.id = {table, "hairpin"}, .key = {address, address}}},
                          {{.id = {table, "gone"}, .key = {address}}},
                          verdicts("at-prerouting"),
                          verdicts("at-output")},
                .chains = {},
                .rules = {}};
  using nft::HookPoint;
  const auto base = [&](const char* name, HookPoint point, int priority) {
    layout.chains.push_back(
        {.id = {table, name}, .hook = nft::Hook{.type = nft::ChainType::nat, .point = point, .priority = priority}});
    return layout.chains.back().id;
  };
  const auto prerouting = base("prerouting", HookPoint::prerouting, nft::priority::kDstNat);
  const auto output = base("output", HookPoint::output, nft::priority::kDstNat);
  const auto postrouting = base("postrouting", HookPoint::postrouting, nft::priority::kSrcNat);
  const auto lead = [&](const nft::ChainId& from, VipSlot to) {
    layout.rules.push_back({.chain = from,
                            .statements = {nft::vmap(nft::daddr_of(family), layout.slots[to].set)},
                            .comment = "to the VIP's turns"});
  };
  layout.chains.push_back({.id = {table, kTake}});
  layout.rules.push_back(
      {.chain = {table, kTake},
       .statements = {nft::dnat(nft::lookup(nft::concat({nft::daddr_of(family), nft::meta::mark()}), turns))},
       .comment = "whose turn it is"});
  lead(prerouting, kAtPrerouting);
  lead(output, kAtOutput);
  for (auto& rule : postrouting_rules(postrouting, layout, options)) layout.rules.push_back(std::move(rule));
  return layout;
}

Desired vip_entries(const Vip& vip) {
  Desired entries;
  const Data address(vip.address);
  const auto comment = comment_of(vip);
  const auto value = bytes_of_value({static_cast<std::uint32_t>(vip.endpoints.size()), print_of(vip)});
  entries.push_back({kVips, bytes_of(address), {}, {}});
  entries.push_back({kAtPrerouting, bytes_of(address), value, comment});
  entries.push_back({kAtOutput, bytes_of(address), value, comment});
  std::uint32_t turn = 0;
  for (const VipEndpoint& endpoint : vip.endpoints) {
    const Data where(endpoint.address);
    entries.push_back({kTurns, bytes_of(Data::concat({address, Data::mark(kTurnBit + turn++)})), bytes_of(where), {}});
    entries.push_back({kVipHairpin, bytes_of(Data::concat({where, where})), {}, {}});
    if (endpoint.gone) entries.push_back({kGone, bytes_of(where), {}, {}});
  }
  return sorted(std::move(entries));
}

}  // namespace knetsim::kubeproxy
