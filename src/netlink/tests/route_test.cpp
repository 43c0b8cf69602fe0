#include "knetsim/netlink/route.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/error.h"
#include "pair.h"

namespace knetsim::netlink {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

struct Routes : testing::Test, Pair {
  Routes() {
    add_address(at_left, left_end, {.address = parse_network("10.0.0.3/8")});
    add_address(at_left, left_end, {.address = parse_network("fd00::3/64")});
  }

  std::vector<Route> to(const char* destination, unsigned table = RT_TABLE_MAIN) {
    std::vector<Route> found;
    const auto wanted = parse_network(destination);
    for (auto& route : list_routes(at_left, family(wanted), table))
      if (route.destination == wanted) found.push_back(route);
    return found;
  }
  Route via(const char* destination, const char* gateway) {
    return {.destination = parse_network(destination), .gateway = parse_address(gateway), .interface = left_end};
  }
};

TEST_F(Routes, OfEveryFamilyComeBackAsTheyWereAdded) {
  for (const auto& [destination, gateway, source] :
       {std::tuple{"11.20.0.0/20", "10.0.0.4", "10.0.0.3"}, std::tuple{"fd20::/56", "fd00::4", "fd00::3"}}) {
    Route route = via(destination, gateway);
    route.source = parse_address(source);
    route.metric = 50;
    route.protocol = RTPROT_STATIC;
    add_route(at_left, route);
    const auto found = to(destination);
    ASSERT_EQ(found.size(), 1U);
    route.scope = RT_SCOPE_UNIVERSE;
    EXPECT_EQ(found[0], route) << to_string(found[0]);
  }
}

TEST_F(Routes, AGatewayOutOfReachNeedsOnlink) {
  for (const auto& [destination, gateway] :
       {std::pair{"11.20.0.0/20", "11.20.0.0"}, std::pair{"fd20::/64", "fd99::1"}}) {
    Route route = via(destination, gateway);
    EXPECT_NE(errno_of([&] { add_route(at_left, route); }), 0);
    route.onlink = true;
    add_route(at_left, route);
    const auto found = to(destination);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_TRUE(found[0].onlink);
    EXPECT_EQ(found[0].gateway, parse_address(gateway));
  }
}

TEST_F(Routes, WithoutAGatewayHaveLinkScope) {
  add_route(at_left, {.destination = parse_network("11.0.0.0/8"), .interface = left_end});
  ASSERT_EQ(to("11.0.0.0/8").size(), 1U);
  EXPECT_EQ(to("11.0.0.0/8")[0].scope, RT_SCOPE_LINK);
  EXPECT_EQ(to("11.0.0.0/8")[0].protocol, unsigned{RTPROT_BOOT});
}

TEST_F(Routes, TheDefaultRoutesAreOfLengthZero) {
  add_route(at_left, via("0.0.0.0/0", "10.0.0.1"));
  add_route(at_left, via("::/0", "fd00::1"));
  EXPECT_EQ(to("0.0.0.0/0").at(0).gateway, parse_address("10.0.0.1"));
  EXPECT_EQ(to("::/0").at(0).gateway, parse_address("fd00::1"));
  EXPECT_THAT(to_string(to("::/0").at(0)), HasSubstr("default via fd00::1"));
}

TEST_F(Routes, HostBitsOfTheDestinationDoNotMatter) {
  add_route(at_left, {.destination = parse_network("11.13.0.1/20"), .interface = left_end});
  EXPECT_EQ(to("11.13.0.0/20").size(), 1U);
  delete_route(at_left, {.destination = parse_network("11.13.0.1/20")});
  EXPECT_THAT(to("11.13.0.0/20"), IsEmpty());
}

TEST_F(Routes, AddingTwiceIsAnErrorAndReplacingTakesThePlace) {
  for (const auto& [destination, first, second] :
       {std::tuple{"11.20.0.0/20", "10.0.0.4", "10.0.0.5"}, std::tuple{"fd20::/56", "fd00::4", "fd00::5"}}) {
    const auto again = via(destination, second);
    add_route(at_left, via(destination, first));
    EXPECT_EQ(errno_of([&] { add_route(at_left, again); }), EEXIST);
    replace_route(at_left, again);
    const auto found = to(destination);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].gateway, parse_address(second));
  }
}

TEST_F(Routes, AreRemovedByWhatIsSetAndOfWhatIsAbsentIsNoError) {
  for (const auto& [destination, gateway, other] :
       {std::tuple{"11.20.0.0/20", "10.0.0.4", "10.0.0.5"}, std::tuple{"fd20::/56", "fd00::4", "fd00::5"}}) {
    Route route = via(destination, gateway);
    route.protocol = RTPROT_STATIC;
    add_route(at_left, route);
    EXPECT_NO_THROW(delete_route(at_left, via(destination, other)));
    EXPECT_EQ(to(destination).size(), 1U) << "it has another gateway";
    delete_route(at_left, {.destination = parse_network(destination)});
    EXPECT_THAT(to(destination), IsEmpty());
    EXPECT_NO_THROW(delete_route(at_left, {.destination = parse_network(destination)}));
    EXPECT_NO_THROW(delete_route(at_left, {.destination = parse_network(destination), .interface = 4711}));
    EXPECT_NO_THROW(delete_route(at_left, {.destination = parse_network(destination), .table = 4711}));
  }
}

TEST_F(Routes, LiveInTheirTableWhateverItsNumber) {
  for (const unsigned table : {100U, 1000U}) {
    add_route(at_left, {.destination = parse_network("12.0.0.0/8"), .interface = left_end, .table = table});
    EXPECT_THAT(to("12.0.0.0/8"), IsEmpty());
    ASSERT_EQ(to("12.0.0.0/8", table).size(), 1U);
    EXPECT_EQ(to("12.0.0.0/8", table)[0].table, table);
  }
  EXPECT_EQ(to("12.0.0.0/8", RT_TABLE_UNSPEC).size(), 2U);
}

TEST_F(Routes, ThatLeadNowhereKeepTheirType) {
  add_route(at_left, {.destination = parse_network("13.0.0.0/8"), .type = RTN_BLACKHOLE});
  ASSERT_EQ(to("13.0.0.0/8").size(), 1U);
  EXPECT_EQ(to("13.0.0.0/8")[0].type, RTN_BLACKHOLE);
  EXPECT_EQ(to_string(to("13.0.0.0/8")[0]), "blackhole 13.0.0.0/8");
}

TEST_F(Routes, OfSeveralHopsComeBackWithAllOfThem) {
  for (const auto& [destination, first, second] :
       {std::tuple{"14.0.0.0/8", "10.0.0.4", "10.0.0.5"}, std::tuple{"fd14::/16", "fd00::4", "fd00::5"}}) {
    Route route{.destination = parse_network(destination)};
    route.hops = {{.gateway = parse_address(first), .interface = left_end, .weight = 2},
                  {.gateway = parse_address(second), .interface = left_end, .weight = 1}};
    add_route(at_left, route);
    const auto found = to(destination);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].hops, route.hops) << to_string(found[0]);
    EXPECT_FALSE(found[0].gateway);
  }
}

TEST_F(Routes, OfIPv4MayGoThroughAnIPv6Router) {
  add_route(at_left, via("15.0.0.0/8", "fd00::9"));
  EXPECT_EQ(to("15.0.0.0/8").at(0).gateway, parse_address("fd00::9"));
}

TEST_F(Routes, ALookupFindsTheOneThatAPacketWouldTake) {
  add_route(at_left, via("11.0.0.0/8", "10.0.0.4"));
  add_route(at_left, via("11.20.0.0/16", "10.0.0.5"));
  const auto found = lookup_route(at_left, parse_address("11.20.1.1"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->gateway, parse_address("10.0.0.5"));
  EXPECT_EQ(found->interface, left_end);
  EXPECT_EQ(found->source, parse_address("10.0.0.3"));
  EXPECT_EQ(lookup_route(at_left, parse_address("fd00::77"))->interface, left_end);
  EXPECT_FALSE(lookup_route(at_left, parse_address("99.0.0.1")));
  EXPECT_FALSE(lookup_route(at_left, parse_address("2001:db8::1")));
}

TEST_F(Routes, OfBothFamiliesAreListedTogetherWhenNoneIsNamed) {
  const auto all = list_routes(at_left);
  EXPECT_THAT(all, Contains(Field(&Route::destination, parse_network("10.0.0.0/8"))));
  EXPECT_THAT(all, Contains(Field(&Route::destination, parse_network("fd00::/64"))));
}

TEST_F(Routes, ARefusalIsToldInTheKernelsWords) {
  try {
    add_route(at_left, via("11.20.0.0/20", "99.0.0.1"));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.error(), ENETUNREACH);
    EXPECT_EQ(error.extack(), "Nexthop has invalid gateway");
    EXPECT_THAT(error.what(), HasSubstr("left: can't add route 11.20.0.0/20 via 99.0.0.1 dev"));
  }
}

TEST_F(Routes, MoreThanOneDatagramOfThemIsReadCompletely) {
  Batch batch(at_left);
  for (unsigned i = 0; i < 3000; ++i)
    add_route(at_left, {.destination = host_network(advance(parse_address("20.0.0.0"), i)), .interface = left_end});
  batch.commit();
  Socket fresh(left);
  EXPECT_EQ(list_routes(fresh, AF_INET).size(), 3001U);
}

}  // namespace
}  // namespace knetsim::netlink
