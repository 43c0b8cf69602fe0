// Whole messages between routers: of the routing protocol, and of what edge routers can reach.

#include <proton/delivery.h>
#include <proton/link.h>

#include <algorithm>
#include <utility>

#include "router/flows.h"
#include "router/router_connection.h"

namespace knetsim::skupper::router {

void RouterConnection::send_control(const std::string& message) {
  if (control_sender_ && open()) send_message(control_sender_, message, control_queue_);
}

/// Presettled. Without credit it waits in `queue`; what has no room there is lost, as on any datagram service.
void RouterConnection::send_message(pn_link_t* link, const std::string& message, std::deque<std::string>& queue) {
  if (pn_link_credit(link) <= 0) {
    if (queue.size() < IncomingWindows::kCredit) queue.push_back(message);
    return;
  }
  const auto tag = flows_.new_tag();
  auto* delivery = pn_delivery(link, pn_dtag(tag.data(), tag.size()));
  pn_link_send(link, message.data(), message.size());
  pn_delivery_settle(delivery);
  touch();
}

void RouterConnection::on_message(pn_delivery_t* delivery) {
  auto* link = pn_delivery_link(delivery);
  if (delivery != pn_link_current(link)) return;
  const auto size = pn_delivery_pending(delivery);
  auto& message = incomplete_[link];
  const auto before = message.size();
  if (before + size > kMaxControlMessage)
    return close_with("amqp:resource-limit-exceeded", "a message between routers of more than 4 MiB");
  message.resize(before + size);
  const auto count = pn_link_recv(link, message.data() + before, size);
  message.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  taken(link, message.size() - before);
  if (pn_delivery_partial(delivery)) return;
  const bool aborted = pn_delivery_aborted(delivery);
  pn_link_advance(link);
  pn_delivery_settle(delivery);
  delivery_complete(link);
  auto whole = std::move(message);
  incomplete_.erase(link);
  if (aborted) return;
  link == tracking_ ? on_tracking(whole) : observer_.control_message(*this, std::move(whole));
}

}  // namespace knetsim::skupper::router
