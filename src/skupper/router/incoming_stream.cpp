#include "router/incoming_stream.h"

#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/link.h>
#include <proton/session.h>
#include <proton/transport.h>

#include <algorithm>
#include <utility>

#include "router/flows.h"
#include "router/router_connection.h"
#include "wire/codec.h"

namespace knetsim::skupper::router {

namespace {

constexpr std::size_t kResume = 512 * 1024;

/// The whole of 512 KiB while the window has room for more, since older peers know no other limit.
std::size_t frames_to_go_on(std::size_t frames, std::size_t frame_size) {
  const auto resume = (kResume + frame_size - 1) / frame_size;
  return frames > resume ? resume : (frames + 1) / 2;
}

}  // namespace

IncomingWindows::IncomingWindows(pn_transport_t* transport, std::size_t frames, std::size_t frame_size)
    : transport_(transport), frames_(frames), frame_size_(frame_size), step_(frames_to_go_on(frames, frame_size)) {}

void IncomingWindows::add(pn_session_t* session) {
  pn_session_set_incoming_capacity(session, frames_ * frame_size_);
  told(session, windows_[session]);
}

void IncomingWindows::remove(pn_session_t* session) {
  const auto found = windows_.find(session);
  if (found == windows_.end()) return;
  for (auto* link : found->second.links) completed_.erase(link);
  std::erase(changed_, session);
  windows_.erase(found);
}

void IncomingWindows::add(pn_link_t* link) {
  windows_.at(pn_link_session(link)).links.insert(link);
  completed(link);
}

void IncomingWindows::remove(pn_link_t* link) {
  completed_.erase(link);
  const auto found = windows_.find(pn_link_session(link));
  if (found == windows_.end() || found->second.links.erase(link) == 0) return;
  change(found->first, found->second);
}

void IncomingWindows::taken(pn_link_t* link, std::size_t bytes) {
  auto& window = windows_.at(pn_link_session(link));
  window.taken += bytes;
  change(pn_link_session(link), window);
}

void IncomingWindows::completed(pn_link_t* link) {
  change(pn_link_session(link), windows_.at(pn_link_session(link)));
  completed_.insert(link);
}

void IncomingWindows::change(pn_session_t* session, Window& window) {
  if (!std::exchange(window.changed, true)) changed_.push_back(session);
}

void IncomingWindows::tell() {
  for (auto* link : completed_) {
    const auto missing = kCredit - pn_link_credit(link);
    if (missing == 0) continue;
    pn_link_flow(link, missing);
    told(pn_link_session(link), windows_.at(pn_link_session(link)));
  }
  completed_.clear();
  for (auto* session : std::exchange(changed_, {})) {
    auto& window = windows_.at(session);
    window.changed = false;
    if (window.links.empty() || !is_due(session, window)) continue;
    // Any change of any link's credit will do.
    auto* link = *window.links.begin();
    pn_link_flow(link, pn_link_credit(link) > kCredit ? -1 : 1);
    told(session, window);
  }
}

std::size_t IncomingWindows::room(pn_session_t* session) const {
  const auto held = std::min(pn_session_incoming_bytes(session), frames_ * frame_size_);
  return frames_ - (held + frame_size_ - 1) / frame_size_;
}

bool IncomingWindows::is_due(pn_session_t* session, const Window& window) const {
  // Of the frames that came only the connection's are counted, not the session's: at least so many may still come.
  const auto came = pn_transport_get_frames_input(transport_) - window.at;
  const auto left = window.told > came ? window.told - came : 0;
  return window.taken >= step_ * frame_size_ || (left < step_ && room(session) >= step_);
}

void IncomingWindows::told(pn_session_t* session, Window& window) const {
  window.told = room(session);
  window.at = pn_transport_get_frames_input(transport_);
  window.taken = 0;
}

std::size_t IncomingWindows::held() const {
  std::size_t bytes = 0;
  for (const auto& [session, window] : windows_) bytes += pn_session_incoming_bytes(session);
  return bytes;
}

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
