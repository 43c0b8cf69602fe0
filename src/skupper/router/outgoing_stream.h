#pragma once

#include <proton/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "router/stream.h"

namespace knetsim::skupper::router {

class OutgoingStream;

/// The anonymous sender links of a connection that carry streams, one at a time each. A link whose stream has ended
/// carries the next one; a peak leaves no more than kMaxFree behind (skupper-router's
/// modules/streaming_link_scrubber).
class StreamingLinks {
 public:
  static constexpr std::size_t kMaxFree = 128;

  /// `attach` makes a link, or returns nullptr if it can't; credited() is to be called once it has credit. `count`: how
  /// many links there are, of all connections.
  StreamingLinks(std::function<pn_link_t*()> attach, std::atomic<std::int64_t>& count);
  ~StreamingLinks();

  /// Begins the stream, at once if a link is free.
  void start(const std::shared_ptr<OutgoingStream>& stream);
  /// The stream no longer wants to begin.
  void forget(const OutgoingStream& stream);
  /// The link has credit, and carries nothing. Links of another origin, such as an edge router's, which are bound to an
  /// address, are passed over.
  void credited(pn_link_t* link);
  /// The fate of a stream that has ended is known.
  void settled();
  /// The peer has detached it, or refused it.
  void gone(pn_link_t* link);
  /// With the connection: streams that haven't begun hear of it.
  void lost();

 private:
  void begin_waiting();
  void detach_spare();

  std::function<pn_link_t*()> attach_;
  std::deque<std::shared_ptr<OutgoingStream>> waiting_;
  std::atomic<std::int64_t>& count_;
  std::unordered_set<pn_link_t*> all_;
  std::unordered_set<pn_link_t*> attaching_;  ///< not answered yet
  std::deque<pn_link_t*> free_;               ///< in the order in which they became so
};

class RouterConnection;

/// A streaming delivery to another router: outlet of a stream. Waits for a link with credit, then sends as bytes come.
/// Lives on its connection's shard, except that it may be made on any.
class OutgoingStream : public Outlet, public std::enable_shared_from_this<OutgoingStream> {
 public:
  /// `head` is what the delivery begins with (wire::encode(FlowHead)).
  OutgoingStream(std::shared_ptr<RouterConnection> connection, std::string head, InletRef inlet);
  /// From any shard, once.
  void start();
  Shard& shard() const noexcept;

  void write(std::string_view bytes) override;
  void finish(bool last) override;
  void abort() override;

  // What its connection tells it.
  void begin(pn_link_t* link);
  /// The peer has changed the delivery's state.
  void updated();
  void connection_lost();

 private:
  enum class End { none, finished, last, aborted };

  void send(std::string_view bytes);
  void end_delivery();
  void settle();

  std::shared_ptr<RouterConnection> connection_;
  std::string waiting_;  ///< to be sent when there is a link
  InletRef inlet_;
  EnginePointer<pn_link_t> link_;
  EnginePointer<pn_delivery_t> delivery_;
  End end_ = End::none;
  bool told_ = false;  ///< the inlet, that it is over
};

}  // namespace knetsim::skupper::router
