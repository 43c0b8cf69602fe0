#include "tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "owner.h"

namespace knetsim::explain {

namespace {

/// Grows the entries of one place after the other.
class Grower {
 public:
  Grower(const AllFacts& facts, const Owners& owners, bool with_routes)
      : facts_(facts), owners_(owners), with_routes_(with_routes) {}

  void add(const Moment& moment) {
    if (places_.empty() || place_ != moment.place) {
      places_.push_back({.kind = Entry::Kind::hop, .text = moment.place == kWires ? "the switches" : moment.place});
      place_ = moment.place;
    }
    // Where a bridge's packets pass the rules of IP, they have done so before the bridge shows them.
    if (moment.seen == nullptr || !on_bridge(*moment.seen)) note_changes(moment);
    if (moment.seen != nullptr)
      add_seen(*moment.seen);
    else
      add_passage(moment);
  }

  std::vector<Entry> take() { return std::move(places_); }

 private:
  Entry& place() { return places_.back(); }

  std::string named(const Address& address) const {
    const auto owner = owners_.find(address);
    return owner == owners_.end() ? address.to_string() : fmt::format("{} ({})", address.to_string(), owner->second);
  }

  void note_changes(const Moment& moment) {
    if (before_ && !(*before_ == moment.packet.ends)) {
      const Ends& was = *before_;
      const auto& is = moment.packet.ends;
      std::string text;
      if (was.destination != is.destination || was.destination_port != is.destination_port)
        text = fmt::format("destination {} -> {}", end_text(was.destination, was.destination_port),
                           end_text(is.destination, is.destination_port));
      if (was.source != is.source || was.source_port != is.source_port)
        text += fmt::format("{}source {} -> {}", text.empty() ? "" : ", ", end_text(was.source, was.source_port),
                            end_text(is.source, is.source_port));
      place().inside.push_back({.kind = Entry::Kind::rewritten, .text = text});
      const auto* facts = with_routes_ ? facts_of(moment.place) : nullptr;
      if (facts != nullptr && !facts->flow.empty())
        place().inside.push_back({.kind = Entry::Kind::lookup, .text = "connection tracking: " + facts->flow});
    }
    before_ = moment.packet.ends;
  }

  std::string end_text(const Address& address, std::uint16_t port) const {
    return port == 0 ? named(address) : fmt::format("{} port {}", named(address), port);
  }

  void add_seen(const Sighting& seen) {
    const bool out = seen.direction == Sighting::Direction::out;
    const auto& frame = seen.frame;
    auto text =
        fmt::format("{} {} {} {}", seen.link, out ? "->" : "<-", to_string(frame.packet.ends), what_of(frame.packet));
    if (frame.outer) {
      if (out && wrapped_at_ != seen.place && seen.place != kWires) {
        place().inside.push_back(
            {.kind = Entry::Kind::encapsulated,
             .text = fmt::format("vxlan {}  {}, {} + {} bytes", frame.outer->vni, to_string(frame.outer->ends),
                                 frame.packet.length, frame.outer->length - frame.packet.length)});
        wrapped_at_ = seen.place;
      }
      text = fmt::format("{} {} vxlan {} > {}", seen.link, out ? "->" : "<-", frame.outer->ends.source.to_string(),
                         frame.outer->ends.destination.to_string());
    }
    // A bridge shows a frame once more.
    place().inside.push_back({.kind = Entry::Kind::seen, .text = std::move(text), .detail = on_bridge(seen)});
  }

  bool on_bridge(const Sighting& seen) const {
    const auto* facts = facts_of(seen.place);
    const auto* link = facts == nullptr ? nullptr : link_named(*facts, seen.link);
    return link != nullptr && link->kind == "bridge";
  }

  const PlaceFacts* facts_of(const std::string& where) const {
    const auto found = facts_.find(where);
    return found == facts_.end() ? nullptr : &found->second;
  }

  void add_passage(const Moment& moment) {
    const auto& passage = *moment.passed;
    auto& inside = place().inside;
    const auto name = name_of(passage.hook) + (moment.wrapped ? " (vxlan)" : "");
    if (inside.empty() || inside.back().kind != Entry::Kind::hook || inside.back().text != name)
      inside.push_back({.kind = Entry::Kind::hook, .text = name, .detail = true});
    add_lookup(moment);
    auto& hook = inside.back();
    if (passage.ours) {
      hook.inside.push_back(
          {.kind = Entry::Kind::note, .text = passage.priority > 0 ? "passed" : "reached", .detail = true});
      return;
    }
    Entry chain{.kind = Entry::Kind::chain,
                .text = fmt::format("{} (priority {})", name_of(passage.chain), passage.priority)};
    for (const auto& step : passage.steps) chain.inside.push_back(entry_of(passage, step));
    const bool told =
        std::any_of(chain.inside.begin(), chain.inside.end(), [](const Entry& one) { return !one.detail; });
    chain.detail = !told;
    hook.detail = hook.detail && !told;
    hook.inside.push_back(std::move(chain));
  }

  /// The route is chosen before the forward hook, and on the way out before the output hook.
  void add_lookup(const Moment& moment) {
    const auto hook = moment.passed->hook;
    if (!with_routes_ || moment.wrapped || (hook != nft::HookPoint::forward && hook != nft::HookPoint::output)) return;
    const auto* facts = facts_of(moment.place);
    if (facts == nullptr || !facts->taken || !facts->taken->way || routed_at_ == moment.place) return;
    routed_at_ = moment.place;
    const auto& route = facts->taken->matched ? *facts->taken->matched : *facts->taken->way;
    const auto* out = link_of_index(*facts, facts->taken->way->interface);
    auto text = prefix_length(route.destination) == 0 ? std::string("default") : knetsim::to_string(route.destination);
    if (route.gateway) text += " via " + route.gateway->to_string();
    place().inside.insert(place().inside.end() - 1,
                          Entry{.kind = Entry::Kind::lookup,
                                .text = fmt::format("route {} dev {}", text, out != nullptr ? out->name : "?")});
  }

  Entry entry_of(const Passage& passage, const Step& step) const {
    const bool drops = step.verdict.kind == nft::Verdict::Kind::drop;
    if (step.kind == nft::TraceEvent::Kind::policy)
      return {.kind = Entry::Kind::rule, .text = drops ? "policy drop" : "policy accept", .detail = !drops};
    if (step.kind == nft::TraceEvent::Kind::end)
      return {.kind = Entry::Kind::rule, .text = fmt::format("end of {}", step.chain.name), .detail = true};
    const auto* facts = facts_of(passage.place);
    const auto table = fmt::format("{} {}", nft::to_string(step.chain.table.family), step.chain.table.name);
    std::string text;
    if (facts != nullptr)
      if (const auto found = facts->rules.find({table, step.handle}); found != facts->rules.end()) text = found->second;
    const bool rewrites = text.find("dnat") != std::string::npos || text.find("snat") != std::string::npos ||
                          text.find("masquerade") != std::string::npos;
    if (text.empty()) text = "(its text is gone)";
    return {.kind = Entry::Kind::rule,
            .text = fmt::format("{}handle {}: {}", drops ? "X " : "", step.handle, text),
            .detail = !drops && !rewrites};
  }

  const AllFacts& facts_;
  const Owners& owners_;
  bool with_routes_;  // they were looked up for the request
  std::vector<Entry> places_;
  std::string place_;
  std::string wrapped_at_;
  std::string routed_at_;
  std::optional<Ends> before_;
};

void mark(std::vector<Entry>& places, const Cause& lost) {
  Entry entry{.kind = Entry::Kind::lost, .text = lost.sentence};
  const auto found =
      std::find_if(places.rbegin(), places.rend(), [&](const Entry& place) { return place.text == lost.place; });
  if (found != places.rend()) {
    found->inside.push_back(std::move(entry));
    return;
  }
  Entry place{.kind = Entry::Kind::hop, .text = lost.place};
  place.inside.push_back(std::move(entry));
  places.push_back(std::move(place));
}

std::vector<Entry> grown(const std::vector<Moment>& moments, const AllFacts& facts, const Owners& owners,
                         bool with_routes) {
  Grower grower(facts, owners, with_routes);
  for (const auto& moment : moments) grower.add(moment);
  return grower.take();
}

}  // namespace

std::vector<Entry> tree_of(const Journey& journey, const AllFacts& facts, const Owners& owners, const Cause* lost) {
  auto tree = grown(journey.there, facts, owners, true);
  if (lost != nullptr && lost->way == Way::there) mark(tree, *lost);
  for (const auto& [title, moments] :
       {std::pair{"the answer", &journey.back}, std::pair{"complaints", &journey.complaints}}) {
    auto more = grown(*moments, facts, owners, false);
    if (more.empty()) continue;
    const bool lost_here = lost != nullptr && lost->way == Way::back && moments == &journey.back;
    if (lost_here) mark(more, *lost);
    auto text = fmt::format("{}  ", title);
    for (const auto& hop : more) text += fmt::format("{}{}", &hop == &more.front() ? "" : " > ", hop.text);
    for (auto& hop : more) hop.detail = !lost_here;
    tree.push_back({.kind = Entry::Kind::note, .text = std::move(text), .inside = std::move(more)});
  }
  return tree;
}

}  // namespace knetsim::explain
