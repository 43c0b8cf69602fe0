#include "knetsim/kubeproxy/ledger.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace knetsim::kubeproxy {

namespace {

bool precedes(const Entry& a, const Entry& b) {
  if (const int by_comment = a.comment.compare(b.comment); by_comment != 0) return by_comment < 0;
  return a.value < b.value;
}

}  // namespace

std::size_t Ledger::weight(const Entry& entry) const {
  constexpr std::size_t kAttributes = 32;
  return kAttributes + entry.key.size() + entry.value.size() + entry.comment.size() +
         (entry.slot < extra_.size() ? extra_[entry.slot] : 0);
}

std::size_t Ledger::Hash::operator()(const Key& key) const {
  const std::string_view bytes(reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size());
  return std::hash<std::string_view>()(bytes) + key.slot;
}

const Entry* Ledger::winner(const State& state) { return state.claims.empty() ? nullptr : state.claims.front(); }

bool Ledger::differs(const State& state) {
  const auto* wanted = winner(state);
  return wanted == nullptr ? state.held.has_value() : state.held != wanted->value;
}

void Ledger::touch(const std::string& owner, const Key& key) {
  const auto [place, is_new] = places_.try_emplace(owner, dirty_.size());
  if (is_new) dirty_.emplace_back(owner, std::vector<Key>{});
  dirty_[place->second].second.push_back(key);
}

void Ledger::clean(const Key& key) {
  const auto found = states_.find(key);
  if (found != states_.end() && found->second.claims.empty() && !found->second.held) states_.erase(found);
}

void Ledger::set(const std::string& owner, Desired entries) {
  auto& now = owners_[owner];
  const auto before = std::exchange(now, std::move(entries));
  // Sorted, so that one of thousands that want the same (a chain, say) comes and goes as fast as the only one.
  const auto place_of = [](State& state, const Entry& entry) {
    return std::ranges::lower_bound(state.claims, &entry, [](const Entry* a, const Entry* b) {
      return precedes(*a, *b) || (!precedes(*b, *a) && std::less<>()(a, b));
    });
  };
  const auto claim = [&](const Entry& entry) -> State& {
    auto& state = states_[key_of(entry)];
    state.claims.insert(place_of(state, entry), &entry);
    return state;
  };
  const auto release = [&](const Entry& entry) -> State& {
    auto& state = states_.at(key_of(entry));
    state.claims.erase(place_of(state, entry));
    return state;
  };
  compare(
      before, now,
      [&](const Entry& entry) {
        const auto key = key_of(entry);
        if (differs(release(entry))) touch(owner, key);
        clean(key);
      },
      [&](const Entry& entry) {
        if (differs(claim(entry))) touch(owner, key_of(entry));
      },
      [&](const Entry& old, const Entry& entry) {
        release(old);
        if (differs(claim(entry))) touch(owner, key_of(entry));
      });
  if (now.empty()) owners_.erase(owner);
}

const Desired* Ledger::find(const std::string& owner) const {
  const auto found = owners_.find(owner);
  return found == owners_.end() ? nullptr : &found->second;
}

std::optional<Bytes> Ledger::held(const Entry& place) const {
  const auto found = states_.find(key_of(place));
  return found == states_.end() ? std::nullopt : found->second.held;
}

std::size_t Ledger::size() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(states_, [](const auto& one) { return !one.second.claims.empty(); }));
}

Desired Ledger::desired() const {
  Desired all;
  all.reserve(states_.size());
  for (const auto& [key, state] : states_)
    if (const auto* wanted = winner(state)) all.push_back(*wanted);
  return sorted(std::move(all));
}

Delta Ledger::next(std::size_t limit) {
  Delta delta;
  std::size_t size = 0;
  ++round_;
  for (const auto& [owner, keys] : dirty_) {
    Delta part;
    std::size_t part_size = 0;
    for (const auto& key : keys) {
      const auto found = states_.find(key);
      if (found == states_.end() || found->second.round == round_ || !differs(found->second)) continue;
      auto& state = found->second;
      state.round = round_;
      if (state.held) {
        part.remove.push_back({.slot = key.slot, .key = key.bytes, .value = *state.held});
        part_size += weight(part.remove.back());
      }
      if (const auto* wanted = winner(state)) {
        part.add.push_back(*wanted);
        part_size += weight(*wanted);
      }
    }
    if (size != 0 && size + part_size > limit) break;
    size += part_size;
    std::ranges::move(part.remove, std::back_inserter(delta.remove));
    std::ranges::move(part.add, std::back_inserter(delta.add));
  }
  const auto by_key = [](const Entry& a, const Entry& b) { return order_of(a, b) < 0; };
  std::ranges::sort(delta.remove, by_key);
  std::ranges::sort(delta.add, by_key);
  return delta;
}

void Ledger::acknowledge(const Delta& written) {
  for (const auto& entry : written.remove) {
    const auto key = key_of(entry);
    if (const auto found = states_.find(key); found != states_.end()) found->second.held.reset();
    clean(key);
  }
  for (const auto& entry : written.add) states_[key_of(entry)].held = entry.value;
  auto done = dirty_.begin();
  const auto is_clean = [&](const auto& owner) {
    return std::ranges::all_of(owner.second, [&](const Key& key) {
      const auto found = states_.find(key);
      return found == states_.end() || !differs(found->second);
    });
  };
  while (done != dirty_.end() && is_clean(*done)) ++done;
  dirty_.erase(dirty_.begin(), done);
  places_.clear();
  for (std::size_t i = 0; i < dirty_.size(); ++i) places_.emplace(dirty_[i].first, i);
}

void Ledger::assume(const Desired& held) {
  for (auto& [key, state] : states_) state.held.reset();
  for (const auto& entry : held) states_[key_of(entry)].held = entry.value;
  dirty_.clear();
  places_.clear();
  ++round_;
  for (const auto& [owner, entries] : owners_)
    for (const auto& entry : entries) {
      const auto key = key_of(entry);
      auto& state = states_.at(key);
      if (state.round == round_ || !differs(state)) continue;
      state.round = round_;
      touch(owner, key);
    }
  std::erase_if(states_, [](const auto& one) { return one.second.claims.empty() && !one.second.held; });
  for (const auto& [key, state] : states_)
    if (state.claims.empty()) touch({}, key);
}

}  // namespace knetsim::kubeproxy
