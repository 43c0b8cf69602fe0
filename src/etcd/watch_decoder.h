#pragma once

#include <deque>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/etcd/error.h"
#include "knetsim/etcd/types.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/json_place.h"

namespace knetsim::etcd {

/// Makes events of a watch's messages (WatchResponse of etcd's rpc.proto, one JSON object a line), over as many streams
/// as it takes, and keeps the place: no event is passed on twice.
class WatchDecoder {
 public:
  /// Puts a final answer of the server's into the words of an error.
  using Diagnose = std::function<Diagnosis(std::string answer)>;

  /// `from` is the first wanted revision; 0: the first after the watch was accepted.
  WatchDecoder(Revision from, Diagnose diagnose) : next_(from), diagnose_(std::move(diagnose)) {}

  /// What comes now is of another stream.
  void begin_stream() noexcept { stream_accepted_ = false; }
  /// One message of the stream. nullopt: it goes on. Else why it is of no more use.
  std::optional<std::string> take(const std::string& line);
  /// The body of an answer with an HTTP status that refuses the watch.
  void take_refusal(const std::string& body);

  /// The first revision that is still wanted; 0 before any server has accepted the watch.
  Revision next() const noexcept { return next_; }
  bool stream_accepted() const noexcept { return stream_accepted_; }
  /// By the server of any stream.
  bool accepted() const noexcept { return accepted_; }
  /// Why no stream will ever bring what is wanted: Compacted, or Error if a server refuses for good. Else null.
  const std::exception_ptr& over() const noexcept { return over_; }
  /// Events that nobody has popped yet.
  std::deque<WatchEvents>& ready() noexcept { return ready_; }
  const std::deque<WatchEvents>& ready() const noexcept { return ready_; }

 private:
  std::optional<std::string> take_message(const JsonPlace& message);
  void take_events(std::vector<Event> events);
  std::optional<std::string> cancelled(const JsonPlace& result);

  Revision next_;
  Diagnose diagnose_;
  bool stream_accepted_ = false;
  bool accepted_ = false;
  std::exception_ptr over_;
  std::deque<WatchEvents> ready_;
};

}  // namespace knetsim::etcd
