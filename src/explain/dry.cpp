#include "dry.h"

#include <fmt/format.h>
#include <linux/neighbour.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "facts.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/error.h"
#include "owners.h"
#include "services.h"

namespace knetsim::explain {

namespace {

using std::chrono::steady_clock;

constexpr unsigned kMostHops = 16;

class Walk {
 public:
  Walk(Emulation& emulation, const Question& question)
      : emulation_(emulation),
        owners_(owners_for(emulation, question.from)),
        at_(&emulation.node(question.from)),
        to_(question.to),
        port_(question.port) {
    result_.question = question;
    result_.dry = true;
    result_.witnesses = {"routes", "neighbours", "fdb", "listeners", "services", "rules"};
    result_.absent = {"a probe: nothing was sent"};
  }

  Explanation run() {
    const auto begin = steady_clock::now();
    while (hops_ < kMostHops && !over_) {
      ++hops_;
      visit();
    }
    if (!over_) end(Disposition::no_route, fmt::format("it goes in circles: {} nodes, and no end", hops_), {}, {});
    if (!result_.delivered())
      result_.tree.back().inside.push_back({.kind = Entry::Kind::lost, .text = result_.sentence});
    result_.milliseconds = std::chrono::duration<double, std::milli>(steady_clock::now() - begin).count();
    return std::move(result_);
  }

 private:
  void visit() {
    facts_ = facts_of(at_->netns(), at_->name());
    result_.tree.push_back({.kind = Entry::Kind::hop, .text = at_->name()});
    tell_of_rules();
    if (translates()) translate();
    if (over_) return;
    if (has_address(facts_, to_)) return arrive();
    const auto forwarding = forwarding_sysctl(to_.is_v6());
    if (hops_ > 1 && !facts_.of_family(to_).forwards)
      return end(Disposition::not_forwarding, "it doesn't forward packets", fmt::format("{} is 0", forwarding),
                 fmt::format("{} sysctl -w {}=1", at_->name(), forwarding));
    go_on();
  }

  void note(std::string text) {
    result_.tree.back().inside.push_back({.kind = Entry::Kind::lookup, .text = std::move(text)});
  }

  void end(Disposition disposition, std::string sentence, std::string cause, std::string remedy) {
    over_ = true;
    result_.disposition = disposition;
    result_.place = at_->name();
    result_.sentence = std::move(sentence);
    result_.cause = std::move(cause);
    result_.remedy = std::move(remedy);
  }

  /// Those that could stop it: what they match isn't tried.
  void tell_of_rules() {
    for (const auto& [where, text] : rules_of(at_->netns())) {
      if (text.find("drop") == std::string::npos && text.find("reject") == std::string::npos) continue;
      result_.tree.back().inside.push_back({.kind = Entry::Kind::rule,
                                            .text = fmt::format("{} handle {}: {}", where.first, where.second, text),
                                            .detail = true});
      rules_.insert(at_->name());
    }
  }

  bool is_worker() const {
    for (auto* cluster : emulation_.clusters())
      for (const auto* worker : cluster->workers())
        if (worker == at_) return true;
    return false;
  }
  bool translates() const { return !translated_ && is_worker(); }

  /// Who stands behind the address: the first who is there, for all.
  void translate() {
    for (auto* cluster : emulation_.clusters())
      for (const auto& vip : cluster->vips().services()) {
        if (vip.address != to_) continue;
        const auto found =
            std::find_if(vip.endpoints.begin(), vip.endpoints.end(), [](const auto& one) { return !one.gone; });
        if (found == vip.endpoints.end())
          return end(Disposition::no_endpoint, fmt::format("nobody stands behind {}", to_.to_string()),
                     fmt::format("VIP {} has {} endpoints, and all are gone", vip.name, vip.endpoints.size()), {});
        return lead_to(found->address, port_, fmt::format("VIP {}", vip.name), vip.endpoints.size());
      }
    const auto service = service_at(emulation_, result_.question, owners_.contains(to_));
    if (!service) return;
    const auto found = std::find_if(service->endpoints.begin(), service->endpoints.end(),
                                    [](const KnownService::Endpoint& one) { return one.ready; });
    const auto* port =
        service->port_at(result_.question.protocol, result_.question.port, !service->has_address(result_.question.to));
    if (port != nullptr && found != service->endpoints.end())
      return lead_to(found->address, found->port, to_string(*service, port), service->endpoints.size());
    Cause cause{.disposition = port == nullptr ? Disposition::dropped_by_rule : Disposition::no_endpoint,
                .place = at_->name()};
    const Step proxys{.chain = {{nft::Family::ip, "kube-proxy"}, "cluster-ips-check"}, .verdict = {}};
    tell_of_service(cause, &*service, result_.question, &proxys, facts_);
    end(cause.disposition, cause.sentence, cause.object, cause.remedy);
  }

  void lead_to(const Address& endpoint, std::uint16_t port, const std::string& whose, std::size_t of) {
    translated_ = true;
    note(fmt::format("{} -> {} port {}{}", whose, named(endpoint), port,
                     of > 1 ? fmt::format(", one of {}: others aren't looked at", of) : ""));
    to_ = endpoint;
    port_ = port;
  }

  std::string named(const Address& address) const {
    const auto owner = owners_.find(address);
    return owner == owners_.end() ? address.to_string() : fmt::format("{} ({})", address.to_string(), owner->second);
  }

  void arrive() {
    const auto protocol = result_.question.protocol;
    const auto ignoring = ignored_echo_sysctl(to_.is_v6());
    if (protocol == Protocol::icmp && facts_.of_family(to_).ignores_echo)
      return end(Disposition::refused, "it ignores echo requests", fmt::format("{} is 1", ignoring),
                 fmt::format("{} sysctl -w {}=0", at_->name(), ignoring));
    if (protocol != Protocol::icmp) {
      const auto fits = [&](const Listener& one, bool bound) {
        return one.protocol == protocol && one.port == port_ && (!bound || hears_of(one.address, to_));
      };
      const auto any = [&](bool bound) {
        return std::any_of(facts_.listeners.begin(), facts_.listeners.end(),
                           [&](const Listener& one) { return fits(one, bound); });
      };
      if (!any(false))
        return end(Disposition::no_listener, fmt::format("nobody listens on {} port {}", name_of(protocol), port_),
                   "its sockets were looked at", {});
      if (!any(true))
        return end(Disposition::wrong_bind,
                   fmt::format("what listens on {} port {} is bound to another address", name_of(protocol), port_),
                   "its sockets were looked at", {});
    }
    end(Disposition::delivered, "as far as tables tell; nothing was sent", {}, {});
    for (const auto& place : rules_)
      result_.notes.push_back(fmt::format("{} has rules that drop: -v shows them; they weren't tried", place));
  }

  void go_on() {
    netlink::Socket socket(at_->netns(), at_->name());
    const auto answer = netlink::ask_route(socket, {.to = to_});
    if (answer.error != 0 || !answer.way)
      return end(Disposition::no_route, fmt::format("there is no route to {}", named(to_)),
                 fmt::format("the routing table answers {}", errno_text(answer.error)), {});
    const auto* out = link_of_index(facts_, answer.way->interface);
    if (out == nullptr) return end(Disposition::no_route, "its route leads to a link that has gone", {}, {});
    const auto next = answer.way->gateway.value_or(to_);
    note(fmt::format("route to {} {}dev {}", named(to_),
                     answer.way->gateway ? fmt::format("via {} ", next.to_string()) : "", out->name));
    if (!out->up || !out->running)
      return end(Disposition::link_down, fmt::format("{} is {}", out->name, out->up ? "without carrier" : "down"),
                 to_string(*out), fmt::format("{} ip link set {} up", at_->name(), out->name));
    const auto known =
        std::find_if(facts_.neighbours.begin(), facts_.neighbours.end(),
                     [&](const netlink::Neighbour& one) { return one.interface == out->index && one.address == next; });
    const bool there = known != facts_.neighbours.end();
    if (there && ((known->state & (NUD_FAILED | NUD_INCOMPLETE)) != 0 || !known->mac))
      return end(Disposition::no_neighbour, fmt::format("nobody answers for {} on {}", named(next), out->name),
                 netlink::to_string(*known), {});
    if (out->kind == "vxlan") return through_tunnel(*out, there ? known->mac : std::nullopt);
    if (!there) note(fmt::format("{} isn't in the neighbour table: it would be asked for", next.to_string()));
    move_to(next);
  }

  void through_tunnel(const netlink::Link& tunnel, const std::optional<netlink::Mac>& mac) {
    const auto entry = std::find_if(facts_.fdb.begin(), facts_.fdb.end(), [&](const netlink::FdbEntry& one) {
      return one.interface == tunnel.index && mac && one.mac == *mac && one.destination;
    });
    if (entry == facts_.fdb.end())
      return end(Disposition::no_neighbour, fmt::format("{} knows no VTEP for {}", tunnel.name, named(to_)),
                 mac ? "the FDB has no entry for " + netlink::to_string(*mac) : "the neighbour table has no entry", {});
    note(fmt::format("vxlan: FDB {} -> {}", netlink::to_string(*mac), named(*entry->destination)));
    move_to(*entry->destination);
  }

  /// Whoever has that address, on a link of whatever kind: pods have their worker for a gateway.
  void move_to(const Address& next) {
    if (const auto owner = owners_.find(next); owner != owners_.end() && owner->second != at_->name()) {
      at_ = &emulation_.node(owner->second);
      return;
    }
    auto* host = emulation_.find(host_of(at_->name()));
    if (host != nullptr && host != at_) {
      auto socket = host->netlink();
      for (const auto& one : netlink::list_addresses(socket))
        if (address_of(one.address) == next) {
          at_ = host;
          return;
        }
    }
    end(Disposition::no_neighbour, fmt::format("nobody in the lab is known to have {}", next.to_string()),
        "no node has been given that address", {});
  }

  Emulation& emulation_;
  Owners owners_;
  const Node* at_;
  Address to_;
  std::uint16_t port_;
  PlaceFacts facts_;
  Explanation result_;
  std::set<std::string> rules_;  // places with rules that drop
  unsigned hops_ = 0;
  bool over_ = false;
  bool translated_ = false;
};

}  // namespace

Explanation look(Emulation& emulation, const Question& question) { return Walk(emulation, question).run(); }

}  // namespace knetsim::explain
