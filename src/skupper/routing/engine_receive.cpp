#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "routing/engine.h"
#include "wire/address.h"

namespace knetsim::skupper::routing {

namespace {

// As many as skrouterd can tell apart (qd_bitmask_width), itself not counted.
constexpr std::size_t kMaxRouters = 127;

std::int64_t understood_version(const wire::ControlBody& body) {
  return wire::opcode(body).starts_with("MA") ? wire::kMobileVersion : wire::kLinkStateVersion;
}

}  // namespace

void Engine::receive(LinkId link, std::string_view bytes, Clock::time_point now) {
  if (!neighbours_.has_link(link)) return;
  wire::AnnotatedMessage message;
  try {
    message = wire::split_annotations(bytes);
  } catch (const wire::ProtocolError& error) {
    return refuse(link, error.what());
  }
  // One that has come back. A neighbour of our own name, though, has just begun its trace.
  const auto& trace = message.annotations.trace;
  if (trace.size() > 1 && wire::has_passed(message.annotations, settings_.id)) return;
  try {
    receive_annotated(link, message, bytes, now);
  } catch (const wire::ProtocolError& error) {
    // Not the fault of a neighbour that has but passed it on.
    if (trace.size() <= 1) return refuse(link, error.what());
    log("ROUTER", LogLine::Level::error,
        fmt::format("Ignored a control message of {}: {}", message.annotations.ingress, error.what()));
  }
}

void Engine::receive_annotated(LinkId link, const wire::AnnotatedMessage& message, std::string_view bytes,
                               TimePoint now) {
  const auto [parsed, length] = wire::parse_message(bytes);
  if (length != bytes.size())
    throw wire::ProtocolError(fmt::format("{} bytes follow the control message", bytes.size() - length));
  const auto address = wire::parse_address(parsed.annotations.to_override.value_or(parsed.properties.to));
  if (const auto* topological = std::get_if<wire::TopologicalAddress>(&address)) {
    if (topological->router == "all") {
      if (!flooded_.is_new(message.annotations.ingress, message.rest, now)) return;
      forward_to_all(link, message);
    } else if (topological->router != settings_.id) {
      return forward(topological->router, message);
    }
    if (topological->local == "qdrouter" || topological->local == "qdrouter.ma") deliver(link, parsed, now);
  } else if (const auto* local = std::get_if<wire::LocalAddress>(&address); local && local->local == "qdhello") {
    deliver(link, parsed, now);
  }
}

void Engine::deliver(LinkId link, const wire::Message& message, TimePoint now) {
  const auto* opcode = wire::find(message.application_properties, "opcode");
  const auto text = opcode ? wire::as_text(*opcode) : std::nullopt;
  if (!text) throw wire::ProtocolError("the control message has no opcode");
  const auto body = wire::parse_body(*text, message.body);
  log(std::holds_alternative<wire::Hello>(body) ? "ROUTER_HELLO" : "ROUTER_LS", LogLine::Level::debug,
      "RCVD: " + wire::to_string(body));
  if (!understands(body)) return;
  std::visit([&](const auto& held) { handle(link, held, now); }, body);
}

bool Engine::understands(const wire::ControlBody& body) {
  if (wire::version(body) <= understood_version(body)) return true;
  if (incompatible_.insert(wire::sender(body)).second)
    log("ROUTER", LogLine::Level::warning,
        fmt::format("Received {} at protocol version {} from {}.  Ignoring.", wire::opcode(body), wire::version(body),
                    wire::sender(body)));
  return false;
}

RemoteRouter* Engine::learn(const std::string& id, std::int64_t instance, TimePoint now) {
  if (id == settings_.id) return nullptr;
  auto found = routers_.find(id);
  if (found == routers_.end()) {
    if (routers_.size() >= kMaxRouters) {
      log("ROUTER", LogLine::Level::error, fmt::format("Exceeded Maximum Router Count: ignored {}", id));
      return nullptr;
    }
    found = routers_.emplace(id, RemoteRouter(now)).first;
    routes_stale_ = true;
  }
  if (found->second.restarted(instance)) {
    log("ROUTER", LogLine::Level::info, fmt::format("Detected Restart of Router Node {}", id));
    routes_stale_ = true;
    addresses_stale_ = true;
  }
  return &found->second;
}

void Engine::refuse(LinkId link, std::string reason) {
  output_.refusals.push_back({link, std::move(reason)});
  neighbours_.remove_link(link);
  hello_due_.erase(link);
  routes_stale_ = true;
}

void Engine::handle(LinkId link, const wire::Hello& hello, TimePoint now) {
  if (hello.id == settings_.id)
    return refuse(link, hello.instance == settings_.instance
                            ? "the connection leads back to this router"
                            : fmt::format("Detected Neighbor Router with a Duplicate ID - {}", hello.id));
  if (neighbours_.is_duplicate(hello.id, link, hello.instance))
    return refuse(link, fmt::format("another neighbor router is connected with the ID {}", hello.id));
  if (neighbours_.heard(hello.id, link, hello.instance, now)) hello_due_.insert(link);
  if (std::find(hello.seen.begin(), hello.seen.end(), settings_.id) == hello.seen.end()) return;
  auto* router = learn(hello.id, hello.instance, now);
  if (!router) return;
  const auto before = neighbours_.link_to(hello.id);
  neighbours_.confirmed(hello.id, link, now);
  if (neighbours_.link_to(hello.id) != before) routes_stale_ = true;
}

void Engine::handle(LinkId, const wire::RouterAdvertisement& advertisement, TimePoint now) {
  if (auto* router = learn(advertisement.id, advertisement.instance, now)) router->take(advertisement, now);
}

void Engine::handle(LinkId link, const wire::LinkStateRequest& request, TimePoint now) {
  if (!learn(request.id, 0, now)) return;
  send(
      request.id, wire::router_address(request.id),
      wire::LinkStateUpdate{settings_.id, wire::kLinkStateVersion, settings_.instance, link_state_.ls_seq, link_state_},
      link);
}

void Engine::handle(LinkId, const wire::LinkStateUpdate& update, TimePoint now) {
  auto* router = learn(update.id, update.instance, now);
  if (!router || !router->take(update.link_state, now)) return;
  routes_stale_ = true;
  for (const auto& [peer, cost] : update.link_state.peers) learn(peer, 0, now);
}

void Engine::handle(LinkId link, const wire::MobileAddressRequest& request, TimePoint now) {
  if (!learn(request.id, 0, now) || request.have_seq >= addresses_.sequence()) return;
  send(request.id, wire::mobile_address(request.id),
       wire::MobileAddressUpdate{settings_.id, wire::kMobileVersion, addresses_.sequence(), addresses_.announced()},
       link);
}

void Engine::handle(LinkId, const wire::MobileAddressUpdate& update, TimePoint now) {
  auto* router = learn(update.id, 0, now);
  if (router && router->take(update)) addresses_stale_ = true;
}

}  // namespace knetsim::skupper::routing
