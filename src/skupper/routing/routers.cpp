#include "routing/routers.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace knetsim::skupper::routing {

namespace {

/// Drops the links for which `gone` is true, then the routers that have none left.
template <typename Routers, typename Predicate>
void erase_links(Routers& routers, Predicate gone) {
  for (auto& [router, links] : routers) std::erase_if(links, gone);
  std::erase_if(routers, [](const auto& entry) { return entry.second.empty(); });
}

}  // namespace

void Neighbours::add_link(LinkId link, std::int64_t cost) {
  costs_.insert_or_assign(link, std::max<std::int64_t>(cost, 1));
}

void Neighbours::remove_link(LinkId link) {
  costs_.erase(link);
  const auto gone = [&](const auto& entry) { return entry.first == link; };
  erase_links(heard_, gone);
  erase_links(confirmed_, gone);
}

std::vector<LinkId> Neighbours::links() const {
  std::vector<LinkId> result;
  for (const auto& [link, cost] : costs_) result.push_back(link);
  return result;
}

bool Neighbours::is_duplicate(const std::string& router, LinkId link, std::int64_t instance) const {
  const auto found = heard_.find(router);
  return found != heard_.end() && std::any_of(found->second.begin(), found->second.end(), [&](const auto& other) {
           return other.first != link && other.second.instance != instance;
         });
}

bool Neighbours::heard(const std::string& router, LinkId link, std::int64_t instance, TimePoint now) {
  return heard_[router].insert_or_assign(link, Hearing{now, instance}).second;
}

void Neighbours::confirmed(const std::string& router, LinkId link, TimePoint now) {
  confirmed_[router].insert_or_assign(link, Hearing{now, 0});
}

std::vector<std::string> Neighbours::expire(TimePoint now) {
  const auto before = seen();
  const auto old = [&](const auto& entry) { return now - entry.second.time > max_age_; };
  erase_links(heard_, old);
  erase_links(confirmed_, old);
  std::vector<std::string> lost;
  std::copy_if(before.begin(), before.end(), std::back_inserter(lost),
               [&](const auto& router) { return !heard_.contains(router); });
  return lost;
}

std::optional<Neighbours::TimePoint> Neighbours::next_expiry() const {
  std::optional<TimePoint> next;
  for (const auto* routers : {&heard_, &confirmed_})
    for (const auto& [router, links] : *routers)
      for (const auto& [link, hearing] : links)
        // The first moment at which it is older than max_age.
        if (const auto expiry = hearing.time + max_age_ + TimePoint::duration(1); !next || expiry < *next)
          next = expiry;
  return next;
}

std::vector<std::string> Neighbours::seen() const {
  std::vector<std::string> result;
  for (const auto& [router, links] : heard_) result.push_back(router);
  return result;
}

Peers Neighbours::peers() const {
  Peers result;
  for (const auto& [router, links] : confirmed_) result.emplace(router, costs_.at(*link_to(router)));
  return result;
}

std::optional<LinkId> Neighbours::link_to(const std::string& router) const {
  const auto found = confirmed_.find(router);
  if (found == confirmed_.end()) return std::nullopt;
  return std::min_element(found->second.begin(), found->second.end(),
                          [&](const auto& a, const auto& b) {
                            return std::pair(costs_.at(a.first), a.first) < std::pair(costs_.at(b.first), b.first);
                          })
      ->first;
}

bool RemoteRouter::restarted(std::int64_t instance) {
  if (instance == 0 || instance == instance_) return false;
  const bool known = instance_ != 0;
  instance_ = instance;
  if (known) {
    forget();
    advertised_ls_seq_ = 0;
    advertised_mobile_seq_ = 0;
  }
  return known;
}

void RemoteRouter::forget() {
  ls_seq_ = 0;
  answered_ = false;
  peers_.clear();
  link_state_asked_.reset();
  mobile_seq_ = 0;
  advertised_ = false;
  addresses_.clear();
  addresses_asked_.reset();
}

bool RemoteRouter::take(const wire::LinkState& state, TimePoint now) {
  heard_ = now;
  answered_ = true;
  if (state.ls_seq <= ls_seq_) return false;
  ls_seq_ = state.ls_seq;
  link_state_asked_.reset();
  if (peers_ == state.peers) return false;
  peers_ = state.peers;
  return true;
}

void RemoteRouter::take(const wire::RouterAdvertisement& advertisement, TimePoint now) {
  heard_ = now;
  // A new number is news: what was asked before may have been answered without it.
  if (advertisement.ls_seq > advertised_ls_seq_) link_state_asked_.reset();
  advertised_ls_seq_ = advertisement.ls_seq;
  advertised_mobile(advertisement.mobile_seq);
}

void RemoteRouter::advertised_mobile(std::int64_t sequence) {
  if (sequence > advertised_mobile_seq_) addresses_asked_.reset();
  advertised_mobile_seq_ = sequence;
  advertised_ = true;
}

bool RemoteRouter::take(const wire::MobileAddressUpdate& update) {
  const auto* changes = std::get_if<wire::AddressChanges>(&update.addresses);
  advertised_mobile(std::max(advertised_mobile_seq_, update.mobile_seq));
  if (update.mobile_seq <= mobile_seq_) return false;
  // Changes to something that we don't have: addresses_due says so now.
  if (changes && update.mobile_seq != mobile_seq_ + 1) return false;
  mobile_seq_ = update.mobile_seq;
  addresses_asked_.reset();
  return changes ? take_changes(*changes) : take_all(std::get<wire::AbsoluteAddresses>(update.addresses));
}

bool RemoteRouter::take_all(const wire::AbsoluteAddresses& all) {
  std::map<std::string, wire::Treatment> addresses;
  for (const auto& entry : all.exist) addresses.emplace(entry.key, static_cast<wire::Treatment>(entry.treatment));
  std::swap(addresses, addresses_);
  return addresses != addresses_;
}

bool RemoteRouter::take_changes(const wire::AddressChanges& changes) {
  for (const auto& entry : changes.add)
    addresses_.insert_or_assign(entry.key, static_cast<wire::Treatment>(entry.treatment));
  for (const auto& key : changes.del) addresses_.erase(key);
  return !changes.add.empty() || !changes.del.empty();
}

bool RemoteRouter::expire(TimePoint now, std::chrono::milliseconds max_age) {
  if (peers_.empty() || now - heard_ <= max_age) return false;
  peers_.clear();
  ls_seq_ = 0;
  return true;
}

std::optional<RemoteRouter::TimePoint> RemoteRouter::next_expiry(std::chrono::milliseconds max_age) const {
  if (reachable_ && peers_.empty()) return std::nullopt;
  return heard_ + max_age + TimePoint::duration(1);
}

bool RemoteRouter::set_reachable(bool reachable) {
  if (reachable == reachable_) return false;
  reachable_ = reachable;
  if (!reachable) forget();
  return true;
}

std::optional<RemoteRouter::TimePoint> RemoteRouter::link_state_due(std::chrono::milliseconds retry) const {
  if (!reachable_ || (answered_ && advertised_ls_seq_ <= ls_seq_)) return std::nullopt;
  return link_state_asked_ ? *link_state_asked_ + retry : TimePoint::min();
}

std::optional<RemoteRouter::TimePoint> RemoteRouter::addresses_due(std::chrono::milliseconds retry) const {
  if (!reachable_) return std::nullopt;
  if (advertised_mobile_seq_ > mobile_seq_) return addresses_asked_ ? *addresses_asked_ + retry : TimePoint::min();
  // It has advertised nothing yet, and may not do so for half a minute. Its link state came: it can answer. Ask once.
  if (!advertised_ && answered_ && !addresses_asked_) return TimePoint::min();
  return std::nullopt;
}

}  // namespace knetsim::skupper::routing
