#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "router/amqp_connection.h"
#include "router/incoming_stream.h"
#include "router/messages.h"
#include "router/outgoing_stream.h"
#include "router/sockets.h"
#include "wire/proton.h"

namespace knetsim::skupper::router {

class Flows;
class IncomingStream;
class OutgoingStream;
class RouterConnection;

/// What becomes of a connection. Called on the connection's shard.
class ConnectionObserver {
 public:
  virtual ~ConnectionObserver() = default;
  /// The peer has introduced itself. Where the connection is to live, or why it can't be accepted.
  virtual std::variant<Shard*, std::string> greeted(RouterConnection& connection) = 0;
  virtual void opened(std::shared_ptr<RouterConnection> connection) = 0;
  /// The routing protocol's links stand, both ways.
  virtual void control_ready(std::shared_ptr<RouterConnection> connection) = 0;
  virtual void control_message(const RouterConnection& connection, std::string message) = 0;
  /// An edge router consumes `address`, or no longer; `topological`: that is all that is addressed to itself.
  virtual void edge_consumes(std::shared_ptr<RouterConnection> connection, const std::string& address, bool topological,
                             bool does) = 0;
  /// An edge router wants to hear whether `address` has consumers, by tell_reachable().
  virtual void edge_produces(std::shared_ptr<RouterConnection> connection, const std::string& address) = 0;
  /// The interior tells its edge router that `address` has consumers, or none.
  virtual void reachable(const RouterConnection& connection, const std::string& address, bool is) = 0;
  virtual void closed(std::shared_ptr<RouterConnection> connection, const std::string& reason) = 0;
};

/// An AMQP connection with another router: the routing protocol's messages on a pair of links, each TCP flow on two
/// streaming deliveries, whose links are made when one is needed and used again.
class RouterConnection final : public AmqpConnection {
 public:
  struct Settings {
    std::uint64_t id = 0;  ///< "[C1]" in the log
    bool initiator = false;
    bool control = false;  ///< initiators: attaches the routing protocol's links
    Role role = Role::inter_router;
    std::int64_t cost = 1;
    std::shared_ptr<Dialler> dialler = {};          ///< initiators: what made it, and will make the next
    wire::Open open;                                ///< what it says of itself
    std::uint32_t session_frames = 0;               ///< of each session's incoming window
    TlsDomain tls = {};                             ///< none: plain TCP
    std::string tls_host = {};                      ///< what a client verifies
    std::vector<std::string> sasl_mechanisms = {};  ///< empty: ANONYMOUS, and EXTERNAL with TLS
  };

  RouterConnection(Shard& shard, boost::asio::ip::tcp::socket socket, Settings settings, Flows& flows,
                   ConnectionObserver& observer);
  ~RouterConnection() override;

  std::uint64_t id() const noexcept { return settings_.id; }
  const Settings& settings() const noexcept { return settings_; }
  const std::string& router() const noexcept { return router_; }  ///< the peer's id, once it is known
  const wire::Open& peer_open() const noexcept { return peer_open_; }
  /// Both sides have introduced themselves, and are content.
  bool established() const noexcept { return established_; }
  /// From any thread.
  bool ended() const noexcept { return has_ended_; }
  Flows& flows() const noexcept { return flows_; }

  /// Soon, on its shard; not at all once it has ended.
  template <typename F>
  void run_there(F&& f) {
    shard().post([self = std::static_pointer_cast<RouterConnection>(shared_from_this()), f = std::forward<F>(f)] {
      if (self->open()) self->guarded([&] { f(*self); });
    });
  }
  /// What `f` throws ends this connection, and nothing else.
  template <typename F>
  void guarded(F&& f) {
    try {
      f();
    } catch (const std::exception& error) {
      fail(error);
    }
  }
  /// To the interior: what this edge router consumes, and what it wants to hear of.
  void attach_edge_links(const std::vector<std::string>& consumed, const std::vector<std::string>& produced);
  /// To an edge router: whether `address` has consumers.
  void tell_reachable(const std::string& address, bool reachable);
  /// For the routing protocol. From this connection's shard.
  void send_control(const std::string& message);
  /// Sends the stream as soon as a link has credit.
  void start_stream(const std::shared_ptr<OutgoingStream>& stream);
  /// To the log, with the peer's name.
  void complain(const std::string& problem) const;

  // For its streams.
  pn_delivery_t* new_delivery(pn_link_t* link, OutgoingStream& stream);
  void forget_waiting(const OutgoingStream& stream) { streaming_links_.forget(stream); }
  void link_is_free(pn_link_t* link);
  void outcome_known();
  void delivery_complete(pn_link_t* link);
  void taken(pn_link_t* link, std::size_t bytes);
  void stream_ended(const void* stream, pn_delivery_t* delivery);

 private:
  using Stream = std::variant<std::shared_ptr<IncomingStream>, std::shared_ptr<OutgoingStream>>;
  void on_event(pn_event_t* event) override;
  void on_output() override;
  void handle(pn_event_t* event);
  void fail(const std::exception& error);
  void on_disconnected(const std::string& reason) override;
  void on_remote_open();
  void introduce();
  void accept();
  void attach_router_links();
  static void remember(pn_link_t* link, wire::LinkKind kind);
  static std::optional<wire::LinkKind> kind_of(pn_link_t* link);
  void open_session(pn_session_t* session);
  /// nullptr: the peer allows no more of them.
  pn_session_t* try_new_session();
  pn_session_t* new_session();
  pn_link_t* attach(pn_session_t* session, bool receiver, wire::LinkKind kind);
  bool keeps_to_limits();
  void on_remote_link(pn_link_t* link);
  void refuse_link(pn_link_t* link, const char* reason);
  void on_flow(pn_link_t* link);
  void on_delivery(pn_delivery_t* delivery);
  void on_message(MessageLink& from, pn_delivery_t* delivery);
  void on_link_gone(pn_link_t* link);
  void on_session_gone(pn_session_t* session);
  void lose_streams_of(const pn_link_t* link);
  void check_control_ready();

  // edge_links.cpp
  pn_link_t* attach_edge(bool receiver, const std::string& address, const char* capability);
  void on_remote_edge_link(pn_link_t* link);
  void on_edge_link_gone(pn_link_t* link);
  void on_tracking(const std::string& message);

  static constexpr int kPriorities = 10;
  static constexpr std::size_t kMaxLinks = 32'768;  ///< that a peer attaches
  static constexpr std::size_t kMaxHeld = 256 * 1024 * 1024;
  static constexpr std::uint64_t kLookAtLimitsEvery = 1'024;  ///< frames

  Settings settings_;
  Flows& flows_;
  ConnectionObserver& observer_;
  IncomingWindows windows_;
  std::string router_;
  wire::Open peer_open_;
  bool greeted_ = false;
  bool established_ = false;
  std::atomic<bool> has_ended_ = false;
  bool control_told_ = false;
  MessageLink control_sender_;
  MessageLink control_receiver_;
  MessageLink tracking_;                                  ///< with an edge router: either end of the address tracking
  std::unordered_map<pn_link_t*, std::string> consumed_;  ///< by the edge router, at the interior
  std::unordered_map<const void*, std::pair<Stream, pn_link_t*>> streams_;
  std::unordered_set<const pn_link_t*> remote_links_;
  std::uint64_t limits_looked_at_ = 0;  ///< frames that had come by then
  StreamingLinks streaming_links_;
};

}  // namespace knetsim::skupper::router
