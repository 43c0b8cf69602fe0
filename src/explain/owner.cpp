#include "owner.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace knetsim::explain {

namespace {

struct OwnedTable {
  std::string_view table;  // as its name begins
  std::string_view part;   // of the chain's name or of the comment; empty: any
  Disposition disposition;
  std::string_view object;  // what goes before the comment
};

// The first that fits.
constexpr std::array kOwned{
    OwnedTable{"kube-proxy", "no-endpoint", Disposition::no_endpoint, "service "},
    OwnedTable{"kube-proxy", "no endpoint", Disposition::no_endpoint, "service "},
    OwnedTable{"kube-proxy", "reject", Disposition::no_endpoint, "service "},
    OwnedTable{"kube-proxy", "local", Disposition::local_policy_no_endpoint, "service "},
    OwnedTable{"kube-proxy", "gone", Disposition::no_endpoint, "VIP: "},
    OwnedTable{"knetsim-vips", "gone", Disposition::no_endpoint, "VIP: "},
    OwnedTable{"kube-network-policies", "", Disposition::dropped_by_policy, "policy "},
    OwnedTable{"knetsim-netpolicy", "", Disposition::dropped_by_policy, "policy "},
    OwnedTable{"knetsim-policies", "", Disposition::dropped_by_policy, "policy "},
    OwnedTable{"flannel-", "", Disposition::dropped_by_rule, "flanneld: "},
    OwnedTable{"kube-proxy", "", Disposition::dropped_by_rule, "kube-proxy: "},
    OwnedTable{"knetsim-vips", "", Disposition::dropped_by_rule, "VIP: "},
};

bool holds(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

std::string comment_in(const std::string& text) {
  constexpr std::string_view kBegin = "comment \"";
  const auto begin = text.rfind(kBegin);
  if (begin == std::string::npos) return {};
  const auto from = begin + kBegin.size();
  return text.substr(from, text.find('"', from) - from);
}

RuleOwner owner_of_rule(const nft::ChainId& chain, const std::string& text) {
  const auto comment = comment_in(text);
  for (const auto& one : kOwned) {
    if (!chain.table.name.starts_with(one.table)) continue;
    if (!holds(chain.name, one.part) && !holds(comment, one.part)) continue;
    return {one.disposition, std::string(one.object) + (comment.empty() ? "chain " + chain.name : comment)};
  }
  return {};
}

}  // namespace knetsim::explain
