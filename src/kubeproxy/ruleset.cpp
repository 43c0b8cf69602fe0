#include "ruleset.h"

#include <sys/socket.h>

#include <algorithm>
#include <set>

namespace knetsim::kubeproxy {

namespace {

/// As kube-proxy does it: a random source port spares two clients that chose the same one from a search.
nft::Statement masquerade() { return nft::masquerade({.fully_random = true}); }

}  // namespace

nft::TableId table_of(nft::Family family) { return {family, kTableName}; }

nft::Family family_of(const Service& service) { return service.address.is_v4() ? nft::Family::ip : nft::Family::ip6; }

std::string comment_of(const Service& service) {
  return service.name.empty() ? "VIP " + service.address.to_string()
                              : "VIP " + service.address.to_string() + ": " + service.name;
}

bool same_turns(const Service& a, const Service& b) {
  const auto address_of = [](const Endpoint& endpoint) { return endpoint.address; };
  return a.address == b.address && a.name == b.name && a.revision == b.revision &&
         std::ranges::equal(a.endpoints, b.endpoints, {}, address_of, address_of);
}

nft::Rule service_rule(const Service& service, const char* chain) {
  const nft::Family family = family_of(service);
  nft::Rule rule{.chain = {table_of(family), chain},
                 .statements = {nft::daddr_of(family) == service.address, nft::counter()},
                 .comment = comment_of(service)};
  if (service.endpoints.size() == 1) {
    rule.statements.push_back(nft::dnat(service.endpoints.front().address));
    return rule;
  }
  std::vector<std::pair<nft::Data, nft::Data>> turns;
  for (const Endpoint& endpoint : service.endpoints)
    turns.emplace_back(nft::Data::integer(static_cast<std::uint32_t>(turns.size())), endpoint.address);
  const auto count = static_cast<std::uint32_t>(turns.size());
  rule.statements.push_back(nft::dnat(nft::lookup(nft::numgen::inc(count), std::move(turns))));
  return rule;
}

nft::Set vips_set(nft::Family family) { return {.id = {table_of(family), "vips"}, .key = {nft::address_type(family)}}; }

nft::Set hairpin_set(nft::Family family) {
  const nft::Type address = nft::address_type(family);
  return {.id = {table_of(family), "hairpin"}, .key = {address, address}};
}

nft::Set gone_set(nft::Family family) { return {.id = {table_of(family), "gone"}, .key = {nft::address_type(family)}}; }

std::vector<nft::Element> vips_elements(const std::vector<Service>& services) {
  std::vector<nft::Element> elements;
  for (const Service& service : services) elements.push_back({.key = service.address});
  return elements;
}

std::vector<nft::Element> hairpin_elements(const std::vector<Service>& services) {
  std::set<Address> endpoints;
  for (const Service& service : services)
    for (const Endpoint& endpoint : service.endpoints) endpoints.insert(endpoint.address);
  std::vector<nft::Element> elements;
  for (const Address& address : endpoints) elements.push_back({.key = nft::Data::concat({address, address})});
  return elements;
}

std::vector<nft::Element> gone_elements(const std::vector<Service>& services) {
  std::set<Address> gone;
  for (const Service& service : services) {
    for (const Endpoint& endpoint : service.endpoints)
      if (endpoint.gone) gone.insert(endpoint.address);
  }
  std::vector<nft::Element> elements;
  for (const Address& address : gone) elements.push_back({.key = address});
  return elements;
}

std::vector<nft::Rule> postrouting_rules(nft::Family family, const ProxyOptions& options) {
  const nft::ChainId chain{table_of(family), kPostrouting};
  std::vector<nft::Rule> rules;
  const nft::Statement translated = nft::any_of({nft::CtStatus::dnat});
  const nft::Statement sent_to_vip = nft::in(nft::ct::original_daddr(family), vips_set(family));
  // A flow is tracked from here on; one whose first packet is dropped isn't, and is looked at anew.
  rules.push_back(nft::Rule{.chain = chain,
                            .statements = {translated, nft::in(nft::daddr_of(family), gone_set(family)), sent_to_vip,
                                           nft::meta::l4proto() != nft::L4Proto::tcp, nft::drop()},
                            .comment = "the turn of an endpoint that is gone"});
  const nft::Value pair = nft::concat({nft::saddr_of(family), nft::daddr_of(family)});
  rules.push_back(nft::Rule{.chain = chain,
                            .statements = {translated, nft::in(pair, hairpin_set(family)), masquerade()},
                            .comment = "an endpoint that reached itself"});
  for (const std::string& bridge : options.bridges) {
    const nft::Data name = nft::Data::ifname(bridge);
    rules.push_back(
        nft::Rule{.chain = chain,
                  .statements = {nft::meta::iifname() == name, nft::meta::oifname() == name, sent_to_vip, masquerade()},
                  .comment = "back into the bridge it came from"});
  }
  std::vector<nft::Statement> from_elsewhere{sent_to_vip};
  for (const Network& network : options.pod_networks)
    if (is_v6(network) == (family == nft::Family::ip6)) from_elsewhere.push_back(nft::saddr_of(family) != network);
  if (from_elsewhere.size() == 1) return rules;
  from_elsewhere.push_back(masquerade());
  rules.push_back(nft::Rule{.chain = chain, .statements = from_elsewhere, .comment = "from outside the pod network"});
  return rules;
}

void add_table(nft::Batch& batch, nft::Family family, const ProxyOptions& options,
               const std::vector<Service>& services) {
  const nft::TableId table = table_of(family);
  batch.add(nft::Table{.id = table, .comment = "virtual addresses and who serves them"});
  const nft::Set vips = vips_set(family);
  const nft::Set hairpin = hairpin_set(family);
  batch.add(vips).add(vips.id, vips_elements(services));
  batch.add(hairpin).add(hairpin.id, hairpin_elements(services));
  const nft::Set gone = gone_set(family);
  batch.add(gone).add(gone.id, gone_elements(services));
  batch.add(nft::Chain{
      .id = {table, kPrerouting},
      .hook = nft::Hook{
          .type = nft::ChainType::nat, .point = nft::HookPoint::prerouting, .priority = nft::priority::kDstNat}});
  batch.add(nft::Chain{
      .id = {table, kOutput},
      .hook =
          nft::Hook{.type = nft::ChainType::nat, .point = nft::HookPoint::output, .priority = nft::priority::kDstNat}});
  for (const Service& service : services)
    batch.add(service_rule(service, kPrerouting)).add(service_rule(service, kOutput));
  batch.add(nft::Chain{
      .id = {table, kPostrouting},
      .hook = nft::Hook{
          .type = nft::ChainType::nat, .point = nft::HookPoint::postrouting, .priority = nft::priority::kSrcNat}});
  for (const nft::Rule& rule : postrouting_rules(family, options)) batch.add(rule);
}

}  // namespace knetsim::kubeproxy
