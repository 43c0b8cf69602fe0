#include "lab.h"

#include <filesystem>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::etcd::test {
namespace {

std::string address(std::size_t index) { return "10.0.0." + std::to_string(index + 1); }

std::string port(std::size_t index) { return "port" + std::to_string(index); }

}  // namespace

Lab::Lab(std::size_t size) : bridge_(NetNs::create()) {
  netlink::Socket switch_socket(bridge_);
  netlink::BridgeSpec bridge;
  bridge.name = "s0";
  bridge.up = true;
  const int master = netlink::create_bridge(switch_socket, bridge);
  nodes_.reserve(size);
  for (std::size_t i = 0; i < size; ++i) {
    nodes_.push_back(NetNs::create());
    netlink::VethEnd inner{.ns = nodes_.back()};
    inner.name = "eth0";
    inner.up = true;
    netlink::VethEnd outer{.ns = bridge_};
    outer.name = port(i);
    outer.up = true;
    outer.master = master;
    netlink::create_veth(inner, outer);
    netlink::Socket socket(nodes_.back());
    netlink::AddressSpec spec;
    spec.address = parse_network(address(i) + "/8");
    netlink::add_address(socket, netlink::get_link(socket, "eth0").index, spec);
  }
}

std::vector<MemberSpec> Lab::specs(std::size_t count) const {
  std::vector<MemberSpec> specs;
  for (std::size_t i = 0; i < count; ++i) {
    MemberSpec spec;
    spec.name = "m" + std::to_string(i + 1);
    spec.netns = &nodes_.at(i);
    spec.address = parse_address(address(i));
    spec.directory = std::filesystem::path(kStateDirectory) / spec.name;
    spec.log = std::filesystem::path(kStateDirectory) / (spec.name + ".log");
    specs.push_back(std::move(spec));
  }
  return specs;
}

void Lab::plug(std::size_t index, bool in) {
  netlink::Socket socket(bridge_);
  const int link = netlink::get_link(socket, port(index)).index;
  in ? netlink::set_up(socket, link) : netlink::set_down(socket, link);
}

}  // namespace knetsim::etcd::test
