#include "messages.h"

#include <proton/connection.h>
#include <proton/connection_driver.h>
#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <new>
#include <stdexcept>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "router/flows.h"
#include "router/log.h"
#include "router/router_connection.h"
#include "router/shard.h"
#include "wire/control.h"
#include "wire/message.h"
#include "wire/proton.h"

namespace knetsim::skupper::fuzz {

namespace {

/// Is content with every router, and wants nothing of it.
class Anybody : public router::ConnectionObserver {
 public:
  std::variant<router::Shard*, std::string> greeted(router::RouterConnection& connection) override {
    return &connection.shard();
  }
  void opened(std::shared_ptr<router::RouterConnection>) override {}
  void control_ready(std::shared_ptr<router::RouterConnection>) override {}
  void control_message(const router::RouterConnection&, std::string) override {}
  void edge_consumes(std::shared_ptr<router::RouterConnection>, const std::string&, bool, bool) override {}
  void edge_produces(std::shared_ptr<router::RouterConnection>, const std::string&) override {}
  void reachable(const router::RouterConnection&, const std::string&, bool) override {}
  void closed(std::shared_ptr<router::RouterConnection>, const std::string&) override {}
};

/// A router's connection and its peer, in one thread: nothing is waited for.
class Pair {
 public:
  explicit Pair(Role role) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
      throw SystemError("make a pair of sockets");
    end_ = Fd(ends[1]);
    boost::asio::ip::tcp::socket socket(shard_.context(), boost::asio::ip::tcp::v4(), ends[0]);
    router::RouterConnection::Settings settings;
    settings.role = role;
    settings.open = wire::router_open("c0", 1);
    settings.session_frames = 640;
    connection_ =
        std::make_shared<router::RouterConnection>(shard_, std::move(socket), std::move(settings), flows_, anybody_);
    if (pn_connection_driver_init(&driver_, nullptr, nullptr) != 0) throw std::bad_alloc();
    const auto open = wire::router_open("x1", 1);
    pn_sasl_allowed_mechs(pn_sasl(driver_.transport), "ANONYMOUS");
    wire::configure(driver_.transport, open);
    wire::configure(driver_.connection, open);
    pn_connection_open(driver_.connection);
    connection_->start();
    settle();
  }
  ~Pair() { pn_connection_driver_destroy(&driver_); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  pn_connection_t* peer() const { return driver_.connection; }
  bool ended() const { return (pn_connection_state(driver_.connection) & PN_REMOTE_ACTIVE) == 0; }

  /// Until both have said all that they have to say.
  void settle() {
    for (bool moved = true; moved;) {
      moved = write();
      shard_.poll();
      moved = read() || moved;
    }
  }

 private:
  bool write() {
    bool moved = false;
    for (;;) {
      while (pn_connection_driver_next_event(&driver_)) {
      }
      const auto bytes = pn_connection_driver_write_buffer(&driver_);
      if (bytes.size == 0) return moved;
      const auto count = ::send(end_.get(), bytes.start, bytes.size, MSG_NOSIGNAL);
      if (count <= 0) return moved;
      pn_connection_driver_write_done(&driver_, static_cast<std::size_t>(count));
      moved = true;
    }
  }

  bool read() {
    const auto space = pn_connection_driver_read_buffer(&driver_);
    if (space.size == 0) return false;
    const auto count = ::recv(end_.get(), space.start, space.size, 0);
    if (count <= 0) return false;
    pn_connection_driver_read_done(&driver_, static_cast<std::size_t>(count));
    return true;
  }

  router::Log log_{{}, [](std::string_view) {}};
  router::Flows flows_{"c0", false, log_};
  Anybody anybody_;
  router::Shard shard_;
  std::shared_ptr<router::RouterConnection> connection_;
  Fd end_;
  pn_connection_driver_t driver_{};
};

struct LinkWay {
  Role role;
  const char* capability;
  const char* address;
};

constexpr std::array<LinkWay, 8> kWays{{{Role::inter_router, "qd.router-data", ""},
                                        {Role::inter_router, "qd.router", ""},
                                        {Role::inter_router, "", ""},
                                        {Role::edge, "", ""},
                                        {Role::edge, "", "_$qd.mesh_discovery"},
                                        {Role::edge, "", "mc/sfe.all"},
                                        {Role::edge, "", "svc"},
                                        {Role::normal, "", "svc"}}};
constexpr unsigned char kSettled = 0x08;
constexpr unsigned char kAborted = 0x10;
constexpr unsigned char kInPieces = 0x20;

pn_link_t* attach_sender(Pair& pair, const LinkWay& way, const char* name) {
  auto* session = pn_session(pair.peer());
  pn_session_open(session);
  auto* link = pn_sender(session, name);
  wire::configure(link, {.name = name, .kind = *wire::link_kind(way.capability), .initiator = true});
  if (*way.address != '\0') pn_terminus_set_address(pn_link_target(link), way.address);
  pn_link_open(link);
  pair.settle();
  return link;
}

}  // namespace

void message_on_a_link(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto how = static_cast<unsigned char>(bytes.front());
  bytes.remove_prefix(1);
  const auto& way = kWays.at(how % kWays.size());
  Pair pair(way.role);
  auto* link = attach_sender(pair, way, "one");
  if (pair.ended() || pn_link_credit(link) <= 0) return;
  auto* delivery = pn_delivery(link, pn_dtag("1", 1));
  const auto first = (how & kInPieces) ? bytes.size() / 2 : bytes.size();
  pn_link_send(link, bytes.data(), first);
  if (how & kInPieces) {
    pair.settle();
    pn_link_send(link, bytes.data() + first, bytes.size() - first);
  }
  if (how & kAborted) {
    pair.settle();
    if (!pair.ended()) pn_delivery_abort(delivery);
  } else if (how & kSettled) {
    pn_delivery_settle(delivery);
  } else {
    pn_link_advance(link);
  }
  pair.settle();
  if (pair.ended()) return;
  const bool told =
      (how & (kAborted | kSettled)) || pn_delivery_remote_state(delivery) != 0 || pn_delivery_settled(delivery);
  if (!told) throw std::logic_error("nothing was said of a message");
  auto* next = attach_sender(pair, way, "two");
  const bool refused = way.capability == std::string_view("qd.router");  // there is one of these
  if (!pair.ended() && !refused && pn_link_credit(next) <= 0) throw std::logic_error("the connection doesn't go on");
}

std::vector<std::string> message_seeds() {
  wire::Encoder module;
  module.section(wire::code(wire::Section::header), wire::list_of(false));
  module.section(wire::code(wire::Section::properties),
                 wire::List{wire::Value(), wire::Value(), std::string("_$qd.mesh_discovery")});
  module.section(wire::code(wire::Section::application_properties), wire::Map{{std::string("id"), std::string("m")}});
  const auto without_body = wire::encode(wire::originate("x1")) + module.take();
  const auto hello = wire::encode(
      wire::ControlMessage{wire::originate("x1"), std::string(wire::kHelloAddress), wire::Hello{"x1", 1, 1, {"c0"}}});
  const auto flow = wire::encode(wire::flow_request("x1", "svc", "amqp:/_topo/0/x1/temp.a", "x:1")) + "GET /";
  return {std::string(1, '\x04') + without_body, std::string(1, '\x00') + without_body, std::string(1, '\x01') + hello,
          std::string(1, '\x02') + flow,         std::string(1, '\x2a') + flow,         std::string(1, '\x13') + flow};
}

}  // namespace knetsim::skupper::fuzz
