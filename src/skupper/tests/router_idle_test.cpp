// Connections on which nothing happens: kept alive, unless the peer has fallen silent. AMQP 1.0, part 2.4.5.

#include <gmock/gmock.h>

#include "tests/amqp_peer.h"
#include "tests/router_test.h"

namespace knetsim::skupper {
namespace {

using IdleTest = RouterTest;

TEST_F(IdleTest, AConnectionWithoutTrafficIsKeptAlive) {
  start("c0", {listener(55671)});
  wait_for_port(55671);
  // A data connection carries nothing by itself, so what comes after the open are empty frames.
  AmqpPeer peer(55671, "x1", {.data = true, .idle_timeout_ms = 200});
  peer.wait_for_open();
  peer.wait_for_frames(10);
}

TEST_F(IdleTest, APeerThatHasFallenSilentIsDroppedAndToldWhy) {
  start("c0", {listener(55671, {{"idleTimeoutSeconds", 1}})});
  wait_for_port(55671);
  AmqpPeer peer(55671, "x1");
  peer.wait_for_open();
  EXPECT_THAT(peer.wait_for_end(), testing::HasSubstr("idle-timeout"));
}

}  // namespace
}  // namespace knetsim::skupper
