#include "knetsim/kube/allocate.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "knetsim/kube/access.h"
#include "knetsim/kube/kinds.h"

namespace knetsim::kube {
namespace {

using boost::asio::ip::address;
using nlohmann::json;

const Kind& service_kind() { return must_be("services"); }

[[noreturn]] void refuse(const json& service, std::string field, std::string_view shown, std::string_view detail) {
  FieldErrors errors;
  errors.invalid_shown(std::move(field), shown, detail);
  throw invalid(service_kind(), name_of(service), errors);
}

std::string shown_list(const json& list) {
  std::string all;
  for (const auto& each : list) all += fmt::format("{}\"{}\"", all.empty() ? "" : ", ", text_in(each));
  return "[]string{" + all + "}";
}

bool needs_node_ports(const json& service) {
  const auto& type = text_at(service, "spec", "type");
  const auto& wanted = member(service, "spec", "allocateLoadBalancerNodePorts");
  return type == "NodePort" || (type == "LoadBalancer" && (!wanted.is_boolean() || wanted.get<bool>()));
}

bool needs_health_check_port(const json& service) {
  return text_at(service, "spec", "type") == "LoadBalancer" &&
         text_at(service, "spec", "externalTrafficPolicy") == "Local";
}

std::vector<std::string> families_of(const json& service, const ServiceRanges& ranges) {
  const auto& spec = member(service, "spec");
  const auto& policy = text_at(spec, "ipFamilyPolicy");
  std::vector<std::string> families;
  for (const auto& family : list_at(spec, "ipFamilies")) {
    if (family == "IPv6" && !ranges.ipv6) {
      refuse(service, fmt::format("spec.ipFamilies[{}]", families.size()), family.dump(),
             "not configured on this cluster");
    }
    if (family != "IPv4" && family != "IPv6") {
      refuse(service, fmt::format("spec.ipFamilies[{}]", families.size()), family.dump(), "must be IPv4 or IPv6");
    }
    families.push_back(text_in(family));
  }
  if (families.empty()) {
    const auto& asked = list_at(spec, "clusterIPs");
    for (const auto& each : asked) {
      if (each != "None") families.emplace_back(text_in(each).find(':') == std::string::npos ? "IPv4" : "IPv6");
    }
  }
  if (families.empty()) families.emplace_back("IPv4");
  if (policy == "RequireDualStack" && !ranges.ipv6) {
    refuse(service, "spec.ipFamilyPolicy", "\"RequireDualStack\"",
           "this cluster is not configured for dual-stack services");
  }
  const bool dual = policy == "RequireDualStack" || (policy == "PreferDualStack" && ranges.ipv6);
  if (dual && families.size() == 1) families.emplace_back(families[0] == "IPv4" ? "IPv6" : "IPv4");
  if (!dual && families.size() > 1 && policy != "PreferDualStack") {
    refuse(service, "spec.ipFamilyPolicy", json(policy).dump(),
           "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified");
  }
  return families;
}

/// The n-th address of a range, whose first is not used.
address nth(const ServiceRanges& ranges, const std::string& family, std::uint64_t n) {
  if (family == "IPv4")
    return boost::asio::ip::address_v4(ranges.ipv4.network().to_uint() + static_cast<std::uint32_t>(n));
  auto bytes = ranges.ipv6->network().to_bytes();
  for (std::size_t i = bytes.size(); i-- > 0 && n != 0; n >>= 8U)
    bytes[i] = static_cast<unsigned char>(bytes[i] | (n & 0xffU));
  return boost::asio::ip::address_v6(bytes);
}

/// How many addresses of a range are given out.
std::uint64_t usable(const ServiceRanges& ranges, const std::string& family) {
  constexpr std::uint64_t most = 1U << 16U;  // as upstream: no more of a big range of IPv6
  const auto bits = family == "IPv4" ? 32U - ranges.ipv4.prefix_length() : 128U - ranges.ipv6->prefix_length();
  const auto all = bits >= 32 ? most << 16U : std::uint64_t{1} << bits;
  if (family == "IPv4") return all > 2 ? all - 2 : 0;
  return std::min(all, most) - 1;
}

bool in_range(const ServiceRanges& ranges, const address& each) {
  if (each.is_v4()) {
    const auto host = boost::asio::ip::make_network_v4(each.to_v4(), 32);
    return host.is_subnet_of(ranges.ipv4) && each.to_v4() != ranges.ipv4.network() &&
           each.to_v4() != ranges.ipv4.broadcast();
  }
  return ranges.ipv6 && boost::asio::ip::make_network_v6(each.to_v6(), 128).is_subnet_of(*ranges.ipv6);
}

std::string shown_range(const ServiceRanges& ranges, const address& each) {
  return each.is_v4() || !ranges.ipv6 ? ranges.ipv4.to_string() : ranges.ipv6->to_string();
}

/// The first that `is_free` of `count`, from `first` on and round. Below `band` only where nothing else is left: there
/// people choose theirs themselves.
template <typename IsFree>
std::optional<std::uint64_t> search(std::uint64_t count, std::uint64_t band, std::uint64_t random,
                                    const IsFree& is_free) {
  if (count == 0) return std::nullopt;
  band = std::min(band, count - 1);
  const auto upper = count - band;
  for (std::uint64_t i = 0; i < upper; ++i) {
    const auto n = band + (random % upper + i) % upper;
    if (is_free(n)) return n;
  }
  for (std::uint64_t n = 0; n < band; ++n)
    if (is_free(n)) return n;
  return std::nullopt;
}

void allocate_addresses(json& service, const Holdings& held, const ServiceRanges& ranges, const Taken& taken,
                        const std::function<std::uint64_t()>& random) {
  auto& spec = service["spec"];
  const auto families = families_of(service, ranges);
  spec["ipFamilies"] = families;
  if (text_at(spec, "ipFamilyPolicy").empty()) spec["ipFamilyPolicy"] = "SingleStack";
  if (text_at(spec, "clusterIP") == "None") {
    spec["clusterIPs"] = json::array({"None"});
    return;
  }
  const auto asked = list_at(spec, "clusterIPs");
  auto given = json::array();
  const auto is_held = [&](const address& each) {
    return std::ranges::find(held.addresses, each) != held.addresses.end();
  };
  for (std::size_t i = 0; i < families.size(); ++i) {
    if (i < asked.size()) {
      boost::system::error_code failed;
      const auto wanted = boost::asio::ip::make_address(text_in(asked[i]), failed);
      const auto complain = [&](const std::string& why) {
        refuse(service, "spec.clusterIPs", shown_list(asked),
               fmt::format("failed to allocate IP {}: {}", text_in(asked[i]), why));
      };
      if (failed) complain("it is no address");
      if (!is_held(wanted)) {
        if (!in_range(ranges, wanted)) {
          complain(fmt::format("the provided IP ({}) is not in the valid range. The range of valid IPs is {}",
                               wanted.to_string(), shown_range(ranges, wanted)));
        }
        if (taken.address(wanted)) complain("provided IP is already allocated");
      }
      given.push_back(asked[i]);
      continue;
    }
    const auto count = usable(ranges, families[i]);
    const auto band = std::min<std::uint64_t>(std::max<std::uint64_t>(16, count / 16), 256);
    const auto found = search(count, band, random(), [&](std::uint64_t n) {
      const auto candidate = nth(ranges, families[i], n + 1);
      return !is_held(candidate) && !taken.address(candidate);
    });
    if (!found) throw internal_error("failed to allocate a serviceIP: range is full");
    given.push_back(nth(ranges, families[i], *found + 1).to_string());
  }
  spec["clusterIP"] = given[0];
  spec["clusterIPs"] = std::move(given);
}

class PortAllocator {
 public:
  PortAllocator(const json& service, const Holdings& held, const ServiceRanges& ranges, const Taken& taken)
      : service_(service), held_(held), ranges_(ranges), taken_(taken) {}

  void check(std::int64_t port, const std::string& protocol, const std::string& field) const {
    if (is_held(port, protocol)) return;
    if (port < ranges_.first_node_port || port > ranges_.last_node_port) {
      refuse(service_, field, std::to_string(port),
             fmt::format("provided port is not in the valid range. The range of valid ports is {}-{}",
                         ranges_.first_node_port, ranges_.last_node_port));
    }
    if (!is_free(port, protocol)) refuse(service_, field, std::to_string(port), "provided port is already allocated");
  }

  std::int64_t choose(const std::string& protocol, const std::vector<std::pair<std::int64_t, std::string>>& own,
                      std::uint64_t random) const {
    const auto count = static_cast<std::uint64_t>(ranges_.last_node_port - ranges_.first_node_port) + 1;
    const auto band = std::min<std::uint64_t>(std::max<std::uint64_t>(16, count / 32), 128);
    const auto found = search(count, band, random, [&](std::uint64_t n) {
      const auto port = ranges_.first_node_port + static_cast<std::int64_t>(n);
      // Not one that another port of the service has: those of one number share theirs, see below.
      return is_free(port, protocol) && std::ranges::none_of(own, [&](const auto& each) { return each.first == port; });
    });
    if (!found) throw internal_error("failed to allocate a nodePort: range is full");
    return ranges_.first_node_port + static_cast<std::int64_t>(*found);
  }

  bool is_free(std::int64_t port, const std::string& protocol) const {
    return !taken_.node_port(static_cast<std::uint16_t>(port), protocol);
  }

 private:
  bool is_held(std::int64_t port, const std::string& protocol) const {
    return std::ranges::any_of(held_.node_ports,
                               [&](const auto& each) { return each.first == port && each.second == protocol; });
  }

  const json& service_;
  const Holdings& held_;
  const ServiceRanges& ranges_;
  const Taken& taken_;
};

void allocate_ports(json& service, const Holdings& held, const ServiceRanges& ranges, const Taken& taken,
                    const std::function<std::uint64_t()>& random) {
  const PortAllocator allocator(service, held, ranges, taken);
  std::vector<std::pair<std::int64_t, std::string>> own;
  auto ports = list_at(service, "spec", "ports");
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto wanted = number_at(ports[i], "nodePort");
    if (wanted == 0) continue;
    allocator.check(wanted, text_at(ports[i], "protocol"), fmt::format("spec.ports[{}].nodePort", i));
    own.emplace_back(wanted, text_at(ports[i], "protocol"));
  }
  for (auto& port : ports) {
    if (number_at(port, "nodePort") != 0 || !needs_node_ports(service)) continue;
    const auto& protocol = text_at(port, "protocol");
    // 53/TCP and 53/UDP get one number, if it is free for both.
    std::int64_t chosen = 0;
    for (const auto& other : ports) {
      const auto theirs = number_at(other, "nodePort");
      if (theirs != 0 && other["port"] == port["port"] && text_at(other, "protocol") != protocol &&
          allocator.is_free(theirs, protocol))
        chosen = theirs;
    }
    if (chosen == 0) chosen = allocator.choose(protocol, own, random());
    port["nodePort"] = chosen;
    own.emplace_back(chosen, protocol);
  }
  if (!ports.empty()) service["spec"]["ports"] = std::move(ports);
  if (!needs_health_check_port(service)) return;
  if (const auto wanted = number_at(service, "spec", "healthCheckNodePort"); wanted != 0) {
    allocator.check(wanted, "TCP", "spec.healthCheckNodePort");
  } else {
    service["spec"]["healthCheckNodePort"] = allocator.choose("TCP", own, random());
  }
}

}  // namespace

Holdings holdings(const json& service) {
  Holdings held;
  for (const auto& each : list_at(service, "spec", "clusterIPs")) {
    boost::system::error_code failed;
    const auto parsed = boost::asio::ip::make_address(text_in(each), failed);
    if (!failed) held.addresses.push_back(parsed);
  }
  const auto hold = [&](std::int64_t port, const std::string& protocol) {
    if (port > 0 && port <= UINT16_MAX) held.node_ports.emplace_back(static_cast<std::uint16_t>(port), protocol);
  };
  for (const auto& port : list_at(service, "spec", "ports"))
    hold(number_at(port, "nodePort"), text_at(port, "protocol"));
  hold(number_at(service, "spec", "healthCheckNodePort"), "TCP");
  return held;
}

void allocate(json& service, const json* old, const ServiceRanges& ranges, const Taken& taken,
              const std::function<std::uint64_t()>& random) {
  const auto held = old == nullptr ? Holdings{} : holdings(*old);
  if (text_at(service, "spec", "type") == "ExternalName") return;
  allocate_addresses(service, held, ranges, taken, random);
  allocate_ports(service, held, ranges, taken, random);
}

}  // namespace knetsim::kube
