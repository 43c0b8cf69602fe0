#include "knetsim/netlink/socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <atomic>
#include <set>
#include <thread>

#include "decode.h"
#include "knetsim/netlink/address.h"
#include "knetsim/netlink/channel.h"
#include "knetsim/netlink/error.h"
#include "knetsim/netlink/route.h"
#include "message.h"
#include "pair.h"

namespace knetsim::netlink {
namespace {

using testing::HasSubstr;

TEST(Batching, NothingHappensBeforeCommitAndEverythingInItsOrderAtIt) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  Socket other(ns);
  {
    Batch batch(socket);
    EXPECT_EQ(create_bridge(socket, {.name = "t0", .index = 50}), 50);
    create_bridge(socket, {.name = "t1"});
    set_up(socket, 50);
    add_address(socket, 50, {.address = parse_network("10.0.0.1/8")});
    add_route(socket, {.destination = parse_network("11.0.0.0/8"),
                       .gateway = parse_address("10.0.0.2"),
                       .interface = 50,
                       .onlink = true});
    EXPECT_FALSE(find_link(other, "t0"));
    batch.commit();
  }
  EXPECT_TRUE(get_link(socket, 50).up);
  EXPECT_TRUE(find_link(socket, "t1"));
  EXPECT_EQ(list_routes(socket, AF_INET).size(), 2U);
}

TEST(Batching, WhatIsNotCommittedIsForgottenAndTheSocketGoesOn) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  {
    Batch batch(socket);
    create_bridge(socket, {.name = "t0"});
  }
  EXPECT_FALSE(find_link(socket, "t0"));
  create_bridge(socket, {.name = "t1"});
  EXPECT_TRUE(find_link(socket, "t1"));
}

TEST(Batching, TheFirstRefusalIsThrownAfterAllWereTried) {
  const NetNs ns = NetNs::create();
  Socket socket(ns, "w1");
  {
    Batch batch(socket);
    create_bridge(socket, {.name = "t0"});
    delete_link(socket, "nosuch");
    set_up(socket, 4711);
    set_down(socket, 4712);
    create_bridge(socket, {.name = "t1"});
    try {
      batch.commit();
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("w1: can't set link 4711 up: No such device"));
    }
  }
  EXPECT_TRUE(find_link(socket, "t0"));
  EXPECT_TRUE(find_link(socket, "t1"));
}

TEST(Batching, ReadingMeanwhileIsAnErrorAndSoIsASecondBatch) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  Batch batch(socket);
  EXPECT_EQ(errno_of([&] { find_link(socket, "lo"); }), EBUSY);
  EXPECT_EQ(errno_of([&] { list_addresses(socket); }), EBUSY);
  EXPECT_EQ(errno_of([&] { Batch second(socket); }), EBUSY);
}

TEST(Batching, HoldsMoreThanTheSocketsBuffersDo) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  Batch batch(socket);
  for (int i = 0; i < 1000; ++i)
    add_address(socket, 1, {.address = host_network(advance(parse_address("10.0.0.1"), static_cast<unsigned>(i)))});
  batch.commit();
  Socket other(ns);
  EXPECT_EQ(list_addresses(other, 1, AF_INET).size(), 1001U);
  batch.commit();  // nothing is left to send
}

TEST(Batching, AVethWithBridgesAtBothEndsFindsItsIndex) {
  const NetNs a = NetNs::create();
  const NetNs b = NetNs::create();
  Socket at_a(a);
  Socket at_b(b);
  const int bridge = create_bridge(at_b, {.name = "br0"});
  Batch batch(at_a);
  create_bridge(at_a, {.name = "br0", .index = 40});
  create_veth(at_a, {.ns = a, .name = "port", .master = 40, .index = 41},
              {.ns = b, .name = "port", .master = bridge, .index = 42});
  set_up(at_a, 41);
  batch.commit();
  EXPECT_EQ(get_link(at_b, 42).master, bridge);
  Socket other(a);
  EXPECT_EQ(get_link(other, 41).master, 40);
  EXPECT_TRUE(get_link(other, 41).up);
}

TEST(Sockets, MoreThanAThousandOfOneProcessWorkAtOnce) {
  const NetNs ns = NetNs::create();
  std::vector<Socket> sockets;
  for (int i = 0; i < 1100; ++i) sockets.emplace_back(ns);
  for (auto& socket : sockets) ASSERT_TRUE(find_link(socket, "lo"));
}

TEST(Sockets, OfSeveralThreadsDoNotDisturbEachOther) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&good] {
      const NetNs ns = NetNs::create();
      Socket socket(ns);
      for (int i = 0; i < 50; ++i) {
        const auto name = "br" + std::to_string(i);
        const int index = create_bridge(socket, {.name = name, .up = true});
        add_address(socket, index, {.address = parse_network("10.0.0.1/8")});
        if (list_addresses(socket, index, AF_INET).size() == 1) ++good;
        delete_link(socket, index);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 100);
}

TEST(Sockets, AListDuringWhichTheTableChangedIsReadAgain) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  const auto first = host_network(parse_address("10.0.0.0"));
  {
    Batch batch(socket);
    add_address(socket, 1, {.address = first});
    // More than two datagrams hold, so that the kernel goes on when it is asked again.
    for (unsigned i = 1; i <= 1500; ++i)
      add_address(socket, 1, {.address = host_network(advance(address_of(first), i))});
    batch.commit();
  }
  Message request(RTM_GETADDR, 0);
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  request.header(header);
  int attempts = 0;
  std::set<Address> seen;
  const auto restart = [&] {
    ++attempts;
    seen.clear();
  };
  socket.channel().dump(request, "list addresses", restart, [&](const nlmsghdr* message) {
    seen.insert(address_of(decode_address(message)->address));
    // Its removal moves all others one place forward: the next datagram would begin one too late.
    if (attempts == 1 && seen.size() == 1)
      std::thread([&] {
        Socket other(ns);
        delete_address(other, 1, first);
      }).join();
  });
  EXPECT_EQ(attempts, 2);
  for (unsigned i = 1; i <= 1500; ++i) EXPECT_TRUE(seen.contains(advance(address_of(first), i))) << i;
  EXPECT_FALSE(seen.contains(address_of(first)));
}

}  // namespace
}  // namespace knetsim::netlink
