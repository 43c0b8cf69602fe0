#pragma once

#include <proton/types.h>

#include <deque>
#include <optional>
#include <string>

namespace knetsim::skupper::router {

class Flows;

/// One end of a link that carries whole messages, presettled: those of the routing protocol, and what edge routers can
/// reach. A value of its connection; null before the link is there and after it has gone.
class MessageLink {
 public:
  /// Of a message.
  static constexpr std::size_t kLongest = 4 * 1024 * 1024;

  /// Forgets what was on its way over the one before.
  MessageLink& operator=(pn_link_t* link);
  operator pn_link_t*() const noexcept { return link_; }  // NOLINT(google-explicit-constructor)

  /// Without credit it waits; what has no room there is lost, as on any datagram service.
  void send(const std::string& message, Flows& flows);
  /// There is credit: sends what waits.
  void send_waiting(Flows& flows);

  /// Reads what has come of a message; how many bytes. nullopt if the message is too long.
  std::optional<std::size_t> read(pn_delivery_t* delivery);
  /// Ends the delivery, of which all has been read: the message, unless it was aborted.
  std::optional<std::string> finish(pn_delivery_t* delivery);

 private:
  pn_link_t* link_ = nullptr;
  std::deque<std::string> waiting_;
  std::string incomplete_;  ///< the message of which a part has come
};

}  // namespace knetsim::skupper::router
