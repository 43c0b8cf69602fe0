#include "routing/neighbours.h"

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

}  // namespace knetsim::skupper::routing
