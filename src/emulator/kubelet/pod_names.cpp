#include "pod_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "knetsim/kube/access.h"

namespace knetsim::kubelet {

using nlohmann::json;

bool is_a_name(const std::string& name) {
  return !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.';
  });
}

std::string path_of(const std::string& ns, const std::string& plural, const std::string& name) {
  return fmt::format("/api/v1/namespaces/{}/{}/{}", ns, plural, name);
}

std::set<std::string> references_of(const json& pod, const json& container) {
  const auto& ns = kube::namespace_of(pod);
  std::set<std::string> paths;
  const auto add = [&](const char* plural, const json& reference) {
    if (is_a_name(kube::text_at(reference, "name")))
      paths.insert(path_of(ns, plural, kube::text_at(reference, "name")));
  };
  for (const auto& from : kube::list_at(container, "envFrom")) {
    add("configmaps", kube::member(from, "configMapRef"));
    add("secrets", kube::member(from, "secretRef"));
  }
  for (const auto& variable : kube::list_at(container, "env")) {
    add("configmaps", kube::member(variable, "valueFrom", "configMapKeyRef"));
    add("secrets", kube::member(variable, "valueFrom", "secretKeyRef"));
  }
  paths.insert(kKubernetes);
  if (kube::bool_at(pod, "spec", "enableServiceLinks")) paths.insert(fmt::format("/api/v1/namespaces/{}/services", ns));
  return paths;
}

std::string container_name(const json& pod) {
  const auto& ns = kube::namespace_of(pod);
  return ns == "default" ? kube::name_of(pod) : fmt::format("{}.{}", kube::name_of(pod), ns);
}

std::string hostname_of(const json& pod) {
  constexpr std::size_t kLongest = 63;
  const auto& wanted = kube::text_at(pod, "spec", "hostname");
  auto name = (wanted.empty() ? kube::name_of(pod) : wanted).substr(0, kLongest);
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  return name;
}

}  // namespace knetsim::kubelet
