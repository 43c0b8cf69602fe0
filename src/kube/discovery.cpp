#include "knetsim/kube/discovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "knetsim/kube/kinds.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

/// In the order of the table.
std::vector<std::string_view> groups() {
  std::vector<std::string_view> all;
  for (const auto& kind : kinds())
    if (!kind.group.empty() && std::ranges::find(all, kind.group) == all.end()) all.push_back(kind.group);
  return all;
}

std::vector<std::string_view> versions(std::string_view group) {
  std::vector<std::string_view> all;
  for (const auto& kind : kinds())
    if (kind.group == group && std::ranges::find(all, kind.version) == all.end()) all.push_back(kind.version);
  return all;
}

json group_entry(std::string_view group) {
  json entry{{"name", group}, {"versions", json::array()}};
  for (const auto version : versions(group))
    entry["versions"].push_back({{"groupVersion", fmt::format("{}/{}", group, version)}, {"version", version}});
  entry["preferredVersion"] = entry["versions"][0];
  return entry;
}

json legacy_resource(const Kind& kind) {
  json entry{{"name", kind.plural},
             {"singularName", kind.singular},
             {"namespaced", kind.namespaced},
             {"kind", kind.kind},
             {"verbs", kind.verbs}};
  if (!kind.short_names.empty()) entry["shortNames"] = kind.short_names;
  if (!kind.categories.empty()) entry["categories"] = kind.categories;
  return entry;
}

json legacy_subresource(const Kind& kind, const Subresource& sub) {
  json entry{{"name", fmt::format("{}/{}", kind.plural, sub.name)},
             {"singularName", ""},
             {"namespaced", kind.namespaced},
             {"kind", sub.kind},
             {"verbs", sub.verbs}};
  if (!sub.group.empty()) entry["group"] = sub.group;
  if (!sub.version.empty()) entry["version"] = sub.version;
  return entry;
}

json response_kind(std::string_view group, std::string_view version, std::string_view kind) {
  return {{"group", group}, {"version", version}, {"kind", kind}};
}

json aggregated_resource(const Kind& kind) {
  json entry{{"resource", kind.plural},
             {"responseKind", response_kind("", "", kind.kind)},
             {"scope", kind.namespaced ? "Namespaced" : "Cluster"},
             {"singularResource", kind.singular},
             {"verbs", kind.verbs}};
  if (!kind.short_names.empty()) entry["shortNames"] = kind.short_names;
  if (!kind.categories.empty()) entry["categories"] = kind.categories;
  for (const auto& sub : kind.subresources) {
    entry["subresources"].push_back({{"subresource", sub.name},
                                     {"responseKind", response_kind(sub.group, sub.version, sub.kind)},
                                     {"verbs", sub.verbs}});
  }
  return entry;
}

json aggregated_group(std::string_view group) {
  json entry{{"metadata", {{"creationTimestamp", nullptr}}}, {"versions", json::array()}};
  if (!group.empty()) entry["metadata"]["name"] = group;
  for (const auto version : versions(group)) {
    auto resources = json::array();
    for (const auto& kind : kinds())
      if (kind.group == group && kind.version == version) resources.push_back(aggregated_resource(kind));
    entry["versions"].push_back({{"version", version}, {"resources", std::move(resources)}, {"freshness", "Current"}});
  }
  return entry;
}

}  // namespace

json api_versions(std::string_view server_address) {
  return {
      {"kind", "APIVersions"},
      {"versions", {"v1"}},
      {"serverAddressByClientCIDRs", json::array({{{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", server_address}}})}};
}

json api_group_list() {
  json list{{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", json::array()}};
  for (const auto group : groups()) list["groups"].push_back(group_entry(group));
  return list;
}

std::optional<json> api_group(std::string_view group) {
  if (group.empty() || versions(group).empty()) return std::nullopt;
  auto entry = group_entry(group);
  entry["kind"] = "APIGroup";
  entry["apiVersion"] = "v1";
  return entry;
}

std::optional<json> api_resource_list(std::string_view group, std::string_view version) {
  if (!has_group_version(group, version)) return std::nullopt;
  json list{{"kind", "APIResourceList"}, {"resources", json::array()}};
  list["groupVersion"] = group.empty() ? std::string(version) : fmt::format("{}/{}", group, version);
  if (!group.empty()) list["apiVersion"] = "v1";  // upstream's core group goes without
  for (const auto& kind : kinds()) {
    if (kind.group != group || kind.version != version) continue;
    list["resources"].push_back(legacy_resource(kind));
    for (const auto& sub : kind.subresources) list["resources"].push_back(legacy_subresource(kind, sub));
  }
  return list;
}

json aggregated_discovery(bool core, std::string_view version) {
  json list{{"kind", "APIGroupDiscoveryList"},
            {"apiVersion", fmt::format("apidiscovery.k8s.io/{}", version)},
            {"metadata", json::object()},
            {"items", json::array()}};
  if (core) {
    list["items"].push_back(aggregated_group(""));
  } else {
    for (const auto group : groups()) list["items"].push_back(aggregated_group(group));
  }
  return list;
}

std::string aggregated_discovery_type(std::string_view version) {
  return fmt::format("application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList", version);
}

std::string etag(std::string_view text) { return fmt::format("\"{}\"", text_hash(text)); }

std::string text_hash(std::string_view text) {
  // FNV-1a, twice with other beginnings: it must only tell apart what this program serves.
  std::uint64_t one = 0xcbf29ce484222325;
  std::uint64_t two = 0x9e3779b97f4a7c15;
  for (const auto c : text) {
    one = (one ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    two = (two ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return fmt::format("{:016X}{:016X}", one, two);
}

}  // namespace knetsim::kube
