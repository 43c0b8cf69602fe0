#include "knetsim/netlink/socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/error.h"
#include "knetsim/netlink/route.h"
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
    set_mtu(socket, 1, 10'000'000);
    set_up(socket, 4711);
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

TEST(Sockets, AListIsCompleteWhileAnotherThreadChangesTheTable) {
  const NetNs ns = NetNs::create();
  Socket socket(ns);
  constexpr unsigned kSteady = 1500;
  for (unsigned i = 0; i < kSteady; i += 500) {
    Batch batch(socket);
    for (unsigned j = i; j < i + 500; ++j)
      add_address(socket, 1, {.address = host_network(advance(parse_address("10.0.0.1"), j))});
    batch.commit();
  }
  std::atomic<bool> stop{false};
  std::thread other([&] {
    Socket mine(ns);
    const auto passing = parse_network("10.99.0.1/32");
    while (!stop) {
      add_address(mine, 1, {.address = passing});
      delete_address(mine, 1, passing);
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < 20; ++i) {
    std::size_t steady = 0;
    for (const auto& address : list_addresses(socket, 1, AF_INET))
      if (contains(parse_network("10.0.0.0/16"), address_of(address.address))) ++steady;
    EXPECT_EQ(steady, kSteady);
  }
  stop = true;
  other.join();
}

}  // namespace
}  // namespace knetsim::netlink
