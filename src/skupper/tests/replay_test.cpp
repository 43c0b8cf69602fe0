// Every frame of a conversation between two real routers, decoded, rebuilt from our values and compared.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "capture.h"
#include "wire/address.h"
#include "wire/control.h"
#include "wire/message.h"

namespace knetsim::skupper::wire {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr std::int64_t kInstanceOfC0 = 1795385884;
constexpr std::int64_t kInstanceOfC1 = 1795385885;

/// A control message that `router` originates, as the bytes of its delivery.
std::string message(std::string_view router, std::string_view to, ControlBody body) {
  return encode(ControlMessage{originate(router), std::string(to), std::move(body)});
}

class Replay : public testing::Test {
 protected:
  /// The deliveries that begin in a packet, in their order.
  std::vector<std::string> deliveries(int packet) const {
    std::vector<std::string> result;
    for (const auto& delivery : capture_.deliveries)
      if (delivery.packet == packet) result.push_back(delivery.bytes);
    return result;
  }

  Capture capture_ = read_capture();
};

TEST_F(Replay, EveryPacketDecodes) {
  std::set<int> packets;
  std::set<std::uint64_t> performatives;
  for (const auto& frame : capture_.frames) {
    packets.insert(frame.packet);
    performatives.insert(frame.code);
  }
  EXPECT_EQ(packets.size(), 133U);
  // Headers; OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, CLOSE; SASL's mechanisms, init, outcome.
  EXPECT_THAT(performatives, ElementsAre(0, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x18, 0x40, 0x41, 0x44));
}

TEST_F(Replay, EveryPerformativeIsTheSameAfterEncodingAndDecoding) {
  for (const auto& frame : capture_.frames)
    EXPECT_EQ(decode(encode(frame.fields)), Value(frame.fields)) << "packet " << frame.packet;
}

TEST_F(Replay, EveryControlMessageHasTheSameBytesWhenItIsRebuilt) {
  std::map<std::string, int> opcodes;
  for (const auto& delivery : capture_.deliveries) {
    const auto parsed = parse_message(delivery.bytes).message;
    if (!find(parsed.application_properties, "opcode")) continue;
    const auto control = parse_control(delivery.bytes);
    ++opcodes[std::string(opcode(control.body))];
    EXPECT_EQ(encode(control), delivery.bytes) << "packet " << delivery.packet << ": " << to_string(control.body);
  }
  EXPECT_THAT(opcodes, UnorderedElementsAre(Pair("HELLO", 13), Pair("RA", 4), Pair("LSR", 3), Pair("LSU", 2),
                                            Pair("MAR", 2), Pair("MAU", 2)));
}

TEST_F(Replay, HelloIsRebuilt) {
  EXPECT_EQ(deliveries(40), std::vector{message("c0", kHelloAddress, Hello{"c0", 1, kInstanceOfC0, {}})});
  EXPECT_EQ(deliveries(45), std::vector{message("c1", kHelloAddress, Hello{"c1", 1, kInstanceOfC1, {"c0"}})});
}

TEST_F(Replay, LinkStateRequestAndAdvertisementAreRebuilt) {
  EXPECT_EQ(deliveries(51),
            (std::vector{message("c0", router_address("c1"), LinkStateRequest{"c0"}),
                         message("c0", kAllRouters, RouterAdvertisement{"c0", 1, kInstanceOfC0, 1, 1})}));
}

TEST_F(Replay, AddressRequestIsRebuilt) {
  EXPECT_EQ(deliveries(57),
            (std::vector{message("c1", router_address("c0"), LinkStateRequest{"c1"}),
                         message("c1", mobile_address("c0"), MobileAddressRequest{"c1", 2, 0}),
                         message("c1", kAllRouters, RouterAdvertisement{"c1", 1, kInstanceOfC1, 1, 1})}));
}

TEST_F(Replay, AddressUpdateIsRebuilt) {
  const AbsoluteAddresses addresses{{{"Msfe.MMu2W:0", 2, 0},
                                     {"Mvfcr.MMu2W:0", 2, 0},
                                     {"Msvc1:8080", 3, 0},
                                     {"Msink:9000", 3, 0},
                                     {"Mdead:9999", 3, 0}}};
  EXPECT_EQ(deliveries(58),
            std::vector{message("c0", mobile_address("c1"), MobileAddressUpdate{"c0", 2, 1, addresses})});
}

TEST_F(Replay, LinkStateUpdateIsRebuilt) {
  EXPECT_EQ(deliveries(59), std::vector{message("c0", router_address("c1"),
                                                LinkStateUpdate{"c0", 1, kInstanceOfC0, 1, {"c0", 1, {{"c1", 1}}}})});
  EXPECT_EQ(deliveries(63), std::vector{message("c1", router_address("c0"),
                                                LinkStateUpdate{"c1", 1, kInstanceOfC1, 1, {"c1", 1, {{"c0", 1}}}})});
}

TEST_F(Replay, FirstTransferOfAFlowIsRebuilt) {
  const auto request = [](const char* to, const char* discriminator, const char* id) {
    return encode(flow_request("c1", to, reply_address("c1", discriminator), id));
  };
  EXPECT_EQ(capture_.delivery(77).first, request("svc1:8080", "QDN_GbjpU_GPGc7", "PqkwA:5"));
  EXPECT_EQ(capture_.delivery(101).first, request("svc1:8080", "zTTtxmZ+5y7NLPX", "PqkwA:7"));
  EXPECT_EQ(capture_.delivery(140).first, request("sink:9000", "CiyrlgMLM2Ldi+p", "PqkwA:9"));
  EXPECT_EQ(capture_.delivery(182).first, request("dead:9999", "ocgOcDMnQL7kCxx", "PqkwA:10"));
}

TEST_F(Replay, FirstTransferOfAnAnswerIsRebuilt) {
  EXPECT_EQ(capture_.delivery(82).first, encode(flow_reply("c0", reply_address("c1", "QDN_GbjpU_GPGc7"))));
  EXPECT_EQ(capture_.delivery(141).first, encode(flow_reply("c0", reply_address("c1", "CiyrlgMLM2Ldi+p"))));
}

TEST_F(Replay, BytesOfAConnectionFollowTheHead) {
  const auto bytes_of = [&](int packet) {
    const auto& delivery = capture_.delivery(packet);
    return delivery.bytes.substr(parse_flow(delivery.bytes)->length);
  };
  EXPECT_THAT(bytes_of(77), testing::StartsWith("GET / HTTP/1.1\r\nHost: 127.0.0.1:1028\r\n"));
  EXPECT_THAT(bytes_of(82), testing::HasSubstr("HTTP/1.0 200 OK\r\n"));
  EXPECT_EQ(bytes_of(140), std::string(150'000, 'x'));
  EXPECT_EQ(bytes_of(182), "");
}

TEST_F(Replay, FlowTelemetryIsRead) {
  const auto parsed = parse_message(capture_.delivery(92).bytes).message;
  EXPECT_EQ(parsed.properties.subject, "RECORD");
  EXPECT_EQ(parsed.properties.to, "vfcr.PqkwA:0");
  const auto& record = *parsed.body.get_if<List>()->front().get_if<Map>();
  EXPECT_THAT(record, Contains(Pair(Value(std::uint32_t{31}), Value("0/c1"))));
}

}  // namespace
}  // namespace knetsim::skupper::wire
