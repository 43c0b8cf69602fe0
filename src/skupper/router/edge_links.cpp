// The links between an edge router and the interior (skupper-router's modules addr_proxy and edge_addr_tracking): the
// edge attaches a receiver for each address that it consumes, a sender for each that it wants to reach, a receiver for
// all that is addressed to itself, and one on which it hears which addresses have consumers.

#include <proton/condition.h>
#include <proton/link.h>
#include <proton/session.h>
#include <proton/terminus.h>

#include "router/flows.h"
#include "router/router_connection.h"
#include "wire/address.h"
#include "wire/codec.h"
#include "wire/message.h"
#include "wire/proton.h"

namespace knetsim::skupper::router {

namespace {

constexpr const char* kReserved = "_$qd.";  ///< what modules of skupper-router say to each other
constexpr const char* kTracking = "_$qd.edge_addr_tracking";
constexpr const char* kDownlink = "qd.router-edge-downlink";
constexpr int kTrackingCredit = 32;

std::string address_of(pn_terminus_t* terminus) {
  const auto* address = pn_terminus_get_address(terminus);
  return address ? address : "";
}

bool has_downlink_capability(pn_terminus_t* terminus) {
  auto* data = pn_terminus_capabilities(terminus);
  pn_data_rewind(data);
  if (!pn_data_next(data) || pn_data_type(data) != PN_SYMBOL) return false;
  const auto symbol = pn_data_get_symbol(data);
  return std::string_view(symbol.start, symbol.size) == kDownlink;
}

/// [key, whether it has consumers]
std::string tracking_message(const std::string& router, const std::string& address, bool reachable) {
  wire::Encoder encoder;
  encoder.section(wire::code(wire::Section::header), wire::list_of(false));
  encoder.section(wire::code(wire::Section::amqp_value), wire::List{wire::mobile_key(address), reachable});
  return wire::encode(wire::originate(router)) + encoder.take();
}

}  // namespace

pn_link_t* RouterConnection::attach_edge(bool receiver, const std::string& address, const char* capability) {
  auto* link = attach(new_session(), receiver, wire::LinkKind::streaming);
  auto* terminus = receiver ? pn_link_source(link) : pn_link_target(link);
  if (!address.empty()) pn_terminus_set_address(terminus, address.c_str());
  if (capability)
    for (auto* one : {pn_link_source(link), pn_link_target(link)})
      pn_data_put_symbol(pn_terminus_capabilities(one), pn_bytes(std::string_view(capability).size(), capability));
  return link;
}

void RouterConnection::attach_edge_links(const std::vector<std::string>& consumed,
                                         const std::vector<std::string>& produced) {
  attach_edge(true, flows_.router_id(), kDownlink);
  tracking_ = attach_edge(true, kTracking, nullptr);
  pn_link_flow(tracking_, kTrackingCredit);
  for (const auto& address : consumed) attach_edge(true, address, nullptr);
  for (const auto& address : produced) attach_edge(false, address, nullptr);
  touch();
}

void RouterConnection::on_remote_edge_link(pn_link_t* link) {
  if (const auto kind = wire::remote_kind(link); kind == wire::LinkKind::control || kind == wire::LinkKind::data)
    return refuse_link(link, "an edge router attaches a link that only routers of the interior have among each other");
  const bool tracking = pn_link_is_sender(link) && address_of(pn_link_remote_source(link)) == kTracking;
  if (tracking && tracking_) return refuse_link(link, "an edge router attaches a second link for the address tracking");
  const auto self = std::static_pointer_cast<RouterConnection>(shared_from_this());
  pn_terminus_copy(pn_link_source(link), pn_link_remote_source(link));
  pn_terminus_copy(pn_link_target(link), pn_link_remote_target(link));
  pn_link_set_snd_settle_mode(link, PN_SND_MIXED);
  pn_link_set_rcv_settle_mode(link, PN_RCV_FIRST);
  pn_link_open(link);
  if (pn_link_is_receiver(link)) {
    windows_.add(link);
    const auto address = address_of(pn_link_remote_target(link));
    if (address.starts_with(kReserved)) return remember(link, wire::LinkKind::data);
    if (!address.empty()) observer_.edge_produces(self, address);
    return;
  }
  const auto address = address_of(pn_link_remote_source(link));
  if (tracking) {
    tracking_ = link;
  } else if (!address.empty()) {
    const bool topological = has_downlink_capability(pn_link_remote_source(link));
    if (!topological) consumed_[link] = address;
    observer_.edge_consumes(self, address, topological, true);
  }
}

void RouterConnection::on_edge_link_gone(pn_link_t* link) {
  if (link == tracking_) tracking_ = nullptr;
  const auto found = consumed_.find(link);
  if (found == consumed_.end()) return;
  const auto address = std::move(found->second);
  consumed_.erase(found);
  observer_.edge_consumes(std::static_pointer_cast<RouterConnection>(shared_from_this()), address, false, false);
}

void RouterConnection::tell_reachable(const std::string& address, bool reachable) {
  const auto message = tracking_message(flows_.router_id(), address, reachable);
  if (!tracking_) return;
  tracking_.send(message, flows_);
  touch();
}

void RouterConnection::on_tracking(const std::string& message) {
  try {
    const auto parsed = wire::parse_message(message);
    const auto* body = parsed.message.body.get_if<wire::List>();
    const auto* is = body && body->size() == 2 ? body->at(1).get_if<bool>() : nullptr;
    const auto key = is ? wire::as_text(body->at(0)) : std::nullopt;
    if (!key || !key->starts_with('M')) throw wire::ProtocolError("not a message of the address tracking");
    observer_.reachable(*this, std::string(key->substr(1)), *is);
  } catch (const wire::ProtocolError& error) {
    complain(error.what());
  }
}

}  // namespace knetsim::skupper::router
