#include <fmt/format.h>

#include "knetsim/kube/access.h"
#include "knetsim/sys/base64.h"
#include "names.h"
#include "rules.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kLargestData = 1024 * 1024;

void validate_keys(const json& map, const std::string& at, FieldErrors& errors) {
  if (!map.is_object()) return;
  for (const auto& [key, value] : map.items()) {
    const auto problem = config_key_problem(key);
    if (!problem.empty()) errors.invalid(fmt::format("{}[{}]", at, key), key, problem);
  }
}

std::size_t bytes_of(const json& map) {
  std::size_t bytes = 0;
  if (map.is_object())
    for (const auto& [key, value] : map.items()) bytes += text_in(value).size();
  return bytes;
}

void validate_immutable_data(const json& object, const json& old, std::initializer_list<const char*> keys,
                             FieldErrors& errors) {
  if (!bool_at(old, "immutable")) return;
  constexpr auto why = "field is immutable when `immutable` is set";
  if (!bool_at(object, "immutable")) errors.forbidden("immutable", why);
  for (const auto* const key : keys)
    if (member(object, key) != member(old, key)) errors.forbidden(key, why);
}

void validate_endpoint_address(const json& address, const std::string& at, FieldErrors& errors) {
  validate_address(member(address, "ip"), at + ".ip", errors);
  if (const auto& name = text_at(address, "hostname"); !name.empty() && !dns1123_label_problem(name).empty()) {
    errors.invalid(at + ".hostname", name, dns1123_label_problem(name));
  }
}

}  // namespace

void fill_in_namespace(json& object) { object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name_of(object); }

void begin_namespace(json& object) {
  auto& finalizers = object["spec"]["finalizers"];
  if (finalizers.is_null() || finalizers.empty()) finalizers = json::array({"kubernetes"});
  object["status"] = {{"phase", "Active"}};
}

/// Either of podCIDR and podCIDRs stands for both.
void fill_in_node(json& object) {
  auto& spec = object["spec"];
  const auto& first = text_at(spec, "podCIDR");
  const auto& all = list_at(spec, "podCIDRs");
  if (!first.empty() && all.empty()) {
    spec["podCIDRs"] = json::array({first});
  } else if (first.empty() && !all.empty()) {
    spec["podCIDR"] = all[0];
  }
}

void validate_node(const json& object, FieldErrors& errors) {
  const auto& taints = list_at(object, "spec", "taints");
  for (std::size_t i = 0; i < taints.size(); ++i) {
    const auto at = fmt::format("metadata.taints[{}]", i);
    const auto& key = text_at(taints[i], "key");
    if (const auto problem = qualified_name_problem(key); !problem.empty()) errors.invalid(at + ".key", key, problem);
    const auto& value = text_at(taints[i], "value");
    if (const auto problem = label_value_problem(value); !problem.empty())
      errors.invalid(at + ".value", value, problem);
    validate_choice(member(taints[i], "effect"), at + ".effect", {"NoSchedule", "PreferNoSchedule", "NoExecute"},
                    errors);
    for (std::size_t j = 0; j < i; ++j) {
      if (taints[j]["key"] == taints[i]["key"] && taints[j]["effect"] == taints[i]["effect"]) errors.duplicate(at, key);
    }
  }
  const auto& ranges = list_at(object, "spec", "podCIDRs");
  for (std::size_t i = 0; i < ranges.size(); ++i) validate_cidr(ranges[i], fmt::format("spec.podCIDRs[{}]", i), errors);
  const auto& addresses = list_at(object, "status", "addresses");
  for (std::size_t i = 0; i < addresses.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (addresses[i] == addresses[j]) errors.duplicate(fmt::format("status.addresses[{}]", i), addresses[i]);
}

void validate_node_change(const json& object, const json& old, FieldErrors& errors) {
  const auto& before = list_at(old, "spec", "podCIDRs");
  if (!before.empty() && list_at(object, "spec", "podCIDRs") != before) {
    errors.forbidden("spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid");
  }
  const auto& provider = text_at(old, "spec", "providerID");
  if (!provider.empty() && text_at(object, "spec", "providerID") != provider) {
    errors.forbidden("spec.providerID", "node updates may not change providerID except from \"\" to valid");
  }
}

void fill_in_endpoints(json& object) {
  if (!object.contains("subsets")) return;
  for (auto& subset : object["subsets"])
    if (subset.contains("ports"))
      for (auto& port : subset["ports"]) put_default(port, "protocol", "TCP");
}

void validate_endpoints(const json& object, FieldErrors& errors) {
  const auto& subsets = list_at(object, "subsets");
  for (std::size_t i = 0; i < subsets.size(); ++i) {
    const auto at = fmt::format("subsets[{}]", i);
    if (list_at(subsets[i], "addresses").empty() && list_at(subsets[i], "notReadyAddresses").empty()) {
      errors.required(at, "must specify `addresses` or `notReadyAddresses`");
    }
    for (const auto* const list : {"addresses", "notReadyAddresses"}) {
      const auto& addresses = list_at(subsets[i], list);
      for (std::size_t j = 0; j < addresses.size(); ++j)
        validate_endpoint_address(addresses[j], fmt::format("{}.{}[{}]", at, list, j), errors);
    }
    const auto& ports = list_at(subsets[i], "ports");
    for (std::size_t j = 0; j < ports.size(); ++j) {
      const auto place = fmt::format("{}.ports[{}]", at, j);
      const auto& name = text_at(ports[j], "name");
      if (name.empty() && ports.size() > 1) errors.required(place + ".name");
      if (!name.empty() && !dns1123_label_problem(name).empty())
        errors.invalid(place + ".name", name, dns1123_label_problem(name));
      validate_port_number(number_at(ports[j], "port"), place + ".port", errors);
      validate_choice(member(ports[j], "protocol"), place + ".protocol", {"SCTP", "TCP", "UDP"}, errors);
    }
  }
}

void validate_config_map(const json& object, FieldErrors& errors) {
  const auto& data = member(object, "data");
  const auto& binary = member(object, "binaryData");
  validate_keys(data, "data", errors);
  validate_keys(binary, "binaryData", errors);
  if (binary.is_object() && data.is_object())
    for (const auto& [key, value] : binary.items())
      if (data.contains(key))
        errors.invalid(fmt::format("data[{}]", key), key, "duplicate of key present in binaryData");
  if (bytes_of(data) + bytes_of(binary) > kLargestData) errors.too_long("", kLargestData);
}

void validate_config_map_change(const json& object, const json& old, FieldErrors& errors) {
  validate_immutable_data(object, old, {"data", "binaryData"}, errors);
}

void fill_in_secret(json& object) {
  put_default(object, "type", "Opaque");
  if (const auto texts = object.find("stringData"); texts != object.end()) {
    for (const auto& [key, value] : texts->items()) object["data"][key] = base64_encode(text_in(value));
    object.erase("stringData");
  }
}

void validate_secret(const json& object, FieldErrors& errors) {
  const auto& data = member(object, "data");
  validate_keys(data, "data", errors);
  if (bytes_of(data) > kLargestData * 4 / 3) errors.too_long("data", kLargestData);
  const auto require = [&](std::string_view type, std::string_view key) {
    if (text_at(object, "type") == type && member(data, key).is_null()) errors.required(fmt::format("data[{}]", key));
  };
  require("kubernetes.io/tls", "tls.crt");
  require("kubernetes.io/tls", "tls.key");
  require("kubernetes.io/dockerconfigjson", ".dockerconfigjson");
  require("kubernetes.io/ssh-auth", "ssh-privatekey");
}

void validate_secret_change(const json& object, const json& old, FieldErrors& errors) {
  validate_immutable(member(object, "type"), member(old, "type"), "type", errors);
  validate_immutable_data(object, old, {"data"}, errors);
}

void validate_event(const json& object, FieldErrors& errors) {
  const auto& involved = text_at(object, "involvedObject", "namespace");
  const auto& ns = namespace_of(object);
  if (involved.empty() ? ns != "default" && ns != "kube-system" : involved != ns) {
    errors.invalid("involvedObject.namespace", involved, "does not match event.namespace");
  }
}

void validate_lease(const json& object, FieldErrors& errors) {
  const auto& seconds = member(object, "spec", "leaseDurationSeconds");
  if (seconds.is_number() && number_in(seconds) <= 0) {
    errors.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
  }
  const auto& transitions = member(object, "spec", "leaseTransitions");
  if (transitions.is_number() && number_in(transitions) < 0) {
    errors.invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0");
  }
}

}  // namespace knetsim::kube
