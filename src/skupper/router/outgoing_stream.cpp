#include "router/outgoing_stream.h"

#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/link.h>
#include <proton/session.h>

#include <algorithm>
#include <utility>

#include "router/router_connection.h"

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

OutgoingStream::OutgoingStream(std::shared_ptr<RouterConnection> connection, std::string head, InletRef inlet)
    : connection_(std::move(connection)), waiting_(std::move(head)), inlet_(std::move(inlet)) {}

Shard& OutgoingStream::shard() const noexcept { return connection_->shard(); }

void OutgoingStream::start() {
  auto begin = [self = shared_from_this()] {
    self->connection_->guarded([&] { self->connection_->start_stream(self); });
  };
  shard().here() ? begin() : shard().post(begin);
}

void OutgoingStream::begin(pn_link_t* link) {
  link_ = link;
  delivery_ = connection_->new_delivery(link, *this);
  send(waiting_);
  waiting_ = {};
  if (end_ != End::none) end_delivery();
}

void OutgoingStream::send(std::string_view bytes) {
  pn_link_send(link_, bytes.data(), bytes.size());
  connection_->touch();
}

void OutgoingStream::write(std::string_view bytes) {
  if (end_ != End::none) return;
  if (delivery_) return send(bytes);
  waiting_.append(bytes);
}

void OutgoingStream::finish(bool last) {
  if (end_ != End::none) return;
  end_ = last ? End::last : End::finished;
  if (delivery_) end_delivery();
}

void OutgoingStream::abort() {
  if (end_ != End::none) return;
  end_ = End::aborted;
  if (delivery_) return end_delivery();
  connection_->forget_waiting(*this);
}

/// Ends what is sent. Settled at once if nobody wants to hear of its fate.
void OutgoingStream::end_delivery() {
  pn_link_t* link = link_;
  link_.release();
  if (end_ == End::finished && !told_) {
    pn_link_advance(link);
  } else {
    settle();
  }
  connection_->link_is_free(link);
}

void OutgoingStream::settle() {
  const auto self = shared_from_this();
  pn_delivery_t* delivery = delivery_;
  delivery_.release();
  connection_->stream_ended(this, delivery);
  // Both advance the link if the delivery is its current one.
  end_ == End::aborted ? pn_delivery_abort(delivery) : pn_delivery_settle(delivery);
  connection_->outcome_known();
}

void OutgoingStream::updated() {
  if (!delivery_) return;
  const auto state = pn_delivery_remote_state(delivery_);
  const bool settled = pn_delivery_settled(delivery_);
  if (state == PN_RECEIVED && !settled)
    return inlet_.acknowledged(pn_disposition_get_section_offset(pn_delivery_remote(delivery_)));
  if (!settled && state == 0) return;
  const auto self = shared_from_this();
  // If it is accepted before it has ended, nobody takes the rest.
  const bool complete = state == PN_ACCEPTED && end_ != End::none;
  if (!std::exchange(told_, true)) complete ? inlet_.completed() : inlet_.refused();
  if (!delivery_) return;
  if (end_ != End::none) return settle();
  end_ = End::finished;
  end_delivery();
}

void OutgoingStream::connection_lost() {
  const auto self = shared_from_this();
  delivery_.release();
  link_.release();
  const bool tell = end_ == End::none && !std::exchange(told_, true);
  end_ = End::aborted;
  if (tell) inlet_.refused();
}

}  // namespace knetsim::skupper::router
