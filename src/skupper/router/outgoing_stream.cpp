#include "router/outgoing_stream.h"

#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/link.h>

#include "router/router_connection.h"

namespace knetsim::skupper::router {

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
