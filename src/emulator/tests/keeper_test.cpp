// What a namespace was given is found in it again, whoever took it away.
#include "knetsim/emulator/keeper.h"

#include <gmock/gmock.h>
#include <linux/rtnetlink.h>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/sysctl.h"

namespace knetsim {
namespace {

using netlink::Route;

class KeptRoutes : public testing::TestWithParam<bool> {
 protected:
  KeptRoutes() {
    ns.run([this] {
      // A fe80:: address would come a second or two after the link, and the keeper would look at everything again.
      write_sysctl(v6 ? "net.ipv6.conf.default.accept_dad" : "net.ipv6.conf.default.disable_ipv6", v6 ? "0" : "1");
      if (v6) write_sysctl("net.ipv6.conf.all.keep_addr_on_down", "1");
    });
    netlink::create_veth({.ns = ns, .name = "eth0", .up = true}, {.ns = there, .name = "eth0", .up = true});
    eth0 = netlink::get_link(socket, "eth0").index;
    give_address();
    keeper.keep("w1", ns,
                {.routes = {{.destination = range}, {.destination = all, .gateway = gateway}}, .interface = "eth0"});
  }

  void give_address() { netlink::add_address(socket, eth0, {.address = address}); }
  /// Both are there, with what they had.
  void expect_put_back() {
    const auto through = [this](std::optional<Address> wanted) {
      return [this, wanted](const Route& route) { return route.interface == eth0 && route.gateway == wanted; };
    };
    EXPECT_NO_THROW(netlink::wait_for_route(ns, range, through({}), std::chrono::seconds(10)));
    EXPECT_NO_THROW(netlink::wait_for_route(ns, all, through(gateway), std::chrono::seconds(10)));
  }

  bool v6 = GetParam();
  Network range = parse_network(v6 ? "fd64::/16" : "100.64.0.0/16");
  Network all = parse_network(v6 ? "::/0" : "0.0.0.0/0");
  Network address = parse_network(v6 ? "fd10::3/64" : "10.0.0.3/8");
  Address gateway = parse_address(v6 ? "fd10::1" : "10.0.0.1");
  NetNs ns = NetNs::create();
  NetNs there = NetNs::create();
  netlink::Socket socket{ns};
  int eth0 = 0;
  Keeper keeper;
};

TEST_P(KeptRoutes, AreThereAtOnce) { expect_put_back(); }

TEST_P(KeptRoutes, ComeBackAfterTheLinkWasDown) {
  netlink::set_down(socket, eth0);
  netlink::set_up(socket, eth0);
  expect_put_back();
}

TEST_P(KeptRoutes, ComeBackWithTheAddress) {
  netlink::delete_address(socket, eth0, address);
  give_address();
  expect_put_back();
}

TEST_P(KeptRoutes, ComeBackWhenTheyAreDeletedOrReplaced) {
  netlink::delete_route(socket, {.destination = range});
  expect_put_back();
  const auto metric = v6 ? 1024U : 0U;
  netlink::replace_route(socket,
                         {.destination = all, .gateway = advance(gateway, 1), .interface = eth0, .metric = metric});
  expect_put_back();
}

TEST_P(KeptRoutes, ComeBackOnAnotherLinkOfTheName) {
  netlink::delete_link(socket, eth0);
  netlink::create_veth({.ns = ns, .name = "eth0", .up = true}, {.ns = there, .name = "eth0", .up = true});
  eth0 = netlink::get_link(socket, "eth0").index;
  give_address();
  expect_put_back();
}

TEST_P(KeptRoutes, StayAwayOnceTheyAreForgotten) {
  expect_put_back();
  keeper.forget("w1");
  netlink::delete_route(socket, {.destination = range});
  // The keeper's thread has seen whatever it was to see when it has put another namespace's route back.
  keeper.keep("w2", there, {.routes = {{.destination = range}}, .interface = "eth0"});
  netlink::Socket other(there);
  netlink::delete_route(other, {.destination = range});
  netlink::wait_for_route(there, range);
  for (const auto& route : netlink::list_routes(socket, family(range))) EXPECT_NE(route.destination, range);
}

INSTANTIATE_TEST_SUITE_P(Families, KeptRoutes, testing::Values(false, true),
                         [](const auto& one) { return one.param ? "ip6" : "ip"; });

TEST(Keeper, WritesWhatALinkTookAlongWhenItIsUpAgain) {
  const auto ns = NetNs::create();
  ns.run([] { write_sysctl("net.ipv6.conf.default.disable_ipv6", "1"); });
  const auto there = NetNs::create();
  netlink::create_veth({.ns = ns, .name = "eth0", .up = true}, {.ns = there, .name = "eth0", .up = true});
  netlink::Socket socket(ns);
  const int eth0 = netlink::get_link(socket, "eth0").index;
  const auto neighbour = parse_address("10.0.0.4");
  const auto mac = netlink::random_mac();
  Keeper keeper;
  keeper.keep("w1", ns, {.interface = "eth0", .when_up = [&](netlink::Socket& own, int interface) {
                           netlink::replace_neighbour(own, interface, neighbour, mac);
                         }});
  const auto there_are = [&] { return netlink::list_neighbours(socket, AF_INET, eth0).size(); };
  EXPECT_EQ(there_are(), 1U);
  netlink::set_down(socket, eth0);
  EXPECT_EQ(there_are(), 0U);
  netlink::set_up(socket, eth0);
  eventually([&]() -> std::optional<std::string> {
    return there_are() == 1 ? std::nullopt : std::optional<std::string>("the neighbour");
  });
}

}  // namespace
}  // namespace knetsim
