// From what witnesses saw to one cause: without a kernel.
#include "judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/neighbour.h>

#include <cerrno>

#include "owner.h"

namespace knetsim::explain {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kNonce = 42;
const Address kPod = parse_address("11.1.0.2");
const Address kOther = parse_address("11.2.0.2");

/// A pod of w1 pings one of w2, by VXLAN. What was seen is told in order; each test stops, or changes, what comes next.
struct Told {
  Attempt attempt{.protocol = Protocol::icmp,
                  .nonce = kNonce,
                  .source = "w1/c1",
                  .sent = {kPod, kOther},
                  .length = 60,
                  .vxlan_ports = {8472}};
  AllFacts facts;
  Owners owners{
      {kPod, "w1/c1"}, {kOther, "w2/c2"}, {parse_address("10.0.0.3"), "w1"}, {parse_address("10.0.0.4"), "w2"}};
  Packet packet{.ends = {kPod, kOther},
                .protocol = Protocol::icmp,
                .length = 60,
                .dont_fragment = true,
                .icmp_type = 8,
                .nonce = kNonce};
  Packet outer{.ends = {parse_address("10.0.0.3"), parse_address("10.0.0.4"), 5000, 8472},
               .protocol = Protocol::udp,
               .ip_id = 9,
               .length = 110};

  Told() {
    const auto link = [](int index, const char* name, const char* kind) {
      netlink::Link made;
      made.index = index;
      made.name = name;
      made.kind = kind;
      made.mtu = 1450;
      made.up = made.running = true;
      return made;
    };
    const auto veth = [&](int index, const char* name, int peer, int master = 0) {
      auto made = link(index, name, "veth");
      made.mtu = 1500;
      made.parent = peer;
      made.parent_netns = 1;
      made.master = master;
      return made;
    };
    auto tunnel = link(5, "flannel.100", "vxlan");
    tunnel.vxlan = netlink::VxlanInfo{.vni = 100, .port = 8472};
    facts["w1/c1"].links = {veth(2, "eth0", 12)};
    facts["w1"].links = {veth(3, "eth0", 103), veth(12, "veth1", 2, 4), link(4, "cni0", "bridge"), tunnel};
    facts[kWires].links = {veth(103, "w1", 3, 1), veth(104, "w2", 3, 1), link(1, "s0", "bridge")};
    facts["w2"].links = {veth(3, "eth0", 104), tunnel};
    facts["w1"].v4.forwards = true;
    facts["w1/c1"].addresses = {{.interface = 2, .address = host_network(kPod)}};
    facts["w2/c2"].addresses = {{.interface = 2, .address = host_network(kOther)}};
  }

  Told& seen(const char* place, const char* link, Sighting::Direction direction, bool wrapped = false,
             const char* peer = "") {
    Sighting sighting{.place = place,
                      .link = link,
                      .direction = direction,
                      .frame = {.packet = packet},
                      .port = std::string_view(place) == kWires,
                      .peer = peer};
    if (wrapped) sighting.frame.outer = Outer{.ends = outer.ends, .ip_id = outer.ip_id, .vni = 100, .length = 110};
    attempt.sightings.push_back(std::move(sighting));
    return *this;
  }
  Told& in(const char* place, const char* link, bool wrapped = false) {
    return seen(place, link, Sighting::Direction::in, wrapped);
  }
  Told& out(const char* place, const char* link, const char* peer, bool wrapped = false) {
    return seen(place, link, Sighting::Direction::out, wrapped, peer);
  }
  Told& passed(const char* place, nft::HookPoint hook, const char* in, const char* out, int priority = 1,
               bool wrapped = false) {
    attempt.passages.push_back({.place = place,
                                .chain = {{nft::Family::inet, "ours"}, "c"},
                                .hook = hook,
                                .priority = priority,
                                .ours = true,
                                .in = in,
                                .out = out,
                                .packet = wrapped ? outer : packet});
    return *this;
  }
  Told& dropped(const char* place, nft::HookPoint hook, const char* in, bool wrapped = false,
                nft::TraceEvent::Kind kind = nft::TraceEvent::Kind::rule) {
    const nft::ChainId chain{{nft::Family::inet, "fw"}, "c"};
    attempt.passages.push_back(
        {.place = place,
         .chain = chain,
         .hook = hook,
         .in = in,
         .packet = wrapped ? outer : packet,
         .steps = {{kind, chain, kind == nft::TraceEvent::Kind::rule ? 7U : 0U, {nft::Verdict::Kind::drop, {}}}}});
    return *this;
  }
  Told& from_pod() {
    return passed("w1/c1", nft::HookPoint::output, "", "eth0")
        .out("w1/c1", "eth0", "w1")
        .in("w1", "veth1")
        .in("w1", "cni0");
  }
  Told& routed() {
    return from_pod()
        .passed("w1", nft::HookPoint::prerouting, "cni0", "", -350)
        .passed("w1", nft::HookPoint::prerouting, "cni0", "");
  }
  Told& into_tunnel() {
    return routed()
        .passed("w1", nft::HookPoint::forward, "cni0", "flannel.100")
        .passed("w1", nft::HookPoint::postrouting, "cni0", "flannel.100")
        .out("w1", "flannel.100", "");
  }
  Told& over_wire() {
    return into_tunnel()
        .passed("w1", nft::HookPoint::output, "", "eth0", 1, true)
        .out("w1", "eth0", kWires, true)
        .in(kWires, "w1", true)
        .out(kWires, "w2", "w2", true)
        .in("w2", "eth0", true);
  }

  Cause cause() const {
    const auto journey = journey_of(attempt);
    EXPECT_FALSE(came_through(attempt, journey));
    return cause_of(attempt, journey, facts, owners);
  }
};

void expect_cause(const Told& told, Disposition disposition, const char* place, const char* cause, const char* remedy) {
  const auto found = told.cause();
  EXPECT_EQ(word_of(found.disposition), word_of(disposition)) << found.sentence << "\n" << found.cause;
  EXPECT_EQ(found.place, place);
  EXPECT_THAT(found.cause + found.sentence, HasSubstr(cause));
  EXPECT_THAT(found.remedy, HasSubstr(remedy));
}

TEST(TheCause, IsTheRuleThatDropped) {
  Told told;
  told.routed().dropped("w1", nft::HookPoint::forward, "cni0");
  told.facts["w1"].rules[{"inet fw", 7}] = "icmp type echo-request drop";
  expect_cause(told, Disposition::dropped_by_rule, "w1", "icmp type echo-request drop",
               "w1 nft delete rule inet fw c handle 7");
}

TEST(TheCause, IsThePolicyThatDropped) {
  Told told;
  told.routed().dropped("w1", nft::HookPoint::forward, "cni0", false, nft::TraceEvent::Kind::policy);
  expect_cause(told, Disposition::dropped_by_rule, "w1", "policy is drop", "policy accept");
}

TEST(TheCause, IsARuleAboutWhatIsInVxlan) {
  Told told;
  told.over_wire().dropped("w2", nft::HookPoint::input, "eth0", true);
  expect_cause(told, Disposition::dropped_by_rule, "w2", "in VXLAN", "w2 nft delete rule");
}

TEST(TheCause, IsARuleThatDroppedWhatWasWrappedBeforeAnybodySawIt) {
  Told told;
  told.into_tunnel().dropped("w1", nft::HookPoint::output, "", true);
  expect_cause(told, Disposition::dropped_by_rule, "w1", "8472", "w1 nft delete rule");
}

TEST(TheCause, IsntARuleThatDroppedSomebodyElsesPacketInVxlan) {
  Told told;
  told.into_tunnel().dropped("w1", nft::HookPoint::output, "", true);
  auto other = told.attempt.passages.back();
  other.packet.ip_id = 10;
  told.attempt.passages.push_back(other);
  EXPECT_NE(told.cause().disposition, Disposition::dropped_by_rule) << "either could be ours";
}

TEST(TheCause, IsTheMissingRoute) {
  Told told;
  told.routed();
  told.facts["w1"].onward = netlink::RouteAnswer{.error = ENETUNREACH};
  told.facts["w1"].has_flannel = true;
  expect_cause(told, Disposition::no_route, "w1", "no route to 11.2.0.2 (w2/c2)", "restart w1 flanneld");
}

TEST(TheCause, IsThatANodeDoesntForward) {
  Told told;
  told.routed();
  told.facts["w1"].onward = netlink::RouteAnswer{.error = EHOSTUNREACH};
  told.facts["w1"].v4.forwards = false;
  expect_cause(told, Disposition::not_forwarding, "w1", "ip_forward is 0", "w1 sysctl -w net.ipv4.ip_forward=1");
}

TEST(TheCause, IsTheReversePathFilterOnlyWhereItCounted) {
  Told told;
  told.routed();
  told.facts["w1"].onward = netlink::RouteAnswer{.error = EINVAL};
  told.facts["w1"].rp_filter = {{"all", 0}, {"cni0", 1}};
  EXPECT_EQ(told.cause().disposition, Disposition::no_route);
  told.facts["w1"].counted["TcpExt.IPReversePathFilter"] = 1;
  expect_cause(told, Disposition::rpfilter, "w1", "IPReversePathFilter rose by 1", "net/ipv4/conf/cni0/rp_filter=0");
}

TEST(TheCause, IsItsLength) {
  Told told;
  told.packet.length = 1450;
  told.routed();
  for (auto& link : told.facts["w1"].links)
    if (link.name == "flannel.100") link.mtu = 1400;
  told.facts["w1"].onward =
      netlink::RouteAnswer{.way = netlink::Route{.destination = host_network(kOther), .interface = 5}};
  expect_cause(told, Disposition::too_big, "w1", "1450 bytes don't fit through flannel.100, whose MTU is 1400",
               "mtu 1450");
}

TEST(TheCause, IsAFullConnectionTracking) {
  Told told;
  told.from_pod().passed("w1", nft::HookPoint::prerouting, "cni0", "", -350);
  told.facts["w1"].counted["conntrack.drop"] = 1;
  expect_cause(told, Disposition::conntrack_full, "w1", "conntrack.drop rose by 1", "nf_conntrack_max");
}

TEST(TheCause, IsTheNeighbourThatNobodyIs) {
  Told told;
  told.routed().passed("w1", nft::HookPoint::postrouting, "cni0", "flannel.100");
  told.facts["w1"].onward = netlink::RouteAnswer{
      .way = netlink::Route{.destination = host_network(kOther), .gateway = parse_address("11.2.0.0"), .interface = 5}};
  told.facts["w1"].neighbours = {{.interface = 5, .address = parse_address("11.2.0.0"), .state = NUD_FAILED}};
  expect_cause(told, Disposition::no_neighbour, "w1", "nobody answers for 11.2.0.0 on flannel.100", "");
  expect_cause(told, Disposition::no_neighbour, "w1", "the neighbour table has 11.2.0.0 dev flannel.100 failed", "");
}

TEST(TheCause, IsTheQueueThatDropped) {
  Told told;
  told.into_tunnel().passed("w1", nft::HookPoint::postrouting, "", "eth0", 1, true);
  EXPECT_EQ(told.cause().disposition, Disposition::unexplained);
  told.facts["w1"].counted["eth0.queue_dropped"] = 3;
  expect_cause(told, Disposition::lost_on_wire, "w1", "queue_dropped of eth0 rose by 3", "tc qdisc del dev eth0 root");
}

TEST(TheCause, IsAPortThatSendsNothingBack) {
  Told told;
  told.from_pod().passed("w1", nft::HookPoint::postrouting, "cni0", "cni0").out("w1", "cni0", "");
  told.attempt.sightings.back().frame.destination = {2, 0, 0, 0, 0, 1};
  told.facts["w1/c1"].links[0].mac = netlink::parse_mac("02:00:00:00:00:01");
  expect_cause(told, Disposition::link_down, "w1", "veth1 sends nothing back",
               "w1 bridge link set dev veth1 hairpin on");
  for (auto& link : told.facts["w1"].links) link.hairpin = true;
  EXPECT_EQ(told.cause().disposition, Disposition::unexplained);
}

TEST(TheCause, IsTheVtepThatTheFdbLacks) {
  Told told;
  told.into_tunnel();
  expect_cause(told, Disposition::no_neighbour, "w1", "flannel.100 knows no VTEP", "");
}

TEST(TheCause, IsTheCableThatIsOut) {
  Told told;
  told.over_wire();
  told.attempt.sightings.pop_back();  // w2's
  told.attempt.sightings.pop_back();  // the switch's port
  for (auto& link : told.facts[kWires].links)
    if (link.name == "w2") link.up = link.running = false;
  told.facts["w2"].links[0].mac = netlink::parse_mac("02:00:00:00:00:02");
  for (auto& sighting : told.attempt.sightings) sighting.frame.destination = {2, 0, 0, 0, 0, 2};
  expect_cause(told, Disposition::link_down, "w2", "its cable is out", "link w2 up");
}

TEST(TheCause, IsAFrameForSomebodyElse) {
  Told told;
  told.over_wire();
  told.attempt.sightings.back().direction = Sighting::Direction::other;
  told.attempt.sightings.back().frame.destination = {2, 0, 0, 0, 0, 9};
  expect_cause(told, Disposition::wrong_mac, "w2", "02:00:00:00:00:09", "");
}

struct Server {
  const char* what;
  std::vector<Listener> listeners;
  Disposition disposition;
  const char* cause;
};

TEST(TheCause, IsWhoDoesntListen) {
  const auto any = parse_address("0.0.0.0");
  const auto loopback = parse_address("127.0.0.1");
  for (const auto& one :
       {Server{"nobody", {}, Disposition::no_listener, "no tcp socket"},
        Server{"on another port", {{Protocol::tcp, any, 8080}}, Disposition::no_listener, "0.0.0.0 8080"},
        Server{"of another protocol", {{Protocol::udp, any, 80}}, Disposition::no_listener, "no tcp socket"},
        Server{"on loopback", {{Protocol::tcp, loopback, 80}}, Disposition::wrong_bind, "127.0.0.1"},
        Server{"all is well", {{Protocol::tcp, any, 80}}, Disposition::unexplained, "no witness"}}) {
    SCOPED_TRACE(one.what);
    Told told;
    told.attempt.protocol = Protocol::tcp;
    told.packet = {
        .ends = {kPod, kOther, 4000, 80}, .protocol = Protocol::tcp, .length = 60, .tcp_flags = 2, .sequence = 5};
    told.attempt.sent = told.packet.ends;
    told.from_pod().in("w2/c2", "eth0").passed("w2/c2", nft::HookPoint::input, "eth0", "");
    told.facts["w2/c2"].listeners = one.listeners;
    expect_cause(told, one.disposition, "w2/c2", one.cause, "");
  }
}

TEST(TheCause, IsAnAddressThatTwoHave) {
  Told told;
  told.attempt.protocol = Protocol::tcp;
  told.packet = {
      .ends = {kPod, kOther, 4000, 80}, .protocol = Protocol::tcp, .length = 60, .tcp_flags = 2, .sequence = 5};
  told.attempt.sent = told.packet.ends;
  told.from_pod().in("w2/c9", "eth0").passed("w2/c9", nft::HookPoint::input, "eth0", "");
  told.facts["w2/c9"].links = told.facts["w1/c1"].links;
  told.facts["w2/c9"].addresses = told.facts["w2/c2"].addresses;
  expect_cause(told, Disposition::wrong_mac, "w2/c9", "11.2.0.2 is w2/c2's, and it has it, too",
               "w2/c9 ip address del 11.2.0.2/32 dev eth0");
}

TEST(TheCause, IsToldForTheWayBackToo) {
  Told told;
  told.from_pod().in("w2/c2", "eth0").passed("w2/c2", nft::HookPoint::input, "eth0", "");
  told.packet.ends = told.packet.ends.reversed();
  told.packet.icmp_type = 0;
  told.passed("w2/c2", nft::HookPoint::output, "", "eth0")
      .out("w2/c2", "eth0", "w2")
      .in("w2", "veth1")
      .dropped("w2", nft::HookPoint::forward, "cni0");
  const auto cause = told.cause();
  EXPECT_EQ(cause.disposition, Disposition::dropped_by_rule);
  EXPECT_EQ(cause.way, Way::back);
  EXPECT_EQ(cause.place, "w2");
}

TEST(TheCause, IsUnexplainedWhereNoWitnessNamesIt) {
  Told told;
  told.over_wire();
  const auto cause = told.cause();
  EXPECT_EQ(cause.disposition, Disposition::unexplained);
  EXPECT_THAT(cause.sentence, HasSubstr("last seen coming in by eth0 at w2"));
  EXPECT_EQ(cause.cause, "no witness names the cause");
}

TEST(AJourney, IsPutInOrderByCablesAndNotByTheClock) {
  Told told;
  told.over_wire();
  std::reverse(told.attempt.sightings.begin(), told.attempt.sightings.end());
  const auto journey = journey_of(told.attempt);
  EXPECT_THAT(places_of(journey.there), testing::ElementsAre("w1/c1", "w1", kWires, "w2"));
}

TEST(AJourney, ForgetsWhatASwitchFloods) {
  Told told;
  told.over_wire().out(kWires, "w3", "w3", true).out(kWires, "w4", "", true);
  const auto there = journey_of(told.attempt).there;
  EXPECT_THAT(places_of(there), testing::ElementsAre("w1/c1", "w1", kWires, "w2"));
  for (const auto& moment : there)
    if (moment.seen != nullptr) {
      EXPECT_NE(moment.seen->link, "w3");
      EXPECT_NE(moment.seen->link, "w4");
    }
}

TEST(Witnesses, ThatContradictEachOtherAreNoticed) {
  {
    Told lie;
    lie.routed().dropped("w1", nft::HookPoint::prerouting, "cni0").out("w1", "eth0", "w2").in("w2", "eth0");
    EXPECT_THAT(contradiction(lie.attempt, journey_of(lie.attempt), lie.facts, "w1/c1", true).value_or(""),
                HasSubstr("and yet it was seen"));
  }
  {
    Told deaf;
    deaf.from_pod();
    deaf.attempt.passages.clear();
    EXPECT_THAT(contradiction(deaf.attempt, journey_of(deaf.attempt), deaf.facts, "w1/c1", true).value_or(""),
                HasSubstr("nftrace knows nothing"));
    EXPECT_FALSE(contradiction(deaf.attempt, journey_of(deaf.attempt), deaf.facts, "w1/c1", false))
        << "it wasn't listened to";
  }
  {
    Told blind;
    blind.routed();
    blind.attempt.sightings.clear();
    EXPECT_THAT(contradiction(blind.attempt, journey_of(blind.attempt), blind.facts, "w1/c1", true).value_or(""),
                HasSubstr("no packet socket saw it"));
  }
  {
    Told away;
    away.over_wire();
    away.attempt.sightings.pop_back();  // w2's
    away.attempt.outcome.kind = Outcome::Kind::answered;
    EXPECT_THAT(contradiction(away.attempt, journey_of(away.attempt), away.facts, "w1/c1", false).value_or(""),
                HasSubstr("no node of the lab was seen to take it: it was last seen leaving the switches"));
  }
  Told honest;
  honest.over_wire();
  EXPECT_FALSE(contradiction(honest.attempt, journey_of(honest.attempt), honest.facts, "w1/c1", true));
}

TEST(ARulesOwner, IsKnownByTableAndComment) {
  const auto owner = [](const char* table, const char* chain, const char* text) {
    return owner_of_rule({{nft::Family::ip, table}, chain}, text);
  };
  EXPECT_EQ(owner("kube-proxy", "postrouting", "drop comment \"the turn of an endpoint that is gone\"").disposition,
            Disposition::no_endpoint);
  EXPECT_EQ(owner("knetsim-policies", "in", "drop comment \"default/deny\"").object, "policy default/deny");
  EXPECT_EQ(owner("mine", "in", "drop").disposition, Disposition::dropped_by_rule);
  EXPECT_EQ(owner("mine", "in", "drop").object, "");
}

}  // namespace
}  // namespace knetsim::explain
