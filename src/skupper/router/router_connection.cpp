#include "router/router_connection.h"

#include <fmt/format.h>
#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/delivery.h>
#include <proton/event.h>
#include <proton/link.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/transport.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "router/flows.h"
#include "wire/codec.h"

namespace knetsim::skupper::router {

/// The kind is kept as the link's context, plus one so that none is null.
void RouterConnection::remember(pn_link_t* link, wire::LinkKind kind) {
  pn_link_set_context(link, reinterpret_cast<void*>(static_cast<std::uintptr_t>(kind) + 1));  // NOLINT
}

std::optional<wire::LinkKind> RouterConnection::kind_of(pn_link_t* link) {
  const auto value = reinterpret_cast<std::uintptr_t>(pn_link_get_context(link));  // NOLINT
  return value == 0 ? std::nullopt : std::optional(static_cast<wire::LinkKind>(value - 1));
}

RouterConnection::RouterConnection(Shard& shard, boost::asio::ip::tcp::socket socket, Settings settings, Flows& flows,
                                   ConnectionObserver& observer)
    : AmqpConnection(shard, std::move(socket), settings.initiator ? Side::client : Side::server),
      settings_(std::move(settings)),
      flows_(flows),
      observer_(observer),
      windows_(transport(), settings_.session_frames, settings_.open.max_frame_size),
      streaming_links_(
          [this]() -> pn_link_t* {
            auto* session = try_new_session();
            return session ? attach(session, false, wire::LinkKind::streaming) : nullptr;
          },
          flows_.link_count()) {
  wire::configure(transport(), settings_.open);
  auto mechanisms = fmt::format("{}", fmt::join(settings_.sasl_mechanisms, " "));
  if (mechanisms.empty()) mechanisms = settings_.tls ? "EXTERNAL ANONYMOUS" : "ANONYMOUS";
  pn_sasl_allowed_mechs(pn_sasl(transport()), mechanisms.c_str());
  if (settings_.tls) secure(transport(), settings_.tls, settings_.tls_host);
  if (settings_.initiator) {
    wire::configure(connection(), settings_.open);
    pn_connection_open(connection());
  }
}

RouterConnection::~RouterConnection() = default;

void RouterConnection::complain(const std::string& problem) const {
  flows_.log().error("SERVER", fmt::format("[C{}] {} ({}): {}", id(), peer(), router_, problem));
}

void RouterConnection::on_event(pn_event_t* event) {
  guarded([&] { handle(event); });
}

void RouterConnection::fail(const std::exception& error) {
  complain(error.what());
  introduce();
  close_with(dynamic_cast<const wire::ProtocolError*>(&error) ? "amqp:connection:framing-error" : "amqp:internal-error",
             error.what());
}

void RouterConnection::on_output() { windows_.tell(); }

void RouterConnection::handle(pn_event_t* event) {
  switch (pn_event_type(event)) {
    case PN_CONNECTION_REMOTE_OPEN:
      return on_remote_open();
    case PN_SESSION_REMOTE_OPEN: {
      auto* session = pn_event_session(event);
      if (pn_session_state(session) & PN_LOCAL_UNINIT) open_session(session);
      return;
    }
    case PN_LINK_REMOTE_OPEN:
      return on_remote_link(pn_event_link(event));
    case PN_LINK_FLOW:
      return on_flow(pn_event_link(event));
    case PN_DELIVERY:
      return keeps_to_limits() ? on_delivery(pn_event_delivery(event)) : void();
    case PN_LINK_REMOTE_DETACH:
    case PN_LINK_REMOTE_CLOSE:
      return on_link_gone(pn_event_link(event));
    case PN_SESSION_REMOTE_CLOSE:
      return on_session_gone(pn_event_session(event));
    case PN_CONNECTION_REMOTE_CLOSE:
      return pn_connection_close(connection());
    default:
      return;
  }
}

void RouterConnection::on_remote_open() {
  if (std::exchange(greeted_, true)) return;
  peer_open_ = wire::remote_open(connection(), transport());
  router_ = peer_open_.container_id;
  auto verdict = observer_.greeted(*this);
  if (const auto* refusal = std::get_if<std::string>(&verdict)) {
    complain(*refusal);
    introduce();
    return close_with("amqp:not-allowed", *refusal);
  }
  move_to(*std::get<Shard*>(verdict), [this] { guarded([this] { accept(); }); });
}

void RouterConnection::introduce() {
  if (pn_connection_state(connection()) & PN_LOCAL_ACTIVE) return;
  wire::configure(connection(), settings_.open);
  pn_connection_open(connection());
}

void RouterConnection::accept() {
  introduce();
  established_ = true;
  observer_.opened(std::static_pointer_cast<RouterConnection>(shared_from_this()));
  if (settings_.initiator && settings_.control) attach_router_links();
  touch();
}

void RouterConnection::open_session(pn_session_t* session) {
  windows_.add(session);
  pn_session_open(session);
}

pn_session_t* RouterConnection::try_new_session() {
  // Proton notices only when it is too late for the connection to go on.
  const auto highest =
      std::min(pn_transport_remote_channel_max(transport()), pn_transport_get_channel_max(transport()));
  auto* session = windows_.sessions() <= highest ? pn_session(connection()) : nullptr;
  if (session) open_session(session);
  return session;
}

pn_session_t* RouterConnection::new_session() {
  if (auto* session = try_new_session()) return session;
  throw wire::ProtocolError("allows fewer sessions (channel-max) than routers need");
}

pn_link_t* RouterConnection::attach(pn_session_t* session, bool receiver, wire::LinkKind kind) {
  const auto name = wire::link_name(flows_.new_discriminator());
  auto* link = receiver ? pn_receiver(session, name.c_str()) : pn_sender(session, name.c_str());
  wire::configure(link, {.name = name, .receiver = receiver, .kind = kind, .initiator = true});
  remember(link, kind);
  pn_link_open(link);
  return link;
}

/// One session for the routing protocol, and one for each priority.
void RouterConnection::attach_router_links() {
  for (int channel = 0; channel <= kPriorities; ++channel) {
    const auto kind = channel == 0 ? wire::LinkKind::control : wire::LinkKind::data;
    auto* session = new_session();
    attach(session, true, kind);
    attach(session, false, kind);
  }
}

/// Of what the sessions hold, routers leave little lying there: they keep to each stream's window. Looked at now and
/// then.
bool RouterConnection::keeps_to_limits() {
  const auto frames = pn_transport_get_frames_input(transport());
  if (frames - limits_looked_at_ < kLookAtLimitsEvery) return true;
  limits_looked_at_ = frames;
  if (windows_.held() <= kMaxHeld) return true;
  close_with("amqp:resource-limit-exceeded",
             fmt::format("more than {} MiB of streams that nobody takes", kMaxHeld / 1024 / 1024));
  return false;
}

void RouterConnection::on_remote_link(pn_link_t* link) {
  if (pn_link_state(link) & PN_LOCAL_UNINIT) {
    remote_links_.insert(link);
    if (remote_links_.size() > kMaxLinks)
      return close_with("amqp:resource-limit-exceeded", fmt::format("more than {} links", kMaxLinks));
    if (settings_.role == Role::normal) {
      // Clients that speak AMQP themselves (skmanage, skstat) have nothing to talk to here.
      pn_link_open(link);
      pn_condition_set_name(pn_link_condition(link), "amqp:not-implemented");
      return pn_link_close(link);
    }
    if (settings_.role == Role::edge && !settings_.initiator) return on_remote_edge_link(link);
    const auto kind = wire::remote_kind(link);
    if (!kind) return refuse_link(link, "attaches a link of a kind that routers don't have");
    if (kind == wire::LinkKind::control && (pn_link_is_receiver(link) ? control_receiver_ : control_sender_))
      return refuse_link(link, "attaches a second link for the routing protocol");
    remember(link, *kind);
    wire::configure(
        link, {.name = pn_link_name(link), .receiver = pn_link_is_receiver(link), .kind = *kind, .initiator = false});
    pn_link_open(link);
  }
  const auto kind = kind_of(link);
  if (pn_link_is_receiver(link)) windows_.add(link);
  if (kind == wire::LinkKind::control) {
    (pn_link_is_receiver(link) ? control_receiver_ : control_sender_) = link;
    check_control_ready();
  }
}

void RouterConnection::refuse_link(pn_link_t* link, const char* reason) {
  complain(reason);
  pn_link_open(link);
  pn_condition_set_name(pn_link_condition(link), "amqp:not-allowed");
  pn_condition_set_description(pn_link_condition(link), reason);
  pn_link_close(link);
}

void RouterConnection::check_control_ready() {
  if (control_told_ || !control_receiver_ || !control_sender_ || pn_link_credit(control_sender_) <= 0) return;
  control_told_ = true;
  observer_.control_ready(std::static_pointer_cast<RouterConnection>(shared_from_this()));
}

void RouterConnection::on_flow(pn_link_t* link) {
  if (!pn_link_is_sender(link) || pn_link_credit(link) <= 0) return;
  if (link == tracking_) {
    tracking_.send_waiting(flows_);
    touch();
  } else if (link == control_sender_) {
    check_control_ready();
    control_sender_.send_waiting(flows_);
    touch();
  } else if (kind_of(link) == wire::LinkKind::streaming && pn_link_current(link) == nullptr) {
    streaming_links_.credited(link);
  }
}

void RouterConnection::start_stream(const std::shared_ptr<OutgoingStream>& stream) {
  if (!open()) return stream->connection_lost();
  streaming_links_.start(stream);
  touch();
}

pn_delivery_t* RouterConnection::new_delivery(pn_link_t* link, OutgoingStream& stream) {
  const auto tag = flows_.new_tag();
  auto* delivery = pn_delivery(link, pn_dtag(tag.data(), tag.size()));
  pn_delivery_set_context(delivery, &stream);
  streams_.emplace(&stream, std::pair(stream.shared_from_this(), link));
  return delivery;
}

void RouterConnection::link_is_free(pn_link_t* link) {
  touch();
  if (pn_link_credit(link) <= 0) return;  // on_flow will find it
  streaming_links_.credited(link);
}

void RouterConnection::outcome_known() {
  touch();
  streaming_links_.settled();
}

void RouterConnection::delivery_complete(pn_link_t* link) {
  windows_.completed(link);
  touch();
}

void RouterConnection::taken(pn_link_t* link, std::size_t bytes) {
  windows_.taken(link, bytes);
  touch();
}

void RouterConnection::stream_ended(const void* stream, pn_delivery_t* delivery) {
  pn_delivery_set_context(delivery, nullptr);
  streams_.erase(stream);
}

void RouterConnection::on_delivery(pn_delivery_t* delivery) {
  auto* link = pn_delivery_link(delivery);
  if (pn_link_is_sender(link)) {
    pn_delivery_clear(delivery);
    if (auto* stream = static_cast<OutgoingStream*>(pn_delivery_get_context(delivery))) stream->updated();
    return;
  }
  const auto kind = kind_of(link);
  if (kind == wire::LinkKind::control) return on_message(control_receiver_, delivery);
  if (link == tracking_) return on_message(tracking_, delivery);
  auto* stream = static_cast<IncomingStream*>(pn_delivery_get_context(delivery));
  if (!stream) {
    if (delivery != pn_link_current(link)) return;
    const auto self = std::static_pointer_cast<RouterConnection>(shared_from_this());
    const auto made = std::make_shared<IncomingStream>(self, delivery, kind == wire::LinkKind::data);
    stream = made.get();
    pn_delivery_set_context(delivery, stream);
    streams_.emplace(stream, std::pair(made, link));
  }
  stream->readable();
}

void RouterConnection::send_control(const std::string& message) {
  if (!control_sender_ || !open()) return;
  control_sender_.send(message, flows_);
  touch();
}

void RouterConnection::on_message(MessageLink& from, pn_delivery_t* delivery) {
  if (delivery != pn_link_current(from)) return;
  const auto bytes = from.read(delivery);
  if (!bytes) return close_with("amqp:resource-limit-exceeded", "a message between routers of more than 4 MiB");
  taken(from, *bytes);
  if (pn_delivery_partial(delivery)) return;
  auto message = from.finish(delivery);
  delivery_complete(from);
  if (!message) return;
  &from == &tracking_ ? on_tracking(*message) : observer_.control_message(*this, std::move(*message));
}

void RouterConnection::lose_streams_of(const pn_link_t* link) {
  std::vector<Stream> lost;
  for (auto& [key, entry] : streams_)
    if (!link || entry.second == link) lost.push_back(entry.first);
  std::erase_if(streams_, [&](const auto& entry) { return !link || entry.second.second == link; });
  for (const auto& stream : lost) std::visit([](const auto& one) { one->connection_lost(); }, stream);
}

void RouterConnection::on_link_gone(pn_link_t* link) {
  lose_streams_of(link);
  streaming_links_.gone(link);
  on_edge_link_gone(link);
  remote_links_.erase(link);
  windows_.remove(link);
  if (link == control_sender_ || link == control_receiver_) {
    control_sender_ = nullptr;
    control_receiver_ = nullptr;
    close_with("amqp:not-allowed", "the routing protocol's links were detached");
  }
  pn_link_close(link);
  pn_link_free(link);
}

void RouterConnection::on_session_gone(pn_session_t* session) {
  std::vector<pn_link_t*> links;
  for (auto* link = pn_link_head(connection(), 0); link; link = pn_link_next(link, 0))
    if (pn_link_session(link) == session) links.push_back(link);
  for (auto* link : links) on_link_gone(link);
  windows_.remove(session);
  pn_session_close(session);
  pn_session_free(session);
}

void RouterConnection::on_disconnected(const std::string& reason) {
  const auto self = std::static_pointer_cast<RouterConnection>(shared_from_this());
  streaming_links_.lost();
  lose_streams_of(nullptr);
  has_ended_ = true;
  observer_.closed(self, reason);
}

}  // namespace knetsim::skupper::router
