#include "knetsim/flannel/lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "knetsim/flannel/config.h"
#include "knetsim/sys/json_place.h"

namespace knetsim::flannel {

namespace {

// What flanneld writes in the place of an IPv4 subnet or address that there isn't.
constexpr const char* kNoSubnet = "0.0.0.0-0";
constexpr const char* kNoAddress = "0.0.0.0";

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

std::optional<Address> read_public_ip(const JsonPlace& object, const char* key, bool v6) {
  const auto at = object.find(key);
  if (!at) return std::nullopt;
  const auto address = at->parsed(parse_address);
  if (address.is_unspecified()) return std::nullopt;
  if (address.is_v6() != v6) at->refuse("is of the other family");
  return address;
}

VtepData read_vtep(const JsonPlace& at) {
  VtepData data;
  data.mac = at["VtepMAC"].parsed(netlink::parse_mac);
  // Old daemons write no VNI.
  at.take("VNI", data.vni, [](const JsonPlace& vni) { return vni.integer<std::uint32_t>(); });
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
  const auto document = read_json({.text = std::string(text)}, kStoredJson);
  const JsonPlace at(document);
  LeaseAttributes attributes;
  attributes.public_ip = read_public_ip(at, "PublicIP", false);
  attributes.public_ipv6 = read_public_ip(at, "PublicIPv6", true);
  at.take("BackendType", attributes.backend_type, &JsonPlace::string);
  if (!attributes.public_ip && !attributes.public_ipv6) at.refuse("has no PublicIP");
  if (attributes.backend_type == "vxlan") {
    at.take("BackendData", attributes.vtep, read_vtep);
    at.take("BackendV6Data", attributes.vtep_v6, read_vtep);
  }
  return attributes;
}

}  // namespace knetsim::flannel
