#include "knetsim/kubeproxy/program.h"

#include <algorithm>
#include <map>
#include <set>

#include "knetsim/nft/ruleset.h"
#include "knetsim/sys/error.h"

namespace knetsim::kubeproxy {

namespace {

// More at once would only keep others from the packet filter for longer.
constexpr std::size_t kMostBytes = 4UL << 20;
constexpr std::size_t kChainBytes = 1'500;

std::vector<std::size_t> extra_of(const Layout& layout) {
  std::vector<std::size_t> extra;
  for (const auto& slot : layout.slots) extra.push_back(slot.has_chains() ? kChainBytes : 0);
  return extra;
}

/// What a slot's set loses, or gets, in one batch.
struct Elements {
  std::vector<nft::RawElement> raw;
  std::vector<nft::Element> with_chains;

  void remove(const Slot& slot, const Entry& entry) {
    if (slot.set.interval)
      raw.push_back({.key = entry.key, .key_end = entry.value});
    else
      raw.push_back({.key = entry.key});
  }
  void add(const Slot& slot, const Entry& entry) {
    if (slot.has_chains())
      with_chains.push_back(slot.element(entry));
    else if (slot.set.interval)
      raw.push_back({.key = entry.key, .key_end = entry.value, .comment = entry.comment});
    else
      raw.push_back({.key = entry.key, .value = entry.value, .comment = entry.comment});
  }
};

}  // namespace

Program::Program(const NetNs& netns, Layout layout)
    : netns_(&netns), layout_(std::move(layout)), ledger_(extra_of(layout_)), most_(kMostBytes) {}

void Program::commit(nft::Batch& batch, Written& written) {
  if (batch.empty()) return;
  connection_->commit(batch);
  ++written.batches;
}

Written Program::write() {
  Written written;
  if (!connection_) room_ = connection_.emplace(*netns_).room_for(most_);
  const bool was_known = known_;
  try {
    if (!known_) look(written);
    if (!known_) make(written);
    write_dirty(written, false);
  } catch (const nft::Error&) {
    known_ = false;
    if (!was_known) throw;
    // Somebody has changed what we thought to know.
    look(written);
    if (!known_) make(written);
    write_dirty(written, false);
  }
  return written;
}

void Program::write_dirty(Written& written, bool made) {
  for (auto delta = ledger_.next(limit()); !delta.empty(); delta = ledger_.next(limit())) {
    nft::Batch batch;
    put(batch, delta, made);
    commit(batch, written);
    ledger_.acknowledge(delta);
    written.entries += delta.remove.size() + delta.add.size();
  }
  if (!made) known_ = true;
}

void Program::put(nft::Batch& batch, const Delta& delta, bool made) const {
  std::set<std::string> kept;
  std::vector<Elements> gone(layout_.slots.size());
  std::vector<Elements> come(layout_.slots.size());
  for (const auto& entry : delta.remove) gone[entry.slot].remove(layout_.slots[entry.slot], entry);
  for (const auto* entry : delta.add) {
    const auto& slot = layout_.slots[entry->slot];
    come[entry->slot].add(slot, *entry);
    if (!slot.has_chains()) continue;
    const auto id = chain_id(slot.chain(*entry));
    batch.add(nft::Chain{.id = id});
    if (!made) batch.flush(id);
    kept.insert(id.name);
    for (const auto& rule : slot.rules(*entry)) batch.add(rule);
  }
  for (std::size_t number = 0; number < layout_.slots.size(); ++number) {
    const auto& set = layout_.slots[number].set;
    batch.remove(set, gone[number].raw);
    batch.add(set, come[number].raw);
    batch.add(set.id, come[number].with_chains);
  }
  for (const auto& entry : delta.remove) {
    const auto& slot = layout_.slots[entry.slot];
    if (!slot.has_chains() || kept.contains(slot.chain(entry))) continue;
    const auto id = chain_id(slot.chain(entry));
    batch.flush(id).remove(id);
  }
}

void Program::put_rules(nft::Batch& batch, bool flush) const {
  if (flush)
    for (const auto& chain : layout_.chains) batch.flush(chain.id);
  for (const auto& rule : layout_.rules) batch.add(rule);
}

void Program::make(Written& written) {
  written.whole = true;
  ledger_.assume({});
  nft::Batch batch;
  batch.replace(layout_.table);
  for (const auto& set : layout_.sets) batch.add(set);
  for (const auto& slot : layout_.slots) batch.add(slot.set);
  for (const auto& chain : layout_.chains)
    if (!chain.hook) batch.add(chain);
  const auto delta = ledger_.next(limit());
  const bool at_once = delta.add.size() == ledger_.size();
  if (at_once) {
    put(batch, delta, true);
  } else {
    commit(batch, written);
    write_dirty(written, true);
  }
  for (const auto& chain : layout_.chains)
    if (chain.hook) batch.add(chain);
  put_rules(batch, false);
  commit(batch, written);
  if (at_once) ledger_.acknowledge(delta);
  if (at_once) written.entries += delta.add.size();
  known_ = true;
}

bool Program::chains_are_ours() const {
  std::map<std::string, const nft::Chain*> own;
  for (const auto& chain : layout_.chains) own.emplace(chain.id.name, &chain);
  std::set<std::string> led_to;
  for (const auto& slot : layout_.slots)
    if (slot.has_chains())
      for (const auto& element : nft::list_elements(*netns_, {layout_.table.id, slot.set.id.name}))
        if (element.verdict) led_to.insert(element.verdict->chain);
  return std::ranges::all_of(nft::list_chains(*netns_, layout_.table.id), [&](const nft::Chain& there) {
    const auto found = own.find(there.id.name);
    if (found == own.end()) return led_to.contains(there.id.name) && !there.hook;
    const auto& hook = found->second->hook;
    return there.hook.has_value() == hook.has_value() &&
           (!hook || (there.hook->point == hook->point && there.hook->priority == hook->priority));
  });
}

bool Program::rules_stand() const {
  const auto rules = nft::list_rules(*netns_, layout_.table.id);
  std::set<std::string> own;
  for (const auto& chain : layout_.chains) own.insert(chain.id.name);
  std::map<std::string, std::vector<std::string>> there;
  for (const auto& rule : rules)
    if (own.contains(rule.id.chain.name)) there[rule.id.chain.name].push_back(rule.comment);
  std::map<std::string, std::vector<std::string>> wanted;
  for (const auto& rule : layout_.rules) wanted[rule.chain.name].push_back(rule.comment);
  return there == wanted;
}

Desired Program::held() const {
  std::map<std::string, std::size_t> rules;
  if (std::ranges::any_of(layout_.slots, &Slot::has_chains))
    for (const auto& rule : nft::list_rules(*netns_, layout_.table.id)) ++rules[rule.id.chain.name];
  Desired held;
  for (std::uint8_t number = 0; number < layout_.slots.size(); ++number) {
    const auto& slot = layout_.slots[number];
    for (const auto& element : nft::list_elements(*netns_, {layout_.table.id, slot.set.id.name})) {
      Entry entry{.slot = number, .key = bytes_of(element.key), .value = {}, .comment = {}};
      if (slot.has_chains()) {
        // The rules' own values can't be read back: those that another wrote are written again, if they have any.
        entry.value = ledger_.held(entry).value_or(Bytes{});
        const bool whole = element.verdict && element.verdict->chain == slot.chain(entry) &&
                           rules[element.verdict->chain] == slot.rules(entry).size();
        if (!whole) entry.value = {0xff};
      } else if (element.key_end) {
        entry.value = bytes_of(*element.key_end);
      } else if (element.value) {
        entry.value = bytes_of(*element.value);
      }
      held.push_back(std::move(entry));
    }
  }
  return sorted(std::move(held));
}

void Program::look(Written& written) {
  written.looked = true;
  const auto& table = layout_.table.id;
  const auto tables = nft::list_tables(*netns_);
  if (std::ranges::find(tables, table) == tables.end()) return;
  try {
    if (!chains_are_ours()) return;
    // Adding what stands is no error, if it is the same.
    if (!rules_stand()) {
      nft::Batch repair;
      repair.add(layout_.table);
      for (const auto& set : layout_.sets) repair.add(set);
      for (const auto& slot : layout_.slots) repair.add(slot.set);
      for (const auto& chain : layout_.chains) repair.add(chain);
      put_rules(repair, true);
      commit(repair, written);
    }
    ledger_.assume(held());
    known_ = true;
  } catch (const nft::Error&) {
    // Another's table of that name, or one of an older layout: it is made anew.
  } catch (const InputError&) {
    // The same: its elements are of other types.
  }
}

void Program::remove() {
  known_ = false;
  nft::Batch batch;
  batch.ensure_absent(layout_.table.id);
  batch.commit(*netns_);
  ledger_.assume({});
}

}  // namespace knetsim::kubeproxy
