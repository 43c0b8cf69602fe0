// What the routing engine makes of silence, restarts, duplicates, other versions and garbage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network.h"
#include "wire/address.h"

namespace knetsim::skupper::routing {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kOther = wire::mobile_key("svc2:8080");

class RoutingFault : public testing::Test {
 protected:
  /// a-b-c, c with a consumer.
  void line() {
    for (const auto* id : {"a", "b", "c"}) network_.start(id);
    network_.connect("a", "b");
    network_.connect("b", "c");
    network_.router("c").add_consumer(kService);
    network_.run(100ms);
    ASSERT_EQ(consumers("a"), "c 2");
  }
  std::string consumers(const std::string& at) const { return network_.consumers(at, kService); }
  static std::string message(const std::string& from, std::string_view to, wire::ControlBody body) {
    return encode(wire::ControlMessage{wire::originate(from), std::string(to), std::move(body)});
  }

  Network network_;
};

TEST_F(RoutingFault, ASilentNeighbourIsGoneAfterHelloMaxAge) {
  line();
  network_.cut("b", "c");
  network_.run(1'900ms);
  EXPECT_EQ(consumers("a"), "c 2");
  network_.run(1'200ms);
  EXPECT_EQ(network_.route("b", "c"), "");
  EXPECT_EQ(network_.route("a", "c"), "");
  EXPECT_EQ(consumers("a"), "");
}

TEST_F(RoutingFault, ANeighbourThatDoesNotHearUsIsNone) {
  network_.start("a");
  network_.start("b");
  // Nothing of a's arrives.
  network_.lose([](std::string_view bytes) { return wire::split_annotations(bytes).annotations.ingress == "0/a"; });
  network_.connect("a", "b");
  network_.run(10s);
  EXPECT_EQ(network_.route("a", "b"), "");
  EXPECT_EQ(network_.route("b", "a"), "");
}

TEST_F(RoutingFault, ARouterThatAdvertisesNothingAnyMoreLosesItsLinks) {
  line();
  // c says nothing but HELLO; b knows of the link to it, but not of any beyond.
  network_.start("d");
  network_.connect("c", "d");
  network_.run(100ms);
  ASSERT_EQ(network_.route("a", "d"), "b 3");
  network_.lose([](std::string_view bytes) {
    const auto parsed = wire::parse_control(bytes);
    return wire::sender(parsed.body) == "c" && !std::holds_alternative<wire::Hello>(parsed.body);
  });
  network_.run(55s);
  EXPECT_EQ(network_.route("a", "d"), "b 3");
  network_.run(40s);
  EXPECT_EQ(network_.route("a", "d"), "");
  EXPECT_EQ(network_.route("a", "c"), "b 2");
}

TEST_F(RoutingFault, ARestartedRouterIsKnownByItsNewServicesOnly) {
  line();
  network_.stop("c");
  network_.start("c").add_consumer(kOther);
  network_.connect("b", "c");
  network_.run(50ms);
  EXPECT_EQ(consumers("a"), "");
  EXPECT_EQ(network_.consumers("a", kOther), "c 2");
}

TEST_F(RoutingFault, ARestartIsNoticedByTheInstanceWhenNoLinkGoesDown) {
  line();
  const auto instance = network_.router("c").settings().instance;
  // What c's successor says first, over a connection that a middlebox has kept.
  network_.inject("c", "b", message("c", wire::kHelloAddress, wire::Hello{"c", 1, instance + 7, {"b"}}));
  network_.run(1ms);
  EXPECT_THAT(network_.log(), Contains("b: Detected Restart of Router Node c"));
  EXPECT_EQ(consumers("b"), "");
}

TEST_F(RoutingFault, ARouterThatIsBackWithinTheSecondIsBelieved) {
  Settings settings;
  settings.id = "c";
  settings.instance = 1'795'385'884;
  settings.first_sequence = 100;
  network_.start("a");
  network_.start("b");
  network_.start(settings).add_consumer(kService);
  network_.connect("a", "b");
  network_.connect("b", "c");
  network_.run(50ms);
  ASSERT_EQ(consumers("a"), "c 2");
  network_.stop("c");
  settings.first_sequence = 300;
  network_.start(settings).add_consumer(kOther);
  network_.connect("b", "c");
  network_.run(50ms);
  EXPECT_EQ(consumers("a"), "");
  EXPECT_EQ(network_.consumers("a", kOther), "c 2");
}

TEST_F(RoutingFault, ANeighbourWithOurOwnIdIsRefused) {
  line();
  network_.inject("a", "b", message("b", wire::kHelloAddress, wire::Hello{"b", 1, 2, {}}));
  network_.run(1ms);
  EXPECT_THAT(network_.refusals(), ElementsAre("b: Detected Neighbor Router with a Duplicate ID - b"));
  EXPECT_EQ(consumers("b"), "c 1");
}

TEST_F(RoutingFault, AConnectionToOurselvesIsRefused) {
  line();
  const auto instance = network_.router("b").settings().instance;
  network_.inject("a", "b", message("b", wire::kHelloAddress, wire::Hello{"b", 1, instance, {}}));
  network_.run(1ms);
  EXPECT_THAT(network_.refusals(), ElementsAre("b: the connection leads back to this router"));
}

TEST_F(RoutingFault, ASecondNeighbourOfTheSameIdIsRefusedAndTheFirstStays) {
  line();
  const LinkId link = 1'000;
  auto& b = network_.router("b");
  b.link_up(link, 1);
  b.receive(link, message("c", wire::kHelloAddress, wire::Hello{"c", 1, 1, {"b"}}), network_.now());
  network_.run(1ms);
  EXPECT_THAT(network_.refusals(), ElementsAre("b: another neighbor router is connected with the ID c"));
  EXPECT_EQ(consumers("a"), "c 2");
}

TEST_F(RoutingFault, AnOlderProtocolVersionIsTakenAndANewerOneIgnored) {
  network_.start("a");
  network_.start("b");
  network_.connect("a", "b");
  network_.run(50ms);
  network_.inject("b", "a",
                  message("b", wire::mobile_address("a"),
                          wire::MobileAddressUpdate{"b", 1, 1, wire::AbsoluteAddresses{{{kService, 3, 0}}}}));
  network_.run(1ms);
  EXPECT_EQ(consumers("a"), "b 1");
  for (int i = 0; i < 2; ++i)
    network_.inject(
        "b", "a",
        message("b", wire::mobile_address("a"), wire::MobileAddressUpdate{"b", 3, 9, wire::AbsoluteAddresses{}}));
  network_.run(1ms);
  EXPECT_EQ(consumers("a"), "b 1");
  EXPECT_THAT(network_.log(), Contains("a: Received MAU at protocol version 3 from b.  Ignoring.").Times(1));
  EXPECT_THAT(network_.refusals(), IsEmpty());
}

TEST_F(RoutingFault, GarbageClosesTheConnectionThatItCameFromAndNoOther) {
  line();
  network_.inject("a", "b", "\x16\x03\x01 something else");
  network_.run(1ms);
  EXPECT_THAT(network_.refusals(), ElementsAre(HasSubstr("b: the message doesn't begin with router annotations")));
  EXPECT_EQ(consumers("b"), "c 1");
  EXPECT_EQ(network_.route("b", "a"), "");
}

TEST_F(RoutingFault, ANeighbourIsNotBlamedForGarbageThatItPassesOn) {
  line();
  auto annotations = wire::forwarded(wire::originate("c"), "b");
  auto bytes = message("c", wire::kAllRouters, wire::LinkStateRequest{"c"});
  const auto rest = std::string(wire::split_annotations(bytes).rest);
  // An RA by its opcode, an LSR by its fields.
  auto altered = rest;
  altered.replace(altered.find("LSR"), 3, "RAX");
  network_.inject("b", "a", wire::encode(annotations) + altered);
  network_.run(1ms);
  EXPECT_THAT(network_.refusals(), IsEmpty());
  EXPECT_THAT(network_.log(), Contains(HasSubstr("a: Ignored a control message of 0/c: unknown opcode")));
}

TEST_F(RoutingFault, AMessageThatComesBackIsDropped) {
  line();
  const auto before = network_.messages();
  network_.inject(
      "a", "b",
      wire::encode(wire::forwarded(wire::originate("b"), "a")) +
          std::string(
              wire::split_annotations(message("b", wire::router_address("c"), wire::LinkStateRequest{"b"})).rest));
  network_.run(1ms);
  EXPECT_EQ(network_.messages(), before);
}

TEST_F(RoutingFault, AnAddressStaysAsLongAsItHasAConsumer) {
  line();
  auto& c = network_.router("c");
  c.add_consumer(kService);
  c.remove_consumer(kService);
  network_.run(50ms);
  EXPECT_EQ(consumers("a"), "c 2");
  EXPECT_EQ(consumers("c"), "local 1");
  c.remove_consumer(kService);
  network_.run(50ms);
  EXPECT_EQ(consumers("a"), "");
  c.remove_consumer(kService);
  c.add_consumer(kService);
  network_.run(50ms);
  EXPECT_EQ(consumers("a"), "c 2");
}

TEST_F(RoutingFault, AnAddressThatIsGoneAndBackBeforeAnybodyWasToldIsNotAnnounced) {
  line();
  const auto before = network_.messages();
  network_.router("c").remove_consumer(kService);
  network_.router("c").add_consumer(kService);
  network_.run(10ms);
  EXPECT_EQ(network_.messages(), before);
}

TEST_F(RoutingFault, AMissedChangeOfAddressesIsMadeUpFor) {
  line();
  network_.lose([](std::string_view bytes) {
    return std::holds_alternative<wire::MobileAddressUpdate>(wire::parse_control(bytes).body);
  });
  network_.router("c").add_consumer(kOther);
  network_.run(10ms);
  EXPECT_EQ(network_.consumers("a", kOther), "");
  network_.lose([](std::string_view) { return false; });
  network_.router("c").remove_consumer(kService);
  network_.run(50ms);
  EXPECT_EQ(network_.consumers("a", kOther), "c 2");
  EXPECT_EQ(consumers("a"), "");
}

}  // namespace
}  // namespace knetsim::skupper::routing
