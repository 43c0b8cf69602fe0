// EndpointSlices, and Endpoints for those who still read them, of Services with a selector.
#include "knetsim/kube/endpoint_slices.h"

#include "controller.h"
#include "knetsim/kube/access.h"

namespace knetsim::controllers {

namespace {

const kube::Kind& slices() {
  static const auto& kind = kube::must_be("endpointslices", "discovery.k8s.io");
  return kind;
}
const kube::Kind& endpoints() {
  static const auto& kind = kube::must_be("endpoints");
  return kind;
}

const json& selector_of(const json& service) { return kube::member(service, "spec", "selector"); }

bool is_ours(const json& slice, const std::string& service) {
  const auto& labels = kube::member(slice, "metadata", "labels");
  return kube::text_at(labels, kube::kServiceNameLabel) == service &&
         kube::text_at(labels, kube::kManagedByLabel) == kube::kSliceManager;
}

void services_that_select(const View& view, const json& pod, std::set<std::string>& keys) {
  for (const auto* service : view.in(services(), kube::namespace_of(pod)))
    if (selects(selector_of(*service), pod)) keys.insert(key_of(*service));
}

void endpoint_concerns(const View& view, const Change& change, std::set<std::string>& keys) {
  if (change.is(services())) keys.insert(key_of(change.either()));
  if (change.is(pods()))
    for (const auto* pod : {change.before, change.now})
      if (pod != nullptr) services_that_select(view, *pod, keys);
  // Somebody else's hand in what is ours. One without a Service belongs to whoever made it.
  if (change.is(endpoints()) && view.find(services(), key_of(change.either())) != nullptr)
    keys.insert(key_of(change.either()));
  if (change.is(slices())) {
    const auto& service = kube::text_at(change.either(), "metadata", "labels", kube::kServiceNameLabel);
    if (is_ours(change.either(), service)) keys.insert(kube::namespace_of(change.either()) + "/" + service);
  }
  if (change.is(nodes())) {
    const auto zone = [](const json* node) {
      return node == nullptr ? std::string() : kube::text_at(*node, "metadata", "labels", kube::kZoneLabel);
    };
    if (zone(change.before) != zone(change.now))
      for (const auto* service : view.in(services())) keys.insert(key_of(*service));
  }
}

/// What of an Endpoints object is the controller's.
bool is_same(const json& wanted, const json& there) {
  return kube::member(wanted, "subsets") == kube::member(there, "subsets") &&
         kube::member(wanted, "metadata", "labels") == kube::member(there, "metadata", "labels");
}

Decision decide_endpoints(const View& view, const std::string& key) {
  Decision decision;
  auto& writes = decision.writes;
  const auto* const service = view.find(services(), key);
  const auto* const there = view.find(endpoints(), key);
  if (service == nullptr) {
    // Slices go by their ownerReferences; Endpoints have none.
    if (there != nullptr) writes.push_back(remove(endpoints(), *there));
    return decision;
  }
  if (is_ending(*service) || selector_of(*service).empty()) return decision;
  const auto& ns = kube::namespace_of(*service);
  std::vector<json> members;
  for (const auto* pod : view.in(pods(), ns))
    if (selects(selector_of(*service), *pod)) members.push_back(*pod);
  std::vector<json> workers;
  for (const auto* node : view.in(nodes())) workers.push_back(*node);
  std::vector<json> existing;
  for (const auto* slice : view.in(slices(), ns))
    if (is_ours(*slice, kube::name_of(*service)) && !is_ending(*slice)) existing.push_back(*slice);
  auto changes = kube::slice_changes(
      {.service = *service, .pods = members, .nodes = workers, .existing = existing, .now = view.now});
  for (auto& slice : changes.create) writes.push_back(create(slices(), std::move(slice)));
  for (auto& slice : changes.update) writes.push_back(replace(slices(), std::move(slice)));
  for (const auto& name : changes.remove)
    for (const auto& slice : existing)
      if (kube::name_of(slice) == name) writes.push_back(remove(slices(), slice));
  if (kube::text_at(*service, "spec", "type") == "ExternalName") return decision;
  auto wanted = kube::endpoints_of(*service, members);
  if (there == nullptr) {
    writes.push_back(create(endpoints(), std::move(wanted)));
  } else if (!is_same(wanted, *there)) {
    auto changed = *there;
    changed["subsets"] = kube::member(wanted, "subsets");
    changed["metadata"]["labels"] = kube::member(wanted, "metadata", "labels");
    writes.push_back(replace(endpoints(), std::move(changed)));
  }
  return decision;
}

}  // namespace

const Controller kEndpointSlices{
    .name = "endpointslice-controller", .concerns = endpoint_concerns, .decide = decide_endpoints};

}  // namespace knetsim::controllers
