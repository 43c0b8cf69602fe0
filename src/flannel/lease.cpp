#include "knetsim/flannel/lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"
#include "stored_json.h"

namespace knetsim::flannel {

namespace {

using nlohmann::json;

// What flanneld writes in the place of an IPv4 subnet or address that there isn't.
constexpr const char* kNoSubnet = "0.0.0.0-0";
constexpr const char* kNoAddress = "0.0.0.0";

json parse_value(std::string_view text) try { return parse_json(text, kStoredJson); } catch (const InputError& error) {
  throw InputError(fmt::format("it isn't JSON: {}", error.what()));
}

/// A text that is then parsed, or comes in messages.
std::string read_text(const json& value, const char* key) {
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() > kLongestExcerpt)
    throw InputError(fmt::format("{} is too long: {}", key, json_excerpt(value, kLongestExcerpt)));
  return text;
}

std::string dashed(const Network& network) {
  return fmt::format("{}-{}", address_of(network).to_string(), prefix_length(network));
}

/// "10.5.52.0-24"; the last dash separates.
std::optional<Network> parse_dashed(std::string_view text, bool v6) {
  const auto dash = text.rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto digits = text.substr(dash + 1);
  unsigned length = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (code != std::errc{} || end != digits.data() + digits.size() || length > (v6 ? 128U : 32U)) return std::nullopt;
  std::string base(text.substr(0, dash));
  if (v6) std::replace(base.begin(), base.end(), '-', ':');
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(base, error);
  if (error || address.is_v6() != v6 || base.find('%') != std::string::npos) return std::nullopt;
  const auto network = make_network(address, length);
  if (canonical(network) != network) return std::nullopt;
  return network;
}

std::optional<Address> read_public_ip(const json& object, const char* key, bool v6) {
  const auto value = object.find(key);
  if (value == object.end() || value->is_null()) return std::nullopt;
  if (!value->is_string())
    throw InputError(fmt::format("{} isn't an address, but {}", key, json_excerpt(*value, kLongestExcerpt)));
  const auto address = parse_address(read_text(*value, key));
  if (address.is_unspecified()) return std::nullopt;
  if (address.is_v6() != v6) throw InputError(fmt::format("{} {} is of the other family", key, address.to_string()));
  return address;
}

std::optional<VtepData> read_vtep(const json& object, const char* key) {
  const auto value = object.find(key);
  if (value == object.end() || value->is_null()) return std::nullopt;
  VtepData data;
  const auto mac = value->is_object() ? value->find("VtepMAC") : value->end();
  if (mac == value->end() || !mac->is_string())
    throw InputError(fmt::format("{} {} has no VtepMAC", key, json_excerpt(*value, kLongestExcerpt)));
  data.mac = netlink::parse_mac(read_text(*mac, "VtepMAC"));
  // Old daemons write no VNI.
  if (const auto vni = value->find("VNI"); vni != value->end() && vni->is_number_unsigned()) vni->get_to(data.vni);
  return data;
}

nlohmann::ordered_json to_object(const VtepData& data) {
  return {{"VNI", data.vni}, {"VtepMAC", netlink::to_string(data.mac)}};
}

}  // namespace

std::string key_name(const LeaseSubnets& subnets) {
  auto name = subnets.v4 ? dashed(*subnets.v4) : std::string(kNoSubnet);
  if (subnets.v6) name += "&" + dashed(*subnets.v6);
  return name;
}

std::optional<LeaseSubnets> parse_key_name(std::string_view name) {
  LeaseSubnets subnets;
  const auto ampersand = name.find('&');
  if (ampersand != std::string_view::npos) {
    subnets.v6 = parse_dashed(name.substr(ampersand + 1), true);
    if (!subnets.v6) return std::nullopt;
  }
  const auto first = name.substr(0, ampersand);
  if (first != kNoSubnet) {
    subnets.v4 = parse_dashed(first, false);
    if (!subnets.v4) return std::nullopt;
  }
  if (!subnets.v4 && !subnets.v6) return std::nullopt;
  return subnets;
}

std::string to_string(const LeaseSubnets& subnets) {
  if (!subnets.v6) return subnets.v4 ? to_string(*subnets.v4) : "none";
  return (subnets.v4 ? to_string(*subnets.v4) + " " : "") + to_string(*subnets.v6);
}

std::string to_json(const LeaseAttributes& attributes) {
  nlohmann::ordered_json object;
  object["PublicIP"] = attributes.public_ip ? attributes.public_ip->to_string() : kNoAddress;
  object["PublicIPv6"] = nullptr;
  if (attributes.public_ipv6) object["PublicIPv6"] = attributes.public_ipv6->to_string();
  if (!attributes.backend_type.empty()) object["BackendType"] = attributes.backend_type;
  if (attributes.vtep) object["BackendData"] = to_object(*attributes.vtep);
  if (attributes.vtep_v6) object["BackendV6Data"] = to_object(*attributes.vtep_v6);
  return object.dump();
}

LeaseAttributes parse_lease_attributes(std::string_view text) {
  const auto object = parse_value(text);
  if (!object.is_object())
    throw InputError(fmt::format("it isn't a JSON object, but {}", json_excerpt(object, kLongestExcerpt)));
  LeaseAttributes attributes;
  attributes.public_ip = read_public_ip(object, "PublicIP", false);
  attributes.public_ipv6 = read_public_ip(object, "PublicIPv6", true);
  if (const auto type = object.find("BackendType"); type != object.end()) {
    if (!type->is_string())
      throw InputError(fmt::format("BackendType isn't a string, but {}", json_excerpt(*type, kLongestExcerpt)));
    attributes.backend_type = read_text(*type, "BackendType");
  }
  if (!attributes.public_ip && !attributes.public_ipv6)
    throw InputError(fmt::format("it has no PublicIP: {}", json_excerpt(object, kLongestExcerpt)));
  if (attributes.backend_type == "vxlan") {
    attributes.vtep = read_vtep(object, "BackendData");
    attributes.vtep_v6 = read_vtep(object, "BackendV6Data");
  }
  return attributes;
}

}  // namespace knetsim::flannel
