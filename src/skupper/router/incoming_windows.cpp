#include "router/incoming_windows.h"

#include <proton/link.h>
#include <proton/session.h>
#include <proton/transport.h>

#include <algorithm>
#include <utility>

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

}  // namespace knetsim::skupper::router
