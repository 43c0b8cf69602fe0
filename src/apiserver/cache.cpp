#include "cache.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace knetsim::apiserver {

namespace asio = boost::asio;

namespace {

struct Place {
  std::string_view storage;
  std::string_view key;
};

/// "/registry/services/specs/shop/web" -> "services/specs", "shop/web"; nullopt for what isn't of a kind of ours.
std::optional<Place> place_of(std::string_view key) {
  if (!key.starts_with(Cache::kRoot)) return std::nullopt;
  key.remove_prefix(Cache::kRoot.size());
  for (const auto& kind : kube::kinds()) {
    const auto length = kind.storage.size();
    if (!key.starts_with(kind.storage) || key.size() <= length + 1 || key[length] != '/') continue;
    const auto rest = key.substr(length + 1);
    const auto slashes = std::count(rest.begin(), rest.end(), '/');
    if (slashes == (kind.namespaced ? 1 : 0)) return Place{kind.storage, rest};
  }
  return std::nullopt;
}

}  // namespace

std::string cache_key(std::string_view ns, std::string_view name) {
  std::string key(ns);
  if (!key.empty()) key += '/';
  return key.append(name);
}

void Cache::add(Contents& contents, const etcd::KeyValue& kv) {
  if (const auto place = place_of(kv.key))
    contents[std::string(place->storage)][std::string(place->key)] = version_of(kv);
}

void Cache::replace(Contents contents, etcd::Revision revision) {
  for (const auto& kind : kube::kinds()) room(kind);
  for (auto& [storage, room] : rooms_) {
    room.objects = std::move(contents[storage]);
    room.window.clear();
    room.oldest = revision;
    for (auto* subscriber : room.subscribers) subscriber->lose_track();
  }
  advance(revision);
}

void Cache::take(const etcd::WatchEvents& events) {
  for (const auto& event : events.events) take(event);
  advance(events.revision);
}

void Cache::take_own(std::string_view key, VersionPtr after, etcd::Revision revision) {
  if (!loaded() || revision != revision_ + 1) return;
  if (const auto place = place_of(key)) take(place->storage, place->key, std::move(after), revision);
  advance(revision);
}

void Cache::take(const etcd::Event& event) {
  const auto place = place_of(event.kv.key);
  if (!place || event.kv.mod_revision <= revision_) return;  // that of our own has been taken already
  take(place->storage, place->key, event.type == etcd::Event::Type::put ? version_of(event.kv) : nullptr,
       event.kv.mod_revision);
}

void Cache::take(std::string_view storage, std::string_view key, VersionPtr after, etcd::Revision revision) {
  auto& room = rooms_[std::string(storage)];
  const auto found = room.objects.find(key);
  const auto before = found == room.objects.end() ? nullptr : found->second;
  if (!before && !after) return;
  if (after)
    room.objects.insert_or_assign(std::string(key), after);
  else
    room.objects.erase(found);
  auto change = std::make_shared<const Change>(std::string(key), revision, before, std::move(after));
  for (auto* subscriber : room.subscribers) subscriber->see(*change);
  change->grow_old();
  room.window.push_back(std::move(change));
  if (room.window.size() <= window_) return;
  room.oldest = room.window.front()->revision();
  room.window.pop_front();
}

void Cache::advance(etcd::Revision revision) {
  revision_ = std::max(revision_, revision);
  const auto end = waiting_.upper_bound(revision_);
  for (auto each = waiting_.begin(); each != end; ++each) each->second->cancel();
}

asio::awaitable<bool> Cache::reached(etcd::Revision revision, std::chrono::milliseconds patience) {
  if (revision_ >= revision) co_return true;
  asio::steady_timer timer(executor_, patience);
  const auto place = waiting_.emplace(revision, &timer);
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  waiting_.erase(place);
  co_return revision_ >= revision;
}

Cache::Room& Cache::room(const kube::Kind& kind) const {
  const auto found = rooms_.find(kind.storage);
  return found != rooms_.end() ? found->second : rooms_[std::string(kind.storage)];
}

VersionPtr Cache::find(const kube::Kind& kind, std::string_view key) const {
  const auto& objects = room(kind).objects;
  const auto found = objects.find(key);
  return found == objects.end() ? nullptr : found->second;
}

std::optional<Cache::Objects> Cache::objects_at(const kube::Kind& kind, etcd::Revision revision) const {
  const auto& room = this->room(kind);
  if (revision < room.oldest) return std::nullopt;
  Objects objects = room.objects;
  for (auto each = room.window.rbegin(); each != room.window.rend() && (*each)->revision() > revision; ++each) {
    if ((*each)->before())
      objects.insert_or_assign((*each)->key(), (*each)->before());
    else
      objects.erase((*each)->key());
  }
  return objects;
}

std::optional<std::vector<ChangePtr>> Cache::changes_after(const kube::Kind& kind, etcd::Revision revision) const {
  const auto& room = this->room(kind);
  if (revision < room.oldest) return std::nullopt;
  const auto first = std::find_if(room.window.begin(), room.window.end(),
                                  [revision](const ChangePtr& change) { return change->revision() > revision; });
  return std::vector<ChangePtr>(first, room.window.end());
}

}  // namespace knetsim::apiserver
