#include "knetsim/cni/bridge_plugin.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <sys/random.h>

#include <algorithm>
#include <utility>

#include "bridge_check.h"
#include "host_local.h"
#include "invocation.h"
#include "knetsim/netlink/address.h"
#include "knetsim/netlink/error.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/netlink/route.h"
#include "knetsim/sys/sysctl.h"

namespace knetsim::cni {

namespace {

constexpr const char* kWho = "the built-in bridge";
constexpr std::chrono::milliseconds kSettlingBudget{10'000};

std::string random_veth_name() {
  std::uint32_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) throw SystemError("draw a random number");
  return fmt::format("veth{:08x}", number);
}

// A kernel booted without IPv6 lacks these, and then nothing needs them.
void write_if_there(const std::string& name, std::string_view value) {
  try {
    write_sysctl(name, value);
  } catch (const SystemError& error) {
    if (error.error() != ENOENT) throw;
  }
}

void ensure_sysctl(const std::string& name, std::string_view value) {
  if (read_sysctl(name) != value) write_sysctl(name, value);
}

Address broadcast_of(const Network& network) { return std::get<boost::asio::ip::network_v4>(network).broadcast(); }

netlink::AddressSpec interface_address(const Network& address) {
  // nodad is left to the interface's accept_dad, as the plugin does it.
  netlink::AddressSpec spec{.address = address, .nodad = false};
  if (!is_v6(address)) spec.broadcast = broadcast_of(address);
  return spec;
}

// One ADD: what its steps share.
class Addition {
 public:
  Addition(const NetNs& worker, const std::string& node, const Attachment& attachment, const BridgeConfig& config)
      : worker_(worker),
        config_(config),
        attachment_(attachment),
        container_(open_container(attachment)),
        outside_(worker, node),
        inside_(container_, attachment.netns),
        ipam_(config.allocations, config.name) {}

  Result run() {
    ensure_bridge();
    if (netlink::find_link(inside_, attachment_.ifname))
      throw knetsim::Error(fmt::format("container veth name provided ({}) already exists", attachment_.ifname));
    const auto addresses = ipam_.reserve(attachment_.container_id, attachment_.ifname, config_.subnets);
    try {
      describe_ips(addresses);
      connect();
      configure_inside();
      configure_outside();
      wait_for_carrier();
      wait_for_addresses();
    } catch (...) {
      undo();
      throw;
    }
    return std::move(result_);
  }

 private:
  static NetNs open_container(const Attachment& attachment) { return NetNs::open(attachment.netns); }

  void ensure_bridge() {
    auto bridge = netlink::find_link(outside_, config_.bridge);
    if (!bridge) {
      try {
        // A bridge whose address was set keeps it when ports come and go.
        netlink::create_bridge(outside_, {.name = config_.bridge,
                                          .mac = netlink::random_mac(),
                                          .mtu = config_.mtu ? std::optional(config_.mtu) : std::nullopt,
                                          .up = true});
        fresh_bridge_ = true;
      } catch (const netlink::Error& error) {
        if (error.error() != EEXIST) throw;  // another ADD was faster
      }
      worker_.run([&] { write_if_there("net/ipv6/conf/" + config_.bridge + "/accept_ra", "0"); });
      bridge = netlink::get_link(outside_, config_.bridge);
    }
    if (bridge->kind != "bridge")
      throw knetsim::Error(fmt::format("\"{}\" already exists but is not a bridge", config_.bridge));
    if (!bridge->up) netlink::set_up(outside_, bridge->index);
    bridge_ = *bridge;
    result_.cni_version = config_.cni_version;
    result_.interfaces.push_back({.name = bridge_.name, .mac = to_string(bridge_.mac), .sandbox = {}});
  }

  void describe_ips(const std::vector<Address>& addresses) {
    for (const auto& destination : config_.routes)
      result_.routes.push_back({.destination = destination, .gateway = {}});
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      const auto& subnet = config_.subnets[i];
      const auto gateway = address_of(gateway_of(subnet));
      result_.ips.push_back({.address = make_network(addresses[i], prefix_length(subnet)),
                             .gateway = gateway,
                             .interface = std::size_t{2}});
      if (config_.is_default_gateway)
        result_.routes.push_back(
            {.destination = parse_network(is_v6(subnet) ? "::/0" : "0.0.0.0/0"), .gateway = gateway});
    }
  }

  void connect() {
    const auto mtu = config_.mtu ? std::optional(config_.mtu) : std::nullopt;
    veth_ = random_veth_name();
    netlink::create_veth(outside_, {.ns = worker_, .name = veth_, .mtu = mtu, .up = true, .master = bridge_.index},
                         {.ns = container_, .name = attachment_.ifname, .mtu = mtu});
    outer_ = netlink::get_link(outside_, veth_);
    inner_ = netlink::get_link(inside_, attachment_.ifname);
    result_.interfaces.push_back({.name = veth_, .mac = to_string(outer_.mac), .sandbox = {}});
    result_.interfaces.push_back(
        {.name = attachment_.ifname, .mac = to_string(inner_.mac), .sandbox = attachment_.netns});
  }

  void configure_inside() {
    const bool v6 =
        std::any_of(result_.ips.begin(), result_.ips.end(), [](const auto& ip) { return is_v6(ip.address); });
    container_.run([&] {
      write_if_there("net/ipv6/conf/" + attachment_.ifname + "/accept_dad", "0");
      write_sysctl("net/ipv4/conf/" + attachment_.ifname + "/arp_notify", "1");
      if (!v6) return;
      for (const std::string& name : {std::string("lo"), attachment_.ifname})
        ensure_sysctl("net/ipv6/conf/" + name + "/disable_ipv6", "0");
    });
    netlink::Batch batch(inside_);
    netlink::set_txqlen(inside_, inner_.index, 0);
    for (const auto& ip : result_.ips) netlink::add_address(inside_, inner_.index, interface_address(ip.address));
    netlink::set_up(inside_, inner_.index);
    for (const auto& route : result_.routes) {
      const auto gateway = route.gateway ? route.gateway : gateway_for(route.destination);
      // A lone worker's subnet may be the whole network: the kernel has that route from the address already.
      if (!gateway || is_connected(route.destination)) continue;
      netlink::add_route(inside_, {.destination = route.destination,
                                   .gateway = gateway,
                                   .interface = inner_.index,
                                   .scope = RT_SCOPE_UNIVERSE});
    }
    batch.commit();
  }

  bool is_connected(const Network& destination) const {
    return std::any_of(result_.ips.begin(), result_.ips.end(),
                       [&](const auto& ip) { return canonical(ip.address) == canonical(destination); });
  }

  std::optional<Address> gateway_for(const Network& destination) const {
    for (const auto& ip : result_.ips)
      if (is_v6(ip.address) == is_v6(destination)) return ip.gateway;
    return std::nullopt;
  }

  void configure_outside() {
    {
      netlink::Batch batch(outside_);
      netlink::set_txqlen(outside_, outer_.index, 0);
      if (config_.hairpin) netlink::set_hairpin(outside_, outer_.index, true);
      batch.commit();
    }
    for (const auto& ip : result_.ips) ensure_gateway(make_network(*ip.gateway, prefix_length(ip.address)));
    worker_.run([&] {
      write_if_there("net/ipv6/conf/" + veth_ + "/accept_ra", "0");
      for (const auto& ip : result_.ips)
        ensure_sysctl(is_v6(ip.address) ? "net/ipv6/conf/all/forwarding" : "net/ipv4/ip_forward", "1");
    });
  }

  void ensure_gateway(const Network& gateway) {
    if (!fresh_bridge_) {
      for (const auto& present : netlink::list_addresses(outside_, bridge_.index, family(gateway))) {
        if (present.address == gateway) return;
        if (!is_v6(gateway) || overlaps(present.address, gateway))
          throw knetsim::Error(fmt::format("\"{}\" already has an IP address different from {}", config_.bridge,
                                           knetsim::to_string(gateway)));
      }
    }
    netlink::replace_address(outside_, bridge_.index, interface_address(gateway));
  }

  // Until then the bridge's port drops: the first packet of a container that starts at once would be lost.
  void wait_for_carrier() {
    if (netlink::get_link(outside_, outer_.index).running) return;
    netlink::wait_for_link(
        worker_, veth_, [](const netlink::Link& link) { return link.running; }, kSettlingBudget);
  }

  // Even without duplicate address detection, the kernel ends an IPv6 address's tentative state in the background.
  void wait_for_addresses() {
    for (const auto& ip : result_.ips)
      if (is_v6(ip.address))
        netlink::wait_for_address(container_, attachment_.ifname, address_of(ip.address), kSettlingBudget);
  }

  void undo() noexcept {
    try {
      if (!veth_.empty()) netlink::delete_link(outside_, veth_);
      ipam_.release(attachment_.container_id, attachment_.ifname);
    } catch (const std::exception&) {
      // The failure that led here is the one to tell.
    }
  }

  const NetNs& worker_;
  const BridgeConfig& config_;
  const Attachment& attachment_;
  NetNs container_;
  netlink::Socket outside_;
  netlink::Socket inside_;
  HostLocal ipam_;
  netlink::Link bridge_;
  bool fresh_bridge_ = false;
  std::string veth_;
  netlink::Link outer_;
  netlink::Link inner_;
  Result result_;
};

}  // namespace

BridgePlugin::BridgePlugin(const NetNs& worker, std::string node)
    : worker_(duplicate(worker)), node_(std::move(node)) {}

Result BridgePlugin::add(const Attachment& attachment, const BridgeConfig& config) const {
  validate(attachment);
  try {
    return Addition(worker_, node_, attachment, config).run();
  } catch (const knetsim::Error& error) {
    throw make_error(node_, Verb::add, attachment, kWho, {.code = kGenericFailure, .message = error.what()});
  }
}

void BridgePlugin::check(const Attachment& attachment, const BridgeConfig& config, const Result& previous) const {
  validate(attachment);
  try {
    check_bridge(worker_, node_, attachment, config, previous);
  } catch (const knetsim::Error& error) {
    throw make_error(node_, Verb::check, attachment, kWho, {.code = kGenericFailure, .message = error.what()});
  }
}

void BridgePlugin::del(const Attachment& attachment, const BridgeConfig& config) const {
  validate(attachment);
  try {
    HostLocal(config.allocations, config.name).release(attachment.container_id, attachment.ifname);
    std::error_code ignored;
    if (attachment.netns.empty() || !std::filesystem::exists(attachment.netns, ignored)) return;
    const auto container = NetNs::open(attachment.netns);
    netlink::Socket inside(container, attachment.netns);
    netlink::delete_link(inside, attachment.ifname);
  } catch (const knetsim::Error& error) {
    throw make_error(node_, Verb::del, attachment, kWho, {.code = kGenericFailure, .message = error.what()});
  }
}

}  // namespace knetsim::cni
