#include "knetsim/flannel/config.h"

#include <fmt/format.h>
#include <net/if.h>
#include <strings.h>

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>

#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"
#include "stored_json.h"
#include "uint128.h"

namespace knetsim::flannel {

namespace {

using nlohmann::json;

// Go's decoder prefers the exact key, but takes it in any case.
const json* find(const json& object, const std::string& key) {
  if (const auto exact = object.find(key); exact != object.end()) return exact->is_null() ? nullptr : &*exact;
  for (const auto& item : object.items()) {
    if (strcasecmp(item.key().c_str(), key.c_str()) == 0) return item.value().is_null() ? nullptr : &item.value();
  }
  return nullptr;
}

json parse_document(std::string_view text) try {
  // Go's decoder doesn't know it.
  if (text.starts_with("\xef\xbb\xbf")) throw InputError("line 1, column 1: it begins with a byte order mark");
  return parse_json(text, kStoredJson);
} catch (const InputError& error) {
  throw InputError(fmt::format("the flannel config isn't JSON: {}", error.what()));
}

InputError wrong_type(const std::string& key, const std::string& expected, const json& value) {
  return InputError(fmt::format("{} must be {}, but is {}", key, expected, json_excerpt(value, kLongestExcerpt)));
}

bool read_bool(const json& object, const std::string& key, bool otherwise) {
  const auto* value = find(object, key);
  if (!value) return otherwise;
  if (!value->is_boolean()) throw wrong_type(key, "true or false", *value);
  return value->get<bool>();
}

unsigned read_number(const json& object, const std::string& key, unsigned otherwise, unsigned max) {
  const auto* value = find(object, key);
  if (!value) return otherwise;
  if (!value->is_number_unsigned() || value->get<std::uint64_t>() > max)
    throw wrong_type(key, fmt::format("a whole number from 0 to {}", max), *value);
  return value->get<unsigned>();
}

std::optional<std::string> read_string(const json& object, const std::string& key) {
  const auto* value = find(object, key);
  if (!value) return std::nullopt;
  if (!value->is_string()) throw wrong_type(key, "a string", *value);
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() > kLongestExcerpt) throw wrong_type(key, "an address or a name", *value);
  return text;
}

/// What differs between the families in flannel's rules.
struct Rules {
  bool v6;
  std::string prefix;  ///< of the keys
  unsigned bits;
  unsigned max_subnet_length;  ///< leaves room for a tunnel and a bridge on each host
  unsigned default_length;
  const char* example;
};

const Rules kV4{false, "", 32, 30, 24, "10.5.0.0/16"};
const Rules kV6{true, "IPv6", 128, 126, 64, "fd00:5::/48"};

unsigned read_subnet_length(const json& object, const Rules& rules, const Network& network) {
  const auto key = rules.prefix + "SubnetLen";
  const auto length = read_number(object, key, 0, rules.bits);
  const auto network_length = prefix_length(network);
  if (length > 0) {
    if (length > rules.max_subnet_length)
      throw InputError(
          fmt::format("SubnetLen must be less than /{}, but {} is {}", rules.max_subnet_length + 1, key, length));
    if (length < network_length + 2)
      throw InputError(
          fmt::format("network must be able to accommodate at least four subnets; {0}Network {1} and {0}SubnetLen "
                      "{2} leave fewer: choose a {0}SubnetLen of at least {3}",
                      rules.prefix, to_string(network), length, network_length + 2));
    return length;
  }
  if (network_length > rules.max_subnet_length - 2)
    throw InputError(fmt::format("{}network is too small. Minimum useful network prefix is /{}, but it is {}",
                                 rules.v6 ? "IPv6 " : "", rules.max_subnet_length - 2, to_string(network)));
  return network_length + 2 <= rules.default_length ? rules.default_length : network_length + 2;
}

Address read_bound(const json& object, const Rules& rules, const std::string& name, const SubnetRange& range,
                   const Address& otherwise) {
  const auto key = rules.prefix + name;
  const auto text = read_string(object, key);
  if (!text) return otherwise;
  Address bound;
  try {
    bound = parse_address(*text);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", key, error.what()));
  }
  if (bound.is_unspecified()) return otherwise;
  if (!contains(range.network, bound))
    throw InputError(fmt::format("{} is not in the range of the {}Network: {} is outside {}", key, rules.prefix,
                                 bound.to_string(), to_string(range.network)));
  if (to_number(bound) % size_of(range.subnet_length, rules.v6) != 0)
    throw InputError(fmt::format("{} is not on a SubnetLen boundary: {} isn't the first address of a /{}", key,
                                 bound.to_string(), range.subnet_length));
  return bound;
}

SubnetRange read_range(const json& object, const Rules& rules) {
  const auto key = rules.prefix + "Network";
  const auto text = read_string(object, key);
  const auto refuse = [&](const std::string& why) {
    return InputError(
        fmt::format("please define a correct {} parameter in the flannel config: {}; write it like \"{}\": \"{}\"", key,
                    why, key, rules.example));
  };
  if (!text || text->empty()) throw refuse("there is none");
  Network network;
  try {
    network = canonical(parse_network(*text));
  } catch (const InputError& error) {
    throw refuse(error.what());
  }
  if (is_v6(network) != rules.v6) throw refuse(fmt::format("{} is of the other address family", *text));
  if (prefix_length(network) == 0) throw refuse(fmt::format("{} is the whole address space", *text));

  SubnetRange range{network, read_subnet_length(object, rules, network), {}, {}};
  const auto first = to_number(address_of(network));
  const auto step = size_of(range.subnet_length, rules.v6);
  const auto end = first + (size_of(prefix_length(network), rules.v6) - 1);
  // The first subnet stays unused: its base address is that of the whole network.
  range.min = read_bound(object, rules, "SubnetMin", range, to_address(first + step, rules.v6));
  range.max = read_bound(object, rules, "SubnetMax", range, to_address(end - (step - 1), rules.v6));
  if (range.max < range.min)
    throw InputError(fmt::format("{0}SubnetMin {1} is greater than {0}SubnetMax {2}; swap them", rules.prefix,
                                 range.min.to_string(), range.max.to_string()));
  return range;
}

BackendType read_backend_type(const json& backend) {
  const auto type = read_string(backend, "Type").value_or("");
  for (const auto known : {BackendType::vxlan, BackendType::host_gw, BackendType::alloc}) {
    if (strcasecmp(type.c_str(), to_string(known).c_str()) == 0) return known;
  }
  throw BackendError(
      fmt::format("unknown backend type: Backend.Type {} is unknown or unsupported; choose vxlan, host-gw or alloc",
                  json_excerpt(type)));
}

void read_vxlan(const json& backend, BackendConfig& config) {
  config.vni = read_number(backend, "VNI", 1, (1U << 24) - 1);
  config.port = static_cast<std::uint16_t>(read_number(backend, "Port", 0, std::numeric_limits<std::uint16_t>::max()));
  config.mtu = read_number(backend, "MTU", 0, std::numeric_limits<std::uint16_t>::max());
  config.gbp = read_bool(backend, "GBP", false);
  config.learning = read_bool(backend, "Learning", false);
  config.direct_routing = read_bool(backend, "DirectRouting", false);
}

BackendConfig read_backend(const json& object, bool v6) {
  const auto* backend = find(object, "Backend");
  if (!backend)
    throw BackendError(
        "unknown backend type: there is no Backend, and udp, flannel's default, is unsupported; write \"Backend\": "
        "{\"Type\": \"vxlan\"}");
  if (!backend->is_object()) throw wrong_type("Backend", "an object like {\"Type\": \"vxlan\"}", *backend);
  BackendConfig config;
  config.type = read_backend_type(*backend);
  if (config.type != BackendType::vxlan) return config;
  try {
    read_vxlan(*backend, config);
  } catch (const InputError& error) {
    throw BackendError(error.what());
  }
  const auto name = vxlan_link_name(config.vni, v6);
  if (name.size() >= IFNAMSIZ)
    throw BackendError(
        fmt::format("VNI {} makes the link name {}, which is longer than {} characters; choose a smaller one",
                    config.vni, name, IFNAMSIZ - 1));
  return config;
}

void find_unknown(const json& object, const std::string& prefix, std::initializer_list<const char*> known,
                  std::vector<std::string>& unknown) {
  constexpr std::size_t kNamed = 10;
  for (const auto& [key, value] : object.items()) {
    const auto same = [&, &name = key](const char* one) { return strcasecmp(one, name.c_str()) == 0; };
    if (unknown.size() < kNamed && std::none_of(known.begin(), known.end(), same))
      unknown.push_back(prefix + key.substr(0, kLongestExcerpt));
  }
}

std::vector<std::string> unknown_keys_of(const json& object) {
  std::vector<std::string> unknown;
  find_unknown(object, "",
               {"EnableIPv4", "EnableIPv6", "EnableNFTables", "Network", "IPv6Network", "SubnetMin", "SubnetMax",
                "SubnetLen", "IPv6SubnetMin", "IPv6SubnetMax", "IPv6SubnetLen", "Backend"},
               unknown);
  if (const auto* backend = find(object, "Backend"); backend != nullptr && backend->is_object())
    find_unknown(*backend, "Backend.", {"Type", "VNI", "Port", "MTU", "GBP", "Learning", "DirectRouting"}, unknown);
  return unknown;
}

}  // namespace

std::string to_string(BackendType type) {
  switch (type) {
    case BackendType::vxlan:
      return "vxlan";
    case BackendType::host_gw:
      return "host-gw";
    case BackendType::alloc:
      return "alloc";
  }
  return "unknown";
}

std::string vxlan_link_name(std::uint32_t vni, bool v6) { return fmt::format("flannel{}.{}", v6 ? "-v6" : "", vni); }

Config parse_config(std::string_view text) {
  const auto object = parse_document(text);
  if (!object.is_object())
    throw InputError(
        fmt::format("the flannel config isn't a JSON object, but {}", json_excerpt(object, kLongestExcerpt)));

  const bool v4 = read_bool(object, "EnableIPv4", true);
  const bool v6 = read_bool(object, "EnableIPv6", false);
  if (!v4 && !v6) throw BackendError("EnableIPv4 and EnableIPv6 are both false; enable at least one");
  Config config;
  if (v4) config.v4 = read_range(object, kV4);
  if (v6) config.v6 = read_range(object, kV6);
  config.nftables = read_bool(object, "EnableNFTables", false);
  config.backend = read_backend(object, v6);
  config.unknown_keys = unknown_keys_of(object);
  return config;
}

}  // namespace knetsim::flannel
