#pragma once

#include <proton/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <unordered_set>

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

}  // namespace knetsim::skupper::router
