#include "router/streaming_links.h"

#include <proton/link.h>
#include <proton/session.h>

#include <algorithm>
#include <utility>

#include "router/outgoing_stream.h"

namespace knetsim::skupper::router {

StreamingLinks::StreamingLinks(std::function<pn_link_t*()> attach, std::atomic<std::int64_t>& count)
    : attach_(std::move(attach)), count_(count) {}
StreamingLinks::~StreamingLinks() = default;

void StreamingLinks::start(const std::shared_ptr<OutgoingStream>& stream) {
  waiting_.push_back(stream);
  begin_waiting();
  if (waiting_.size() <= attaching_.size()) return;
  auto* link = attach_();
  if (!link) {
    waiting_.pop_back();
    return stream->connection_lost();
  }
  all_.insert(link);
  attaching_.insert(link);
  ++count_;
}

void StreamingLinks::begin_waiting() {
  while (!waiting_.empty() && !free_.empty()) {
    auto* link = free_.back();
    free_.pop_back();
    const auto stream = std::move(waiting_.front());
    waiting_.pop_front();
    stream->begin(link);
  }
}

void StreamingLinks::forget(const OutgoingStream& stream) {
  std::erase_if(waiting_, [&](const auto& one) { return one.get() == &stream; });
}

void StreamingLinks::credited(pn_link_t* link) {
  if (!all_.contains(link)) return;
  attaching_.erase(link);
  if (std::find(free_.begin(), free_.end(), link) == free_.end()) free_.push_back(link);
  begin_waiting();
  detach_spare();
}

void StreamingLinks::settled() { detach_spare(); }

/// Those that have been free for longest, but none of whose streams something may still be said.
void StreamingLinks::detach_spare() {
  const auto idle = [](pn_link_t* link) { return pn_link_unsettled(link) == 0 && pn_link_queued(link) == 0; };
  while (free_.size() > kMaxFree) {
    const auto found = std::find_if(free_.begin(), free_.end(), idle);
    if (found == free_.end()) return;
    auto* link = *found;
    gone(link);
    pn_link_close(link);
    pn_session_close(pn_link_session(link));
  }
}

void StreamingLinks::gone(pn_link_t* link) {
  if (all_.erase(link) == 0) return;
  --count_;
  std::erase(free_, link);
  if (attaching_.erase(link) == 0 || waiting_.size() <= attaching_.size()) return;
  // The peer doesn't want another link: the stream that counted on it has none.
  const auto stream = std::move(waiting_.back());
  waiting_.pop_back();
  stream->connection_lost();
}

void StreamingLinks::lost() {
  count_ -= static_cast<std::int64_t>(std::exchange(all_, {}).size());
  for (auto waiting = std::exchange(waiting_, {}); const auto& stream : waiting) stream->connection_lost();
}

}  // namespace knetsim::skupper::router
