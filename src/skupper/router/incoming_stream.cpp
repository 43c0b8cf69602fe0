#include "router/incoming_stream.h"

#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/link.h>

#include <algorithm>

#include "router/flows.h"
#include "router/router_connection.h"
#include "wire/codec.h"

namespace knetsim::skupper::router {

IncomingStream::IncomingStream(std::shared_ptr<RouterConnection> connection, pn_delivery_t* delivery, bool any_message)
    : connection_(std::move(connection)), delivery_(delivery), any_message_(any_message) {}

Shard& IncomingStream::shard() const noexcept { return connection_->shard(); }

void IncomingStream::readable() {
  if (!delivery_) return;
  const auto self = shared_from_this();
  take();
  if (!delivery_ || ended_) return settle();
  if (pn_delivery_aborted(delivery_)) {
    auto* link = pn_delivery_link(delivery_);
    ended_ = done_ = true;
    std::exchange(outlet_, {}).abort();
    settle();
    return connection_->delivery_complete(link);
  }
  if (!pn_delivery_partial(delivery_) && pn_delivery_pending(delivery_) == 0) end();
}

void IncomingStream::take() {
  auto* link = pn_delivery_link(delivery_);
  while (delivery_ && !ended_ && pn_delivery_pending(delivery_) > 0 && (refused_ || taken_ - acknowledged_ < kLimit)) {
    const auto buffer = shard().output();
    const auto count = pn_link_recv(link, buffer.data(), buffer.size());
    if (count <= 0) return;
    connection_->taken(link, static_cast<std::size_t>(count));
    if (!refused_) pass_on({buffer.data(), static_cast<std::size_t>(count)});
  }
}

void IncomingStream::pass_on(std::string_view bytes) {
  if (has_outlet_) {
    taken_ += bytes.size();
    return outlet_.write(bytes);
  }
  head_.append(bytes);
  find_outlet();
}

void IncomingStream::find_outlet() {
  try {
    auto found = connection_->flows().dispatch(*this, head_);
    if (!found) {
      if (head_.size() > kMaxHead) throw wire::ProtocolError("no end of the message's head within 64 KiB");
      return;
    }
    has_outlet_ = true;
    outlet_ = std::move(found->outlet);
    const auto rest = std::exchange(head_, {}).substr(found->consumed);
    if (!outlet_) return no_flow();
    if (!rest.empty()) pass_on(rest);
  } catch (const wire::ProtocolError& error) {
    if (!any_message_) connection_->complain(error.what());
    no_flow();
  }
}

void IncomingStream::no_flow() {
  if (!any_message_) return refused();
  refused_ = true;
  completed();
}

/// All of it has come. Messages of skupper-router's modules have no body, and so no end of a flow's head: they end
/// here.
void IncomingStream::end() {
  auto* link = pn_delivery_link(delivery_);
  if (!refused_ && !has_outlet_) {
    if (!any_message_) connection_->complain("a message that ends within its head");
    no_flow();
  }
  // Only now, as settle() forgets a delivery that has ended.
  ended_ = true;
  pn_link_advance(link);
  connection_->delivery_complete(link);
  // Whoever has settled already won't hear of the stream's fate.
  const bool settled = pn_delivery_settled(delivery_);
  if (!refused_) outlet_.finish(settled);
  done_ = done_ || settled;
  settle();
}

void IncomingStream::acknowledged(std::uint64_t bytes) {
  if (!delivery_ || done_) return;
  acknowledged_ = std::clamp(bytes, acknowledged_, taken_);
  auto* local = pn_delivery_local(delivery_);
  pn_disposition_set_section_number(local, 0);
  pn_disposition_set_section_offset(local, acknowledged_);
  pn_delivery_update(delivery_, PN_RECEIVED);
  connection_->touch();
  // Bytes may be lying in the session that there was no room for.
  if (pn_delivery_pending(delivery_) > 0) read_soon();
}

/// As readable(), but not within the call of another stream.
void IncomingStream::read_soon() {
  shard().post([self = shared_from_this()] { self->connection_->guarded([&] { self->readable(); }); });
}

void IncomingStream::completed() {
  if (!delivery_ || std::exchange(done_, true)) return;
  pn_delivery_update(delivery_, PN_ACCEPTED);
  settle();
}

void IncomingStream::refused() {
  if (!delivery_ || std::exchange(done_, true)) return;
  refused_ = true;
  pn_disposition_set_failed(pn_delivery_local(delivery_), true);
  pn_delivery_update(delivery_, PN_MODIFIED);
  connection_->touch();
  read_soon();
}

/// Forgets the delivery, once it has ended and its fate is told.
void IncomingStream::settle() {
  if (!delivery_ || !ended_ || !done_) return;
  const auto self = shared_from_this();
  auto* delivery = delivery_.release();
  connection_->stream_ended(this, delivery);
  pn_delivery_settle(delivery);
  connection_->touch();
}

void IncomingStream::connection_lost() {
  const auto self = shared_from_this();
  delivery_.release();
  done_ = true;
  const auto outlet = std::exchange(outlet_, {});
  if (!std::exchange(ended_, true)) outlet.abort();
}

}  // namespace knetsim::skupper::router
