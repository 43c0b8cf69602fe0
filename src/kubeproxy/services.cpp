// The flat layout: all services are elements of the same few maps, and chains are shared by all with as many endpoints.
#include "knetsim/kubeproxy/services.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace knetsim::kubeproxy {

namespace {

using nft::Data;
using nft::Type;

enum SlotNumber : std::uint8_t {
  kServiceIps,        // frontend : balancer
  kLocalIps,          // the same for traffic from elsewhere under externalTrafficPolicy Local
  kExternalLocal,     // frontends with that policy
  kMasquerade,        // frontends whose clients are masqueraded, wherever they are
  kNoEndpoints,       // frontends that reject
  kNoLocalEndpoints,  // frontends that drop
  kClusterIps,        // addresses
  kEndpoints,         // frontend . turn : endpoint
  kAffinityPorts,     // frontend : id of the service's port, of services with affinity
  kEndpointIds,       // frontend . turn : id of an endpoint, of the same
  kEndpointsById,     // frontend . id : endpoint
  kHairpin,           // endpoint . the same endpoint
  kFirewall,          // frontends with source ranges
  kFirewallAllowed,   // frontend . source
  kBalancers,         // balancer : its chain
};

// A balancer is a mark: how many endpoints, whose list, how long clients stay.
constexpr std::uint32_t kMostEndpoints = (1U << 13) - 1;
constexpr std::uint32_t kLocalList = 1U << 13;
constexpr unsigned kAffinityShift = 14;
// Turns of the list of local endpoints begin here.
constexpr std::uint32_t kLocalTurns = 1U << 16;
// Turns and ids of endpoints, as marks: nobody else's, and taken off before the packet leaves.
constexpr std::uint32_t kIdBit = 1U << 31;
// The same of a service's port, as a flow's mark, and of its endpoints here.
constexpr std::uint32_t kLocalPort = 1U << 30;

constexpr std::size_t kLongestComment = 127;         // NFTNL_UDATA_COMMENT_MAXLEN, and its end
constexpr std::uint32_t kFnvBasis = 2'166'136'261U;  // FNV-1a
constexpr std::uint32_t kFnvPrime = 16'777'619U;

constexpr auto kServices = "services";
constexpr auto kBalance = "balance";
constexpr auto kTakeTurn = "take";
constexpr auto kExternal = "external-local";
constexpr auto kToCluster = "external-to-cluster";
constexpr auto kFirewallCheck = "firewall-check";
constexpr auto kEndpointsCheck = "service-endpoints-check";
constexpr auto kClusterIpsCheck = "cluster-ips-check";
constexpr auto kPostrouting = "nat-postrouting";

struct Frontend {
  Address address;
  nft::L4Proto protocol;
  std::uint16_t port;
  Data key() const { return Data::concat({address, protocol, Data::port(port)}); }
  Data key(const Data& last) const { return Data::concat({address, protocol, Data::port(port), last}); }
};

/// What the rules of one family look at.
struct Fields {
  explicit Fields(nft::Family of, const NodeFacts& facts) : family(of), node(facts), table{of, kTableName} {}

  nft::Family family;
  const NodeFacts& node;
  nft::TableId table;

  nft::Value daddr() const { return nft::daddr_of(family); }
  nft::Value saddr() const { return nft::saddr_of(family); }
  nft::Value frontend() const { return nft::concat({daddr(), nft::meta::l4proto(), nft::th::dport()}); }
  nft::Value frontend(const nft::Value& last) const {
    return nft::concat({daddr(), nft::meta::l4proto(), nft::th::dport(), last});
  }
  /// Where the flow was sent at first.
  nft::Value original() const {
    return nft::concat({nft::ct::original_daddr(family), nft::meta::l4proto(), nft::ct::original_dport()});
  }
  /// Whoever it is, and which service's port, by whichever address: that is the flow's mark while it is decided.
  nft::Value client() const { return nft::concat({saddr(), nft::ct::mark()}); }
  static nft::Value turn(std::uint32_t count, bool local) {
    return nft::numgen::random(count, local ? kLocalTurns : 0);
  }

  nft::TypeSpec frontend_type() const { return nft::TypeSpec::of({daddr(), nft::meta::l4proto(), nft::th::dport()}); }
  nft::TypeSpec frontend_type(const nft::Value& last) const {
    return nft::TypeSpec::of({daddr(), nft::meta::l4proto(), nft::th::dport(), last});
  }
  nft::TypeSpec endpoint_type() const { return nft::TypeSpec::of({daddr(), nft::th::dport()}); }
  static nft::TypeSpec mark_type() { return nft::TypeSpec::of({nft::meta::mark()}); }

  nft::Set set(const char* name, nft::TypeSpec key) const { return {.id = {table, name}, .key = std::move(key)}; }
  nft::Set map(const char* name, nft::TypeSpec key, nft::TypeSpec value) const {
    return {.id = {table, name}, .key = std::move(key), .value = std::move(value)};
  }

  nft::Set service_ips() const { return map("service-ips", frontend_type(), mark_type()); }
  nft::Set local_ips() const { return map("local-ips", frontend_type(), mark_type()); }
  nft::Set external_local() const { return set("external-local", frontend_type()); }
  nft::Set masquerade() const { return set("masquerade", frontend_type()); }
  nft::Set no_endpoints() const { return set("no-endpoints", frontend_type()); }
  nft::Set no_local_endpoints() const { return set("no-local-endpoints", frontend_type()); }
  nft::Set cluster_ips() const { return set("cluster-ips", nft::TypeSpec::of({daddr()})); }
  nft::Set endpoints() const { return map("endpoints", frontend_type(nft::meta::mark()), endpoint_type()); }
  nft::Set affinity_ports() const { return map("affinity-ports", frontend_type(), mark_type()); }
  nft::Set endpoint_ids() const { return map("endpoint-ids", frontend_type(turn(kLocalTurns, false)), mark_type()); }
  nft::Set endpoints_by_id() const { return map("endpoints-by-id", frontend_type(nft::meta::mark()), endpoint_type()); }
  nft::Set hairpin() const { return set("hairpin", nft::TypeSpec::of({saddr(), daddr()})); }
  nft::Set firewall() const { return set("firewall-ips", frontend_type()); }
  nft::Set firewall_allowed() const {
    auto result = set("firewall-allowed", frontend_type(saddr()));
    result.interval = true;
    return result;
  }
  nft::Set balancers() const { return {.id = {table, "balancers"}, .key = {Type::mark}, .verdicts = true}; }
  nft::Set clients() const {
    return {.id = {table, "clients"},
            .key = nft::TypeSpec::of({saddr(), nft::ct::mark()}),
            .value = mark_type(),
            .dynamic = true,
            .timeout = std::chrono::hours(3)};
  }

  nft::ChainId chain(const std::string& name) const { return {table, name}; }
};

std::uint32_t number_of(const Bytes& mark) {
  std::uint32_t number = 0;
  std::memcpy(&number, mark.data(), sizeof number);
  return number;
}

nft::Statement has_ports() {
  return nft::in(nft::meta::l4proto(), {nft::L4Proto::tcp, nft::L4Proto::udp, nft::L4Proto::sctp});
}

std::string balancer_name(const Entry& entry) {
  const auto number = number_of(entry.key);
  const auto count = number & kMostEndpoints;
  const auto* list = (number & kLocalList) != 0 ? "local-" : "";
  const auto affinity = number >> kAffinityShift;
  return affinity == 0 ? fmt::format("lb-{}{}", list, count)
                       : fmt::format("lb-affinity-{}{}-for-{}s", list, count, affinity);
}

/// A client that is known keeps its endpoint while that is there; else one is chosen, and kept. What it keeps among the
/// endpoints here is another thing than what it keeps among all.
std::vector<nft::Rule> affinity_rules(const Fields& f, const nft::ChainId& chain, std::uint32_t count, bool local,
                                      std::chrono::seconds time) {
  const auto turn = Fields::turn(count, local);
  std::vector<nft::Statement> which{nft::set_flow_mark(nft::lookup(f.frontend(), f.affinity_ports()))};
  if (local) which.push_back(nft::set_flow_mark(nft::ct::mark() | kLocalPort));
  which.insert(which.begin(), has_ports());
  const auto keep = nft::update(f.clients(), f.client(), nft::meta::mark(), time);
  const auto to_kept = nft::dnat(nft::lookup(f.frontend(nft::meta::mark()), f.endpoints_by_id()));
  return {{.chain = chain, .statements = std::move(which), .comment = "of which service's port"},
          {.chain = chain,
           .statements = {has_ports(), nft::set_mark(nft::lookup(f.client(), f.clients())), keep, to_kept},
           .comment = "the client's endpoint"},
          {.chain = chain,
           .statements = {nft::set_mark(nft::lookup(f.frontend(turn), f.endpoint_ids())),
                          nft::forget(f.clients(), f.client(), nft::meta::mark())},
           .comment = "it has none, or that is gone: another"},
          {.chain = chain, .statements = {has_ports(), keep, to_kept}, .comment = "from now on"}};
}

std::vector<nft::Rule> balancer_rules(const Fields& f, const Entry& entry) {
  const auto number = number_of(entry.key);
  const auto count = number & kMostEndpoints;
  const bool local = (number & kLocalList) != 0;
  const auto chain = f.chain(balancer_name(entry));
  if (const auto time = number >> kAffinityShift; time != 0)
    return affinity_rules(f, chain, count, local, std::chrono::seconds(time));
  // Who has the turn is looked up in one place for all: the kernel walks through a map that another rule looks into.
  const auto turn = nft::numgen::random(count, kIdBit + (local ? kLocalTurns : 0));
  return {{.chain = chain, .statements = {nft::set_mark(turn), nft::goto_(kTakeTurn)}, .comment = "one of them"}};
}

nft::Chain base(const Fields& f, const char* name, nft::ChainType type, nft::HookPoint point, int priority) {
  return {.id = f.chain(name), .hook = nft::Hook{.type = type, .point = point, .priority = priority}};
}

/// Statements that hold for what a pod of ours has sent, one list for each way to tell.
std::vector<std::vector<nft::Statement>> from_pods(const Fields& f) {
  std::vector<std::vector<nft::Statement>> ways;
  for (const auto& network : f.node.pod_networks)
    if (is_v6(network) == (f.family == nft::Family::ip6)) ways.push_back({f.saddr() == network});
  if (!f.node.pod_bridge.empty()) ways.push_back({nft::meta::iifname() == Data::ifname(f.node.pod_bridge)});
  return ways;
}

/// For what came from elsewhere; empty: it can't be told.
std::vector<nft::Statement> not_from_pods(const Fields& f) {
  std::vector<nft::Statement> all;
  for (const auto& network : f.node.pod_networks)
    if (is_v6(network) == (f.family == nft::Family::ip6)) all.push_back(f.saddr() != network);
  if (!f.node.pod_bridge.empty()) all.push_back(nft::meta::iifname() != Data::ifname(f.node.pod_bridge));
  return all;
}

/// Of what the rules say of the node: rules are known again by their comments, and one of them has this in it.
std::uint32_t print_of(const NodeFacts& node) {
  auto text = fmt::format("{} {}", node.pod_bridge, node.masquerade_all);
  for (const auto* networks : {&node.pod_networks, &node.service_networks})
    for (const auto& network : *networks)
      text += fmt::format("{}{}", networks == &node.pod_networks ? " " : " = ", to_string(network));
  std::uint32_t hash = kFnvBasis;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
  return hash;
}

void add_nat_rules(const Fields& f, std::vector<nft::Rule>& rules) {
  const auto add = [&](const char* chain, std::vector<nft::Statement> statements, std::string comment) {
    rules.push_back({.chain = f.chain(chain), .statements = std::move(statements), .comment = std::move(comment)});
  };
  const auto for_node = fmt::format("to services, for node {:08x}", print_of(f.node));
  for (const char* chain : {"nat-prerouting", "nat-output"}) add(chain, {nft::jump(kServices)}, for_node);
  add(kServices, {nft::in(f.frontend(), f.external_local()), nft::goto_(kExternal)}, "externalTrafficPolicy Local");
  add(kServices, {nft::set_mark(nft::lookup(f.frontend(), f.service_ips())), nft::goto_(kBalance)}, "to its balancer");
  for (auto& way : from_pods(f)) {
    way.push_back(nft::goto_(kToCluster));
    add(kExternal, std::move(way), "pods need no load balancer");
  }
  add(kExternal, {nft::fib::saddr_type() == nft::AddressType::local, nft::goto_(kToCluster)}, "nor does this node");
  add(kExternal, {nft::set_mark(nft::lookup(f.frontend(), f.local_ips())), nft::goto_(kBalance)},
      "from elsewhere: to an endpoint here");
  add(kToCluster, {nft::set_mark(nft::lookup(f.frontend(), f.service_ips())), nft::goto_(kBalance)}, "to its balancer");
  add(kBalance, {nft::vmap(nft::meta::mark(), f.balancers())}, "to as many endpoints as it has");
  add(kTakeTurn, {has_ports(), nft::dnat(nft::lookup(f.frontend(nft::meta::mark()), f.endpoints()))},
      "whose turn it is");
}

void add_masquerade_rules(const Fields& f, std::vector<nft::Rule>& rules) {
  const auto translated = nft::any_of({nft::CtStatus::dnat});
  const auto add = [&](std::vector<nft::Statement> statements, const char* comment) {
    statements.insert(statements.begin(), translated);
    statements.push_back(nft::masquerade({.fully_random = true}));
    rules.push_back({.chain = f.chain(kPostrouting), .statements = std::move(statements), .comment = comment});
  };
  rules.push_back({.chain = f.chain(kPostrouting),
                   .statements = {translated, (nft::meta::mark() & kIdBit) == Data::mark(kIdBit), nft::set_mark(0U)},
                   .comment = "a turn, or the id of an endpoint"});
  rules.push_back({.chain = f.chain(kPostrouting),
                   .statements = {translated, (nft::ct::mark() & kIdBit) == Data::mark(kIdBit), nft::set_flow_mark(0U)},
                   .comment = "the id of a service's port"});
  add({nft::in(nft::concat({f.saddr(), f.daddr()}), f.hairpin())}, "an endpoint that reached itself");
  add({nft::in(f.original(), f.masquerade())}, "the answer must come back this way");
  add({nft::in(f.original(), f.external_local()), nft::fib::saddr_type() == nft::AddressType::local},
      "this node, by an external address");
  const auto to_cluster_ip = nft::in(nft::ct::original_daddr(f.family), f.cluster_ips());
  if (f.node.masquerade_all) return add({to_cluster_ip}, "all that speak to services");
  auto from_elsewhere = not_from_pods(f);
  if (from_elsewhere.empty()) return;
  from_elsewhere.insert(from_elsewhere.begin(), to_cluster_ip);
  add(std::move(from_elsewhere), "from outside the pod network");
}

void add_filter_rules(const Fields& f, std::vector<nft::Rule>& rules) {
  const auto add = [&](const char* chain, std::vector<nft::Statement> statements, const char* comment) {
    rules.push_back({.chain = f.chain(chain), .statements = std::move(statements), .comment = comment});
  };
  const auto is_new = nft::any_of({nft::CtState::new_});
  for (const char* chain : {"filter-prerouting-pre-dnat", "filter-output-pre-dnat"})
    add(chain, {is_new, nft::jump(kFirewallCheck)}, "source ranges");
  for (const char* chain : {"filter-input", "filter-forward", "filter-output"})
    add(chain, {is_new, nft::jump(kEndpointsCheck)}, "services without endpoints");
  for (const char* chain : {"filter-forward", "filter-output"})
    add(chain, {is_new, nft::jump(kClusterIpsCheck)}, "what is left of cluster IPs");
  add(kFirewallCheck,
      {nft::in(f.frontend(), f.firewall()), nft::not_in(f.frontend(f.saddr()), f.firewall_allowed()), nft::counter(),
       nft::drop()},
      "outside of its source ranges");
  add(kEndpointsCheck, {nft::in(f.frontend(), f.no_endpoints()), nft::counter(), nft::reject()}, "no endpoint");
  add(kEndpointsCheck, {nft::in(f.frontend(), f.no_local_endpoints()), nft::counter(), nft::drop()},
      "no local endpoint");
  add(kClusterIpsCheck, {nft::in(f.daddr(), f.cluster_ips()), nft::counter(), nft::reject()}, "no such port");
  for (const auto& network : f.node.service_networks)
    if (is_v6(network) == (f.family == nft::Family::ip6))
      add(kClusterIpsCheck, {f.daddr() == network, nft::counter(), nft::drop()}, "nobody's cluster IP");
}

}  // namespace

Layout services_layout(nft::Family family, const NodeFacts& facts) {
  const Fields f(family, facts);
  Layout layout{.table = {.id = f.table, .comment = "Kubernetes services: rules for knetsim-kube-proxy"},
                .slots = {{f.service_ips()},
                          {f.local_ips()},
                          {f.external_local()},
                          {f.masquerade()},
                          {f.no_endpoints()},
                          {f.no_local_endpoints()},
                          {f.cluster_ips()},
                          {f.endpoints()},
                          {f.affinity_ports()},
                          {f.endpoint_ids()},
                          {f.endpoints_by_id()},
                          {f.hairpin()},
                          {f.firewall()},
                          {f.firewall_allowed()}},
                .sets = {f.clients()},
                .chains = {},
                .rules = {}};
  layout.slots.push_back({.set = f.balancers(), .chain = balancer_name, .rules = [family, facts](const Entry& entry) {
                            return balancer_rules(Fields(family, facts), entry);
                          }});
  using nft::ChainType;
  using nft::HookPoint;
  constexpr int kBeforeDnat = nft::priority::kDstNat - 10;
  for (const char* name :
       {kFirewallCheck, kEndpointsCheck, kClusterIpsCheck, kToCluster, kExternal, kServices, kBalance, kTakeTurn})
    layout.chains.push_back({.id = f.chain(name)});
  layout.chains.push_back(base(f, "filter-prerouting-pre-dnat", ChainType::filter, HookPoint::prerouting, kBeforeDnat));
  layout.chains.push_back(base(f, "filter-output-pre-dnat", ChainType::filter, HookPoint::output, kBeforeDnat));
  layout.chains.push_back(base(f, "filter-input", ChainType::filter, HookPoint::input, nft::priority::kFilter));
  layout.chains.push_back(base(f, "filter-forward", ChainType::filter, HookPoint::forward, nft::priority::kFilter));
  layout.chains.push_back(base(f, "filter-output", ChainType::filter, HookPoint::output, nft::priority::kFilter));
  layout.chains.push_back(base(f, "nat-prerouting", ChainType::nat, HookPoint::prerouting, nft::priority::kDstNat));
  layout.chains.push_back(base(f, "nat-output", ChainType::nat, HookPoint::output, nft::priority::kDstNat));
  layout.chains.push_back(base(f, kPostrouting, ChainType::nat, HookPoint::postrouting, nft::priority::kSrcNat));
  add_filter_rules(f, layout.rules);
  add_nat_rules(f, layout.rules);
  add_masquerade_rules(f, layout.rules);
  return layout;
}

namespace {

/// Collects what one service wants.
class Entries {
 public:
  Entries(const ServiceSpec& service, const NodeFacts& node, bool v6) : service_(service), node_(node), v6_(v6) {
    constexpr std::size_t kOfMost = 16;
    entries_.reserve(kOfMost);
  }

  Desired take() { return sorted(std::move(entries_)); }

  void cluster_ip(const Address& address, const ServicePort& port, const Chosen& chosen) {
    const Frontend frontend{address, port.protocol, port.port};
    add(kClusterIps, Data(address));
    const auto& endpoints = service_.internal_local ? chosen.local : chosen.cluster;
    if (endpoints.empty()) return nobody(frontend, port, chosen);
    lead(frontend, port, kServiceIps, endpoints);
  }

  /// A NodePort, an external IP, a load balancer's address.
  void external(const Frontend& frontend, const ServicePort& port, const Chosen& chosen) {
    if (chosen.cluster.empty()) return nobody(frontend, port, chosen);
    lead(frontend, port, kServiceIps, chosen.cluster);
    if (!service_.external_local) return add(kMasquerade, frontend.key(), port);
    add(kExternalLocal, frontend.key(), port);
    if (chosen.local.empty())
      add(kNoLocalEndpoints, frontend.key(), port);
    else
      lead(frontend, port, kLocalIps, chosen.local);
  }

  void firewall(const Frontend& frontend, const ServicePort& port) {
    if (service_.source_ranges.empty()) return;
    add(kFirewall, frontend.key(), port);
    std::vector<Network> allowed;
    for (const auto& range : service_.source_ranges) {
      if (is_v6(range) != v6_) continue;
      allowed.push_back(range);
      // What a node sends to an address that it has itself may come from that address.
      if (std::ranges::any_of(node_.addresses, [&](const Address& own) { return contains(range, own); }))
        allowed.push_back(host_network(frontend.address));
    }
    // The kernel refuses a range that lies in another one.
    for (const auto& range : allowed)
      if (std::ranges::none_of(allowed, [&](const Network& other) { return other != range && contains(other, range); }))
        allow(frontend, port, range);
  }

  std::size_t left_out() const { return left_out_; }

 private:
  std::string name_of(const ServicePort& port) const {
    auto name = port.name.empty() ? service_.key : fmt::format("{}:{}", service_.key, port.name);
    if (name.size() > kLongestComment) name.replace(kLongestComment - 3, std::string::npos, "...");
    return name;
  }

  void add(SlotNumber slot, const Data& key) { entries_.push_back({slot, bytes_of(key), {}, {}}); }
  void add(SlotNumber slot, const Data& key, const ServicePort& port) {
    entries_.push_back({slot, bytes_of(key), {}, name_of(port)});
  }
  void add(SlotNumber slot, const Data& key, const Data& value, const ServicePort& port) {
    entries_.push_back({slot, bytes_of(key), bytes_of(value), name_of(port)});
  }

  void nobody(const Frontend& frontend, const ServicePort& port, const Chosen& chosen) {
    add(chosen.cluster.empty() ? kNoEndpoints : kNoLocalEndpoints, frontend.key(), port);
  }

  void allow(const Frontend& frontend, const ServicePort& port, const Network& range) {
    const auto first = address_of(range);
    auto last = Data(first).bytes();
    for (std::size_t bit = prefix_length(range); bit < last.size() * 8; ++bit)
      last[bit / 8] |= static_cast<std::uint8_t>(0x80U >> (bit % 8));
    const auto end = Data::parse({nft::address_type(v6_ ? nft::Family::ip6 : nft::Family::ip)}, last);
    add(kFirewallAllowed, frontend.key(Data(first)), frontend.key(end), port);
  }

  void lead(const Frontend& frontend, const ServicePort& port, SlotNumber to, std::vector<const Backend*> endpoints) {
    if (endpoints.size() > kMostEndpoints) {
      left_out_ = std::max(left_out_, endpoints.size() - kMostEndpoints);
      endpoints.resize(kMostEndpoints);
    }
    const bool local = to == kLocalIps;
    const auto balancer =
        static_cast<std::uint32_t>(endpoints.size()) | (local ? kLocalList : 0) | service_.affinity << kAffinityShift;
    add(to, frontend.key(), Data::mark(balancer), port);
    add(kBalancers, Data::mark(balancer));
    if (service_.affinity != 0) add(kAffinityPorts, frontend.key(), Data::mark(id_of(port)), port);
    std::set<std::uint32_t> ids;
    auto turn = local ? kLocalTurns : 0;
    for (const auto* endpoint : endpoints) {
      const auto where = Data::concat({endpoint->address, Data::port(endpoint->port)});
      if (may_come_back(*endpoint)) add(kHairpin, Data::concat({endpoint->address, endpoint->address}));
      if (service_.affinity == 0) {
        add(kEndpoints, frontend.key(Data::mark(kIdBit + turn++)), where, port);
        continue;
      }
      const auto id = Data::mark(id_of(where, local, ids));
      add(kEndpointIds, frontend.key(Data::integer(turn++)), id, port);
      add(kEndpointsById, frontend.key(id), where, port);
    }
  }

  /// Whether what the endpoint sends to itself could be translated here: on its own node, or where a pod elsewhere uses
  /// an address from which others' traffic isn't masqueraded.
  bool may_come_back(const Backend& endpoint) const {
    return endpoint.node.empty() || endpoint.node == node_.name || service_.external_local;
  }

  /// The same for as long as the endpoint is there, whatever comes and goes beside it. As one of those here it has
  /// another.
  static std::uint32_t id_of(const Data& endpoint, bool local, std::set<std::uint32_t>& taken) {
    std::uint32_t hash = kFnvBasis + (local ? 1 : 0);
    for (const auto byte : endpoint.bytes()) hash = (hash ^ byte) * kFnvPrime;
    while (!taken.insert(hash | kIdBit).second) ++hash;
    return hash | kIdBit;
  }

  std::uint32_t id_of(const ServicePort& port) const {
    std::uint32_t hash = kFnvBasis;
    for (const char c : fmt::format("{}:{} {}", service_.key, port.name, static_cast<int>(port.protocol)))
      hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
    return (hash | kIdBit) & ~kLocalPort;
  }

  const ServiceSpec& service_;
  const NodeFacts& node_;
  bool v6_;
  Desired entries_;
  std::size_t left_out_ = 0;
};

}  // namespace

Desired service_entries(const ServiceSpec& service, const Backends& backends, const NodeFacts& node, nft::Family family,
                        const Complain& complain) {
  const bool v6 = family == nft::Family::ip6;
  const auto of_family = [v6](const std::vector<Address>& addresses) {
    auto own = addresses;
    std::erase_if(own, [v6](const Address& address) { return address.is_v6() != v6; });
    return own;
  };
  Entries entries(service, node, v6);
  for (const auto& port : service.ports) {
    if (port.protocol == nft::L4Proto::sctp && !node.sctp) {
      complain(service.key, fmt::format("port {}: the kernel has no SCTP", port.port));
      continue;
    }
    static const std::vector<Backend> kNone;
    const auto found = backends.find({port.name, port.protocol});
    const auto chosen = choose(found == backends.end() ? kNone : found->second, v6, node);
    for (const auto& address : of_family(service.cluster_ips)) entries.cluster_ip(address, port, chosen);
    if (node.external_ips)
      for (const auto& address : of_family(service.external_ips))
        entries.external({address, port.protocol, port.port}, port, chosen);
    for (const auto& address : of_family(service.load_balancer_ips)) {
      const Frontend frontend{address, port.protocol, port.port};
      entries.external(frontend, port, chosen);
      entries.firewall(frontend, port);
    }
    if (port.node_port != 0)
      for (const auto& address : of_family(node.node_port_addresses))
        entries.external({address, port.protocol, port.node_port}, port, chosen);
  }
  if (entries.left_out() != 0)
    complain(service.key, fmt::format("it has {} endpoints more than can be served", entries.left_out()));
  return entries.take();
}

std::map<Destination, std::set<Destination>> udp_destinations(const ServiceSpec& service, const Backends& backends,
                                                              const NodeFacts& node) {
  std::map<Destination, std::set<Destination>> result;
  for (const auto& port : service.ports) {
    if (port.protocol != nft::L4Proto::udp) continue;
    const auto add = [&](const Address& address, std::uint16_t number) {
      auto& serving = result[{address, number}];
      const auto found = backends.find({port.name, port.protocol});
      if (found == backends.end()) return;
      for (const auto& backend : found->second)
        if (backend.serving && backend.address.is_v6() == address.is_v6())
          serving.insert({backend.address, backend.port});
    };
    for (const auto* addresses : {&service.cluster_ips, &service.external_ips, &service.load_balancer_ips})
      for (const auto& address : *addresses) add(address, port.port);
    if (port.node_port != 0)
      for (const auto& address : node.node_port_addresses) add(address, port.node_port);
  }
  return result;
}

}  // namespace knetsim::kubeproxy
