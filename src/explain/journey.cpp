#include "journey.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

namespace knetsim::explain {

namespace {

/// What tells a packet that is wrapped around another one: both, with the IP id, are the kernel's choice.
using OuterKey = std::tuple<Address, Address, std::uint16_t, std::uint16_t>;

OuterKey key_of(const Ends& ends, std::uint16_t ip_id) {
  return {ends.source, ends.destination, ends.source_port, ip_id};
}

/// Where in its way through one namespace something stands: a packet that comes wrapped is unwrapped before it is
/// wrapped again.
int stage_of(const Sighting& sighting) {
  const bool in = sighting.direction != Sighting::Direction::out;
  if (sighting.frame.outer) return in ? 0 : 6;
  return in ? 2 : 4;
}

int stage_of(const Passage& passage, bool wrapped) {
  if (!wrapped) return 3;
  return passage.hook == nft::HookPoint::output || passage.hook == nft::HookPoint::postrouting ? 5 : 1;
}

/// Where an answer leaves a stack that it hasn't come to.
std::string answerer_of(const Attempt& attempt) {
  for (const auto& passage : attempt.passages)
    if (passage.ours && passage.hook == nft::HookPoint::output && passage.place != attempt.source &&
        passage.packet.protocol == attempt.protocol && passage.packet.ends.destination_port == attempt.sent.source_port)
      return passage.place;
  return {};
}

bool is_wrapped(const Packet& packet, const std::vector<std::uint16_t>& vxlan_ports) {
  return packet.protocol == Protocol::udp &&
         std::find(vxlan_ports.begin(), vxlan_ports.end(), packet.ends.destination_port) != vxlan_ports.end();
}

/// The packets of one part. The places are put in order by their cables: what leaves one place by a link comes to the
/// one at its other end.
class Course {
 public:
  /// `origin` is where the packet was made: what comes in there has been elsewhere, and makes a visit of its own.
  explicit Course(std::string origin) : origin_(std::move(origin)) {}

  void add(const Sighting& sighting, Moment moment) {
    const bool out = sighting.direction == Sighting::Direction::out;
    put(sighting.place, !out && sighting.place == origin_, stage_of(sighting), std::move(moment));
  }

  void add(const Passage& passage, Moment moment) {
    const bool made_here = passage.hook == nft::HookPoint::output || passage.hook == nft::HookPoint::postrouting;
    const auto stage = stage_of(passage, moment.wrapped);
    put(passage.place, !made_here && passage.place == origin_, stage, std::move(moment));
  }

  /// Whether what is known of the packet at this place ends with its leaving by a link, unwrapped.
  bool left_unwrapped(const std::string& place) const {
    bool left = false;
    for (const auto& visit : visits_)
      for (const auto& [stage, moment] : visit.moments) {
        if (visit.place != place) continue;
        if (moment.wrapped) return false;
        left = left || (moment.seen != nullptr && moment.seen->direction == Sighting::Direction::out);
      }
    return left;
  }

  const Packet* packet_at(const std::string& place) const {
    for (const auto& visit : visits_)
      if (visit.place == place && !visit.moments.empty()) return &visit.moments.back().second.packet;
    return nullptr;
  }

  std::vector<Moment> in_order() {
    forget_floods();
    for (auto& visit : visits_)
      std::stable_sort(visit.moments.begin(), visit.moments.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Moment> moments;
    std::vector<bool> told(visits_.size());
    for (std::size_t i = 0; i < visits_.size(); ++i) {
      auto next = next_start(told);
      while (next) {
        told[*next] = true;
        for (auto& [stage, moment] : visits_[*next].moments) moments.push_back(std::move(moment));
        next = reached_from(visits_[*next], told);
      }
    }
    return moments;
  }

 private:
  struct Visit {
    std::string place;
    bool again;
    std::vector<std::pair<int, Moment>> moments;
    std::vector<std::string> left_to = {};
    bool came_in = false;
  };

  void put(const std::string& place, bool again, int stage, Moment moment) {
    auto found = std::find_if(visits_.begin(), visits_.end(),
                              [&](const Visit& visit) { return visit.place == place && visit.again == again; });
    if (found == visits_.end()) found = visits_.insert(visits_.end(), {place, again, {}});
    if (moment.seen != nullptr) {
      const bool out = moment.seen->direction == Sighting::Direction::out;
      found->came_in = found->came_in || !out;
      if (out && !moment.seen->peer.empty()) found->left_to.push_back(moment.seen->peer);
    }
    found->moments.emplace_back(stage, std::move(moment));
  }

  bool came_to(const std::string& place) const {
    return std::any_of(visits_.begin(), visits_.end(),
                       [&](const Visit& visit) { return visit.place == place && visit.came_in; });
  }

  /// A bridge that doesn't know where a MAC address lives sends a frame out of all ports: those that nobody took it
  /// from, or that lead to nobody whom this concerns, tell nothing.
  void forget_floods() {
    const auto leaves_by_port = [](const auto& one) {
      const auto* seen = one.second.seen;
      return seen != nullptr && seen->port && seen->direction == Sighting::Direction::out;
    };
    for (auto& visit : visits_) {
      const bool several = std::count_if(visit.moments.begin(), visit.moments.end(), leaves_by_port) > 1;
      std::erase_if(visit.moments, [&](const auto& one) {
        if (!leaves_by_port(one)) return false;
        const auto& peer = one.second.seen->peer;
        return peer.empty() || (several && !came_to(peer));
      });
    }
  }

  std::optional<std::size_t> reached_from(const Visit& visit, const std::vector<bool>& told) const {
    for (const auto& place : visit.left_to)
      for (std::size_t i = 0; i < visits_.size(); ++i)
        if (!told[i] && visits_[i].place == place && visits_[i].came_in) return i;
    return std::nullopt;
  }

  /// Where it was made; else a place that no other leads to; else the first that it was seen at.
  std::optional<std::size_t> next_start(const std::vector<bool>& told) const {
    std::optional<std::size_t> first;
    for (std::size_t i = 0; i < visits_.size(); ++i)
      if (!told[i] && visits_[i].place == origin_ && !visits_[i].again) return i;
    for (std::size_t i = 0; i < visits_.size(); ++i) {
      if (told[i]) continue;
      if (!first) first = i;
      const bool led_to = std::any_of(visits_.begin(), visits_.end(), [&](const Visit& other) {
        return std::find(other.left_to.begin(), other.left_to.end(), visits_[i].place) != other.left_to.end();
      });
      if (!led_to) return i;
    }
    return first;
  }

  std::string origin_;
  std::vector<Visit> visits_;
};

}  // namespace

const Step* Passage::dropped_by() const {
  if (steps.empty() || steps.back().verdict.kind != nft::Verdict::Kind::drop) return nullptr;
  return &steps.back();
}

const netlink::Link* link_named(const PlaceFacts& facts, const std::string& name) {
  const auto found = std::find_if(facts.links.begin(), facts.links.end(),
                                  [&](const netlink::Link& link) { return link.name == name; });
  return found == facts.links.end() ? nullptr : &*found;
}

const netlink::Link* link_of_index(const PlaceFacts& facts, int index) {
  const auto found = std::find_if(facts.links.begin(), facts.links.end(),
                                  [&](const netlink::Link& link) { return link.index == index; });
  return found == facts.links.end() ? nullptr : &*found;
}

bool hears_of(const Address& bound, const Address& to) {
  return bound == to || (bound.is_unspecified() && (bound.is_v6() || to.is_v4()));
}

bool has_address(const PlaceFacts& facts, const Address& address) {
  return std::any_of(facts.addresses.begin(), facts.addresses.end(),
                     [&](const netlink::InterfaceAddress& one) { return address_of(one.address) == address; });
}

Journey journey_of(const Attempt& attempt) {
  Recognizer recognizer(attempt.protocol, attempt.nonce, attempt.sent);
  // An answer is made where the request's own rules of input let it in; who complains is found by the cables.
  std::array courses{Course(attempt.source), Course(answerer_of(attempt)), Course({})};
  const auto course_of = [&](Part part) -> Course& { return courses.at(static_cast<std::size_t>(part)); };
  Journey journey;
  std::map<OuterKey, std::pair<Part, Packet>> wrapped;  // what is in which
  // The source's own rules see the packet before any link does.
  for (const auto& passage : attempt.passages)
    if (passage.packet.ends == attempt.sent) recognizer.part_of(passage.packet);
  for (const auto& sighting : attempt.sightings) {
    const auto& frame = sighting.frame;
    const auto part = recognizer.part_of(frame.packet);
    if (!part) continue;
    if (frame.outer) wrapped.try_emplace(key_of(frame.outer->ends, frame.outer->ip_id), std::pair(*part, frame.packet));
    if (sighting.direction == Sighting::Direction::out && sighting.peer.empty())
      journey.unfollowed.push_back(&sighting);
    Moment moment{
        .place = sighting.place, .wrapped = frame.outer.has_value(), .seen = &sighting, .packet = frame.packet};
    if (sighting.direction == Sighting::Direction::other)
      journey.strays.push_back(std::move(moment));
    else
      course_of(*part).add(sighting, std::move(moment));
  }
  std::vector<const Passage*> unclaimed;
  for (const auto& passage : attempt.passages) {
    const auto inside = wrapped.find(key_of(passage.packet.ends, passage.packet.ip_id));
    if (inside != wrapped.end()) {
      const auto& [part, packet] = inside->second;
      course_of(part).add(passage, {.place = passage.place, .wrapped = true, .passed = &passage, .packet = packet});
    } else if (const auto part = recognizer.part_of(passage.packet)) {
      course_of(*part).add(passage, {.place = passage.place, .passed = &passage, .packet = passage.packet});
    } else if (is_wrapped(passage.packet, attempt.vxlan_ports) && passage.in.empty()) {
      unclaimed.push_back(&passage);
    }
  }
  // One that was wrapped and then dropped came to no link where it could be looked into. It is ours if it is the only
  // one that could be.
  for (auto& course : courses)
    for (const auto* passage : unclaimed) {
      if (!course.left_unwrapped(passage->place)) continue;
      const auto key = key_of(passage->packet.ends, passage->packet.ip_id);
      const bool alone = std::all_of(unclaimed.begin(), unclaimed.end(), [&](const Passage* other) {
        return other->place != passage->place || key_of(other->packet.ends, other->packet.ip_id) == key;
      });
      if (!alone) continue;
      const auto packet = *course.packet_at(passage->place);
      for (const auto* one : unclaimed)
        if (one->place == passage->place)
          course.add(*one, {.place = one->place, .wrapped = true, .passed = one, .packet = packet});
      break;
    }
  journey.there = courses[0].in_order();
  journey.back = courses[1].in_order();
  journey.complaints = courses[2].in_order();
  return journey;
}

std::vector<std::string> places_of(const std::vector<Moment>& moments) {
  std::vector<std::string> places;
  for (const auto& moment : moments)
    if (places.empty() || places.back() != moment.place) places.push_back(moment.place);
  return places;
}

std::string name_of(nft::HookPoint hook) {
  static constexpr std::array kNames{"prerouting", "input", "forward", "output", "postrouting"};
  const auto number = static_cast<std::size_t>(hook);
  return number < kNames.size() ? kNames.at(number) : "?";
}

std::string name_of(const nft::ChainId& chain) {
  return fmt::format("{} {} {}", nft::to_string(chain.table.family), chain.table.name, chain.name);
}

std::string describe(const Moment& moment) {
  const auto wrapped = moment.wrapped ? ", in VXLAN" : "";
  if (moment.passed != nullptr)
    return fmt::format("in the {} hook at {}{}", name_of(moment.passed->hook), moment.place, wrapped);
  const auto& seen = *moment.seen;
  if (seen.place == kWires)
    return fmt::format("{} the switches at the port of {}{}",
                       seen.direction == Sighting::Direction::out ? "leaving" : "entering", seen.link, wrapped);
  return fmt::format("{} {} at {}{}", seen.direction == Sighting::Direction::out ? "leaving by" : "coming in by",
                     seen.link, seen.place, wrapped);
}

}  // namespace knetsim::explain
