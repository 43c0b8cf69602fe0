#include "allocations.h"

#include "knetsim/sys/error.h"

namespace knetsim::apiserver {

using nlohmann::json;

namespace {

const kube::Kind& services() { return kube::must_be("services"); }

template <typename Map, typename Key>
bool others_hold(const Map& map, const Key& what, const std::string& key) {
  const auto found = map.find(what);
  if (found == map.end()) return false;
  return found->second.size() > 1 || !found->second.contains(key);
}

template <typename Map, typename What>
void count(Map& map, const What& what, const std::string& key, int change) {
  auto& owners = map[what];
  if ((owners[key] += change) <= 0) owners.erase(key);
  if (owners.empty()) map.erase(what);
}

}  // namespace

Allocations::Allocations(Cache& cache, kube::ServiceRanges ranges) : cache_(&cache), ranges_(std::move(ranges)) {
  cache_->subscribe(services(), *this);
  lose_track();
}

Allocations::~Allocations() { cache_->unsubscribe(services(), *this); }

void Allocations::hold(const std::string& key, const kube::Holdings& holdings, int change) {
  for (const auto& address : holdings.addresses) count(addresses_, address, key, change);
  for (const auto& port : holdings.node_ports) count(ports_, port, key, change);
}

void Allocations::see(const Change& change) {
  if (auto known = stored_.extract(change.key())) hold(known.key(), known.mapped(), -1);
  const auto after = change.object_after(services());
  if (!after) return;
  auto holdings = kube::holdings(*after);
  hold(change.key(), holdings, 1);
  stored_.emplace(change.key(), std::move(holdings));
}

void Allocations::lose_track() {
  for (const auto& [key, holdings] : stored_) hold(key, holdings, -1);
  stored_.clear();
  for (const auto& [key, version] : cache_->objects(services())) {
    if (version->text.empty()) continue;
    auto holdings = kube::holdings(object_of(services(), *version));
    hold(key, holdings, 1);
    stored_.emplace(key, std::move(holdings));
  }
}

void Allocations::Reservation::release() {
  allocations_->hold(key_, held_, -1);
  held_ = {};
}

void Allocations::Reservation::allocate(const std::string& key, json& service, const json* old) {
  release();
  key_ = key;
  Allocations& all = *allocations_;
  const kube::Taken taken{
      .address = [&](const boost::asio::ip::address& address) { return others_hold(all.addresses_, address, key); },
      .node_port = [&](std::uint16_t port,
                       const std::string& protocol) { return others_hold(all.ports_, Port(port, protocol), key); },
  };
  kube::allocate(service, old, all.ranges_, taken, [&all] { return all.random_(); });
  held_ = kube::holdings(service);
  all.hold(key_, held_, 1);
}

}  // namespace knetsim::apiserver
