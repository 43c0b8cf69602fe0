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
  all_.insert(link);
  attaching_.insert(link);
  ++count_;
}

void StreamingLinks::begin_waiting() {
  while (!waiting_.empty() && !free_.empty()) {
    auto* link = *free_.begin();
    free_.erase(link);
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
  free_.insert(link);
  begin_waiting();
  detach_if_spare(link);
}

void StreamingLinks::settled(pn_link_t* link) { detach_if_spare(link); }

/// Not while the peer may still have to say something of what the link has carried.
void StreamingLinks::detach_if_spare(pn_link_t* link) {
  if (free_.size() <= kMaxFree || pn_link_unsettled(link) > 0 || free_.erase(link) == 0) return;
  pn_link_close(link);
  pn_session_close(pn_link_session(link));
}

void StreamingLinks::gone(pn_link_t* link) {
  free_.erase(link);
  attaching_.erase(link);
  if (all_.erase(link) > 0) --count_;
}

void StreamingLinks::lost() {
  count_ -= static_cast<std::int64_t>(std::exchange(all_, {}).size());
  for (auto waiting = std::exchange(waiting_, {}); const auto& stream : waiting) stream->connection_lost();
}

}  // namespace knetsim::skupper::router
