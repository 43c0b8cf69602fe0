#include "sandbox_dismantle.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {

namespace fs = std::filesystem;

namespace {

constexpr const char* kNamedNamespaces = "/run/netns";
constexpr const char* kLeftNamespaces = "/run/netns-left";

// A bridge costs an rcu_barrier when it goes, and a VXLAN link's socket a synchronize_rcu. The kernel clears namespaces
// that die together under one hold of the lock that guards the network configuration of the whole machine: a worker's
// two links are 20 to 40 ms of it, and a hundred workers seconds, in which nobody else gets as much as a loopback up.
// Deleted by request they cost the same, but the lock is free in between.
bool holds_the_kernel_up(const Fd& socket, const char* name) {
  ethtool_drvinfo driver{};
  driver.cmd = ETHTOOL_GDRVINFO;
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&driver);
  if (::ioctl(socket.get(), SIOCETHTOOL, &request) != 0) return false;
  const std::string_view kind(driver.driver);
  return kind == "bridge" || kind == "vxlan";
}

// By hand, since what speaks netlink here is a layer above this one.
void delete_link(const Fd& netlink, unsigned index) {
  struct {
    nlmsghdr header;
    ifinfomsg link;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_DELLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.link.ifi_index = static_cast<int>(index);
  if (::send(netlink.get(), &request, sizeof request, 0) != sizeof request) return;
  std::array<char, 4096> acknowledgement;
  (void)::recv(netlink.get(), acknowledgement.data(), acknowledgement.size(), 0);
}

std::vector<unsigned> slow_links() {
  std::vector<unsigned> slow;
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  struct if_nameindex* links = ::if_nameindex();
  if (links == nullptr) return slow;
  for (const auto* link = links; link->if_index != 0; ++link)
    if (holds_the_kernel_up(socket, link->if_name)) slow.push_back(link->if_index);
  ::if_freenameindex(links);
  return slow;
}

void take_down(const std::vector<unsigned>& links) {
  const Fd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  for (const auto link : links) delete_link(netlink, link);
}

bool enter(const fs::path& path) {
  const Fd ns(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  return ns && ::setns(ns.get(), CLONE_NEWNET) == 0;
}

void release(const fs::path& path) { ::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW); }

void dismantle_namespaces() {
  std::vector<fs::path> with_slow_links;
  std::vector<fs::path> others;
  for (const auto* directory : {kNamedNamespaces, kLeftNamespaces}) {
    std::error_code none_there;
    for (const auto& entry : fs::directory_iterator(directory, none_there))
      if (enter(entry.path())) (slow_links().empty() ? others : with_slow_links).push_back(entry.path());
  }
  // The others take the kernel a millisecond or two each, and are cleared together with those that are released while
  // it is at it: a few at a time, then.
  const auto share = with_slow_links.empty() ? others.size() : others.size() / with_slow_links.size() + 1;
  for (const auto& path : with_slow_links) {
    if (enter(path)) take_down(slow_links());
    release(path);
    for (auto left = std::min(share, others.size()); left > 0; --left) {
      release(others.back());
      others.pop_back();
    }
  }
  for (const auto& path : others) release(path);
}

}  // namespace

void dismantle_at_the_end(const NetNs& netns) noexcept try {
  fs::create_directories(kLeftNamespaces);
  const auto path = std::string(kLeftNamespaces) + "/" + std::to_string(netns.inode());
  const Fd place(::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444));
  if (!place) return;
  const auto source = "/proc/self/fd/" + std::to_string(netns.fd().get());
  (void)::mount(source.c_str(), path.c_str(), nullptr, MS_BIND, nullptr);
} catch (const std::exception&) {
  // Then the kernel does it, in one go.
}

void sandbox::dismantle() noexcept try {
  const Fd home(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  dismantle_namespaces();
  if (home && ::setns(home.get(), CLONE_NEWNET) == 0) take_down(slow_links());
} catch (const std::exception&) {
  // Out of memory: the kernel does the rest.
}

}  // namespace knetsim
