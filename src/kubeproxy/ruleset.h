#pragma once

#include <vector>

#include "knetsim/kubeproxy/proxy.h"
#include "knetsim/kubeproxy/service.h"
#include "knetsim/nft/batch.h"
#include "knetsim/nft/objects.h"

namespace knetsim::kubeproxy {

/// The two chains in which a service has a rule; each has turns and counters of its own.
inline constexpr const char* kPrerouting = "prerouting";
inline constexpr const char* kOutput = "output";
inline constexpr const char* kPostrouting = "postrouting";

nft::TableId table_of(nft::Family family);
nft::Family family_of(const Service& service);

/// What a rule is found again by when it is to be changed: its comment. Unique within a chain.
std::string comment_of(const Service& service);

/// Whether the service's rule is the same: who is gone stands elsewhere, so that the turns go on.
bool same_turns(const Service& a, const Service& b);

/// `ip daddr VIP counter dnat to numgen inc mod N map { 0 : endpoint, ... }`
nft::Rule service_rule(const Service& service, const char* chain);

/// The addresses served, for those rules that ask where a flow was sent at first.
nft::Set vips_set(nft::Family family);
/// Pairs (endpoint . endpoint): a packet that has such a pair was sent by an endpoint to itself, through a VIP.
nft::Set hairpin_set(nft::Family family);
/// Endpoints that keep their turn but won't answer.
nft::Set gone_set(nft::Family family);
std::vector<nft::Element> vips_elements(const std::vector<Service>& services);
std::vector<nft::Element> hairpin_elements(const std::vector<Service>& services);
std::vector<nft::Element> gone_elements(const std::vector<Service>& services);

/// Who is masqueraded, and which turns are lost.
std::vector<nft::Rule> postrouting_rules(nft::Family family, const ProxyOptions& options);

/// Everything of one family's table, for services of that family only.
void add_table(nft::Batch& batch, nft::Family family, const ProxyOptions& options,
               const std::vector<Service>& services);

}  // namespace knetsim::kubeproxy
