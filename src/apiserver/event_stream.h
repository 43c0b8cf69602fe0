#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache.h"
#include "knetsim/kube/selector.h"
#include "knetsim/kube/table.h"
#include "media.h"

namespace knetsim::apiserver {

/// Which objects are meant.
struct Selection {
  const kube::Kind* kind = nullptr;
  std::string ns;  ///< empty: of all
  kube::LabelSelector labels;
  kube::FieldSelector fields;

  bool everything() const { return ns.empty() && labels.empty() && fields.empty(); }
  /// Of what stands at this key.
  bool covers(std::string_view key) const;
  bool matches(const nlohmann::json& object) const { return labels.matches(object) && fields.matches(object); }
};

/// How they are shown.
struct View {
  Form form;
  kube::IncludeObject include = kube::IncludeObject::metadata;
};

struct WatchRequest {
  Selection selection;
  View view;
  std::optional<etcd::Revision> since;  ///< nullopt: what there is, then what changes
  bool bookmarks = false;
  bool mark_initial_end = false;  ///< sendInitialEvents
  std::chrono::milliseconds timeout{0};
  std::shared_ptr<const void> token;  ///< is held for as long as the watch goes on
};

/// The body of one watch. What has changed waits in a queue of bounded size: who doesn't take it is cut off, and goes
/// on from where it was.
class EventStream : public Subscriber {
 public:
  EventStream(const boost::asio::any_io_executor& executor, Cache& cache, WatchRequest request);
  ~EventStream() override;

  /// The next lines; empty at the end.
  boost::asio::awaitable<std::string> next();
  /// next() returns, empty.
  void end();

  void see(const Change& change) override;
  void lose_track() override;

 private:
  using Clock = std::chrono::steady_clock;
  void begin();
  std::string next_initial();
  void push(TextPtr line);
  std::string event(std::string_view type, const nlohmann::json& object, etcd::Revision revision);
  std::string bookmark(etcd::Revision revision, bool initial_end);

  Cache* cache_;
  WatchRequest request_;
  boost::asio::steady_timer timer_;
  Clock::time_point deadline_;
  Clock::time_point next_bookmark_;
  std::vector<VersionPtr> initial_;  // what there was at the beginning, from initial_sent_ on
  std::size_t initial_sent_ = 0;
  etcd::Revision began_ = 0;
  std::deque<TextPtr> queue_;
  std::size_t queued_bytes_ = 0;
  bool columns_sent_ = false;
  bool over_ = false;   // nothing is added any more
  bool ended_ = false;  // nothing is wanted any more
};

}  // namespace knetsim::apiserver
