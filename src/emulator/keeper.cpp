#include "knetsim/emulator/keeper.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>
#include <variant>

#include "knetsim/netlink/error.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/sys/error.h"

namespace knetsim {

namespace {

using netlink::Groups;

constexpr std::uint64_t kWake = 0;
// What doesn't fit is told as one Resync, which costs no more than what was lost.
constexpr int kWaitingBytes = 256 * 1024;

template <typename Object>
const Object* told_of(const netlink::Event& event) {
  return std::get_if<Object>(&event.object);
}

}  // namespace

struct Keeper::Place {
  std::string name;
  const NetNs& ns;
  Kept kept;
  netlink::Monitor monitor;
  std::optional<netlink::RulesetMonitor> filter = {};
  int interface = 0;  ///< its number, 0: there is none now

  Place(std::string place_name, const NetNs& place_ns, Kept what)
      : name(std::move(place_name)),
        ns(place_ns),
        kept(std::move(what)),
        monitor(ns, Groups::links | Groups::addresses | Groups::routes, kWaitingBytes) {
    if (kept.when_filter_changed) filter.emplace(ns, kept.table);
    find_interface();
    put_back();
  }

  void find_interface() {
    netlink::Socket socket(ns, name);
    const auto link = netlink::find_link(socket, kept.interface);
    interface = link ? link->index : 0;
  }

  /// Whether this change may have taken something away, or made it possible to put it back.
  bool concerns_us(const netlink::Event& event) const {
    if (told_of<netlink::Resync>(event) != nullptr) return true;
    if (const auto* link = told_of<netlink::Link>(event)) return link->name == kept.interface;
    if (const auto* address = told_of<netlink::InterfaceAddress>(event)) return address->interface == interface;
    const auto* route = told_of<netlink::Route>(event);
    if (route == nullptr || route->table != RT_TABLE_MAIN) return false;
    return std::any_of(kept.routes.begin(), kept.routes.end(), [&](const netlink::Route& ours) {
      if (ours.destination != route->destination) return false;
      return event.removed || route->interface != interface || route->gateway != ours.gateway;
    });
  }

  void look() {
    if (filter && filter->read()) kept.when_filter_changed();
    const auto events = monitor.read();
    if (std::none_of(events.begin(), events.end(), [this](const auto& event) { return concerns_us(event); })) return;
    find_interface();
    put_back();
  }

  void put_back() {
    if (interface == 0) return;
    netlink::Socket socket(ns, name);
    for (auto route : kept.routes) {
      route.interface = interface;
      if (is_there(socket, route)) continue;
      try {
        netlink::replace_route(socket, route);
      } catch (const netlink::Error&) {
        // The link is down, or its address isn't there yet: the next change brings us here again.
      }
    }
    if (kept.when_up && netlink::get_link(socket, interface).up) kept.when_up(socket, interface);
  }

  static bool is_there(netlink::Socket& socket, const netlink::Route& wanted) {
    for (const auto& route : netlink::list_routes(socket, family(wanted.destination)))
      if (route.destination == wanted.destination && route.interface == wanted.interface &&
          route.gateway == wanted.gateway)
        return true;
    return false;
  }
};

Keeper::Keeper() : wake_(::eventfd(0, EFD_CLOEXEC)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!wake_ || !epoll_) throw SystemError("make what the keeper of routes waits on");
  watch(wake_.get(), kWake);
  thread_ = std::thread([this] { run(); });
}

Keeper::~Keeper() {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

void Keeper::watch(int fd, std::uint64_t number) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = number;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw SystemError("wait for netlink notifications");
}

void Keeper::keep(const std::string& name, const NetNs& ns, Kept kept) {
  forget(name);
  const std::scoped_lock lock(mutex_);
  auto place = std::make_unique<Place>(name, ns, std::move(kept));
  watch(place->monitor.fd().get(), ++last_number_);
  if (place->filter) watch(place->filter->fd().get(), last_number_);
  places_.emplace(last_number_, std::move(place));
}

void Keeper::forget(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(places_, [&](const auto& one) { return one.second->name == name; });
}

void Keeper::run() {
  while (true) {
    std::array<epoll_event, 16> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
    if (count < 0 && errno != EINTR) return;
    for (int i = 0; i < count; ++i) {
      const auto number = events[static_cast<std::size_t>(i)].data.u64;
      if (number == kWake) return;
      const std::scoped_lock lock(mutex_);
      const auto place = places_.find(number);
      if (place == places_.end()) continue;  // forgotten since
      try {
        place->second->look();
      } catch (const Error&) {
        // No descriptor or memory for it now; the next change is another chance.
      }
    }
  }
}

}  // namespace knetsim
