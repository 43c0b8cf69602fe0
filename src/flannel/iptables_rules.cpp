#include "iptables_rules.h"

#include <fmt/format.h>

#include <sstream>
#include <string_view>

namespace knetsim::flannel {

namespace {

constexpr const char* kForwardChain = "FLANNEL-FWD";
constexpr const char* kMasqueradeChain = "FLANNEL-POSTRTG";

/// One table: the chain of flannel's, and the builtin one that leads there.
class TableText {
 public:
  TableText(const char* table, const char* from, const char* chain, const char* comment, bool fresh)
      : chain_(chain), comment_(fmt::format("-m comment --comment \"{}\"", comment)) {
    text_ = fmt::format("*{}\n", table);
    text_ += fresh ? fmt::format("-N {}\n-A {} {} -j {}\n", chain, from, comment_, chain)
                   : fmt::format(":{} - [0:0]\n", chain);
  }

  void add(const std::string& match, const std::string& target) {
    text_ += fmt::format("-A {} {} {} -j {}\n", chain_, match, comment_, target);
  }
  std::string take() { return text_ + "COMMIT\n"; }

 private:
  std::string chain_;
  std::string comment_;
  std::string text_;
};

}  // namespace

// pkg/trafficmngr/iptables: MasqRules, ForwardRules.
std::string iptables_rules(const TrafficRules& rules, const Network& cluster, const Network& pods, bool fresh) {
  const auto network = to_string(cluster);
  const auto own = to_string(pods);
  std::string text;
  if (rules.forward) {
    TableText filter("filter", "FORWARD", kForwardChain, "flanneld forward", fresh);
    filter.add("-s " + network, "ACCEPT");
    filter.add("-d " + network, "ACCEPT");
    text += filter.take();
  }
  if (rules.masquerade) {
    const std::string masquerade = rules.random_fully ? "MASQUERADE --random-fully" : "MASQUERADE";
    TableText nat("nat", "POSTROUTING", kMasqueradeChain, "flanneld masq", fresh);
    nat.add("-m mark --mark 0x4000/0x4000", "RETURN");
    nat.add(fmt::format("-s {} -d {}", own, network), "RETURN");
    nat.add(fmt::format("-s {} -d {}", network, own), "RETURN");
    nat.add(fmt::format("! -s {} -d {}", network, own), "RETURN");
    nat.add(fmt::format("-s {} ! -d {}", network, is_v6(cluster) ? "ff00::/8" : "224.0.0.0/4"), masquerade);
    nat.add(fmt::format("! -s {0} -d {0}", network), masquerade);
    text += nat.take();
  }
  return text;
}

std::string without_iptables_rules(const std::string& saved) {
  std::string text;
  std::string table;
  std::string removed;
  std::string chains;
  std::istringstream lines(saved);
  for (std::string line; std::getline(lines, line);) {
    const auto leads_there = [&](const char* chain) { return line.ends_with(fmt::format("-j {}", chain)); };
    if (line.starts_with('*')) table = line;
    if (line.starts_with("-A ") && (leads_there(kForwardChain) || leads_there(kMasqueradeChain)))
      removed += "-D" + line.substr(2) + "\n";
    for (const auto* chain : {kForwardChain, kMasqueradeChain})
      if (line.starts_with(fmt::format(":{} ", chain))) chains += fmt::format("-F {0}\n-X {0}\n", chain);
    if (line != "COMMIT") continue;
    if (!removed.empty() || !chains.empty()) text += table + "\n" + removed + chains + "COMMIT\n";
    removed.clear();
    chains.clear();
  }
  return text;
}

}  // namespace knetsim::flannel
