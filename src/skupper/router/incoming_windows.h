#pragma once

#include <proton/types.h>

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace knetsim::skupper::router {

/// How much a peer may send: the credit of each link, and the window of each session (AMQP 1.0, part 2.5.6), which all
/// links of the session share. Once it is blocked, skrouterd goes on only when it hears of a window of 512 KiB (its
/// Q3's lower limit), or of half the window where that is less: it must hear of that much as soon as there is room.
/// Proton itself speaks up only when nothing is left.
///
/// What is to be said is found out right before it is written, in tell(): Proton says something of a link when its
/// credit isn't what it was, and so of two changes before it writes that cancel each other out the peer would hear
/// nothing.
class IncomingWindows {
 public:
  static constexpr int kCredit = 250;  ///< deliveries of each link

  /// `frames` of `frame_size` bytes are each session's window, 1 at least.
  IncomingWindows(pn_transport_t* transport, std::size_t frames, std::size_t frame_size);

  /// Before it is opened.
  void add(pn_session_t* session);
  void remove(pn_session_t* session);
  /// A link on which the peer sends.
  void add(pn_link_t* link);
  /// What lies in the session may go with it.
  void remove(pn_link_t* link);
  void taken(pn_link_t* link, std::size_t bytes);
  /// A delivery is complete or aborted, and the link advanced.
  void completed(pn_link_t* link);
  /// To be called whenever the engine is about to be asked for its output, and at no other time.
  void tell();

  std::size_t sessions() const noexcept { return windows_.size(); }
  /// Bytes that lie in the sessions.
  std::size_t held() const;

 private:
  struct Window {
    std::size_t told = 0;   ///< frames
    std::uint64_t at = 0;   ///< frames of the whole connection that had come by then
    std::size_t taken = 0;  ///< bytes since
    bool changed = false;   ///< is in changed_
    std::unordered_set<pn_link_t*> links = {};
  };

  std::size_t room(pn_session_t* session) const;
  bool is_due(pn_session_t* session, const Window& window) const;
  void told(pn_session_t* session, Window& window) const;
  void change(pn_session_t* session, Window& window);

  pn_transport_t* transport_;
  std::size_t frames_;
  std::size_t frame_size_;
  std::size_t step_;  ///< frames that a blocked peer waits for
  std::unordered_map<pn_session_t*, Window> windows_;
  std::vector<pn_session_t*> changed_;
  std::unordered_set<pn_link_t*> completed_;
};

}  // namespace knetsim::skupper::router
