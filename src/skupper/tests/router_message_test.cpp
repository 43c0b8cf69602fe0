// Whole messages: every kind that real routers send each other (captures/), whole, cut where its sections end, and on
// links of every kind. A message may be refused, or end its connection, but nothing more.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <proton/disposition.h>

#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "knetsim/sys/error.h"
#include "tests/amqp_peer.h"
#include "tests/capture.h"
#include "tests/router_test.h"
#include "tests/tcp.h"
#include "wire/codec.h"
#include "wire/message.h"

namespace knetsim::skupper {
namespace {

/// The ends of a message's sections, the annotations' first.
std::vector<std::size_t> section_ends(std::string_view message) {
  std::vector<std::size_t> ends;
  const auto [annotations, rest] = wire::split_annotations(message);
  wire::Decoder decoder(rest);
  const auto annotated = message.size() - rest.size();
  ends.push_back(annotated);
  try {
    while (!decoder.at_end()) {
      decoder.value();
      ends.push_back(annotated + decoder.offset());
    }
  } catch (const wire::ProtocolError&) {
    // From here on they are the bytes of a flow.
  }
  return ends;
}

/// One message of each kind, by what it is addressed to; flows with the first of their bytes.
std::map<std::string, std::string> messages_of(const std::string& capture) {
  std::map<std::string, std::string> kinds;
  for (const auto& delivery : wire::read_capture(capture).deliveries) {
    std::string kind = "for its link's address";
    try {
      const auto message = wire::parse_message(delivery.first).message;
      const auto opcode = wire::find(message.application_properties, "opcode");
      kind =
          opcode ? wire::to_string(*opcode) : message.properties.to.substr(0, message.properties.to.find_last_of("/."));
    } catch (const wire::ProtocolError&) {
    }
    kinds.try_emplace(kind, delivery.first);
  }
  return kinds;
}

struct Way {
  const char* name;
  std::uint16_t port;
  const char* capability;
  const char* address;
};

void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

class MessageTest : public RouterTest, public testing::WithParamInterface<Way> {
 protected:
  void SetUp() override {
    start("c0", {listener(55671), listener(45671, {{"role", "edge"}}), service("svc", 8080), entrance("svc", 1028)});
    wait_for_port(1028);
    wait_for_port(45671);
  }

  /// What becomes of the message; over a new connection after one that has ended.
  std::string fate(std::string_view message, AmqpPeer::How how) {
    try {
      if (!peer_) peer_ = std::make_unique<AmqpPeer>(GetParam().port, "x1");
      const auto outcome = peer_->send_message(message, how, GetParam().capability, GetParam().address);
      return outcome == 0 ? "gone" : outcome == PN_ACCEPTED ? "accepted" : outcome == PN_MODIFIED ? "refused" : "other";
    } catch (const Error& error) {
      peer_.reset();
      return error.what();
    }
  }

  TcpService echo_{8080, TcpService::echo()};
  std::unique_ptr<AmqpPeer> peer_;
};

INSTANTIATE_TEST_SUITE_P(Ways, MessageTest,
                         testing::Values(Way{"Data", 55671, "qd.router-data", ""}, Way{"Stream", 55671, "", ""},
                                         Way{"EdgesModule", 45671, "", "_$qd.mesh_discovery"},
                                         Way{"EdgesAddress", 45671, "", "svc"}, Way{"EdgesStream", 45671, "", ""}),
                         [](const auto& way) { return std::string(way.param.name); });

TEST_P(MessageTest, EveryKindThatRealRoutersSendEndsWellWithAndWithoutABody) {
  const auto edges = messages_of("skrouterd-3.5.1-edge");
  auto kinds = messages_of("skrouterd-3.5.1");
  ASSERT_GE(kinds.size(), 8U);
  ASSERT_FALSE(edges.empty());
  kinds.insert(edges.begin(), edges.end());
  const std::string_view way = GetParam().name;
  const auto is_for_messages = way == "Data" || way == "EdgesModule";
  for (const auto& [kind, message] : kinds) {
    auto ends = section_ends(message);
    ends.push_back(0);
    for (const auto end : ends)
      for (const auto how : {AmqpPeer::How::complete, AmqpPeer::How::settled, AmqpPeer::How::aborted}) {
        if (how == AmqpPeer::How::aborted && end == 0) continue;  // it hasn't begun
        const auto became = fate(std::string_view(message).substr(0, end), how);
        SCOPED_TRACE(fmt::format("{}, {} of {} bytes, {}", kind, end, message.size(), static_cast<int>(how)));
        if (how != AmqpPeer::How::complete)
          EXPECT_EQ(became, "gone");
        else if (is_for_messages && end < message.size())
          EXPECT_EQ(became, "accepted");
        else
          EXPECT_THAT(became, testing::AnyOf("accepted", "refused"));
        ASSERT_FALSE(routers_.at(0).status()) << log_of(routers_.at(0));
      }
  }
  auto client = TcpPeer::connect(1028);
  client.send("still here");
  EXPECT_EQ(client.receive(10), "still here");
}

}  // namespace
}  // namespace knetsim::skupper
