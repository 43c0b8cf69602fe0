#include "investigation.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <set>

#include "facts.h"
#include "flows.h"
#include "judge.h"
#include "knetsim/emulator/evidence.h"
#include "knetsim/netlink/lookup.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/side_by_side.h"
#include "onward.h"
#include "owners.h"
#include "services.h"
#include "tree.h"

namespace knetsim::explain {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint16_t kDefaultVxlanPort = 8472;
constexpr milliseconds kLongestProbe{400};
constexpr unsigned kLongestPacket = 9'000;  // what a link takes beyond that isn't tried

std::uint8_t ip_number_of(Protocol protocol, bool v6) {
  if (protocol == Protocol::tcp) return IPPROTO_TCP;
  if (protocol == Protocol::udp) return IPPROTO_UDP;
  if (v6) return IPPROTO_ICMPV6;
  return IPPROTO_ICMP;
}

netlink::RouteQuestion question_for(const Ends& ends, Protocol protocol, int in) {
  return {.to = ends.destination,
          .from = ends.source,
          .in = in,
          .mark = 0,
          .protocol = ip_number_of(protocol, ends.destination.is_v6()),
          .source_port = ends.source_port,
          .destination_port = ends.destination_port};
}

/// By which link the packet came that the routing table is to be asked about: a bridge stands for its ports.
int incoming_link(const Moment& moment, const PlaceFacts& facts) {
  const auto name = moment.passed != nullptr                             ? moment.passed->in
                    : moment.seen->direction == Sighting::Direction::out ? std::string()
                                                                         : moment.seen->link;
  const auto* link = link_named(facts, name);
  if (link == nullptr) return 0;
  return link->master != 0 ? link->master : link->index;
}

std::uint32_t random_number() {
  std::uint32_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) throw SystemError("get a random number");
  return number;
}

std::vector<Place> concerned(Emulation& emulation, const Question& question, const Owners& owners,
                             const std::optional<KnownService>& served) {
  std::set<std::string> names{question.from, host_of(question.from)};
  const auto add_owner = [&](const Address& address) {
    if (const auto owner = owners.find(address); owner != owners.end()) {
      names.insert(owner->second);
      names.insert(host_of(owner->second));
    }
  };
  add_owner(question.to);
  for (auto* cluster : emulation.clusters())
    for (const auto& service : cluster->vips().services())
      if (service.address == question.to)
        for (const auto& endpoint : service.endpoints) add_owner(endpoint.address);
  if (served)
    for (const auto& endpoint : served->endpoints) add_owner(endpoint.address);
  std::vector<Place> places;
  for (auto* node : emulation.nodes())
    if (names.contains(node->name())) places.push_back({node->name(), &node->netns()});
  places.push_back({kWires, &emulation.underlay().netns()});
  return places;
}

std::optional<kubeproxy::Vip> vip_at(Emulation& emulation, const Address& address) {
  for (auto* cluster : emulation.clusters())
    for (const auto& vip : cluster->vips().services())
      if (vip.address == address) return vip;
  return std::nullopt;
}

std::vector<std::uint16_t> vxlan_ports_of(const std::vector<Place>& places) {
  std::set<std::uint16_t> ports;
  for (const auto& place : places) {
    netlink::Socket socket(*place.netns, place.name);
    for (const auto& link : netlink::list_links(socket))
      if (link.vxlan) ports.insert(link.vxlan->port);
  }
  if (ports.empty()) ports.insert(kDefaultVxlanPort);
  return {ports.begin(), ports.end()};
}

/// Asks the routing tables about the packet where its trail ends: on, back, and to the VTEP it goes to.
void look_up_routes(const Attempt& attempt, const Journey& journey, const std::string& source, const NetNs& netns,
                    AllFacts& facts) {
  const auto end = trail_end(journey);
  const auto& place = end.last != nullptr ? end.last->place : source;
  if (place == kWires) return;
  auto& known = facts[place];
  netlink::Socket socket(netns, place);
  if (end.last == nullptr) {
    known.onward = netlink::ask_route(socket, {.to = attempt.sent.destination});
    return;
  }
  const auto& last = *end.last;
  auto ends = last.packet.ends;
  auto protocol = attempt.protocol;
  if (last.wrapped) {
    ends = last.passed != nullptr ? last.passed->packet.ends : last.seen->frame.outer->ends;
    protocol = Protocol::udp;
  }
  const int in = incoming_link(last, known);
  auto question = question_for(ends, protocol, in);
  // What the node sends itself may have a source that isn't its own any more.
  if (in == 0 && !has_address(known, ends.source)) question.from.reset();
  known.onward = netlink::ask_route(socket, question);
  known.back = netlink::ask_route(socket, {.to = ends.source});
  if (last.wrapped || last.seen == nullptr) return;
  const auto* link = link_named(known, last.seen->link);
  for (const auto& entry : known.fdb)
    if (link != nullptr && entry.interface == link->index && entry.destination &&
        entry.mac.bytes == last.seen->frame.destination)
      known.tunnel = netlink::ask_route(socket, {.to = *entry.destination});
}

/// One question's way from its probes to a verdict.
class Investigation {
 public:
  Investigation(Emulation& emulation, const Question& question, const Options& options, const Tampering& tampering)
      : emulation_(emulation),
        question_(question),
        options_(options),
        tampering_(tampering),
        source_(emulation.node(question.from)),
        owners_(owners_for(emulation, question.from)),
        service_(look_up_service()),
        places_(concerned(emulation, question, owners_, service_)),
        ports_(vxlan_ports_of(places_)) {
    result_.question = question;
  }

  Explanation run() {
    for (const auto& place : places_) counted_[place.name] = counters_of(*place.netns);
    send_probes();
    for (const auto& attempt : attempts_) journeys_.push_back(journey_of(attempt));
    for (const auto* one : {"routes", "neighbours", "fdb", "listeners", "counters"})
      result_.witnesses.emplace_back(one);
    if (asked_api_) result_.witnesses.emplace_back("services");
    result_.probes = static_cast<unsigned>(attempts_.size());
    if (shots_ != attempts_.size())
      result_.notes.push_back(
          shots_ - attempts_.size() == 1
              ? "one probe more was sent to find where it goes"
              : fmt::format("{} probes more were sent to find where they go", shots_ - attempts_.size()));
    for (std::size_t i = 0; i < attempts_.size(); ++i)
      if (!came_through(attempts_[i], journeys_[i])) {
        if (result_.lost++ == 0) judged_ = i;
      }
    // The kernel takes its time to let them go, and what is looked at doesn't depend on them.
    side_by_side(2, 2, [&](std::size_t i) { i == 0 ? witnesses_.reset() : look_around(); });
    forget_flows();
    tell_of_old_flows();
    if (tampering_.facts) tampering_.facts(facts_);
    forget_noise();
    conclude();
    if (service_)
      result_.notes.push_back(
          fmt::format("{}; each probe took a turn and was counted", summary_of(*service_, question_)));
    else if (!owners_.contains(question_.to))
      result_.notes.emplace_back(
          "the address is no node's own: where it is translated, each probe took a turn and was counted");
    result_.milliseconds = std::chrono::duration<double, std::milli>(steady_clock::now() - begin_).count();
    return std::move(result_);
  }

 private:
  const Attempt& attempt() const { return attempts_.at(judged_.value_or(0)); }
  const Journey& journey() const { return journeys_.at(judged_.value_or(0)); }

  const NetNs* netns_of(const std::string& name) const {
    for (const auto& place : places_)
      if (place.name == name) return place.netns;
    return nullptr;
  }

  /// Sends a probe, and another one as often as it is found to go where nobody has watched.
  void shoot(Witnesses& witnesses, Protocol protocol, const Address& to, std::optional<std::uint16_t> length) {
    for (;;) {
      Probe probe(source_.netns(), protocol, to, question_.port, std::uint64_t{nonce_} << 32 | shots_++, length);
      auto attempt = witnesses.watch(probe, question_.from, options_.quiet, kLongestProbe, options_.stop);
      if (options_.stop()) throw Stopped("explain: interrupted");
      const auto more = taken_elsewhere(emulation_, journey_of(attempt), places_);
      if (more.empty() || !in_time()) {
        attempts_.push_back(std::move(attempt));
        return;
      }
      scouts_.push_back(std::move(attempt));
      for (const auto& place : more) counted_[place.name] = counters_of(*place.netns);
      witnesses.add(more);
      places_.insert(places_.end(), more.begin(), more.end());
    }
  }

  /// The Service that is asked, or behind the NodePort of a node. One that the API doesn't tell of isn't known.
  std::optional<KnownService> look_up_service() {
    constexpr std::uint16_t kNodePorts = 30'000;
    const bool of_node = owners_.contains(question_.to);
    if (of_node && question_.port < kNodePorts) return std::nullopt;
    try {
      auto found = service_at(emulation_, question_, of_node);
      asked_api_ = has_services(emulation_, question_.from);
      return found;
    } catch (const Error& error) {
      result_.notes.push_back(fmt::format("Services aren't known: {}", error.what()));
      return std::nullopt;
    }
  }

  bool in_time() const { return steady_clock::now() - begin_ < options_.budget; }
  bool all_came() const {
    return std::all_of(attempts_.begin(), attempts_.end(),
                       [](const Attempt& one) { return came_through(one, journey_of(one)); });
  }

  /// What the links at both ends take, nullopt if that isn't to be tried: neither would TCP send more, and that the one
  /// end's takes less than the other's is nobody's fault.
  std::optional<std::uint16_t> longest_on(const Journey& journey) const {
    const auto& end = journey.there.back();
    netlink::Socket socket(source_.netns(), question_.from);
    const auto route = netlink::ask_route(socket, {.to = end.packet.ends.destination});
    if (!route.way) return std::nullopt;
    const auto link = netlink::find_link(socket, route.way->interface);
    if (!link) return std::nullopt;
    auto mtu = link->mtu;
    for (const auto& moment : journey.there) {
      if (moment.place != end.place || moment.seen == nullptr || moment.wrapped) continue;
      netlink::Socket there(*netns_of(end.place), end.place);
      if (const auto last = netlink::find_link(there, moment.seen->link)) mtu = std::min(mtu, last->mtu);
    }
    if (mtu > kLongestPacket) return std::nullopt;
    return static_cast<std::uint16_t>(mtu);
  }

  void send_probes() {
    auto& witnesses = witnesses_.emplace(places_, question_.protocol, question_.to.is_v6(), nonce_, ports_, tampering_);
    for (unsigned i = 0; i < options_.probes && (i == 0 || in_time()); ++i)
      shoot(witnesses, question_.protocol, question_.to, {});
    if (options_.sizes && in_time() && all_came()) send_long_one(witnesses);
    const bool lost_some = witnesses.lost_some();
    traced_ = witnesses.hears_rules() && !lost_some;
    if (lost_some)
      result_.notes.emplace_back("more happened than could be read: some packets or rules may be missing here");
    if (witnesses.sees_packets()) result_.witnesses.emplace_back("capture");
    if (witnesses.hears_rules()) result_.witnesses.emplace_back("nftrace");
    result_.absent = witnesses.absent();
  }

  /// What lets only short packets pass is found out by long ones. TCP sends such only when it is connected: an echo of
  /// that length goes the same way.
  void send_long_one(Witnesses& witnesses) {
    const auto journey = journey_of(attempts_.back());
    if (journey.there.empty()) return;
    // An address that is translated has another route than what stands behind it.
    const auto translated = journey.there.back().packet.ends.destination;
    const bool tcp = question_.protocol == Protocol::tcp;
    const auto to = tcp ? translated : question_.to;
    const auto protocol = tcp ? Protocol::icmp : question_.protocol;
    const auto length = longest_on(journey);
    if (!length) return;
    long_one_ = attempts_.size();
    shoot(witnesses, protocol, to, length);
  }

  /// Where a rule dropped or rewrote the packet, or a rule's text is wanted anyway.
  std::vector<Place> places_with_rules() const {
    std::set<std::string> names;
    for (const auto* moments : {&journey().there, &journey().back, &journey().complaints}) {
      const Moment* before = nullptr;
      for (const auto& moment : *moments) {
        const bool foreign = moment.passed != nullptr && !moment.passed->ours;
        if (foreign && (options_.all_rules || moment.passed->dropped_by() != nullptr)) names.insert(moment.place);
        if (before != nullptr && !(before->packet.ends == moment.packet.ends)) names.insert(moment.place);
        before = &moment;
      }
    }
    std::vector<Place> places;
    for (const auto& place : places_)
      if (names.contains(place.name) && place.name != kWires) places.push_back(place);
    return places;
  }

  /// By which routes the packet went on.
  void look_up_taken() {
    for (const auto& moment : journey().there) {
      if (moment.wrapped || moment.passed == nullptr || moment.passed->dropped_by() != nullptr) continue;
      const auto hook = moment.passed->hook;
      if (hook != nft::HookPoint::forward && hook != nft::HookPoint::output) continue;
      auto& known = facts_[moment.place];
      const auto* netns = netns_of(moment.place);
      if (known.taken || netns == nullptr) continue;
      netlink::Socket socket(*netns, moment.place);
      const auto* in = link_named(known, moment.passed->in);
      auto question = question_for(moment.packet.ends, attempt().protocol, in != nullptr ? in->index : 0);
      known.taken = netlink::ask_route(socket, question);
    }
  }

  void look_around() {
    const auto with_rules = places_with_rules();
    for (const auto& place : places_) {
      auto& known = facts_[place.name];
      if (judged_) {
        known = facts_of(*place.netns, place.name);
      } else {
        netlink::Socket socket(*place.netns, place.name);
        known.links = netlink::list_links(socket);
      }
      for (const auto& [counter, now] : counters_of(*place.netns))
        if (const auto rise = now - counted_[place.name][counter]; rise != 0) known.counted[counter] = rise;
    }
    std::mutex mutex;
    side_by_side(with_rules.size(), 4, [&](std::size_t i) {
      auto rules = rules_of(*with_rules[i].netns);
      const std::lock_guard lock(mutex);
      facts_[with_rules[i].name].rules = std::move(rules);
    });
    look_up_taken();
    if (!judged_) return;
    for (const auto& place : knetsim::places_of(emulation_))
      if (const auto found = facts_.find(place.name); found != facts_.end()) found->second.ended = place.ended;
    for (auto* cluster : emulation_.clusters())
      for (const auto* worker : cluster->workers())
        if (const auto found = facts_.find(worker->name()); found != facts_.end())
          found->second.has_flannel = worker->has_flanneld();
    const auto end = trail_end(journey());
    if (const auto* netns = netns_of(end.last != nullptr ? end.last->place : question_.from))
      look_up_routes(attempt(), journey(), question_.from, *netns, facts_);
  }

  /// The probes' entries of connection tracking are evidence, and nobody needs them any more.
  void forget_flows() {
    std::mutex mutex;
    auto sent = attempts_;
    sent.insert(sent.end(), scouts_.begin(), scouts_.end());
    std::vector<Journey> went;
    for (const auto& one : sent) went.push_back(journey_of(one));
    side_by_side(places_.size(), 4, [&](std::size_t i) {
      if (places_[i].name == kWires) return;
      const auto taken = take_flows(places_[i], sent, went);
      const std::lock_guard lock(mutex);
      for (const auto& [number, flow] : taken)
        if (number == judged_.value_or(0)) facts_[places_[i].name].flow = netlink::to_string(flow);
      tracked_ = tracked_ || !taken.empty();
    });
    if (tracked_) result_.witnesses.emplace_back("connection tracking");
  }

  /// Where the packet is translated: at the source's worker.
  void tell_of_old_flows() {
    const auto host = host_of(question_.from);
    const auto* netns = netns_of(host);
    if (question_.protocol != Protocol::udp || owners_.contains(question_.to) || netns == nullptr) return;
    const auto gone = [&](const Address& address) { return address != question_.to && !owners_.contains(address); };
    const auto flows = flows_to_the_gone({host, netns}, question_.to, question_.port, gone);
    if (flows.empty()) return;
    result_.notes.push_back(fmt::format(
        "{} older flow{} to it {} to where nobody is any more, which these probes don't meet: {}; remedy: {} conntrack "
        "-D -p udp --orig-dst {} --orig-port-dst {}",
        flows.size(), flows.size() == 1 ? "" : "s", flows.size() == 1 ? "leads" : "lead",
        netlink::to_string(flows.front()), host, question_.to.to_string(), question_.port));
  }

  /// What rose less often than packets were lost rose for others.
  void forget_noise() {
    for (auto& [place, known] : facts_)
      std::erase_if(known.counted, [&](const auto& one) { return one.second < static_cast<long>(result_.lost); });
  }

  void conclude() {
    if (const auto odds = contradiction(attempt(), journey(), facts_, question_.from, traced_)) {
      conclude_disagreement(*odds);
    } else if (judged_) {
      conclude_lost(cause_of(attempt(), journey(), facts_, owners_));
    } else {
      conclude_delivered();
    }
  }

  void conclude_disagreement(const std::string& odds) {
    const auto end = trail_end(journey());
    result_.disposition = Disposition::disagreement;
    result_.place = end.last != nullptr ? end.last->place : question_.from;
    result_.sentence = odds;
    result_.cause = "the witnesses contradict each other: none of them is believed";
    result_.tree = tree_of(journey(), facts_, owners_, nullptr);
  }

  void conclude_delivered() {
    std::vector<std::string> to;
    for (const auto& one : journeys_)
      if (!one.there.empty() && std::find(to.begin(), to.end(), one.there.back().place) == to.end())
        to.push_back(one.there.back().place);
    for (const auto& one : journeys_) {
      if (one.there.empty()) continue;
      const auto& last = one.there.back();
      const auto owner = owners_.find(last.packet.ends.destination);
      if (owner == owners_.end() || owner->second == last.place) continue;
      result_.notes.push_back(
          fmt::format("{} is {}'s, and {} took it", owner->first.to_string(), owner->second, last.place));
      break;
    }
    result_.disposition = Disposition::delivered;
    for (const auto& one : to) result_.place += (result_.place.empty() ? "" : " and ") + one;
    const bool answered = attempt().outcome.kind == Outcome::Kind::answered;
    result_.sentence = fmt::format("{} of {} probes came through{}", result_.probes - result_.lost, result_.probes,
                                   answered ? " and were answered" : "; UDP needs no answer");
    result_.tree = tree_of(journey(), facts_, owners_, nullptr);
  }

  void conclude_lost(Cause cause) {
    const bool is_long = judged_ == long_one_;
    if (is_long && question_.protocol == Protocol::tcp && cause.disposition != Disposition::too_big) {
      // Somebody doesn't like echoes, which weren't asked about.
      result_.notes.push_back(fmt::format("an ICMP echo of {} bytes didn't come through ({}: {}); connections do",
                                          attempt().length, word_of(cause.disposition), cause.sentence));
      attempts_.pop_back();
      journeys_.pop_back();
      --result_.probes;
      result_.lost = 0;
      judged_.reset();
      conclude_delivered();
      return;
    }
    if (is_long) {
      result_.notes.push_back(fmt::format("{} short packets came through; this one is {} bytes long",
                                          result_.probes - 1, attempt().length));
      result_.probes = 1;
    }
    for (const auto& moment : journey().complaints)
      if (moment.passed != nullptr && moment.passed->dropped_by() != nullptr)
        result_.notes.push_back(fmt::format("what told its sender of that ({}) was dropped by chain {} at {}",
                                            what_of(moment.packet), name_of(moment.passed->chain), moment.place));
    if (cause.place.empty()) cause.place = question_.from;
    const auto end = trail_end(journey());
    const auto* dropping =
        end.last != nullptr && end.last->passed != nullptr ? end.last->passed->dropped_by() : nullptr;
    if (const auto vip = vip_at(emulation_, question_.to); vip && end.last != nullptr)
      tell_of_vip(cause, *vip, end.last->packet.ends.destination, owners_);
    if (asked_api_) {
      tell_of_service(cause, service_ ? &*service_ : nullptr, question_, dropping, facts_[cause.place]);
    }
    for (const auto& [place, known] : facts_)
      for (const auto& ended : known.ended) result_.notes.push_back(fmt::format("{}: {}", place, ended));
    const auto& moments = journey().of(cause.way);
    for (auto i = moments.size() > 2 ? moments.size() - 2 : 0; i < moments.size(); ++i)
      result_.last_seen.push_back(describe(moments[i]));
    result_.tree = tree_of(journey(), facts_, owners_, &cause);
    result_.disposition = cause.disposition;
    result_.way = cause.way;
    result_.place = cause.place == kWires ? "the switches" : cause.place;
    result_.sentence = std::move(cause.sentence);
    result_.cause = std::move(cause.cause);
    result_.object = std::move(cause.object);
    result_.remedy = std::move(cause.remedy);
  }

  Emulation& emulation_;
  const Question& question_;
  const Options& options_;
  const Tampering& tampering_;
  const Node& source_;
  Explanation result_;
  bool asked_api_ = false;  // and it answered
  steady_clock::time_point begin_ = steady_clock::now();
  std::uint32_t nonce_ = random_number();
  Owners owners_;
  std::optional<KnownService> service_;
  std::vector<Place> places_;
  std::vector<std::uint16_t> ports_;
  std::map<std::string, std::map<std::string, long>> counted_;
  std::optional<Witnesses> witnesses_;
  std::uint32_t shots_ = 0;
  std::vector<Attempt> attempts_;
  std::vector<Attempt> scouts_;          // found that it goes where nobody watched, and were sent again
  std::vector<Journey> journeys_;        // of the attempts
  std::optional<std::size_t> long_one_;  // which attempt is the one that is as long as may be
  std::optional<std::size_t> judged_;    // the first that was lost
  bool traced_ = false;
  bool tracked_ = false;
  AllFacts facts_;
};

}  // namespace

Explanation investigate(Emulation& emulation, const Question& question, const Options& options,
                        const Tampering& tampering) {
  return Investigation(emulation, question, options, tampering).run();
}

}  // namespace knetsim::explain
