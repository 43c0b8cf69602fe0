// Routers in line, ring, star and mesh find their ways, and find others when links and routers go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network.h"

namespace knetsim::skupper::routing {
namespace {

using namespace std::chrono_literals;

class Convergence : public testing::Test {
 protected:
  void start(const std::vector<std::string>& ids) {
    for (const auto& id : ids) network_.start(id);
  }
  /// a-b-c-d-e
  void line() {
    start({"a", "b", "c", "d", "e"});
    for (const auto& [from, to] : kLine) network_.connect(from, to);
  }
  void ring() {
    line();
    network_.connect("e", "a");
  }
  std::string route(const std::string& from, const std::string& to) const { return network_.route(from, to); }
  std::string consumers(const std::string& at) const { return network_.consumers(at, kService); }

  const std::vector<std::pair<std::string, std::string>> kLine{{"a", "b"}, {"b", "c"}, {"c", "d"}, {"d", "e"}};
  Network network_;
};

TEST_F(Convergence, TwoRoutersKnowEachOthersServicesWithinAFewRoundTrips) {
  start({"c0", "c1"});
  network_.router("c0").add_consumer(kService);
  network_.connect("c0", "c1");
  network_.run(20ms);
  EXPECT_EQ(route("c1", "c0"), "c0 1");
  EXPECT_EQ(route("c0", "c1"), "c1 1");
  EXPECT_EQ(consumers("c1"), "c0 1");
  EXPECT_EQ(consumers("c0"), "local 1");
}

TEST_F(Convergence, ALineIsCrossedEndToEnd) {
  line();
  network_.router("e").add_consumer(kService);
  network_.run(100ms);
  EXPECT_EQ(route("a", "e"), "b 4");
  EXPECT_EQ(route("e", "a"), "d 4");
  EXPECT_EQ(route("c", "a"), "b 2");
  EXPECT_EQ(consumers("a"), "e 4");
}

TEST_F(Convergence, ARouterThatJoinsALineIsKnownAtOnceAtItsOtherEnd) {
  line();
  network_.run(60s);
  network_.start("f").add_consumer(kService);
  network_.connect("e", "f");
  network_.run(100ms);
  EXPECT_EQ(consumers("a"), "f 5");
  EXPECT_EQ(route("f", "a"), "e 5");
}

TEST_F(Convergence, ARingIsCrossedTheShorterWay) {
  ring();
  network_.run(100ms);
  EXPECT_EQ(route("a", "b"), "b 1");
  EXPECT_EQ(route("a", "c"), "b 2");
  EXPECT_EQ(route("a", "d"), "e 2");
}

TEST_F(Convergence, ARingIsCrossedTheOtherWayWhenALinkGoesAndTheShorterWhenItIsBack) {
  ring();
  network_.router("c").add_consumer(kService);
  network_.run(100ms);
  network_.disconnect("a", "b");
  network_.run(50ms);
  EXPECT_EQ(route("a", "b"), "e 4");
  EXPECT_EQ(consumers("a"), "c 3");
  network_.connect("a", "b");
  network_.run(50ms);
  EXPECT_EQ(route("a", "b"), "b 1");
  EXPECT_EQ(consumers("a"), "c 2");
}

TEST_F(Convergence, ARingIsCrossedTheOtherWayWhenARouterDies) {
  ring();
  network_.router("c").add_consumer(kService);
  network_.router("b").add_consumer(kService);
  network_.run(100ms);
  EXPECT_EQ(consumers("a"), "b 1, c 2");
  network_.stop("b");
  network_.run(50ms);
  EXPECT_EQ(route("a", "b"), "");
  EXPECT_EQ(route("a", "c"), "e 3");
  EXPECT_EQ(consumers("a"), "c 3");
}

TEST_F(Convergence, AStarFallsApartWithoutItsHubAndIsWholeAgainWithIt) {
  const std::vector<std::string> leaves{"a", "b", "c", "d", "e"};
  start(leaves);
  network_.start("hub");
  for (const auto& leaf : leaves) network_.connect(leaf, "hub");
  network_.router("a").add_consumer(kService);
  network_.router("b").add_consumer(kService);
  network_.run(100ms);
  EXPECT_EQ(route("e", "a"), "hub 2");
  EXPECT_EQ(consumers("e"), "a 2, b 2");
  EXPECT_EQ(consumers("a"), "local 1, b 2");

  network_.stop("hub");
  network_.run(10ms);
  EXPECT_EQ(route("e", "a"), "");
  EXPECT_EQ(consumers("e"), "");
  EXPECT_EQ(consumers("a"), "local 1");

  network_.start("hub");
  for (const auto& leaf : leaves) network_.connect(leaf, "hub");
  network_.run(100ms);
  EXPECT_EQ(consumers("e"), "a 2, b 2");
}

TEST_F(Convergence, TheCheaperWayIsTakenEvenIfItIsLonger) {
  start({"a", "b", "c"});
  network_.connect("a", "c", 10);
  network_.connect("a", "b", 2);
  network_.connect("b", "c", 3);
  network_.run(100ms);
  EXPECT_EQ(route("a", "c"), "b 5");
  EXPECT_EQ(route("c", "a"), "b 5");
}

TEST_F(Convergence, OfSeveralLinksToANeighbourTheCheapestIsUsedWhileItIsThere) {
  start({"a", "b"});
  network_.connect("a", "b", 5);
  network_.connect("a", "b", 2);
  network_.run(50ms);
  EXPECT_EQ(route("a", "b"), "b 2");
  network_.disconnect("a", "b");
  network_.run(50ms);
  EXPECT_EQ(route("a", "b"), "b 2");
  network_.disconnect("a", "b");
  network_.run(50ms);
  EXPECT_EQ(route("a", "b"), "");
}

TEST_F(Convergence, AMeshDoesNotMultiplyWhatIsFlooded) {
  const std::vector<std::string> ids{"a", "b", "c", "d", "e", "f", "g"};
  start(ids);
  for (auto from = ids.begin(); from != ids.end(); ++from)
    for (auto to = from + 1; to != ids.end(); ++to) network_.connect(*from, *to);
  network_.run(10s);
  const auto before = network_.messages();
  network_.router("a").add_consumer(kService);
  network_.run(20ms);
  EXPECT_EQ(consumers("g"), "a 1");
  // A MAU and an RA over 21 wires, each in both directions at most; HELLOs besides.
  EXPECT_LE(network_.messages() - before, 2U * 42U + 42U);
}

TEST_F(Convergence, AnIdleNetworkSaysHelloEachSecondAndAdvertisesEachHalfMinute) {
  start({"a", "b"});
  network_.connect("a", "b");
  network_.run(60s);
  const auto before = network_.messages();
  network_.run(60s);
  EXPECT_EQ(network_.messages() - before, 2U * (60U + 2U));
}

TEST_F(Convergence, WhatIsLostIsAskedForAgain) {
  // Two of three messages, in a pattern that doesn't fall in step with any exchange.
  unsigned state = 1;
  network_.lose([&](std::string_view) { return (state = state * 1103515245U + 12345U) / 65536U % 3 != 0; });
  line();
  network_.router("e").add_consumer(kService);
  network_.run(10s);
  network_.lose([](std::string_view) { return false; });
  EXPECT_TRUE(network_.run_until([&] { return consumers("a") == "e 4"; }, 10s)) << consumers("a");
}

}  // namespace
}  // namespace knetsim::skupper::routing
