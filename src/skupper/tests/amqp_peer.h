#pragma once

#include <proton/connection_driver.h>
#include <proton/disposition.h>
#include <proton/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "knetsim/sys/fd.h"

namespace knetsim::skupper {

/// A peer of a router under a test's control: connects to 127.0.0.1, says what a router says first (or what a test
/// wants instead), and then what it is told to. Blocking; gives up after 20 s with an Error.
class AmqpPeer {
 public:
  struct Options {
    std::optional<std::int64_t> annotations_version = 2;
    bool data = false;                                  ///< one of a trunk's data connections
    std::optional<std::uint32_t> idle_timeout_ms = {};  ///< a router's if it isn't given
    std::optional<std::string> version = {};            ///< likewise
    std::optional<std::uint16_t> channel_max = {};      ///< likewise
  };

  AmqpPeer(std::uint16_t port, const std::string& id,
           const Options& options = {
               .annotations_version = 2, .data = false, .idle_timeout_ms = {}, .version = {}, .channel_max = {}});
  /// An interior router instead, to whom an edge router connects: opens what that opens, and gives
  /// credit for it.
  AmqpPeer(FdView listening, const std::string& id,
           const Options& options = {
               .annotations_version = 2, .data = false, .idle_timeout_ms = {}, .version = {}, .channel_max = {}});
  ~AmqpPeer();
  AmqpPeer(const AmqpPeer&) = delete;
  AmqpPeer& operator=(const AmqpPeer&) = delete;

  /// Until the router has opened the connection, too.
  void wait_for_open();
  /// Until that many frames have come in all, empty ones too.
  void wait_for_frames(std::uint64_t count);
  /// Until the router has closed it; returns why it says that it has.
  std::string wait_for_end();
  /// Bytes past the engine, into the middle of the protocol.
  void send_raw(std::string_view bytes);
  /// A message on a control link (qd.router).
  void send_control(std::string_view message);
  /// A complete delivery on a new link; returns the outcome.
  std::uint64_t send_stream(std::string_view message, const std::string& capability = "",
                            const std::string& address = "");
  /// A delivery on a new link, complete, aborted, or settled before it is sent. Returns its outcome, 0 if it has none.
  /// Throws if the router closes the connection instead.
  enum class How { complete, settled, aborted };
  std::uint64_t send_message(std::string_view message, How how, const std::string& capability,
                             const std::string& address);
  /// Deliveries on one link, each of which is begun and aborted.
  void abort_streams(int count);
  /// Attaches a link of that capability, and waits until the router has closed it.
  void wait_for_refusal(const std::string& capability);
  /// Attaches a link whose capabilities are lists within lists.
  void attach_nested(int depth);
  /// Ends the session on which it hears the routing protocol, and ignores what the router thinks of that.
  void end_control();
  /// The beginning of a delivery on a new streaming link.
  void begin_stream(std::string_view message);
  /// Flows for a service, side by side in one session as skrouterd sends them: `count` of so many bytes each, no more
  /// than 1 MiB of one unacknowledged, and nothing while the session's window is below 32 frames, or half of it where
  /// it is smaller. Until the router has accepted all of them.
  void send_as_skrouterd(int count, std::size_t bytes, const std::string& service);
  /// Until the router has said, since the stream was begun, how much more of it would be taken.
  void wait_for_window();
  /// To an edge router: that the address has a consumer.
  void tell_reachable(const std::string& address);
  /// Until an edge router attaches another link, which is refused.
  void refuse_a_link();
  /// Until a stream comes from an edge router. Returns what address its link is bound to; empty if to none.
  std::string wait_for_stream();
  /// Until an edge router has attached that many links for its streams.
  void wait_for_links(int count);
  /// From here on refuses the streams of an edge router, or gives them another outcome (PN_ACCEPTED), before they have
  /// ended; until that many have ended in all.
  void wait_for_streams(int count, std::uint64_t outcome = PN_MODIFIED);
  /// Until the edge router detaches a link. Gives it credit instead of an answer, as if the two had crossed.
  void give_credit_to_a_detached_link();
  /// "127.0.0.1:41894": what the router calls it.
  std::string name() const;

 private:
  /// The window of this side's first session, as the frames on the wire tell of it.
  struct Window {
    std::string inbox, outbox;                  ///< of which no whole frame has been seen
    std::optional<std::uint16_t> channel = {};  ///< the router's, of that session
    std::int64_t end = 0;                       ///< transfers that the router would take, since the beginning
    std::int64_t sent = 0;
    void saw_incoming(std::string_view bytes);
    void saw_outgoing(std::string_view bytes);
  };

  void open(const std::string& id, const Options& options);
  void oblige(pn_event_t* event);
  void refuse(pn_delivery_t* delivery);
  /// In a new session if none is given.
  pn_link_t* attach(const std::string& name, const char* capability, bool receiver, const std::string& address = "",
                    pn_session_t* session = nullptr);
  pn_link_t* attach_stream(const std::string& capability = "", const std::string& address = "");
  void begin(pn_link_t* link, std::string_view message);
  void send(pn_link_t* link, std::string_view message);
  void write();
  /// False at the end of the connection.
  bool read();
  void until(const std::function<bool()>& done);

  Fd fd_;
  pn_connection_driver_t driver_{};
  bool interior_ = false;
  enum class Links { welcome, unwelcome, refused } links_ = Links::welcome;
  pn_session_t* control_ = nullptr;
  pn_link_t* tracking_ = nullptr;        ///< on which an edge router hears what is reachable
  int links_attached_ = 0;               ///< by an edge router, for its streams
  std::optional<std::string> bound_to_;  ///< the link of an edge router's last stream
  pn_link_t* detached_ = nullptr;        ///< by an edge router
  std::set<pn_delivery_t*> open_streams_;
  std::optional<std::uint64_t> outcome_ = {};  ///< that streams of an edge router get
  int ended_ = 0;                              ///< streams of an edge router
  int streams_ = 0;
  pn_link_t* begun_ = nullptr;  ///< by begin_stream()
  int credit_ = 0;              ///< that it had then
  Window window_;
};

}  // namespace knetsim::skupper
