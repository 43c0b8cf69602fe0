#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "change.h"
#include "knetsim/etcd/types.h"
#include "knetsim/kube/kinds.h"
#include "version.h"

namespace knetsim::apiserver {

/// Who hears of changes. Called in the middle of them: take note, and do nothing else.
class Subscriber {
 public:
  Subscriber() = default;
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;
  virtual ~Subscriber() = default;
  virtual void see(const Change& change) = 0;
  /// Changes have been missed: what was known is void.
  virtual void lose_track() = 0;
};

/// What lies below /registry/ in etcd, by kind; and, of each kind, the changes that led to it, as far back as the
/// window reaches. Fed by one watch; whoever reads does so here.
class Cache {
 public:
  using Objects = std::map<std::string, VersionPtr, std::less<>>;

  Cache(boost::asio::any_io_executor executor, std::size_t window) : executor_(std::move(executor)), window_(window) {}

  // For what feeds it.
  static constexpr std::string_view kRoot = "/registry/";
  using Contents = std::map<std::string, Objects, std::less<>>;  ///< by Kind::storage
  static void add(Contents& contents, const etcd::KeyValue& kv);
  /// Changes between what was and this are not known.
  void replace(Contents contents, etcd::Revision revision);
  void take(const etcd::WatchEvents& events);
  /// What this process itself has made of a key at a revision, null: nothing. Taken if it is the next revision, so that
  /// nobody waits until etcd tells it once more; else the watch tells it after those before.
  void take_own(std::string_view key, VersionPtr after, etcd::Revision revision);
  void advance(etcd::Revision revision);

  /// Everything up to this one has been seen.
  etcd::Revision revision() const noexcept { return revision_; }
  bool loaded() const noexcept { return revision_ != 0; }
  /// Waits until everything up to that revision has been seen; false if it takes longer.
  boost::asio::awaitable<bool> reached(etcd::Revision revision, std::chrono::milliseconds patience);

  /// "shop/web" -> its state; null if there is none.
  VersionPtr find(const kube::Kind& kind, std::string_view key) const;
  const Objects& objects(const kube::Kind& kind) const { return room(kind).objects; }
  /// As it was at a revision; nullopt if that is before the window.
  std::optional<Objects> objects_at(const kube::Kind& kind, etcd::Revision revision) const;
  /// The changes after a revision, in order; nullopt if some of them are before the window.
  std::optional<std::vector<ChangePtr>> changes_after(const kube::Kind& kind, etcd::Revision revision) const;
  /// Of the changes from here on all are known.
  etcd::Revision oldest(const kube::Kind& kind) const { return room(kind).oldest; }

  void subscribe(const kube::Kind& kind, Subscriber& subscriber) { room(kind).subscribers.insert(&subscriber); }
  void unsubscribe(const kube::Kind& kind, Subscriber& subscriber) { room(kind).subscribers.erase(&subscriber); }

 private:
  struct Room {
    Objects objects;
    std::deque<ChangePtr> window;
    etcd::Revision oldest = 0;
    std::set<Subscriber*> subscribers;
  };
  Room& room(const kube::Kind& kind) const;
  void take(const etcd::Event& event);
  void take(std::string_view storage, std::string_view key, VersionPtr after, etcd::Revision revision);

  boost::asio::any_io_executor executor_;
  std::size_t window_;
  etcd::Revision revision_ = 0;
  mutable std::map<std::string, Room, std::less<>> rooms_;
  std::multimap<etcd::Revision, boost::asio::steady_timer*> waiting_;
};

/// "shop/web", or "w1" without a namespace.
std::string cache_key(std::string_view ns, std::string_view name);

}  // namespace knetsim::apiserver
