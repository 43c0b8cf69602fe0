// The layout that scales: chains don't grow with services. One chain for each number of endpoints, shared by all
// services that have that many; services and endpoints are elements of named maps.
//
//   prerouting: service-ips -> lb-N: endpoints-N by service and turn
//                           -> lb-affinity-N: the turn kept for each client and service, then endpoints-N
//   postrouting: hairpin pairs are masqueraded
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>

#include "knetsim/fixtures/packet_lab.h"
#include "knetsim/nft/batch.h"
#include "knetsim/nft/ruleset.h"

namespace knetsim::nft {
namespace {

using lab::Hit;
using lab::Lab;
using lab::Protocol;
using testing::ElementsAre;
using testing::HasSubstr;

struct Service {
  std::string name;
  Address address;
  L4Proto protocol = L4Proto::tcp;
  std::uint16_t port = 80;
  std::vector<Address> endpoints;
  bool affinity = false;
};

class FlatLayout {
 public:
  explicit FlatLayout(Family family) : table_{family, "kube-proxy"}, address_(address_type(family)) {}

  Batch load(const std::vector<Service>& services) {
    Batch batch;
    batch.replace(Table{.id = table_, .comment = "flat"});
    add_base_chain(batch, "prerouting", HookPoint::prerouting, priority::kDstNat);
    add_base_chain(batch, "postrouting", HookPoint::postrouting, priority::kSrcNat);
    std::set<std::pair<std::size_t, bool>> kinds;
    for (const Service& service : services) kinds.emplace(service.endpoints.size(), service.affinity);
    std::set<std::size_t> sizes;
    for (const auto& [size, affinity] : kinds) {
      if (sizes.insert(size).second) batch.add(endpoints(size));
      affinity ? add_affinity_chain(batch, size) : add_chain(batch, size);
    }
    batch.add(service_ips());
    batch.add(hairpin());
    std::map<std::size_t, std::vector<Element>> endpoint_elements;
    std::vector<Element> service_elements;
    std::set<Address> pairs;
    for (const Service& service : services) {
      const Data key[] = {service.address, service.protocol, Data::port(service.port)};
      const std::size_t size = service.endpoints.size();
      service_elements.push_back({.key = Data::concat(key),
                                  .verdict = Verdict{Verdict::Kind::goto_, chain_name(size, service.affinity)},
                                  .comment = service.name});
      for (std::uint32_t turn = 0; turn < size; ++turn) {
        endpoint_elements[size].push_back({.key = Data::concat({key[0], key[1], key[2], Data::integer(turn)}),
                                           .value = Data::concat({service.endpoints[turn], Data::port(Lab::kPort)}),
                                           .comment = service.name});
        pairs.insert(service.endpoints[turn]);
      }
    }
    batch.add(service_ips().id, service_elements);
    for (const auto& [size, elements] : endpoint_elements) batch.add(endpoints(size).id, elements);
    std::vector<Element> hairpin_elements;
    for (const Address& address : pairs) hairpin_elements.push_back({.key = Data::concat({address, address})});
    batch.add(hairpin().id, hairpin_elements);
    batch.add(Rule{.chain = {table_, "prerouting"}, .statements = {vmap(service_key(), service_ips())}});
    batch.add(Rule{.chain = {table_, "postrouting"},
                   .statements = {any_of({CtStatus::dnat}), in(concat({saddr_of(table_.family), daddr()}), hairpin()),
                                  counter(), masquerade({.fully_random = true})}});
    return batch;
  }

  Set service_ips() const {
    return {.id = {table_, "service-ips"}, .key = {address_, Type::inet_proto, Type::inet_service}, .verdicts = true};
  }

  Set endpoints(std::size_t size) const {
    return {.id = {table_, fmt::format("endpoints-{}", size)},
            .key = TypeSpec::of({daddr(), meta::l4proto(), th::dport(), turn(size)}),
            .value = TypeSpec::of({daddr(), th::dport()})};
  }

  Set affinity(std::size_t size) const {
    return {.id = {table_, fmt::format("affinity-{}", size)},
            .key = TypeSpec::of({saddr_of(table_.family), daddr(), meta::l4proto(), th::dport()}),
            .value = TypeSpec::of({meta::mark()}),
            .dynamic = true,
            .timeout = std::chrono::hours(3)};
  }

  Set hairpin() const { return {.id = {table_, "hairpin"}, .key = {address_, address_}}; }

 private:
  Value daddr() const { return daddr_of(table_.family); }
  Value service_key() const { return concat({daddr(), meta::l4proto(), th::dport()}); }
  static Value turn(std::size_t size) { return numgen::inc(static_cast<std::uint32_t>(size)); }
  static std::string chain_name(std::size_t size, bool affinity) {
    return fmt::format("lb-{}{}", affinity ? "affinity-" : "", size);
  }
  static Statement has_ports() { return in(meta::l4proto(), {L4Proto::tcp, L4Proto::udp}); }

  void add_base_chain(Batch& batch, const char* name, HookPoint point, int level) {
    batch.add(Chain{.id = {table_, name}, .hook = Hook{.type = ChainType::nat, .point = point, .priority = level}});
  }

  void add_chain(Batch& batch, std::size_t size) {
    const ChainId chain{table_, chain_name(size, false)};
    batch.add(Chain{.id = chain});
    batch.add(Rule{.chain = chain,
                   .statements = {has_ports(), dnat(lookup(concat({daddr(), meta::l4proto(), th::dport(), turn(size)}),
                                                           endpoints(size)))}});
  }

  void add_affinity_chain(Batch& batch, std::size_t size) {
    const ChainId chain{table_, chain_name(size, true)};
    const Value client = concat({saddr_of(table_.family), daddr(), meta::l4proto(), th::dport()});
    batch.add(affinity(size)).add(Chain{.id = chain});
    // A client that is known keeps its turn and has its timeout renewed: `update` doesn't overwrite.
    batch.add(Rule{.chain = chain, .statements = {update(affinity(size), client, as(turn(size), Type::mark))}});
    batch.add(Rule{.chain = chain, .statements = {set_mark(lookup(client, affinity(size)))}});
    batch.add(Rule{
        .chain = chain,
        .statements = {has_ports(),
                       dnat(lookup(concat({daddr(), meta::l4proto(), th::dport(), as(meta::mark(), Type::integer)}),
                                   endpoints(size)))}});
  }

  TableId table_;
  Type address_;
};

struct FlatLayoutTest : testing::TestWithParam<bool> {
  bool v6 = GetParam();
  FlatLayout layout{v6 ? Family::ip6 : Family::ip};
  Lab lab{3};
  Address vip(int index) const {
    return parse_address(v6 ? fmt::format("fd64::{}", index) : fmt::format("100.64.0.{}", index));
  }
  Address endpoint(int index) const { return Lab::server_address(index, v6); }
  std::vector<int> flows(Protocol protocol, const Address& target, int count) {
    std::vector<int> servers;
    for (int i = 0; i < count; ++i) {
      const std::optional<Hit> hit = lab.flow(lab.client(), protocol, target, 80);
      servers.push_back(hit ? hit->server : -1);
    }
    return servers;
  }
};

TEST_P(FlatLayoutTest, ServicesWithAsManyEndpointsShareAChainAndTakeExactTurns) {
  const std::vector<Service> services{
      {.name = "default/web", .address = vip(1), .endpoints = {endpoint(0), endpoint(1), endpoint(2)}},
      {.name = "default/dns", .address = vip(1), .protocol = L4Proto::udp, .endpoints = {endpoint(2), endpoint(1)}},
      {.name = "default/api", .address = vip(2), .endpoints = {endpoint(1), endpoint(0)}},
  };
  layout.load(services).commit(lab.router());
  EXPECT_THAT(flows(Protocol::tcp, vip(1), 6), ElementsAre(0, 1, 2, 0, 1, 2));
  EXPECT_THAT(flows(Protocol::udp, vip(1), 3), ElementsAre(2, 1, 2));
  EXPECT_THAT(flows(Protocol::tcp, vip(2), 1), ElementsAre(0)) << "lb-2 is shared: its second turn was dns's";
}

TEST_P(FlatLayoutTest, AnEndpointThatReachesItselfIsMasqueraded) {
  layout.load({{.name = "default/web", .address = vip(1), .endpoints = {endpoint(0), endpoint(1)}}})
      .commit(lab.router());
  EXPECT_EQ(lab.flow(lab.server(0), Protocol::tcp, vip(1), 80), (Hit{0, Lab::router_address_at(0, v6)}));
  EXPECT_EQ(lab.flow(lab.server(0), Protocol::tcp, vip(1), 80), (Hit{1, endpoint(0)}));
}

TEST_P(FlatLayoutTest, ClientsKeepTheirEndpointWithAffinity) {
  layout
      .load({{.name = "default/sticky", .address = vip(1), .endpoints = {endpoint(0), endpoint(1)}, .affinity = true},
             {.name = "default/other", .address = vip(2), .endpoints = {endpoint(0), endpoint(1)}, .affinity = true}})
      .commit(lab.router());
  const auto from = [&](const NetNs& client, int service) {
    return lab.flow(client, Protocol::tcp, vip(service), 80)->server;
  };
  EXPECT_EQ(from(lab.client(), 1), 0);
  EXPECT_EQ(from(lab.client(), 1), from(lab.client(), 1));
  EXPECT_EQ(from(lab.client(), 1), 0);
  const int other_client = from(lab.server(2), 1);
  EXPECT_EQ(from(lab.server(2), 1), other_client);
  const int other_service = from(lab.client(), 2);
  EXPECT_EQ(from(lab.client(), 2), other_service);
  EXPECT_EQ(list_elements(lab.router(), layout.affinity(2).id).size(), 3U) << "(client, 1), (server 2, 1), (client, 2)";
}

TEST_P(FlatLayoutTest, ChangingEndpointsMovesElementsInOneTransaction) {
  const auto key = [&](std::uint32_t turn) {
    return Data::concat({vip(1), L4Proto::tcp, Data::port(80), Data::integer(turn)});
  };
  const auto to = [&](int index) { return Data::concat({endpoint(index), Data::port(Lab::kPort)}); };
  layout
      .load({{.name = "default/web", .address = vip(1), .endpoints = {endpoint(0), endpoint(1), endpoint(2)}},
             {.name = "default/api", .address = vip(2), .endpoints = {endpoint(0), endpoint(1)}}})
      .commit(lab.router());
  const Data service = Data::concat({vip(1), L4Proto::tcp, Data::port(80)});
  Batch batch;
  batch.remove(layout.endpoints(3).id, {{.key = key(0)}, {.key = key(1)}, {.key = key(2)}});
  batch.add(layout.endpoints(2).id, {{.key = key(0), .value = to(2)}, {.key = key(1), .value = to(1)}});
  batch.remove(layout.service_ips().id, {{.key = service}});
  batch.add(layout.service_ips().id, {{.key = service, .verdict = Verdict{Verdict::Kind::goto_, "lb-2"}}});
  batch.commit(lab.router());
  EXPECT_THAT(flows(Protocol::tcp, vip(1), 2), ElementsAre(2, 1));
  EXPECT_EQ(list_elements(lab.router(), layout.endpoints(3).id).size(), 0U);
}

TEST_P(FlatLayoutTest, AThousandServicesLoadInOneTransactionAndOneOfThemAnswers) {
  constexpr std::uint32_t kServices = 1000;
  std::vector<Service> services;
  for (std::uint32_t i = 0; i < kServices; ++i) {
    services.push_back({.name = fmt::format("default/service-{}", i),
                        .address = advance(vip(1), i),
                        .endpoints = {endpoint(0), endpoint(1), endpoint(2)}});
  }
  const auto start = std::chrono::steady_clock::now();
  layout.load(services).commit(lab.router());
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  RecordProperty("milliseconds", static_cast<int>(elapsed.count()));
  EXPECT_THAT(flows(Protocol::tcp, services.back().address, 3), ElementsAre(0, 1, 2));
  EXPECT_EQ(list_elements(lab.router(), layout.endpoints(3).id).size(), 3 * kServices);
}

INSTANTIATE_TEST_SUITE_P(Families, FlatLayoutTest, testing::Values(false, true),
                         [](const auto& parameter) { return parameter.param ? "ip6" : "ip"; });

TEST(FlatLayoutListing, ReadsAsTyped) {
  FlatLayout layout(Family::ip);
  const NetNs netns = NetNs::create();
  const auto address = [](int host) { return parse_address(fmt::format("10.0.0.{}", host)); };
  const Service web{
      .name = "default/web", .address = parse_address("10.96.0.1"), .endpoints = {address(1), address(2)}};
  const Service one{
      .name = "default/one", .address = parse_address("10.96.0.2"), .endpoints = {address(3)}, .affinity = true};
  layout.load({web}).commit(netns);
  const std::string without_affinity = lab::listing(netns);
  EXPECT_EQ(lab::listing_of(without_affinity), without_affinity);
  layout.load({web, one}).commit(netns);
  // Two elements of a hash come in any order: those of endpoints-2 and hairpin aren't compared.
  const std::string text = lab::listing(netns);
  EXPECT_THAT(text, HasSubstr("10.96.0.1 . tcp . 80 comment \"default/web\" : goto lb-2"));
  EXPECT_THAT(text, HasSubstr("10.96.0.1 . tcp . 80 . 1 comment \"default/web\" : 10.0.0.2 . 8080"));
  EXPECT_THAT(text, HasSubstr(R"(
	map endpoints-1 {
		typeof ip daddr . meta l4proto . th dport . numgen inc mod 1 : ip daddr . th dport
		elements = { 10.96.0.2 . tcp . 80 . 0 comment "default/one" : 10.0.0.3 . 8080 }
	}
)"));
  EXPECT_THAT(text, HasSubstr(R"(
	chain lb-affinity-1 {
		update @affinity-1 { ip saddr . ip daddr . meta l4proto . th dport : numgen inc mod 1 }
		meta mark set ip saddr . ip daddr . meta l4proto . th dport map @affinity-1
		meta l4proto { tcp, udp } dnat ip to ip daddr . meta l4proto . th dport . meta mark map @endpoints-1
	}

	chain lb-2 {
		meta l4proto { tcp, udp } dnat ip to ip daddr . meta l4proto . th dport . numgen inc mod 2 map @endpoints-2
	}
)"));
  EXPECT_THAT(text, HasSubstr("ip daddr . meta l4proto . th dport vmap @service-ips\n"));
  EXPECT_THAT(text, HasSubstr("ct status dnat ip saddr . ip daddr @hairpin counter packets 0 bytes 0 masquerade "
                              "fully-random\n"));
}

}  // namespace
}  // namespace knetsim::nft
