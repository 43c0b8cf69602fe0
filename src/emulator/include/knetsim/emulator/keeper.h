#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "knetsim/netlink/route.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"

namespace knetsim {

/// What is to be found in a node's network, and is put back when it isn't.
struct Kept {
  /// All through `interface`, whatever its number is by then.
  std::vector<netlink::Route> routes = {};
  std::string interface = {};
  /// Called too whenever the interface is up: writes what a link that goes down takes along. What it throws is ignored.
  std::function<void(netlink::Socket&, int interface)> when_up = {};
  /// Called when something was taken out of a table of that name in the packet filter. What it throws is ignored.
  std::function<void()> when_filter_changed = {};
  std::string table = {};
};

/// Puts back what was written into many namespaces and what others, or the kernel when a link goes down or an address
/// goes, have taken away. One thread for all of them, which sleeps until the kernel tells of a change; nothing is
/// polled. What can't be put back now (the link is down) is tried again at the next change. Addresses aren't put back:
/// who takes one away wants to see what happens.
class Keeper {
 public:
  Keeper();
  Keeper(Keeper&&) = delete;
  ~Keeper();

  /// From now on; what has been taken away already is put back at once. `ns` must outlive that, or forget().
  void keep(const std::string& name, const NetNs& ns, Kept kept);
  /// Absent is no error.
  void forget(const std::string& name);

 private:
  struct Place;

  void run();
  void watch(int fd, std::uint64_t number);

  Fd wake_;
  Fd epoll_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::unique_ptr<Place>> places_;
  std::uint64_t last_number_ = 0;
  std::thread thread_;
};

}  // namespace knetsim
