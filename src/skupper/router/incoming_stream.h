#pragma once

#include <proton/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "router/stream.h"

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

class RouterConnection;

/// A streaming delivery from another router: inlet of a stream. Once its head has come, its outlet is found by the
/// address in it. Lives on its connection's shard.
class IncomingStream : public Inlet, public std::enable_shared_from_this<IncomingStream> {
 public:
  /// What isn't a flow for somebody here is refused; on a link for `any_message`s it is accepted and forgotten.
  IncomingStream(std::shared_ptr<RouterConnection> connection, pn_delivery_t* delivery, bool any_message);

  /// Bytes have come, or the end, or the peer has settled.
  void readable();
  void connection_lost();
  RouterConnection& connection() const noexcept { return *connection_; }
  Shard& shard() const noexcept;

  void acknowledged(std::uint64_t bytes) override;
  void completed() override;
  void refused() override;

 private:
  /// More unacknowledged bytes than this aren't taken: the session's window then closes. Routers keep to kWindow.
  static constexpr std::uint64_t kLimit = 2 * kWindow;
  static constexpr std::size_t kMaxHead = 64 * 1024;

  void read_soon();
  void take();
  void pass_on(std::string_view bytes);
  void find_outlet();
  void no_flow();
  void end();
  void settle();

  std::shared_ptr<RouterConnection> connection_;
  EnginePointer<pn_delivery_t> delivery_;
  std::string head_;
  OutletRef outlet_;
  bool any_message_;
  bool has_outlet_ = false;
  bool ended_ = false;    ///< the delivery is complete or aborted
  bool refused_ = false;  ///< what comes is thrown away
  bool done_ = false;     ///< the outcome is told
  std::uint64_t taken_ = 0;
  std::uint64_t acknowledged_ = 0;
};

}  // namespace knetsim::skupper::router
