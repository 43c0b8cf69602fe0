// How networks are broken. What explains them knows nothing of this file.
#include "explain_breakages.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>

#include "knetsim/netlink/link.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/netlink/route.h"
#include "knetsim/sys/error.h"

namespace knetsim::suites {

namespace {

using explain::Disposition;
using explain::Protocol;
using explain::Way;

const std::vector<Protocol> kAny{Protocol::icmp, Protocol::tcp, Protocol::udp};
const std::vector<Protocol> kPorts{Protocol::tcp, Protocol::udp};
constexpr std::uint16_t kPort = 8080;

void run(const Node& node, std::vector<std::string> argv) {
  const auto words = fmt::format("{}", fmt::join(argv, " "));
  const auto result = node.exec(std::move(argv));
  if (!result.ok()) throw Error(fmt::format("{}: {}: {}{}", node.name(), words, result.out, result.err));
}

void nft(const Node& node, const std::string& text) { run(node, {"nft", text}); }

/// A table of somebody's own with one base chain; the rules are a line each.
void filter(const Node& node, const std::string& hook, const std::string& policy,
            const std::vector<std::string>& rules) {
  nft(node, "add table inet fw");
  nft(node, fmt::format("add chain inet fw {0} {{ type filter hook {0} priority 0; policy {1}; }}", hook, policy));
  for (const auto& rule : rules) nft(node, fmt::format("add rule inet fw {} {}", hook, rule));
}

void sysctl(const Node& node, const std::string& name, const std::string& value) {
  run(node, {"sysctl", "-qw", name + "=" + value});
}

void serve(Scene& scene, std::uint16_t port) {
  scene.servers.push_back(std::make_unique<fixtures::EchoServer>(scene.server, port));
}

void listen_on_loopback(Scene& scene) {
  scene.server.netns().run([&] {
    const bool tcp = scene.protocol == Protocol::tcp;
    Fd socket(::socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(scene.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        (tcp && ::listen(socket.get(), 8) != 0))
      throw SystemError("listen on loopback");
    scene.sockets.push_back(std::move(socket));
  });
}

/// The worker's end of a container's link.
std::string veth_of(const Worker& worker, const Container& container) {
  auto inside = container.netlink();
  auto outside = worker.netlink();
  return netlink::get_link(outside, netlink::get_link(inside, "eth0").parent).name;
}

constexpr const char* kTunnel = "flannel.100";

/// The route into the tunnel to where this address is.
netlink::Route tunnel_route(const Worker& worker, const Address& to) {
  auto socket = worker.netlink();
  const auto route = netlink::lookup_route(socket, to);
  if (!route || !route->gateway) throw Error(worker.name() + " has no route into the tunnel");
  return *route;
}

void lose_route(Worker& worker, const Address& to) {
  auto socket = worker.netlink();
  const auto gateway = *tunnel_route(worker, to).gateway;
  for (const auto& route : netlink::list_routes(socket))
    if (route.gateway == gateway) netlink::delete_route(socket, route);
}

void lose_neighbour(Worker& worker, const Address& to) {
  auto socket = worker.netlink();
  netlink::delete_neighbour(socket, netlink::get_link(socket, kTunnel).index, *tunnel_route(worker, to).gateway);
}

void lose_fdb_entry(Worker& worker, const Address& to) {
  auto socket = worker.netlink();
  const auto tunnel = netlink::get_link(socket, kTunnel).index;
  const auto gateway = *tunnel_route(worker, to).gateway;
  for (const auto& one : netlink::list_neighbours(socket, 0, tunnel))
    if (one.address == gateway) netlink::delete_fdb(socket, tunnel, one.mac.value());
}

/// Who breaks on the answers' way breaks the far worker, which sends them.
Worker& sender(Scene& scene) { return scene.back ? scene.far : scene.near; }
Worker& receiver(Scene& scene) { return scene.back ? scene.near : scene.far; }
Address towards(Scene& scene) { return scene.back ? scene.client.address() : scene.server.address(); }
Verdict at_sender(Scene& scene) { return {sender(scene).name(), scene.back ? Way::back : Way::there}; }
Verdict at_receiver(Scene& scene) { return {receiver(scene).name(), scene.back ? Way::back : Way::there}; }

/// A daemon that is dead while its state still stands harms nobody.
void end_both_daemons(Scene& scene) {
  for (auto* worker : {&scene.near, &scene.far}) worker->flanneld().kill();
}

void nothing(Scene& /*scene*/) {}

}  // namespace

explain::Question Scene::question() const {
  return {.from = client.name(), .to = target, .to_name = target.to_string(), .protocol = protocol, .port = port};
}

Scene scene_of(Emulation& emulation, const Breakage& breakage, std::mt19937& random) {
  const auto choose = [&](std::size_t count) { return static_cast<std::size_t>(random()) % count; };
  const bool turned = choose(2) == 1;
  auto& w1 = emulation.worker("w1");
  auto& w2 = emulation.worker("w2");
  const auto protocol = breakage.protocols.at(choose(breakage.protocols.size()));
  const bool back = breakage.both_ways && choose(2) == 1;
  auto& near = turned ? w2 : w1;
  auto& far = turned ? w1 : w2;
  auto& client = near.container(turned ? "c2" : "c1");
  auto& server = far.container(turned ? "c1" : "c2");
  Scene scene{.emulation = emulation,
              .near = near,
              .far = far,
              .client = client,
              .server = server,
              .protocol = protocol,
              .port = protocol == Protocol::icmp ? std::uint16_t{0} : kPort,
              .served = kPort,
              .back = back,
              .target = server.address()};
  if (scene.port != 0) serve(scene, scene.port);
  return scene;
}

namespace {

std::vector<Breakage> network_breakages() {
  return {
      {"AVirtualAddressWithNobodyBehindIt",
       "1",
       Disposition::no_endpoint,
       {Protocol::icmp},
       false,
       [](Scene& scene) {
         scene.near.create_container("c9");
         scene.emulation.cluster("C0").vips().add("100.64.10.9", {"c9"});
         scene.target = parse_address("100.64.10.9");
       },
       [](Scene& scene) {
         scene.emulation.cluster("C0").delete_container("c9");
         return Verdict{scene.near.name()};
       }},
      {"AServerOnAnotherPort", "2", Disposition::no_listener, kPorts, false,
       [](Scene& scene) { serve(scene, kPort + 1); },
       [](Scene& scene) {
         scene.servers.erase(scene.servers.begin());
         return Verdict{scene.server.name()};
       }},
      {"AServerOnLoopback",
       "3",
       Disposition::wrong_bind,
       {Protocol::tcp},
       false,
       [](Scene& scene) { serve(scene, kPort + 1); },
       [](Scene& scene) {
         scene.servers.clear();
         listen_on_loopback(scene);
         return Verdict{scene.server.name()};
       }},
      {"AForwardPolicyThatDrops", "6", Disposition::dropped_by_rule, kAny, false,
       [](Scene& scene) { filter(scene.far, "forward", "drop", {"accept"}); },
       [](Scene& scene) {
         nft(scene.far, "flush chain inet fw forward");
         return Verdict{scene.far.name()};
       },
       "policy accept"},
      {"AnUnderlayFirewall", "7", Disposition::dropped_by_rule, kAny, true,
       [](Scene& scene) { filter(receiver(scene), "input", "accept", {"udp dport 8473 drop"}); },
       [](Scene& scene) {
         nft(receiver(scene), "add rule inet fw input udp dport 8472 drop");
         return at_receiver(scene);
       },
       "nft delete rule inet fw input"},
      {"AFirewallOnTheSendersSide", "7", Disposition::dropped_by_rule, kAny, true,
       [](Scene& scene) { filter(sender(scene), "output", "accept", {"tcp dport 8472 drop"}); },
       [](Scene& scene) {
         nft(sender(scene), "add rule inet fw output udp dport 8472 drop");
         return at_sender(scene);
       },
       "nft delete rule inet fw output"},
      {"ATunnelTooNarrow", "8", Disposition::too_big, kAny, false,
       [](Scene& scene) {
         run(scene.near, {"ip", "link", "set", "lo", "mtu", "1300"});
       },
       [](Scene& scene) {
         run(scene.near, {"ip", "link", "set", kTunnel, "mtu", "1300"});
         return Verdict{scene.near.name()};
       }},
      {"ABlackHoleForLongPackets",
       "9",
       Disposition::too_big,
       {Protocol::icmp, Protocol::udp},
       false,
       [](Scene& scene) { filter(scene.near, "output", "accept", {"icmp type destination-unreachable drop"}); },
       [](Scene& scene) {
         run(scene.near, {"ip", "link", "set", kTunnel, "mtu", "1300"});
         return Verdict{scene.near.name()};
       }},
      {"AHairpinThatIsOff",
       "11",
       Disposition::link_down,
       {Protocol::icmp},
       false,
       [](Scene& scene) {
         scene.emulation.cluster("C0").vips().add("100.64.10.9", {scene.client.short_name()});
         scene.target = parse_address("100.64.10.9");
       },
       [](Scene& scene) {
         run(scene.near, {"bridge", "link", "set", "dev", veth_of(scene.near, scene.client), "hairpin", "off"});
         return Verdict{scene.near.name()};
       },
       "hairpin on"},
      {"ANodeThatDoesntForward", "12", Disposition::not_forwarding, kAny, false,
       [](Scene& scene) { sysctl(scene.server, "net.ipv4.ip_forward", "0"); },
       [](Scene& scene) {
         sysctl(scene.far, "net.ipv4.ip_forward", "0");
         return Verdict{scene.far.name()};
       },
       "net.ipv4.ip_forward=1"},
      {"AReversePathThatLeadsElsewhere", "15", Disposition::rpfilter, kAny, false,
       [](Scene& scene) { sysctl(scene.far, "net/ipv4/conf/all/rp_filter", "1"); },
       [](Scene& scene) {
         run(scene.far, {"ip", "route", "add", scene.client.address().to_string() + "/32", "via",
                         scene.near.address().to_string(), "dev", "eth0"});
         return Verdict{scene.far.name()};
       },
       "rp_filter=0"},
      {"ALostRouteIntoTheTunnel", "17", Disposition::no_route, kAny, true, end_both_daemons,
       [](Scene& scene) {
         lose_route(sender(scene), towards(scene));
         return at_sender(scene);
       },
       "flanneld"},
      {"ALostNeighbourInTheTunnel", "17", Disposition::no_neighbour, kAny, true, end_both_daemons,
       [](Scene& scene) {
         lose_neighbour(sender(scene), towards(scene));
         return at_sender(scene);
       },
       "flanneld"},
      {"ALostVtep", "17", Disposition::no_neighbour, kAny, true, end_both_daemons,
       [](Scene& scene) {
         lose_fdb_entry(sender(scene), towards(scene));
         return at_sender(scene);
       },
       "flanneld"},
      {"AVtepWithAnotherMac", "18", Disposition::wrong_mac, kAny, false, end_both_daemons,
       [](Scene& scene) {
         run(scene.far, {"ip", "link", "set", kTunnel, "address", "02:00:00:00:00:99"});
         return Verdict{scene.far.name()};
       }},
      {"APodsLinkDown", "25", Disposition::link_down, kAny, false,
       [](Scene& scene) {
         run(scene.near, {"ip", "link", "add", "loose", "type", "bridge"});
       },
       [](Scene& scene) {
         run(scene.server, {"ip", "link", "set", "eth0", "down"});
         return Verdict{scene.server.name()};
       },
       "ip link set eth0 up"},
      {"AWorkersEndOfAPodsLinkDown", "25", Disposition::link_down, kAny, false,
       [](Scene& scene) {
         run(scene.near, {"ip", "link", "add", "loose", "type", "bridge"});
       },
       [](Scene& scene) {
         run(scene.far, {"ip", "link", "set", veth_of(scene.far, scene.server), "down"});
         return Verdict{scene.far.name()};
       },
       "up"},
      {"APortInNoBridge", "25", Disposition::link_down, kAny, false, nothing,
       [](Scene& scene) {
         run(scene.far, {"ip", "link", "set", veth_of(scene.far, scene.server), "nomaster"});
         return Verdict{scene.far.name()};
       },
       "master"},
      {"ABridgeDown", "25", Disposition::link_down, kAny, false, nothing,
       [](Scene& scene) {
         run(scene.far, {"ip", "link", "set", "cni0", "down"});
         return Verdict{scene.far.name()};
       },
       "ip link set cni0 up"},
      {"ATunnelDown", "25", Disposition::link_down, kAny, false, end_both_daemons,
       [](Scene& scene) {
         run(scene.far, {"ip", "link", "set", kTunnel, "down"});
         return Verdict{scene.far.name()};
       },
       "ip link set flannel.100 up"},
      {"ACableThatIsOut", "25", Disposition::link_down, kAny, false, nothing,
       [](Scene& scene) {
         scene.emulation.underlay().cut(scene.far.name());
         return Verdict{scene.far.name()};
       },
       "link"},
      {"AShaperTooSlow", "-", Disposition::lost_on_wire, kAny, true,
       [](Scene& scene) {
         run(sender(scene),
             {"tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "1gbit", "burst", "1mb", "limit", "1mb"});
       },
       [](Scene& scene) {
         run(sender(scene),
             {"tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", "8kbit", "burst", "50", "limit", "50"});
         return at_sender(scene);
       },
       "tc qdisc del dev eth0 root"},
      {"ARuleThatRejects", "-", Disposition::dropped_by_rule, kAny, false,
       [](Scene& scene) { filter(scene.far, "forward", "accept", {"ip daddr 9.9.9.9 reject"}); },
       [](Scene& scene) {
         nft(scene.far, fmt::format("add rule inet fw forward ip daddr {} reject", scene.server.address().to_string()));
         return Verdict{scene.far.name()};
       },
       "nft delete rule inet fw forward"},
      {"ARuleInThePod", "-", Disposition::dropped_by_rule, kAny, false,
       [](Scene& scene) {
         filter(scene.server, "input", "drop", {"accept", "drop"});
       },
       [](Scene& scene) {
         nft(scene.server, "insert rule inet fw input drop");
         return Verdict{scene.server.name()};
       },
       "nft delete rule inet fw input"},
      {"ARuleForAnswers", "-", Disposition::dropped_by_rule, kAny, false,
       [](Scene& scene) { filter(scene.far, "forward", "accept", {"ct direction original counter"}); },
       [](Scene& scene) {
         nft(scene.far, "add rule inet fw forward ct direction reply drop");
         return Verdict{scene.far.name(), Way::back};
       },
       "nft delete rule inet fw forward"},
      {"ABlackholeRoute", "-", Disposition::no_route, kAny, false,
       [](Scene& scene) {
         run(scene.near, {"ip", "route", "add", "blackhole", "9.9.9.9/32"});
       },
       [](Scene& scene) {
         run(scene.near, {"ip", "route", "add", "blackhole", scene.server.address().to_string() + "/32"});
         return Verdict{scene.near.name()};
       },
       "ip route del blackhole"},
      {"AStackThatIgnoresEchoes",
       "-",
       Disposition::refused,
       {Protocol::icmp},
       false,
       [](Scene& scene) { sysctl(scene.far, "net.ipv4.icmp_echo_ignore_all", "1"); },
       [](Scene& scene) {
         sysctl(scene.server, "net.ipv4.icmp_echo_ignore_all", "1");
         return Verdict{scene.server.name()};
       },
       "icmp_echo_ignore_all=0"},
      {"ANeighbourThatAnswersPastItsWorker", "10", Disposition::refused, kAny, false,
       [](Scene& scene) {
         auto& server = scene.near.create_container("c9");
         scene.emulation.cluster("C0").vips().add("100.64.10.9", {"c9"});
         scene.target = parse_address("100.64.10.9");
         if (scene.port != 0) scene.servers.push_back(std::make_unique<fixtures::EchoServer>(server, scene.port));
         run(server, {"ip", "route", "add", "192.0.2.9/32", "dev", "eth0"});
       },
       [](Scene& scene) {
         const auto& server = scene.near.container("c9");
         run(server, {"ip", "route", "add", scene.client.address().to_string() + "/32", "dev", "eth0"});
         // Where br_netfilter is on, the worker sees what passes its bridge.
         run(scene.near, {"sysctl", "-eqw", "net.bridge.bridge-nf-call-iptables=0"});
         return Verdict{scene.client.name(), Way::back};
       },
       "c9 ip route replace"},
      {"AnAddressThatTwoHave", "24", Disposition::wrong_mac, kPorts, false,
       [](Scene& scene) {
         run(scene.far.create_container("c9"), {"ip", "address", "add", "192.0.2.9/32", "dev", "eth0"});
       },
       [](Scene& scene) {
         const auto& second = scene.far.container("c9");
         const auto address = scene.server.address().to_string();
         run(second, {"ip", "address", "add", address + "/32", "dev", "eth0"});
         auto socket = second.netlink();
         // Which of two answers comes first is chance: it was the second's.
         run(scene.far, {"ip", "neighbour", "replace", address, "lladdr",
                         to_string(netlink::get_link(socket, "eth0").mac), "dev", "cni0", "nud", "reachable"});
         return Verdict{second.name()};
       },
       "ip address del"},
  };
}

}  // namespace

const std::vector<Breakage>& breakages() {
  static const auto all = [] {
    auto both = network_breakages();
    for (auto& one : service_breakages()) both.push_back(std::move(one));
    return both;
  }();
  return all;
}

}  // namespace knetsim::suites
