#include "tests/amqp_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/event.h>
#include <proton/link.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <new>
#include <utility>
#include <vector>

#include "knetsim/sys/error.h"
#include "tests/capture.h"
#include "tests/tcp.h"
#include "wire/address.h"
#include "wire/codec.h"
#include "wire/message.h"
#include "wire/proton.h"

namespace knetsim::skupper {

namespace {

constexpr timeval kPeerPatience{20, 0};
constexpr int kCredit = 250;

}  // namespace

AmqpPeer::AmqpPeer(std::uint16_t port, const std::string& id, const Options& options)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)  // NOLINT
    throw SystemError("connect");
  open(id, options);
}

AmqpPeer::AmqpPeer(FdView listening, const std::string& id, const Options& options) : interior_(true) {
  ::setsockopt(listening.get(), SOL_SOCKET, SO_RCVTIMEO, &kPeerPatience, sizeof kPeerPatience);
  fd_ = Fd(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd_) throw SystemError("accept");
  open(id, options);
}

void AmqpPeer::open(const std::string& id, const Options& options) {
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &kPeerPatience, sizeof kPeerPatience);
  if (pn_connection_driver_init(&driver_, nullptr, nullptr) != 0) throw std::bad_alloc();
  if (interior_) pn_transport_set_server(driver_.transport);
  auto open = wire::router_open(id, 1);
  open.annotations_version = options.annotations_version;
  open.data = options.data;
  if (options.version) open.version = *options.version;
  if (options.channel_max) open.channel_max = *options.channel_max;
  if (options.idle_timeout_ms) open.idle_timeout_ms = *options.idle_timeout_ms;
  pn_sasl_allowed_mechs(pn_sasl(driver_.transport), "ANONYMOUS");
  wire::configure(driver_.transport, open);
  wire::configure(driver_.connection, open);
  pn_connection_open(driver_.connection);
  write();
}

AmqpPeer::~AmqpPeer() { pn_connection_driver_destroy(&driver_); }

void AmqpPeer::write() {
  for (;;) {
    while (auto* event = pn_connection_driver_next_event(&driver_))
      if (interior_) oblige(event);
    const auto bytes = pn_connection_driver_write_buffer(&driver_);
    if (bytes.size == 0) return;
    window_.saw_outgoing({bytes.start, bytes.size});
    send_raw({bytes.start, bytes.size});
    pn_connection_driver_write_done(&driver_, bytes.size);
  }
}

void AmqpPeer::oblige(pn_event_t* event) {
  if (pn_event_type(event) == PN_SESSION_REMOTE_OPEN) {
    pn_session_open(pn_event_session(event));
  } else if (pn_event_type(event) == PN_LINK_REMOTE_OPEN) {
    auto* link = pn_event_link(event);
    const auto kind = wire::remote_kind(link);
    if (links_ == Links::unwelcome) links_ = Links::refused;
    if (links_ == Links::refused || kind == wire::LinkKind::control || kind == wire::LinkKind::data) {
      pn_link_open(link);
      return pn_link_close(link);
    }
    pn_terminus_copy(pn_link_source(link), pn_link_remote_source(link));
    pn_terminus_copy(pn_link_target(link), pn_link_remote_target(link));
    pn_link_open(link);
    if (pn_link_is_receiver(link)) pn_link_flow(link, kCredit);
    if (pn_link_is_receiver(link) && !pn_terminus_get_address(pn_link_target(link))) ++links_attached_;
    const auto* source = pn_terminus_get_address(pn_link_remote_source(link));
    if (source && std::string_view(source) == "_$qd.edge_addr_tracking") tracking_ = link;
  } else if (pn_event_type(event) == PN_DELIVERY && pn_link_is_receiver(pn_event_link(event))) {
    const auto* target = pn_terminus_get_address(pn_link_remote_target(pn_event_link(event)));
    bound_to_ = target ? target : "";
    outcome_ ? refuse(pn_event_delivery(event)) : (void)open_streams_.insert(pn_event_delivery(event));
  } else if (pn_event_type(event) == PN_LINK_REMOTE_CLOSE) {
    detached_ = pn_event_link(event);
  }
}

void AmqpPeer::refuse(pn_delivery_t* delivery) {
  auto* link = pn_delivery_link(delivery);
  std::array<char, 1024> buffer{};
  while (pn_delivery_pending(delivery) > 0 && pn_link_recv(link, buffer.data(), buffer.size()) > 0) {
  }
  pn_delivery_update(delivery, *outcome_);
  if (pn_delivery_partial(delivery)) return;
  ++ended_;
  pn_link_advance(link);
  pn_link_flow(link, 1);
  pn_delivery_settle(delivery);
}

void AmqpPeer::wait_for_links(int count) {
  until([&] { return links_attached_ >= count; });
}

void AmqpPeer::wait_for_streams(int count, std::uint64_t outcome) {
  outcome_ = outcome;
  for (auto* stream : std::exchange(open_streams_, {})) refuse(stream);
  write();
  until([&] { return ended_ >= count; });
}

void AmqpPeer::give_credit_to_a_detached_link() {
  until([&] { return detached_ != nullptr; });
  pn_link_flow(detached_, 1);
  write();
}

void AmqpPeer::send_raw(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) return;  // the router has closed; reading tells why
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

bool AmqpPeer::read() {
  const auto space = pn_connection_driver_read_buffer(&driver_);
  if (space.size == 0) return false;
  const auto count = ::recv(fd_.get(), space.start, space.size, 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) throw Error("the router says nothing");
  if (count <= 0) return false;
  window_.saw_incoming({space.start, static_cast<std::size_t>(count)});
  pn_connection_driver_read_done(&driver_, static_cast<std::size_t>(count));
  write();
  return true;
}

void AmqpPeer::until(const std::function<bool()>& done) {
  // Empty frames, which keep the connection alive, don't count as an answer.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(kPeerPatience.tv_sec);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) throw Error("what was waited for doesn't come");
    if (!read()) throw Error("the router has closed the connection");
  }
}

void AmqpPeer::wait_for_open() {
  until([&] { return (pn_connection_state(driver_.connection) & PN_REMOTE_ACTIVE) != 0; });
}

void AmqpPeer::wait_for_frames(std::uint64_t count) {
  until([&] { return pn_transport_get_frames_input(driver_.transport) >= count; });
}

std::string AmqpPeer::wait_for_end() {
  while (read()) {
  }
  const auto* description = pn_condition_get_description(pn_connection_remote_condition(driver_.connection));
  return description ? description : "";
}

pn_link_t* AmqpPeer::attach(const std::string& name, const char* capability, bool receiver, const std::string& address,
                            pn_session_t* session) {
  if (!session) {
    session = pn_session(driver_.connection);
    pn_session_open(session);
  }
  auto* link = receiver ? pn_receiver(session, name.c_str()) : pn_sender(session, name.c_str());
  const auto kind = wire::link_kind(capability);
  wire::configure(link, {.name = name, .receiver = receiver, .kind = *kind, .initiator = true});
  if (!address.empty()) pn_terminus_set_address(pn_link_target(link), address.c_str());
  pn_link_open(link);
  if (receiver) pn_link_flow(link, kCredit);
  write();
  return link;
}

pn_link_t* AmqpPeer::attach_stream(const std::string& capability, const std::string& address) {
  return attach("stream" + std::to_string(streams_++), capability.c_str(), false, address);
}

void AmqpPeer::begin(pn_link_t* link, std::string_view message) {
  until([&] { return pn_link_credit(link) > 0; });
  pn_delivery(link, pn_dtag("tag", 3));
  // The session's window may be smaller than the message.
  pn_link_send(link, message.data(), message.size());
}

void AmqpPeer::send(pn_link_t* link, std::string_view message) {
  begin(link, message);
  pn_link_advance(link);
  write();
}

void AmqpPeer::send_control(std::string_view message) {
  control_ = pn_link_session(attach("control-in", "qd.router", true));
  send(attach("control-out", "qd.router", false), message);
}

void AmqpPeer::end_control() {
  pn_session_close(control_);
  write();
}

void AmqpPeer::wait_for_refusal(const std::string& capability) {
  auto* link = attach("refused", capability.c_str(), false);
  until([&] { return (pn_link_state(link) & PN_REMOTE_CLOSED) != 0; });
}

void AmqpPeer::attach_nested(int depth) {
  auto* session = pn_session(driver_.connection);
  pn_session_open(session);
  auto* link = pn_sender(session, "nested");
  auto* data = pn_terminus_capabilities(pn_link_target(link));
  for (int i = 0; i < depth; ++i) {
    pn_data_put_list(data);
    pn_data_enter(data);
  }
  pn_link_open(link);
  write();
}

void AmqpPeer::abort_streams(int count) {
  auto* link = attach_stream();
  for (int i = 0; i < count; ++i) {
    begin(link, "x");
    write();
    pn_delivery_abort(pn_link_current(link));
    write();
  }
}

std::uint64_t AmqpPeer::send_stream(std::string_view message, const std::string& capability,
                                    const std::string& address) {
  auto* link = attach_stream(capability, address);
  send(link, message);
  auto* delivery = pn_unsettled_head(link);
  until([&] { return pn_delivery_remote_state(delivery) != 0; });
  return pn_delivery_remote_state(delivery);
}

std::uint64_t AmqpPeer::send_message(std::string_view message, How how, const std::string& capability,
                                     const std::string& address) {
  auto* link = attach_stream(capability, address);
  begin(link, message);
  auto* delivery = pn_link_current(link);
  if (how == How::complete) {
    pn_link_advance(link);
    write();
    until([&] { return pn_delivery_remote_state(delivery) != 0; });
    return pn_delivery_remote_state(delivery);
  }
  if (how == How::aborted) write();  // so that a part of it is sent
  how == How::settled ? pn_delivery_settle(delivery) : pn_delivery_abort(delivery);
  // What comes after it tells that the router has gone on.
  const auto credit = pn_link_credit(link);
  write();
  until([&] { return pn_link_credit(link) > credit || (pn_link_state(link) & PN_REMOTE_CLOSED) != 0; });
  return 0;
}

void AmqpPeer::begin_stream(std::string_view message) {
  auto* link = attach_stream();
  begin(link, message);
  write();
  begun_ = link;
  credit_ = pn_link_credit(link);
}

void AmqpPeer::Window::saw_incoming(std::string_view bytes) {
  inbox.append(bytes);
  const auto number = [](const wire::Frame& frame, std::size_t field) {
    return std::int64_t{*frame.fields.at(field).get_if<std::uint32_t>()};
  };
  for (const auto& frame : wire::take_frames(inbox)) {
    if (frame.sasl || frame.fields.empty()) continue;
    if (frame.code == 0x11 && !frame.fields[0].is_null() && !channel) {  // BEGIN, in answer to ours
      channel = frame.channel;
      end = number(frame, 2);
    }
    if (frame.code == 0x13 && frame.channel == channel) end = number(frame, 0) + number(frame, 1);  // FLOW
  }
}

void AmqpPeer::Window::saw_outgoing(std::string_view bytes) {
  outbox.append(bytes);
  try {
    for (const auto& frame : wire::take_frames(outbox))
      if (!frame.sasl && frame.code == 0x14) ++sent;  // TRANSFER
  } catch (const wire::ProtocolError&) {
    outbox.clear();  // what no router says
  }
}

void AmqpPeer::send_as_skrouterd(int count, std::size_t bytes, const std::string& service) {
  constexpr std::int64_t kResume = 32;  // its Q3's lower limit, in frames
  constexpr std::size_t kUnacknowledged = 1024 * 1024;
  constexpr std::size_t kPiece = 16'000;  // one frame
  struct Stream {
    pn_link_t* link;
    pn_delivery_t* delivery;
    std::size_t sent = 0;
    bool ended = false;
  };
  auto* session = pn_session(driver_.connection);
  pn_session_open(session);
  std::int64_t window = 0;
  std::vector<Stream> all;
  for (int i = 0; i < count; ++i) {
    auto* link = attach("flow" + std::to_string(i), "", false, "", session);
    until([&] { return pn_link_credit(link) > 0; });
    if (i == 0) window = window_.end;
    const auto tag = std::to_string(i);
    all.push_back({.link = link, .delivery = pn_delivery(link, pn_dtag(tag.data(), tag.size()))});
    const auto head = wire::encode(wire::flow_request("x1", service, "amqp:/_topo/0/x1/temp." + tag, "x:" + tag));
    pn_link_send(link, head.data(), head.size());
    write();
  }
  const auto piece = pattern(kPiece);
  const auto resume = window > kResume ? kResume : (window + 1) / 2;
  until([&] {
    bool more = true;
    while (more) {
      more = false;
      for (auto& stream : all) {
        const auto acknowledged = pn_disposition_get_section_offset(pn_delivery_remote(stream.delivery));
        if (stream.ended || window_.end - window_.sent < resume || stream.sent - acknowledged > kUnacknowledged)
          continue;
        pn_link_send(stream.link, piece.data(), std::min(kPiece, bytes - stream.sent));
        stream.sent += std::min(kPiece, bytes - stream.sent);
        if (stream.sent == bytes) stream.ended = pn_link_advance(stream.link);
        write();
        more = true;
      }
    }
    return std::all_of(all.begin(), all.end(),
                       [](const Stream& stream) { return pn_delivery_remote_state(stream.delivery) == PN_ACCEPTED; });
  });
}

void AmqpPeer::wait_for_window() {
  // Proton keeps the window to itself, but the frame that tells of it tells of the credit, too.
  until([&] { return pn_link_credit(begun_) != credit_; });
}

void AmqpPeer::refuse_a_link() {
  links_ = Links::unwelcome;
  until([&] { return links_ == Links::refused; });
}

void AmqpPeer::tell_reachable(const std::string& address) {
  until([&] { return tracking_ != nullptr; });
  wire::Encoder body;
  body.section(wire::code(wire::Section::amqp_value), wire::List{wire::mobile_key(address), true});
  send(tracking_, wire::encode(wire::originate("x1")) + body.take());
}

std::string AmqpPeer::wait_for_stream() {
  until([&] { return bound_to_.has_value(); });
  return *bound_to_;
}

std::string AmqpPeer::name() const { return name_of(fd_); }

}  // namespace knetsim::skupper
