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

std::vector<Ledger::Place*>& Ledger::waiting_of(const std::string& owner) {
  if (const auto found = waiting_.find(owner); found != waiting_.end()) return *found->second;
  auto& [name, places] = dirty_.emplace_back(owner, std::vector<Place*>{});
  waiting_.emplace(name, &places);
  return places;
}

void Ledger::clean(const Key& key) {
  if (const auto found = states_.find(key); found != states_.end() && is_idle(found->second)) states_.erase(found);
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
  std::vector<Place*>* waiting = nullptr;
  const auto note = [&](Place& place) {
    if (!differs(place.second)) return;
    if (waiting == nullptr) waiting = &waiting_of(owner);
    waiting->push_back(&place);
    ++place.second.waiting;
  };
  const auto claim = [&](const Entry& entry) -> Place& {
    auto& place = *states_.try_emplace(key_of(entry)).first;
    place.second.claims.insert(place_of(place.second, entry), &entry);
    return place;
  };
  const auto release = [&](const Entry& entry) -> Place& {
    auto& place = *states_.find(key_of(entry));
    place.second.claims.erase(place_of(place.second, entry));
    return place;
  };
  compare(
      before, now,
      [&](const Entry& entry) {
        note(release(entry));
        clean(key_of(entry));
      },
      [&](const Entry& entry) { note(claim(entry)); },
      [&](const Entry& old, const Entry& entry) {
        release(old);
        note(claim(entry));
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
  given_.clear();
  std::size_t size = 0;
  ++round_;
  for (const auto& [owner, places] : dirty_) {
    const auto removed = delta.remove.size();
    const auto added = delta.add.size();
    std::size_t part = 0;
    for (auto* const place : places) {
      auto& [key, state] = *place;
      if (state.round == round_ || !differs(state)) continue;
      state.round = round_;
      if (state.held) {
        delta.remove.push_back({.slot = key.slot, .key = key.bytes, .value = *state.held});
        part += weight(delta.remove.back());
      }
      if (const auto* wanted = winner(state)) {
        delta.add.push_back(wanted);
        given_.push_back(place);
        part += weight(*wanted);
      }
    }
    if (size != 0 && size + part > limit) {
      delta.remove.resize(removed);
      delta.add.resize(added);
      given_.resize(added);
      break;
    }
    size += part;
  }
  return delta;
}

void Ledger::acknowledge(const Delta& written) {
  for (const auto& entry : written.remove) {
    const auto key = key_of(entry);
    if (const auto found = states_.find(key); found != states_.end()) found->second.held.reset();
    clean(key);
  }
  for (std::size_t i = 0; i < given_.size(); ++i) given_[i]->second.held = written.add[i]->value;
  holds_nothing_ = holds_nothing_ && given_.empty();
  given_.clear();
  const auto is_done = [](const Place* place) { return !differs(place->second); };
  while (!dirty_.empty() && std::ranges::all_of(dirty_.front().second, is_done)) {
    for (auto* const place : dirty_.front().second) {
      --place->second.waiting;
      if (is_idle(place->second)) clean(place->first);
    }
    waiting_.erase(dirty_.front().first);
    dirty_.pop_front();
  }
}

void Ledger::assume(const Desired& held) {
  given_.clear();
  if (held.empty() && holds_nothing_) return;  // all that is wanted waits already
  holds_nothing_ = held.empty();
  waiting_.clear();
  dirty_.clear();
  for (auto& [key, state] : states_) {
    state.held.reset();
    state.waiting = 0;
  }
  for (const auto& entry : held) states_[key_of(entry)].held = entry.value;
  ++round_;
  const auto wait = [&](const std::string& owner, Place& place) {
    waiting_of(owner).push_back(&place);
    ++place.second.waiting;
  };
  for (const auto& [owner, entries] : owners_)
    for (const auto& entry : entries) {
      auto& place = *states_.find(key_of(entry));
      if (place.second.round == round_ || !differs(place.second)) continue;
      place.second.round = round_;
      wait(owner, place);
    }
  std::erase_if(states_, [](const auto& one) { return one.second.claims.empty() && !one.second.held; });
  for (auto& place : states_)
    if (place.second.claims.empty()) wait({}, place);
}

}  // namespace knetsim::kubeproxy
