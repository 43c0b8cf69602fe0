#include "knetsim/kubeproxy/proxy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "knetsim/nft/batch.h"
#include "ruleset.h"
#include "stale_flows.h"

namespace knetsim::kubeproxy {

namespace {

constexpr std::array kFamilies{nft::Family::ip, nft::Family::ip6};

std::vector<Service> of_family(const std::vector<Service>& services, nft::Family family) {
  std::vector<Service> chosen;
  std::copy_if(services.begin(), services.end(), std::back_inserter(chosen),
               [&](const Service& service) { return family_of(service) == family; });
  return chosen;
}

const Service* find(const std::vector<Service>& services, const Address& address) {
  const auto found = std::find_if(services.begin(), services.end(),
                                  [&](const Service& service) { return service.address == address; });
  return found == services.end() ? nullptr : &*found;
}

/// The elements of `from` that aren't in `without`.
std::vector<nft::Element> difference(std::vector<nft::Element> from, const std::vector<nft::Element>& without) {
  std::erase_if(from, [&](const nft::Element& element) {
    return std::find(without.begin(), without.end(), element) != without.end();
  });
  return from;
}

void update_set(nft::Batch& batch, const nft::Set& set, const std::vector<nft::Element>& before,
                const std::vector<nft::Element>& after) {
  batch.remove(set.id, difference(before, after)).add(set.id, difference(after, before));
}

/// The rules that the kernel holds for services, found by chain and comment.
class HeldRules {
 public:
  HeldRules(const NetNs& netns, nft::Family family) : rules_(nft::list_rules(netns, table_of(family))) {}

  const nft::RuleInfo& find(const Service& service, const char* chain) const {
    const std::string comment = comment_of(service);
    for (const nft::RuleInfo& rule : rules_)
      if (rule.id.chain.name == chain && rule.comment == comment) return rule;
    const std::string object = fmt::format("the rule \"{}\" in chain {}", comment, chain);
    throw nft::Error(ENOENT, object,
                     {.where = "kube-proxy",
                      .tried = "find " + object,
                      .remedy = "somebody else changed the table: apply the services again"});
  }

  std::size_t count() const { return rules_.size(); }

 private:
  std::vector<nft::RuleInfo> rules_;
};

void change_rules(nft::Batch& batch, const HeldRules& held, const std::vector<Service>& before,
                  const std::vector<Service>& after) {
  for (const char* chain : {kPrerouting, kOutput}) {
    for (const Service& old : before) {
      const Service* now = find(after, old.address);
      if (now == nullptr)
        batch.remove(held.find(old, chain).id);
      else if (!same_turns(*now, old))
        batch.replace(held.find(old, chain).id.handle, service_rule(*now, chain));
    }
    for (const Service& now : after)
      if (find(before, now.address) == nullptr) batch.add(service_rule(now, chain));
  }
}

}  // namespace

struct Proxy::State {
  std::mutex mutex = {};
  const NetNs* netns;
  ProxyOptions options;
  std::vector<Service> services = {};
  /// The families that have a table. One that was made stays, even empty: without any NAT chain the kernel would stop
  /// tracking flows, and those that are translated would break.
  std::map<nft::Family, bool> made = {};
  /// False until a write has succeeded, and after one has failed.
  bool in_step = false;

  void write_everything(const std::vector<Service>& desired) {
    in_step = false;
    nft::Batch batch;
    std::map<nft::Family, bool> making = made;
    for (const nft::Family family : kFamilies) {
      const std::vector<Service> own = of_family(desired, family);
      batch.ensure_absent(table_of(family));
      making[family] = making[family] || !own.empty();
      if (making[family]) add_table(batch, family, options, own);
    }
    batch.commit(*netns);
    finish(desired, making);
  }

  void write_changes(const std::vector<Service>& desired) {
    nft::Batch batch;
    std::map<nft::Family, bool> making = made;
    for (const nft::Family family : kFamilies) {
      const std::vector<Service> before = of_family(services, family);
      const std::vector<Service> after = of_family(desired, family);
      if (before == after) continue;
      if (making[family]) {
        change_rules(batch, HeldRules(*netns, family), before, after);
        update_set(batch, vips_set(family), vips_elements(before), vips_elements(after));
        update_set(batch, hairpin_set(family), hairpin_elements(before), hairpin_elements(after));
        update_set(batch, gone_set(family), gone_elements(before), gone_elements(after));
      } else {
        making[family] = true;
        add_table(batch, family, options, after);
      }
    }
    batch.commit(*netns);
    finish(desired, making);
  }

  /// Whether the changes were enough.
  bool write(const std::vector<Service>& desired) {
    if (in_step) {
      try {
        write_changes(desired);
        return true;
      } catch (const nft::Error&) {
        // What the kernel holds isn't what we wrote last. The whole table replaces it, whatever it is.
      }
    }
    write_everything(desired);
    return false;
  }

  bool holds(const nft::Set& set, const std::vector<nft::Element>& wanted) const {
    const auto keys_of = [](const std::vector<nft::Element>& elements) {
      std::set<nft::Data::Bytes> keys;
      for (const nft::Element& element : elements) keys.insert(element.key.bytes());
      return keys;
    };
    return keys_of(nft::list_elements(*netns, set.id)) == keys_of(wanted);
  }

  bool intact(nft::Family family) const {
    const std::vector<Service> own = of_family(services, family);
    try {
      const HeldRules held(*netns, family);
      for (const Service& service : own)
        for (const char* chain : {kPrerouting, kOutput}) held.find(service, chain);
      return held.count() == 2 * own.size() + postrouting_rules(family, options).size() &&
             holds(vips_set(family), vips_elements(own)) && holds(hairpin_set(family), hairpin_elements(own)) &&
             holds(gone_set(family), gone_elements(own));
    } catch (const nft::Error&) {
      return false;
    }
  }

  void finish(const std::vector<Service>& written, const std::map<nft::Family, bool>& making) {
    if (&written != &services) services = written;
    made = making;
    in_step = true;
  }
};

Proxy::Proxy(const NetNs& netns, ProxyOptions options)
    : state_(new State{.netns = &netns, .options = std::move(options)}) {}
Proxy::Proxy(Proxy&&) noexcept = default;
Proxy& Proxy::operator=(Proxy&&) noexcept = default;
Proxy::~Proxy() = default;

void Proxy::apply(const std::vector<Service>& services) {
  validate(services);
  const std::scoped_lock lock(state_->mutex);
  const std::vector<Service> before = state_->services;
  const bool whole = !state_->write(services);
  try {
    // Not before the rules are acknowledged: until then packets bring wrong entries back.
    forget_stale_flows(*state_->netns, whole ? std::vector<Service>{} : before, services);
  } catch (...) {
    state_->write_everything(before);
    throw;
  }
}

void Proxy::restore() {
  const std::scoped_lock lock(state_->mutex);
  const bool all = std::all_of(state_->made.begin(), state_->made.end(),
                               [this](const auto& family) { return !family.second || state_->intact(family.first); });
  if (all) return;
  state_->write_everything(state_->services);
  forget_stale_flows(*state_->netns, {}, state_->services);  // those that began meanwhile
}

const std::vector<Service>& Proxy::services() const noexcept { return state_->services; }

VipCounters Proxy::counters(const Address& vip) const {
  const std::scoped_lock lock(state_->mutex);
  const Service* service = find(state_->services, vip);
  if (service == nullptr) {
    const std::string object = "VIP " + vip.to_string();
    throw nft::Error(ENOENT, object,
                     {.where = "kube-proxy",
                      .tried = "read the counters of " + object,
                      .answer = "it isn't served here",
                      .remedy = "add it first"});
  }
  const HeldRules held(*state_->netns, family_of(*service));
  return {held.find(*service, kPrerouting).counter.value_or(nft::Counter{}),
          held.find(*service, kOutput).counter.value_or(nft::Counter{})};
}

void Proxy::clear() {
  const std::scoped_lock lock(state_->mutex);
  nft::Batch batch;
  for (const nft::Family family : kFamilies) batch.ensure_absent(table_of(family));
  batch.commit(*state_->netns);
  state_->services.clear();
  state_->made.clear();
}

}  // namespace knetsim::kubeproxy
