#include "proxier.h"

#include <netinet/in.h>

#include <algorithm>
#include <chrono>

namespace knetsim::kubeproxy {

using nlohmann::json;

Proxier::Proxier(const NetNs& netns, NodeFacts node, Find service, Find slice, Complain complain)
    : netns_(&netns),
      node_(std::move(node)),
      service_(std::move(service)),
      slice_(std::move(slice)),
      complain_(std::move(complain)) {
  make_programs();
}

void Proxier::make_programs() {
  programs_.clear();
  for (const auto family : {nft::Family::ip, nft::Family::ip6})
    programs_.try_emplace(family, *netns_, services_layout(family, node_));
  doubtful_ = true;
}

void Proxier::service_changed(const std::string& key) {
  services_.insert(key);
  dirty_.insert(key);
}

void Proxier::slice_changed(const std::string& key, const json* before, const json* now) {
  const auto old = before == nullptr ? std::string() : service_of_slice(*before);
  const auto next = now == nullptr ? std::string() : service_of_slice(*now);
  if (!old.empty() && old != next) {
    auto& slices = slices_[old];
    slices.erase(key);
    if (slices.empty()) slices_.erase(old);
    dirty_.insert(old);
  }
  if (next.empty()) return;
  slices_[next].insert(key);
  dirty_.insert(next);
}

void Proxier::set_node(const NodeFacts& node) {
  if (node == node_) return;
  node_ = node;
  // Their rules may be others now. What stands is adopted, and written anew where it differs.
  make_programs();
  all_dirty_ = true;
}

void Proxier::doubt() noexcept {
  doubtful_ = true;
  for (auto& [family, program] : programs_) program.doubt();
}

void Proxier::look_at(const std::string& key) {
  const auto* object = service_(key);
  if (object == nullptr) services_.erase(key);
  const auto spec = object == nullptr ? std::nullopt : read_service(*object, complain_);
  Backends backends;
  if (const auto slices = slices_.find(key); spec && slices != slices_.end())
    for (const auto& slice : slices->second)
      if (const auto* found = slice_(slice)) add_slice(backends, *found, complain_);
  for (auto& [family, program] : programs_)
    program.ledger().set(key, spec ? service_entries(*spec, backends, node_, family, complain_) : Desired{});

  auto destinations = spec ? udp_destinations(*spec, backends, node_) : Destinations{};
  const auto before = udp_.find(key);
  if (before != udp_.end())
    for (const auto& [destination, serving] : before->second)
      if (const auto now = destinations.find(destination); now == destinations.end()) changed_[destination] = {};
  for (const auto& [destination, serving] : destinations) {
    const auto* old = before == udp_.end() ? nullptr : &before->second;
    if (old == nullptr || !old->contains(destination) || old->at(destination) != serving)
      changed_[destination] = serving;
  }
  if (destinations.empty())
    udp_.erase(key);
  else
    udp_[key] = std::move(destinations);

  const auto local = spec ? local_ready(backends, node_) : 0;
  if (spec && spec->health_check_node_port != 0)
    health_checks_[key] = {.port = spec->health_check_node_port, .endpoints = local};
  else
    health_checks_.erase(key);
  if (spec && local == 0 && !backends.empty() && (spec->internal_local || spec->external_local))
    without_local_[key] = {spec->internal_local, spec->external_local};
  else
    without_local_.erase(key);
}

std::size_t Proxier::without_local(bool external) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      without_local_, [external](const auto& one) { return external ? one.second.second : one.second.first; }));
}

Synced Proxier::sync() {
  Synced synced;
  synced.whole = all_dirty_ || doubtful_;
  if (all_dirty_) dirty_.insert(services_.begin(), services_.end());
  for (const auto& key : dirty_) look_at(key);
  for (auto& [family, program] : programs_) {
    const auto written = program.write();
    synced.written.batches += written.batches;
    synced.written.entries += written.entries;
    synced.written.whole = synced.written.whole || written.whole;
    synced.written.looked = synced.written.looked || written.looked;
  }
  // While rules were missing, flows began that none has directed.
  if (synced.written.looked && synced.written.batches != 0)
    for (const auto& [key, destinations] : udp_) changed_.insert(destinations.begin(), destinations.end());
  dirty_.clear();
  all_dirty_ = false;
  doubtful_ = false;
  if (changed_.empty()) return synced;
  const auto begin = std::chrono::steady_clock::now();
  // Not before the rules are acknowledged: until then packets bring wrong entries back.
  synced.forgotten = forget(changed_);
  changed_.clear();
  synced.reconciled = true;
  synced.reconcile_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return synced;
}

std::size_t Proxier::forget(const Destinations& changed) {
  if (!conntrack_) conntrack_.emplace(*netns_, "kube-proxy");
  if (conntrack_->count() == 0) return 0;
  netlink::FlowFilter filter{.protocol = IPPROTO_UDP};
  if (changed.size() == 1) {
    filter.original_destination = changed.begin()->first.first;
    filter.original_destination_port = changed.begin()->first.second;
  }
  return conntrack_->remove(filter, [&](const netlink::Flow& flow) {
    const auto service = changed.find({flow.original.destination, flow.original.destination_port});
    return service != changed.end() && !service->second.contains({flow.reply.source, flow.reply.source_port});
  });
}

void Proxier::clean_up(const NetNs& netns) {
  nft::Batch batch;
  for (const auto family : {nft::Family::ip, nft::Family::ip6})
    batch.ensure_absent({.family = family, .name = kTableName});
  batch.commit(netns);
}

}  // namespace knetsim::kubeproxy
