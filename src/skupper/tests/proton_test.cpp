// What Proton writes for a connection and its links once it is configured from our values, compared with what real
// routers wrote.
#include "wire/proton.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <proton/connection.h>
#include <proton/link.h>
#include <proton/session.h>
#include <proton/transport.h>

#include <memory>

#include "capture.h"

namespace knetsim::skupper::wire {
namespace {

constexpr std::uint64_t kOpen = 0x10;
constexpr std::uint64_t kAttach = 0x12;
constexpr pn_state_t kNew = PN_LOCAL_UNINIT | PN_REMOTE_ACTIVE;

/// The fields without the nulls at their end, in termini too: AMQP (part 1.4) lets a writer leave those out, and
/// versions of Proton differ in it.
Value trimmed(List fields) {
  while (!fields.empty() && fields.back().is_null()) fields.pop_back();
  for (auto& field : fields) {
    const auto* terminus = field.get_if<Described>();
    const auto* inner = terminus ? terminus->value->get_if<List>() : nullptr;
    if (inner) field = Described{terminus->descriptor, std::make_shared<const Value>(trimmed(*inner))};
  }
  return fields;
}

/// One end of a connection that exists in memory only.
class End {
 public:
  explicit End(bool server) {
    if (server) pn_transport_set_server(transport());
    pn_transport_bind(transport(), connection());
  }
  pn_connection_t* connection() const { return connection_.get(); }
  pn_transport_t* transport() const { return transport_.get(); }

  void open(const Open& open) {
    configure(connection(), open);
    configure(transport(), open);
    pn_connection_open(connection());
  }
  pn_link_t* attach(const LinkDescription& description) {
    auto* session = pn_session(connection());
    pn_session_open(session);
    auto* link = description.receiver ? pn_receiver(session, description.name.c_str())
                                      : pn_sender(session, description.name.c_str());
    configure(link, description);
    pn_link_open(link);
    return link;
  }
  /// Answers what the other end has attached.
  void accept() {
    for (auto* session = pn_session_head(connection(), kNew); session; session = pn_session_next(session, kNew))
      pn_session_open(session);
    for (auto* link = pn_link_head(connection(), kNew); link; link = pn_link_next(link, kNew)) {
      LinkDescription answer;
      answer.kind = remote_kind(link).value();
      answer.initiator = false;
      configure(link, answer);
      pn_link_open(link);
    }
  }

  /// Hands over what is to be written; all of it stays in sent().
  void write_to(End& other) {
    auto pending = pn_transport_pending(transport());
    while (pending > 0) {
      const std::string_view bytes(pn_transport_head(transport()), static_cast<std::size_t>(pending));
      sent_ += bytes;
      ASSERT_EQ(pn_transport_push(other.transport(), bytes.data(), bytes.size()), pending);
      pn_transport_pop(transport(), bytes.size());
      pending = pn_transport_pending(transport());
    }
  }
  std::vector<Frame> sent(std::uint64_t code) const {
    std::vector<Frame> result;
    for (auto& frame : read_frames(sent_))
      if (frame.code == code) result.push_back(std::move(frame));
    return result;
  }

 private:
  template <auto Free>
  struct Deleter {
    template <typename T>
    void operator()(T* object) const {
      Free(object);
    }
  };
  // Proton's connection must outlive the transport that it is bound to.
  std::unique_ptr<pn_connection_t, Deleter<pn_connection_free>> connection_{pn_connection()};
  std::unique_ptr<pn_transport_t, Deleter<pn_transport_free>> transport_{pn_transport()};
  std::string sent_;
};

class Proton : public testing::Test {
 protected:
  void exchange() {
    for (int i = 0; i < 4; ++i) {
      connector_.write_to(listener_);
      listener_.write_to(connector_);
    }
  }
  /// The frame of this kind that a side sent first in a stream of the capture.
  Frame captured(std::uint64_t code, int stream, Side sender, std::size_t index = 0) const {
    for (const auto& frame : capture_.with(code))
      if (frame.stream == stream && frame.sender == sender && index-- == 0) return frame;
    throw std::out_of_range("the capture has no such frame");
  }

  Capture capture_ = read_capture();
  End connector_{false};
  End listener_{true};
};

/// The connection of c1 to c0: `data` connections are streams 0 and 2, the control connection is stream 1.
Open connector_open(std::int64_t connection_id, bool data) {
  auto open = router_open("c1", connection_id);
  open.hostname = "10.9.0.1";
  open.data = data;
  open.group_correlator = "qZ29QjFTG40uE0i";
  return open;
}

Open listener_open(std::int64_t connection_id) {
  auto open = router_open("c0", connection_id);
  open.access_id = "MMu2W:1";
  return open;
}

TEST_F(Proton, WritesTheOpenOfAControlConnectionAsRealRoutersDo) {
  connector_.open(connector_open(3, false));
  listener_.open(listener_open(4));
  exchange();
  EXPECT_EQ(trimmed(connector_.sent(kOpen).at(0).fields), trimmed(captured(kOpen, 1, Side::connector).fields));
  EXPECT_EQ(trimmed(listener_.sent(kOpen).at(0).fields), trimmed(captured(kOpen, 1, Side::listener).fields));
}

TEST_F(Proton, WritesTheOpenOfADataConnectionAsRealRoutersDo) {
  connector_.open(connector_open(2, true));
  listener_.open(listener_open(6));
  exchange();
  EXPECT_EQ(trimmed(connector_.sent(kOpen).at(0).fields), trimmed(captured(kOpen, 2, Side::connector).fields));
  EXPECT_EQ(trimmed(listener_.sent(kOpen).at(0).fields), trimmed(captured(kOpen, 2, Side::listener).fields));
}

TEST_F(Proton, ReadsAnOpenBack) {
  auto sent = connector_open(2, true);
  sent.cost = 7;
  connector_.open(sent);
  listener_.open(listener_open(6));
  exchange();
  EXPECT_EQ(remote_open(listener_.connection(), listener_.transport()), sent);
  EXPECT_EQ(remote_open(connector_.connection(), connector_.transport()), listener_open(6));
}

TEST_F(Proton, WritesTheAttachOfAControlLinkAndItsAnswerAsRealRoutersDo) {
  connector_.open(connector_open(3, false));
  listener_.open(listener_open(4));
  connector_.attach({"qdlink.g1AVA27dzU1lqRt", true, LinkKind::control, true});
  exchange();
  listener_.accept();
  exchange();
  EXPECT_EQ(trimmed(connector_.sent(kAttach).at(0).fields), trimmed(captured(kAttach, 1, Side::connector).fields));
  EXPECT_EQ(trimmed(listener_.sent(kAttach).at(0).fields), trimmed(captured(kAttach, 1, Side::listener).fields));
}

TEST_F(Proton, WritesTheAttachOfADataLinkAndItsAnswerAsRealRoutersDo) {
  connector_.open(connector_open(3, false));
  listener_.open(listener_open(4));
  connector_.attach({"qdlink.+d2bWjWiM9hXvmM", true, LinkKind::data, true});
  exchange();
  listener_.accept();
  exchange();
  EXPECT_EQ(trimmed(connector_.sent(kAttach).at(0).fields), trimmed(captured(kAttach, 1, Side::connector, 2).fields));
  EXPECT_EQ(trimmed(listener_.sent(kAttach).at(0).fields), trimmed(captured(kAttach, 1, Side::listener, 2).fields));
}

TEST_F(Proton, WritesTheAttachOfAStreamingLinkAndItsAnswerAsRealRoutersDo) {
  connector_.open(connector_open(2, true));
  listener_.open(listener_open(6));
  connector_.attach({"qdlink.69NqJ1X5LHdGLGN", false, LinkKind::streaming, true});
  exchange();
  listener_.accept();
  exchange();
  EXPECT_EQ(trimmed(connector_.sent(kAttach).at(0).fields), trimmed(captured(kAttach, 2, Side::connector).fields));
  EXPECT_EQ(trimmed(listener_.sent(kAttach).at(0).fields), trimmed(captured(kAttach, 2, Side::listener).fields));
}

TEST(Open, OfNoRouterIsRefusedWithTheReason) {
  const auto reason = [](const auto& change) {
    auto open = router_open("c1", 1);
    change(open);
    return refusal(open, "c0").value_or("");
  };
  EXPECT_EQ(reason([](Open&) {}), "");
  EXPECT_EQ(reason([](Open& open) { open.container_id.clear(); }), "the peer has no container id");
  EXPECT_THAT(reason([](Open& open) { open.container_id.assign(200, 'x'); }), testing::HasSubstr("200 bytes"));
  EXPECT_EQ(reason([](Open& open) { open.container_id = "c0"; }), "the peer has this router's own id, c0");
  EXPECT_EQ(reason([](Open& open) { open.annotations_version = 1; }),
            "incompatible router annotations: c1 speaks version 1, this router version 2");
  EXPECT_THAT(reason([](Open& open) { open.version = "2.7.6"; }),
              testing::HasSubstr("c1 is skupper-router 2.7.6: before release 3 skrouterd carries TCP in another way"));
  EXPECT_EQ(reason([](Open& open) { open.version = "UNKNOWN"; }), "");
  EXPECT_THAT(reason([](Open& open) { open.annotations_version.reset(); }),
              testing::HasSubstr("no qd.annotations-version"));
}

}  // namespace
}  // namespace knetsim::skupper::wire
