#include "knetsim/flannel/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <net/if.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>
#include <utility>

#include "knetsim/sys/json_place.h"

namespace knetsim::flannel {

namespace {

__extension__ using Uint128 = unsigned __int128;

/// Addresses of both families as numbers.
Uint128 to_number(const Address& address) {
  if (address.is_v4()) return address.to_v4().to_uint();
  Uint128 number = 0;
  for (const auto byte : address.to_v6().to_bytes()) number = number << 8 | byte;
  return number;
}

Address to_address(Uint128 number, bool v6) {
  if (!v6) return boost::asio::ip::address_v4(static_cast<boost::asio::ip::address_v4::uint_type>(number));
  boost::asio::ip::address_v6::bytes_type bytes;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, number >>= 8)
    *byte = static_cast<unsigned char>(number);
  return boost::asio::ip::address_v6(bytes);
}

/// How many addresses a network of this length has. Not for an IPv6 length of 0.
Uint128 size_of(unsigned prefix_length, bool v6) { return Uint128{1} << ((v6 ? 128U : 32U) - prefix_length); }

bool flag(const JsonPlace& at, std::string_view key, bool otherwise) {
  at.take(key, otherwise, &JsonPlace::boolean);
  return otherwise;
}

unsigned number(const JsonPlace& at, std::string_view key, unsigned otherwise, unsigned max) {
  at.take(key, otherwise, [max](const JsonPlace& one) { return one.integer(0U, max); });
  return otherwise;
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

unsigned read_subnet_length(const JsonPlace& at, const Rules& rules, const Network& network) {
  const auto key = rules.prefix + "SubnetLen";
  const auto length = number(at, key, 0, rules.bits);
  const auto network_length = prefix_length(network);
  if (length > 0) {
    if (length > rules.max_subnet_length)
      at[key].refuse(fmt::format("SubnetLen must be less than /{}", rules.max_subnet_length + 1));
    if (length < network_length + 2)
      at[key].refuse(
          fmt::format("network must be able to accommodate at least four subnets; {}Network {} and this "
                      "leave fewer: choose at least {}",
                      rules.prefix, to_string(network), network_length + 2));
    return length;
  }
  if (network_length > rules.max_subnet_length - 2)
    at[rules.prefix + "Network"].refuse(fmt::format("{}network is too small. Minimum useful network prefix is /{}",
                                                    rules.v6 ? "IPv6 " : "", rules.max_subnet_length - 2));
  return network_length + 2 <= rules.default_length ? rules.default_length : network_length + 2;
}

Address read_bound(const JsonPlace& object, const Rules& rules, const std::string& name, const SubnetRange& range,
                   const Address& otherwise) {
  const auto at = object.find(rules.prefix + name);
  auto bound = at ? at->parsed(parse_address) : otherwise;
  if (!at || bound.is_unspecified()) return otherwise;
  if (!contains(range.network, bound))
    at->refuse(
        fmt::format("{0}{1} is not in the range of the {0}Network {2}", rules.prefix, name, to_string(range.network)));
  if (to_number(bound) % size_of(range.subnet_length, rules.v6) != 0)
    at->refuse(fmt::format("{}{} is not on a SubnetLen boundary: it isn't the first address of a /{}", rules.prefix,
                           name, range.subnet_length));
  return bound;
}

Network read_network(const JsonPlace& object, const Rules& rules) {
  const auto key = rules.prefix + "Network";
  const auto what = fmt::format("please define a correct {} parameter in the flannel config: ", key);
  const auto remedy = fmt::format("write it like \"{}\": \"{}\"", key, rules.example);
  const auto at = object.find(key);
  if (!at || at->value() == "") object.refuse_member(key, what + "there is none", remedy);
  Network network;
  try {
    network = canonical(parse_network(at->string()));
  } catch (const JsonError&) {
    throw;
  } catch (const InputError& error) {
    at->refuse(what + error.what(), remedy);
  }
  if (is_v6(network) != rules.v6) at->refuse(what + "it is of the other address family", remedy);
  if (prefix_length(network) == 0) at->refuse(what + "it is the whole address space", remedy);
  return network;
}

SubnetRange read_range(const JsonPlace& at, const Rules& rules) {
  const auto network = read_network(at, rules);
  SubnetRange range{network, read_subnet_length(at, rules, network), {}, {}};
  const auto first = to_number(address_of(network));
  const auto step = size_of(range.subnet_length, rules.v6);
  const auto end = first + (size_of(prefix_length(network), rules.v6) - 1);
  // The first subnet stays unused: its base address is that of the whole network.
  range.min = read_bound(at, rules, "SubnetMin", range, to_address(first + step, rules.v6));
  range.max = read_bound(at, rules, "SubnetMax", range, to_address(end - (step - 1), rules.v6));
  if (range.max < range.min)
    at.refuse_member(rules.prefix + "SubnetMin",
                     fmt::format("{0}SubnetMin {1} is greater than {0}SubnetMax {2}", rules.prefix,
                                 range.min.to_string(), range.max.to_string()),
                     "swap them");
  return range;
}

BackendConfig read_vxlan(const JsonPlace& at, bool v6) {
  constexpr unsigned kMax16 = std::numeric_limits<std::uint16_t>::max();
  BackendConfig config{.vni = number(at, "VNI", 1, (1U << 24) - 1),
                       .port = static_cast<std::uint16_t>(number(at, "Port", 0, kMax16)),
                       .mtu = number(at, "MTU", 0, kMax16),
                       .gbp = flag(at, "GBP", false),
                       .learning = flag(at, "Learning", false),
                       .direct_routing = flag(at, "DirectRouting", false)};
  if (const auto name = vxlan_link_name(config.vni, v6); name.size() >= IFNAMSIZ)
    at["VNI"].refuse(fmt::format("makes the link name {}, which is longer than {} characters", name, IFNAMSIZ - 1),
                     "choose a smaller one");
  return config;
}

BackendConfig read_backend(const JsonPlace& at, bool v6) {
  const auto backend = at.find("Backend");
  std::string type;
  if (backend) backend->take("Type", type, &JsonPlace::string);
  try {
    if (!backend)
      at.refuse_member("Backend",
                       "unknown backend type: there is no Backend, and udp, flannel's default, is unsupported",
                       "write \"Backend\": {\"Type\": \"vxlan\"}");
    for (const auto known : {BackendType::host_gw, BackendType::alloc})
      if (strcasecmp(type.c_str(), to_string(known).c_str()) == 0) return {.type = known};
    if (strcasecmp(type.c_str(), to_string(BackendType::vxlan).c_str()) == 0) return read_vxlan(*backend, v6);
    constexpr const char* kUnknown =
        "unknown backend type: it is unknown or unsupported; choose vxlan, host-gw or alloc";
    if (backend->has("Type")) (*backend)["Type"].refuse(kUnknown);
    backend->refuse_member("Type", kUnknown);
  } catch (const JsonError& error) {
    throw BackendError(error);
  }
}

std::vector<JsonComplaint> remarks_of(const JsonPlace& at) {
  constexpr std::size_t kMost = 10;
  std::vector<JsonComplaint> remarks;
  const auto remark = [&](const JsonPlace& part, std::initializer_list<std::string_view> known) {
    for (const auto& other : part.members_other_than(known))
      if (remarks.size() < kMost)
        remarks.push_back(
            {other.pointer(), {}, fmt::format("flannel takes no notice of it; it knows {}", fmt::join(known, ", "))});
  };
  remark(at, {"EnableNFTables", "Network", "SubnetLen", "SubnetMin", "SubnetMax", "EnableIPv4", "EnableIPv6",
              "IPv6Network", "IPv6SubnetLen", "IPv6SubnetMin", "IPv6SubnetMax", "Backend"});
  remark(at["Backend"], {"Type", "VNI", "Port", "MTU", "GBP", "Learning", "DirectRouting"});
  return remarks;
}

using Interval = std::pair<Uint128, Uint128>;

Interval interval_of(const Network& network) {
  const auto first = to_number(address_of(canonical(network)));
  return {first, first + (size_of(prefix_length(network), is_v6(network)) - 1)};
}

}  // namespace

std::string to_string(BackendType type) {
  constexpr std::array<const char*, 3> kBackends{"vxlan", "host-gw", "alloc"};
  return kBackends.at(static_cast<std::size_t>(type));
}

std::string vxlan_link_name(std::uint32_t vni, bool v6) { return fmt::format("flannel{}.{}", v6 ? "-v6" : "", vni); }

Config parse_config(std::string_view text) {
  const auto document = read_json({.file = "the flannel config", .text = std::string(text)}, kStoredJson);
  const JsonPlace at(document);
  const bool v4 = flag(at, "EnableIPv4", true);
  const bool v6 = flag(at, "EnableIPv6", false);
  if (!v4 && !v6)
    throw BackendError(JsonError(
        document.source, {"/EnableIPv4", "false", "EnableIPv4 and EnableIPv6 are both false", "enable at least one"}));
  Config config;
  if (v4) config.v4 = read_range(at, kV4);
  if (v6) config.v6 = read_range(at, kV6);
  config.nftables = flag(at, "EnableNFTables", false);
  config.backend = read_backend(at, v6);
  config.remarks = remarks_of(at);
  return config;
}

std::vector<Network> free_subnets(const SubnetRange& range, const std::vector<Network>& taken, std::size_t limit) {
  const bool v6 = is_v6(range.network);
  std::vector<Interval> busy;
  for (const auto& network : taken) {
    if (is_v6(network) == v6 && prefix_length(network) > 0) busy.push_back(interval_of(network));
  }
  std::sort(busy.begin(), busy.end());

  std::vector<Network> free;
  const auto step = size_of(range.subnet_length, v6);
  const auto last = to_number(range.max);
  auto next = busy.begin();
  for (auto base = to_number(range.min); base <= last && free.size() < limit;) {
    while (next != busy.end() && next->second < base) ++next;
    if (next == busy.end() || next->first > base + (step - 1)) {
      free.push_back(make_network(to_address(base, v6), range.subnet_length));
    }
    if (last - base < step) break;
    base += step;
  }
  return free;
}

bool fits(const SubnetRange& range, const Network& subnet) {
  if (is_v6(subnet) != is_v6(range.network) || prefix_length(subnet) != range.subnet_length) return false;
  const auto base = address_of(subnet);
  return canonical(subnet) == subnet && range.min <= base && base <= range.max;
}

std::size_t ordinal(const SubnetRange& range, const Network& subnet) {
  const auto distance = to_number(address_of(subnet)) - to_number(range.min);
  return static_cast<std::size_t>(distance / size_of(range.subnet_length, is_v6(range.network)));
}

}  // namespace knetsim::flannel
