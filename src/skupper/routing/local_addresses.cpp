#include "routing/local_addresses.h"

namespace knetsim::skupper::routing {

namespace {

wire::AddressEntry entry(const std::string& key, wire::Treatment treatment) {
  return {key, static_cast<std::int32_t>(treatment), 0};
}

}  // namespace

void LocalAddresses::add(const std::string& key, wire::Treatment treatment) {
  auto& address = addresses_[key];
  if (address.consumers++ > 0) return;
  address.treatment = treatment;
  // Gone and back before anybody was told: nothing to tell.
  if (removed_.erase(key) == 0) added_.insert(key);
}

void LocalAddresses::remove(const std::string& key) {
  const auto found = addresses_.find(key);
  if (found == addresses_.end() || --found->second.consumers > 0) return;
  if (added_.erase(key) == 0) removed_.emplace(key, found->second.treatment);
  addresses_.erase(found);
}

wire::AbsoluteAddresses LocalAddresses::announced() const {
  wire::AbsoluteAddresses result;
  for (const auto& [key, address] : addresses_)
    if (!added_.contains(key)) result.exist.push_back(entry(key, address.treatment));
  for (const auto& [key, treatment] : removed_) result.exist.push_back(entry(key, treatment));
  return result;
}

wire::AddressChanges LocalAddresses::take_changes() {
  wire::AddressChanges changes;
  for (const auto& key : added_) changes.add.push_back(entry(key, addresses_.at(key).treatment));
  for (const auto& [key, treatment] : removed_) changes.del.push_back(key);
  added_.clear();
  removed_.clear();
  ++sequence_;
  return changes;
}

}  // namespace knetsim::skupper::routing
