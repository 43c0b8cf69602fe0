#include "knetsim/kubeproxy/vips.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "knetsim/kubeproxy/program.h"
#include "knetsim/nft/ruleset.h"
#include "stale_flows.h"
#include "vip_table.h"

namespace knetsim::kubeproxy {

namespace {

const Vip* find(const std::vector<Vip>& vips, const Address& address) {
  const auto found = std::ranges::find(vips, address, &Vip::address);
  return found == vips.end() ? nullptr : &*found;
}

/// Of those that differ: what was, what is; null: it wasn't, or isn't, there.
using Changes = std::map<Address, std::pair<const Vip*, const Vip*>>;

Changes changes_between(const std::vector<Vip>& before, const std::vector<Vip>& now) {
  // Most changes concern few of many, and leave the others where they were.
  const auto same = std::ranges::mismatch(before, now);
  Changes changes;
  for (const auto& vip : std::ranges::subrange(same.in1, before.end())) changes[vip.address].first = &vip;
  for (const auto& vip : std::ranges::subrange(same.in2, now.end())) changes[vip.address].second = &vip;
  std::erase_if(changes, [](const auto& change) {
    const auto& [old, next] = change.second;
    return old != nullptr && next != nullptr && *old == *next;
  });
  return changes;
}

Answering answering_for(const Changes& changes) {
  Answering answering;
  for (const auto& [address, change] : changes) {
    auto& serving = answering[address];
    if (change.second == nullptr) continue;
    for (const VipEndpoint& endpoint : change.second->endpoints)
      if (!endpoint.gone) serving.insert(endpoint.address);
  }
  return answering;
}

}  // namespace

struct VipProxy::State {
  std::mutex mutex = {};
  const NetNs* netns;
  VipOptions options;
  std::vector<Vip> services = {};
  /// One for each family that has had a VIP. A table that was made stays, even empty: without any NAT chain the kernel
  /// would stop tracking flows, and those that are translated would break.
  std::map<nft::Family, Program> programs = {};

  Program& program(nft::Family family) {
    return programs.try_emplace(family, *netns, vips_layout(family, options)).first->second;
  }

  void enter(const Changes& changes, bool back) {
    for (const auto& [address, change] : changes) {
      const auto* wanted = back ? change.first : change.second;
      const auto family = address.is_v6() ? nft::Family::ip6 : nft::Family::ip;
      program(family).ledger().set(address.to_string(), wanted == nullptr ? Desired{} : vip_entries(*wanted));
    }
  }

  /// Whether it has been looked at what stands.
  bool write() {
    bool looked = false;
    for (auto& [family, program] : programs) looked = program.write().looked || looked;
    return looked;
  }
};

VipProxy::VipProxy(const NetNs& netns, VipOptions options)
    : state_(new State{.netns = &netns, .options = std::move(options)}) {}
VipProxy::VipProxy(VipProxy&&) noexcept = default;
VipProxy& VipProxy::operator=(VipProxy&&) noexcept = default;
VipProxy::~VipProxy() = default;

void VipProxy::apply(const std::vector<Vip>& services) {
  validate(services);
  const std::scoped_lock lock(state_->mutex);
  const auto changes = changes_between(state_->services, services);
  state_->enter(changes, false);
  try {
    const bool looked = state_->write();
    // Not before the rules are acknowledged: until then packets bring wrong entries back.
    forget_stale_flows(*state_->netns, answering_for(looked ? changes_between({}, services) : changes));
  } catch (...) {
    state_->enter(changes, true);
    try {
      state_->write();
    } catch (const nft::Error&) {
      // Refused as before: what was served still is, and the next change begins with a look.
    }
    throw;
  }
  if (&services != &state_->services) state_->services = services;
}

void VipProxy::restore() {
  const std::scoped_lock lock(state_->mutex);
  bool written = false;
  for (auto& [family, program] : state_->programs) {
    program.doubt();
    written = program.write().batches != 0 || written;
  }
  if (!written) return;
  forget_stale_flows(*state_->netns, answering_for(changes_between({}, state_->services)));  // that began meanwhile
}

const std::vector<Vip>& VipProxy::services() const noexcept { return state_->services; }

VipCounters VipProxy::counters(const Address& vip) const {
  const std::scoped_lock lock(state_->mutex);
  const Vip* service = find(state_->services, vip);
  const auto object = "VIP " + vip.to_string();
  if (service == nullptr) {
    throw nft::Error(ENOENT, object,
                     {.where = "kube-proxy",
                      .tried = "read the counters of " + object,
                      .answer = "it isn't served here",
                      .remedy = "add it first"});
  }
  const auto counter_of = [&](bool output) {
    const nft::ChainId chain{{family_of(*service), kVipTableName}, turns_chain(*service, output)};
    const auto rules = nft::list_rules(*state_->netns, chain);
    return rules.empty() ? nft::Counter{} : rules.front().counter.value_or(nft::Counter{});
  };
  return {counter_of(false), counter_of(true)};
}

void VipProxy::clear() {
  const std::scoped_lock lock(state_->mutex);
  nft::Batch batch;
  for (const nft::Family family : {nft::Family::ip, nft::Family::ip6})
    batch.ensure_absent({.family = family, .name = kVipTableName});
  batch.commit(*state_->netns);
  state_->services.clear();
  state_->programs.clear();
}

}  // namespace knetsim::kubeproxy
