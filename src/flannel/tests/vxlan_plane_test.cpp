// What the vxlan data plane does when the kernel refuses single steps.

#include "../vxlan_plane.h"

#include <gmock/gmock.h>
#include <linux/capability.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <sstream>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/netlink/route.h"

namespace knetsim::flannel {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// The kernel refuses this thread's changes with EPERM and answers its questions.
class WithoutNetAdmin {
 public:
  WithoutNetAdmin() {
    ::syscall(SYS_capget, &header_, before_.data());
    auto now = before_;
    now[0].effective &= ~(1U << CAP_NET_ADMIN);
    ::syscall(SYS_capset, &header_, now.data());
  }
  ~WithoutNetAdmin() { ::syscall(SYS_capset, &header_, before_.data()); }
  WithoutNetAdmin(const WithoutNetAdmin&) = delete;
  WithoutNetAdmin& operator=(const WithoutNetAdmin&) = delete;

 private:
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> before_{};
};

class RefusingKernel : public testing::Test {
 protected:
  RefusingKernel() {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
    netlink::create_veth({.ns = netns_, .name = "eth0", .up = true}, {.ns = netns_, .name = "switch", .up = true});
    const int eth0 = netlink::get_link(socket_, "eth0").index;
    netlink::add_address(socket_, eth0, {.address = parse_network("10.0.0.10/8")});
    netlink::VxlanSpec link;
    link.name = "flannel.100";
    link.vni = 100;
    link.parent = eth0;
    link.local = parse_address("10.0.0.10");
    link.port = 8472;
    link.mtu = 1450;
    plane_ = std::make_unique<VxlanPlane>(
        socket_,
        VxlanPlaneSpec{.link = link,
                       .range = {.network = parse_network("11.0.0.0/8"), .subnet_length = 20, .min = {}, .max = {}},
                       .direct_routing = false});
    plane_->configure(parse_network("11.1.0.0/20"));
  }

  static Peer peer(const char* subnet, const char* underlay, const char* vtep) {
    return {parse_network(subnet), parse_address(underlay), netlink::parse_mac(vtep)};
  }
  void set(const Peer& one) { plane_->set(std::span(&one, 1)); }

  bool has_route_to(const Network& subnet) {
    for (const auto& route : netlink::list_routes(socket_, AF_INET))
      if (route.destination == subnet) return true;
    return false;
  }

  std::ostringstream log_;
  NetNs netns_ = NetNs::create();
  netlink::Socket socket_{netns_, "w1"};
  std::unique_ptr<VxlanPlane> plane_;
  const Peer far_ = peer("11.2.0.0/20", "10.0.0.11", "0a:00:00:00:00:02");
};

TEST_F(RefusingKernel, EveryStepOfARemovalIsTriedAndTold) {
  set(far_);
  {
    const WithoutNetAdmin refused;
    EXPECT_NO_THROW(plane_->remove(far_.subnet));
  }
  EXPECT_THAT(log_.str(), AllOf(HasSubstr("failed to remove the neighbour of 11.2.0.0/20"),
                                HasSubstr("failed to remove the forwarding entry of 11.2.0.0/20"),
                                HasSubstr("failed to remove the route to 11.2.0.0/20"), HasSubstr("EPERM")));
}

TEST_F(RefusingKernel, APeerWhoseVtepCannotBeReplacedLeavesTheOthersWorking) {
  set(far_);
  {
    const WithoutNetAdmin refused;
    EXPECT_NO_THROW(set(peer("11.2.0.0/20", "10.0.0.11", "0a:00:00:00:00:22")));
  }
  EXPECT_THAT(log_.str(), HasSubstr("failed to add 11.2.0.0/20 of 10.0.0.11"));
  const auto other = peer("11.3.0.0/20", "10.0.0.12", "0a:00:00:00:00:03");
  set(other);
  EXPECT_TRUE(has_route_to(other.subnet));
}

TEST_F(RefusingKernel, WhatAnEarlierDaemonLeftIsTriedPieceByPiece) {
  set(far_);
  // As a second daemon that takes over the link sees it.
  netlink::VxlanSpec link;
  link.name = "flannel.100";
  link.vni = 100;
  link.parent = netlink::get_link(socket_, "eth0").index;
  link.local = parse_address("10.0.0.10");
  link.port = 8472;
  link.mtu = 1450;
  VxlanPlane later(socket_,
                   {.link = link,
                    .range = {.network = parse_network("11.0.0.0/8"), .subnet_length = 20, .min = {}, .max = {}},
                    .direct_routing = false});
  {
    const WithoutNetAdmin refused;
    EXPECT_NO_THROW(later.forget_strangers());
  }
  EXPECT_THAT(log_.str(),
              AllOf(HasSubstr("failed to remove an old route"), HasSubstr("failed to remove an old neighbour"),
                    HasSubstr("failed to remove an old forwarding entry")));
  later.forget_strangers();
  EXPECT_FALSE(has_route_to(far_.subnet));
}

}  // namespace
}  // namespace knetsim::flannel
