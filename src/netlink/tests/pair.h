#pragma once

#include "knetsim/netlink/link.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/netns.h"

namespace knetsim::netlink {

/// Two namespaces joined by a veth pair, both ends up: `left` with eth0, `right` with eth0.
struct Pair {
  NetNs left = NetNs::create();
  NetNs right = NetNs::create();
  Socket at_left{left, "left"};
  Socket at_right{right, "right"};
  int left_end = 0;
  int right_end = 0;

  Pair() {
    create_veth(at_left, {.ns = left, .name = "eth0", .up = true}, {.ns = right, .name = "eth0", .up = true});
    left_end = get_link(at_left, "eth0").index;
    right_end = get_link(at_right, "eth0").index;
  }
};

/// The errno with which `action` fails, 0 if it doesn't.
template <typename Action>
int errno_of(Action&& action) {
  try {
    action();
    return 0;
  } catch (const SystemError& error) {
    return error.error();
  }
}

}  // namespace knetsim::netlink
