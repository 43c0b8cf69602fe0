#include "environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "knetsim/kube/access.h"
#include "knetsim/sys/base64.h"
#include "knetsim/sys/json.h"
#include "knetsim/sys/text.h"

namespace knetsim::kubelet {

using nlohmann::json;

namespace {

constexpr const char* kConfigError = "CreateContainerConfigError";

/// "shop-1" -> "SHOP_1"
std::string as_variable(std::string name) {
  for (auto& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

json object_for(const FindObject& find, const json& reference, const std::string& plural, std::string_view called) {
  const auto& name = kube::text_at(reference, "name");
  auto object = find(plural, name);
  if (object.is_null() && !kube::bool_at(reference, "optional"))
    throw NotYet(kConfigError, fmt::format("{} \"{}\" not found", called, name));
  return object;
}

struct Source {
  const char* reference;
  const char* plural;
  const char* called;
};
constexpr Source kKeys[] = {{"configMapKeyRef", "configmaps", "configmap"}, {"secretKeyRef", "secrets", "secret"}};
constexpr Source kWhole[] = {{"configMapRef", "configmaps", "configmap"}, {"secretRef", "secrets", "secret"}};

/// Nullopt: what it refers to isn't there, and is optional.
std::optional<std::string> value_from(const json& pod, const json& container, const json& from,
                                      const FindObject& find) {
  if (const auto& field = kube::member(from, "fieldRef"); !field.is_null())
    return field_of(pod, kube::text_at(field, "fieldPath"));
  if (const auto& resource = kube::member(from, "resourceFieldRef"); !resource.is_null())
    return resource_of(container, kube::text_at(resource, "resource"));
  for (const auto& [reference, plural, called] : kKeys) {
    const auto& key_of = kube::member(from, reference);
    if (key_of.is_null()) continue;
    const auto object = object_for(find, key_of, plural, called);
    const auto data = data_of(object);
    const auto& key = kube::text_at(key_of, "key");
    if (const auto found = data.find(key); found != data.end()) return found->second;
    if (kube::bool_at(key_of, "optional")) return std::nullopt;
    throw NotYet(kConfigError, fmt::format("couldn't find key {} in {} {}/{}", key, called, kube::namespace_of(object),
                                           kube::text_at(key_of, "name")));
  }
  throw NotYet(kConfigError, "this kind of valueFrom isn't offered: " + json_excerpt(from));
}

void add_all_of(const json& from, const FindObject& find, Environment& environment) {
  for (const auto& [reference, plural, called] : kWhole) {
    const auto& whole = kube::member(from, reference);
    if (whole.is_null()) continue;
    for (const auto& [key, value] : data_of(object_for(find, whole, plural, called)))
      if (key.find('=') == std::string::npos) environment[kube::text_at(from, "prefix") + key] = value;
  }
}

void add_service(const json& service, Environment& environment) {
  const auto& address = kube::text_at(service, "spec", "clusterIP");
  const auto& ports = kube::list_at(service, "spec", "ports");
  if (address.empty() || address == "None" || ports.empty()) return;
  const auto name = as_variable(kube::name_of(service));
  const auto host = address.find(':') == std::string::npos ? address : "[" + address + "]";
  environment[name + "_SERVICE_HOST"] = address;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto port = std::to_string(kube::number_at(ports[i], "port"));
    auto protocol = kube::text_at(ports[i], "protocol");
    if (protocol.empty()) protocol = "TCP";
    std::string lower = protocol;
    for (auto& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const auto url = fmt::format("{}://{}:{}", lower, host, port);
    if (i == 0) {
      environment[name + "_SERVICE_PORT"] = port;
      environment[name + "_PORT"] = url;
    }
    if (const auto& called = kube::text_at(ports[i], "name"); !called.empty())
      environment[name + "_SERVICE_PORT_" + as_variable(called)] = port;
    const auto prefix = fmt::format("{}_PORT_{}_{}", name, port, protocol);
    environment[prefix] = url;
    environment[prefix + "_PROTO"] = lower;
    environment[prefix + "_PORT"] = port;
    environment[prefix + "_ADDR"] = address;
  }
}

/// All of a pod's labels or annotations, as a file of the downward API has them.
std::string listed(const json& map) {
  std::string text;
  for (const auto& [key, value] : map.items()) {
    if (!text.empty()) text += "\n";
    text += key + "=" + json(value).dump();
  }
  return text;
}

}  // namespace

std::string expanded(std::string_view text, const Environment& environment) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '$' || at + 1 == text.size()) {
      result += text[at];
    } else if (text[at + 1] == '$') {
      result += '$';
      ++at;
    } else if (text[at + 1] == '(') {
      const auto end = text.find(')', at);
      if (end == std::string_view::npos) return result += text.substr(at);
      const auto known = environment.find(std::string(text.substr(at + 2, end - at - 2)));
      result += known != environment.end() ? std::string_view(known->second) : text.substr(at, end + 1 - at);
      at = end;
    } else {
      result += '$';
    }
  }
  return result;
}

Environment environment_of(const json& pod, const json& container, const Environment& services,
                           const FindObject& find) {
  auto environment = services;
  for (const auto& from : kube::list_at(container, "envFrom")) add_all_of(from, find, environment);
  for (const auto& variable : kube::list_at(container, "env")) {
    const auto& name = kube::text_at(variable, "name");
    if (const auto& from = kube::member(variable, "valueFrom"); from.is_null())
      environment[name] = expanded(kube::text_at(variable, "value"), environment);
    else if (auto value = value_from(pod, container, from, find))
      environment[name] = std::move(*value);
  }
  return environment;
}

std::string field_of(const json& pod, const std::string& path) {
  for (const auto* const map : {"labels", "annotations"}) {
    const auto prefix = fmt::format("metadata.{}", map);
    const auto& all = kube::member(pod, "metadata", map);
    if (path == prefix) return listed(all);
    if (path.starts_with(prefix + "['") && path.ends_with("']"))
      return kube::text_at(all, path.substr(prefix.size() + 2, path.size() - prefix.size() - 4));
  }
  if (path == "metadata.name" || path == "metadata.namespace" || path == "metadata.uid")
    return kube::text_at(pod, "metadata", path.substr(path.find('.') + 1));
  if (path == "spec.nodeName" || path == "spec.serviceAccountName")
    return kube::text_at(pod, "spec", path.substr(path.find('.') + 1));
  if (path == "status.podIP" || path == "status.hostIP") return kube::text_at(pod, "status", path.substr(7));
  if (path == "status.podIPs" || path == "status.hostIPs") {
    std::string text;
    for (const auto& one : kube::list_at(pod, "status", path.substr(7)))
      text += (text.empty() ? "" : ",") + kube::text_at(one, "ip");
    return text;
  }
  throw NotYet(kConfigError,
               fmt::format("fieldPath {} isn't offered: metadata.*, spec.nodeName, spec.serviceAccountName,"
                           " status.podIP(s) and status.hostIP(s) are",
                           excerpt(path)));
}

std::string resource_of(const json& container, const std::string& path) {
  const auto dot = path.find('.');
  const auto& value =
      kube::member(container, "resources", path.substr(0, dot), dot == std::string::npos ? "" : path.substr(dot + 1));
  return value.is_string() ? value.get<std::string>() : "0";
}

Environment service_variables(const std::vector<json>& services) {
  Environment environment;
  for (const auto& service : services) add_service(service, environment);
  return environment;
}

std::map<std::string, std::string> data_of(const json& object) {
  std::map<std::string, std::string> result;
  const bool secret = kube::text_at(object, "kind") == "Secret";
  for (const auto* const member : {"data", "binaryData"}) {
    const bool encoded = secret || std::string_view(member) == "binaryData";
    for (const auto& [key, value] : kube::member(object, member).items())
      if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        result[key] = encoded ? base64_decode(text).value_or("") : text;
      }
  }
  return result;
}

}  // namespace knetsim::kubelet
