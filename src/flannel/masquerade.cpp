#include "masquerade.h"

#include <spdlog/spdlog.h>

#include "knetsim/nft/batch.h"
#include "knetsim/nft/statement.h"
#include "knetsim/nft/value.h"

namespace knetsim::flannel {

namespace {

void add_family(nft::Batch& batch, nft::Family family, const Network& cluster, const Network& pods,
                bool forward_rules) {
  const bool v6 = family == nft::Family::ip6;
  const nft::TableId table{family, v6 ? "flannel-ipv6" : "flannel-ipv4"};
  const auto source = nft::saddr_of(family);
  const auto destination = nft::daddr_of(family);
  const auto multicast = parse_network(v6 ? "ff00::/8" : "224.0.0.0/4");

  batch.replace(nft::Table{table, "rules for " + table.name});
  const nft::ChainId postrouting{table, "postrtg"};
  batch.add(nft::Chain{postrouting, nft::Hook{nft::ChainType::nat, nft::HookPoint::postrouting, nft::priority::kSrcNat},
                       "chain to manage traffic masquerading by flannel"});
  batch.add(nft::Rule{postrouting, {source == pods, destination == cluster, nft::return_()}});
  batch.add(nft::Rule{postrouting, {source == cluster, destination == pods, nft::return_()}});
  batch.add(nft::Rule{postrouting, {source != cluster, destination == pods, nft::return_()}});
  batch.add(
      nft::Rule{postrouting, {source == cluster, destination != multicast, nft::masquerade({.fully_random = true})}});
  if (!forward_rules) return;
  const nft::ChainId forward{table, "forward"};
  batch.add(nft::Chain{forward, nft::Hook{nft::ChainType::filter, nft::HookPoint::forward, nft::priority::kFilter},
                       "chain to accept flannel traffic"});
  batch.add(nft::Rule{forward, {source == cluster, nft::accept()}});
  batch.add(nft::Rule{forward, {destination == cluster, nft::accept()}});
}

}  // namespace

void set_up_masquerade(const NetNs& netns, const Config& config, const LeaseSubnets& own, bool forward_rules) {
  nft::Batch batch;
  if (config.v4 && own.v4) {
    spdlog::info("nftables: setting up masking rules (ipv4)");
    add_family(batch, nft::Family::ip, config.v4->network, *own.v4, forward_rules);
  }
  if (config.v6 && own.v6) {
    spdlog::info("nftables: setting up masking rules (ipv6)");
    add_family(batch, nft::Family::ip6, config.v6->network, *own.v6, forward_rules);
  }
  batch.commit(netns);
}

}  // namespace knetsim::flannel
