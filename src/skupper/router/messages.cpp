#include "router/messages.h"

#include <proton/delivery.h>
#include <proton/link.h>

#include <algorithm>
#include <utility>

#include "router/flows.h"
#include "router/incoming_stream.h"

namespace knetsim::skupper::router {

MessageLink& MessageLink::operator=(pn_link_t* link) {
  link_ = link;
  waiting_.clear();
  incomplete_.clear();
  return *this;
}

void MessageLink::send(const std::string& message, Flows& flows) {
  if (pn_link_credit(link_) <= 0) {
    if (waiting_.size() < IncomingWindows::kCredit) waiting_.push_back(message);
    return;
  }
  const auto tag = flows.new_tag();
  auto* delivery = pn_delivery(link_, pn_dtag(tag.data(), tag.size()));
  pn_link_send(link_, message.data(), message.size());
  pn_delivery_settle(delivery);
}

void MessageLink::send_waiting(Flows& flows) {
  for (const auto& message : std::exchange(waiting_, {})) send(message, flows);
}

std::optional<std::size_t> MessageLink::read(pn_delivery_t* delivery) {
  const auto size = pn_delivery_pending(delivery);
  const auto before = incomplete_.size();
  if (before + size > kLongest) return std::nullopt;
  incomplete_.resize(before + size);
  const auto count = pn_link_recv(link_, incomplete_.data() + before, size);
  incomplete_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return incomplete_.size() - before;
}

std::optional<std::string> MessageLink::finish(pn_delivery_t* delivery) {
  const bool aborted = pn_delivery_aborted(delivery);
  pn_link_advance(link_);
  pn_delivery_settle(delivery);
  auto whole = std::exchange(incomplete_, {});
  return aborted ? std::nullopt : std::optional(std::move(whole));
}

}  // namespace knetsim::skupper::router
