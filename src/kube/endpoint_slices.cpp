#include "knetsim/kube/endpoint_slices.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "knetsim/kube/access.h"
#include "knetsim/kube/kinds.h"
#include "knetsim/kube/selector.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

constexpr auto kHeadlessLabel = "service.kubernetes.io/headless";
constexpr auto kTriggerAnnotation = "endpoints.kubernetes.io/last-change-trigger-time";

bool has_headless_address(const json& service) { return text_at(service, "spec", "clusterIP") == "None"; }

bool is_ready(const json& pod) {
  for (const auto& condition : list_at(pod, "status", "conditions"))
    if (text_at(condition, "type") == "Ready") return text_at(condition, "status") == "True";
  return false;
}

bool is_ending(const json& pod) { return member(pod, "metadata", "deletionTimestamp").is_string(); }

bool is_over(const json& pod) {
  const auto& phase = text_at(pod, "status", "phase");
  return phase == "Failed" || phase == "Succeeded";
}

/// Addresses of a pod in one family.
std::optional<std::string> address_of(const json& pod, std::string_view family) {
  auto addresses = list_at(pod, "status", "podIPs");
  if (addresses.empty() && !text_at(pod, "status", "podIP").empty())
    addresses = json::array({{{"ip", text_at(pod, "status", "podIP")}}});
  for (const auto& each : addresses) {
    const auto& address = text_at(each, "ip");
    if (!address.empty() && (address.find(':') != std::string::npos) == (family == "IPv6")) return address;
  }
  return std::nullopt;
}

/// The number of a service's port at a pod; nullopt if the pod has no container port of that name.
std::optional<std::int64_t> target_port(const json& port, const json& pod) {
  const auto& target = member(port, "targetPort");
  if (target.is_number()) return number_in(target);
  const auto& name = text_in(target);
  if (name.empty()) return number_at(port, "port");
  for (const auto* const list : {"containers", "initContainers"}) {
    for (const auto& container : list_at(pod, "spec", list)) {
      if (list == std::string_view("initContainers") && text_at(container, "restartPolicy") != "Always") continue;
      for (const auto& each : list_at(container, "ports")) {
        if (text_at(each, "name") == name && text_at(each, "protocol") == text_at(port, "protocol"))
          return number_at(each, "containerPort");
      }
    }
  }
  return std::nullopt;
}

json ports_at(const json& service, const json& pod) {
  auto ports = json::array();
  for (const auto& port : list_at(service, "spec", "ports")) {
    const auto number = target_port(port, pod);
    if (!number) continue;
    json each{{"name", text_at(port, "name")}, {"port", *number}, {"protocol", text_at(port, "protocol")}};
    if (const auto& protocol = text_at(port, "appProtocol"); !protocol.empty()) each["appProtocol"] = protocol;
    ports.push_back(std::move(each));
  }
  return ports;
}

std::string zone_of(const SliceInput& input, const std::string& node) {
  if (node.empty()) return {};
  for (const auto& each : input.nodes)
    if (name_of(each) == node) return text_at(each, "metadata", "labels", kZoneLabel);
  return {};
}

json target_of_pod(const json& pod) {
  return {{"kind", "Pod"},
          {"namespace", namespace_of(pod)},
          {"name", name_of(pod)},
          {"uid", text_at(pod, "metadata", "uid")}};
}

json endpoint_of(const SliceInput& input, const json& pod, const std::string& address) {
  const bool serving = is_ready(pod);
  const bool ending = is_ending(pod);
  const bool ready = bool_at(input.service, "spec", "publishNotReadyAddresses") || (serving && !ending);
  json endpoint{{"addresses", json::array({address})},
                {"conditions", {{"ready", ready}, {"serving", serving}, {"terminating", ending}}},
                {"targetRef", target_of_pod(pod)}};
  const auto& node = text_at(pod, "spec", "nodeName");
  if (!node.empty()) endpoint["nodeName"] = node;
  if (const auto zone = zone_of(input, node); !zone.empty()) endpoint["zone"] = zone;
  const auto& hostname = text_at(pod, "spec", "hostname");
  if (!hostname.empty() && text_at(pod, "spec", "subdomain") == name_of(input.service)) endpoint["hostname"] = hostname;
  return endpoint;
}

/// Each endpoint is for where it is itself, by that field, unless one has none.
void hint_at_own(const char* field, const char* hint, std::vector<json>& endpoints) {
  const auto usable = [](const json& endpoint) { return bool_at(endpoint, "conditions", "ready"); };
  for (const auto& endpoint : endpoints)
    if (usable(endpoint) && text_at(endpoint, field).empty()) return;
  for (auto& endpoint : endpoints)
    if (usable(endpoint)) endpoint["hints"][hint] = json::array({{{"name", endpoint[field]}}});
}

void add_hints(const json& service, std::vector<json>& endpoints) {
  const auto& distribution = text_at(service, "spec", "trafficDistribution");
  if (distribution.empty()) return;
  hint_at_own("zone", "forZones", endpoints);
  if (distribution == "PreferSameNode") hint_at_own("nodeName", "forNodes", endpoints);
}

json labels_of(const json& service) {
  json labels = json::object();
  if (const auto& own = member(service, "metadata", "labels"); own.is_object())
    for (const auto& [key, value] : own.items())
      if (key != kServiceNameLabel && key != kManagedByLabel && key != kHeadlessLabel) labels[key] = value;
  if (has_headless_address(service)) labels[kHeadlessLabel] = "";
  labels[kServiceNameLabel] = name_of(service);
  labels[kManagedByLabel] = kSliceManager;
  return labels;
}

json new_slice(const SliceInput& input, const std::string& family, const json& ports) {
  const auto& service = input.service;
  json owner{{"apiVersion", "v1"},       {"kind", "Service"},
             {"name", name_of(service)}, {"uid", text_at(service, "metadata", "uid")},
             {"controller", true},       {"blockOwnerDeletion", true}};
  return {{"apiVersion", "discovery.k8s.io/v1"},
          {"kind", "EndpointSlice"},
          {"metadata",
           {{"generateName", name_of(service) + "-"},
            {"namespace", namespace_of(service)},
            {"labels", labels_of(service)},
            {"ownerReferences", json::array({std::move(owner)})}}},
          {"addressType", family},
          {"endpoints", json::array()},
          {"ports", ports}};
}

/// Ports without their order, so that they can be compared.
std::string port_key(const json& ports) {
  std::vector<std::string> all;
  for (const auto& port : list_in(ports)) {
    all.push_back(fmt::format("{}|{}|{}|{}", text_at(port, "name"), text_at(port, "protocol"), number_at(port, "port"),
                              text_at(port, "appProtocol")));
  }
  std::ranges::sort(all);
  std::string key;
  for (const auto& each : all) key += each + ";";
  return key;
}

/// Endpoints that belong into the same slices.
struct SliceGroup {
  json ports;
  std::vector<json> endpoints;
};

/// What of a slice counts as a change.
bool is_same_slice(const json& a, const json& b) {
  return list_at(a, "endpoints") == list_at(b, "endpoints") &&
         port_key(member(a, "ports")) == port_key(member(b, "ports")) &&
         member(a, "metadata", "labels") == member(b, "metadata", "labels");
}

std::string identity_of(const json& endpoint) {
  return text_at(endpoint, "targetRef", "uid") + "|" +
         text_in(list_at(endpoint, "addresses").empty() ? null_json() : endpoint["addresses"][0]);
}

/// Writes one family's changes: endpoints stay in the slices where they are, new ones go where there is room.
class FamilyChanges {
 public:
  FamilyChanges(const SliceInput& input, std::string family, SliceChanges& changes)
      : input_(input), family_(std::move(family)), changes_(changes) {}

  void reconcile(std::map<std::string, SliceGroup> groups) {
    std::map<std::string, std::vector<const json*>> existing;
    for (const auto& slice : input_.existing) {
      if (text_at(slice, "addressType") == family_) existing[port_key(member(slice, "ports"))].push_back(&slice);
    }
    // Without endpoints one empty slice says that there are none.
    if (groups.empty()) groups[""] = {.ports = json::array(), .endpoints = {}};
    for (auto& [key, group] : groups) {
      add_hints(input_.service, group.endpoints);
      reconcile_group(group, existing[key]);
      existing.erase(key);
    }
    for (const auto& [key, slices] : existing)
      for (const auto* slice : slices) changes_.remove.push_back(name_of(*slice));
  }

 private:
  void reconcile_group(const SliceGroup& group, const std::vector<const json*>& slices) {
    std::map<std::string, const json*> wanted;
    for (const auto& endpoint : group.endpoints) wanted[identity_of(endpoint)] = &endpoint;
    std::vector<json> results;
    for (const auto* slice : slices) {
      auto kept = json::array();
      for (const auto& endpoint : list_at(*slice, "endpoints")) {
        const auto found = wanted.find(identity_of(endpoint));
        if (found == wanted.end()) continue;
        kept.push_back(*found->second);
        wanted.erase(found);
      }
      auto result = *slice;
      result["endpoints"] = std::move(kept);
      result["metadata"]["labels"] = labels_of(input_.service);
      results.push_back(std::move(result));
    }
    // In the order of the pods, not of their identities.
    std::vector<json> left;
    for (const auto& endpoint : group.endpoints)
      if (wanted.contains(identity_of(endpoint))) left.push_back(endpoint);
    auto next = left.begin();
    for (auto& result : results)
      while (next != left.end() && result["endpoints"].size() < input_.largest)
        result["endpoints"].push_back(std::move(*next++));
    write_existing(slices, std::move(results), next != left.end());
    while (next != left.end()) {
      auto slice = new_slice(input_, family_, group.ports);
      while (next != left.end() && slice["endpoints"].size() < input_.largest)
        slice["endpoints"].push_back(std::move(*next++));
      create(std::move(slice));
    }
    if (group.endpoints.empty() && slices.empty()) create(new_slice(input_, family_, group.ports));
  }

  /// Empty ones go, but for the last.
  void write_existing(const std::vector<const json*>& slices, std::vector<json> results, bool more) {
    std::size_t left = results.size() + (more ? 1 : 0);
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (results[i]["endpoints"].empty() && left > 1) {
        changes_.remove.push_back(name_of(*slices[i]));
        --left;
      } else if (!is_same_slice(results[i], *slices[i])) {
        results[i]["metadata"]["annotations"][kTriggerAnnotation] = timestamp(input_.now);
        changes_.update.push_back(std::move(results[i]));
      }
    }
  }

  void create(json slice) {
    slice["metadata"]["annotations"][kTriggerAnnotation] = timestamp(input_.now);
    changes_.create.push_back(std::move(slice));
  }

  const SliceInput& input_;
  std::string family_;
  SliceChanges& changes_;
};

std::vector<std::string> address_families(const json& service) {
  std::vector<std::string> families;
  for (const auto& family : list_at(service, "spec", "ipFamilies")) families.push_back(text_in(family));
  if (families.empty()) families.emplace_back("IPv4");
  return families;
}

bool has_selector(const json& service) {
  const auto& selector = member(service, "spec", "selector");
  return selector.is_object() && !selector.empty() && text_at(service, "spec", "type") != "ExternalName";
}

}  // namespace

SliceChanges slice_changes(const SliceInput& input) {
  SliceChanges changes;
  if (!has_selector(input.service)) return changes;
  const auto selector = LabelSelector::of_map(member(input.service, "spec", "selector"));
  for (const auto& family : address_families(input.service)) {
    std::map<std::string, SliceGroup> groups;
    for (const auto& pod : input.pods) {
      const auto address = address_of(pod, family);
      if (is_over(pod) || !address || !selector.matches(pod)) continue;
      auto ports = ports_at(input.service, pod);
      // A named port that the pod doesn't have.
      if (ports.empty() && !list_at(input.service, "spec", "ports").empty()) continue;
      auto& group = groups[port_key(ports)];
      group.ports = std::move(ports);
      group.endpoints.push_back(endpoint_of(input, pod, *address));
    }
    FamilyChanges(input, family, changes).reconcile(std::move(groups));
  }
  return changes;
}

json endpoints_of(const json& service, std::span<const json> pods) {
  const auto selector = LabelSelector::of_map(member(service, "spec", "selector"));
  const auto family = address_families(service).front();
  const bool publish = bool_at(service, "spec", "publishNotReadyAddresses");
  std::map<std::string, json> subsets;
  for (const auto& pod : pods) {
    const auto address = address_of(pod, family);
    if (!has_selector(service) || is_over(pod) || !address || !selector.matches(pod) || (is_ending(pod) && !publish))
      continue;
    const auto ports = ports_at(service, pod);
    if (ports.empty() && !list_at(service, "spec", "ports").empty()) continue;
    json entry{{"ip", *address}, {"targetRef", target_of_pod(pod)}};
    if (const auto& node = text_at(pod, "spec", "nodeName"); !node.empty()) entry["nodeName"] = node;
    const auto& hostname = text_at(pod, "spec", "hostname");
    if (!hostname.empty() && text_at(pod, "spec", "subdomain") == name_of(service)) entry["hostname"] = hostname;
    auto& subset = subsets[port_key(ports)];
    subset[publish || is_ready(pod) ? "addresses" : "notReadyAddresses"].push_back(std::move(entry));
    if (ports.empty() || subset.contains("ports")) continue;
    subset["ports"] = ports;
    for (auto& port : subset["ports"])
      if (text_at(port, "name").empty()) port.erase("name");
  }
  json labels =
      member(service, "metadata", "labels").is_object() ? member(service, "metadata", "labels") : json::object();
  if (has_headless_address(service)) labels[kHeadlessLabel] = "";
  json endpoints{{"apiVersion", "v1"},
                 {"kind", "Endpoints"},
                 {"metadata", {{"name", name_of(service)}, {"namespace", namespace_of(service)}}}};
  if (!labels.empty()) endpoints["metadata"]["labels"] = std::move(labels);
  for (auto& [key, subset] : subsets) endpoints["subsets"].push_back(std::move(subset));
  return endpoints;
}

}  // namespace knetsim::kube
