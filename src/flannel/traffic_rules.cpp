#include "traffic_rules.h"

#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>
#include <utility>

#include "knetsim/nft/batch.h"
#include "knetsim/nft/statement.h"
#include "knetsim/nft/value.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/text.h"

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

/// Input for iptables-restore --noflush (ip6tables-restore) that makes the chains FLANNEL-FWD and FLANNEL-POSTRTG, with
/// flanneld's rules in flanneld's words, and leads to them from FORWARD and POSTROUTING. `fresh`: it fails if one of
/// the chains is there already. Else they are emptied first, and what leads there is left as it stands.
/// (pkg/trafficmngr/iptables: MasqRules, ForwardRules.)
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

/// Input that takes the same rules away; `saved` is what iptables-save prints.
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

constexpr std::chrono::seconds kProgramPatience{20};
constexpr std::uint32_t kKubernetesMark = 0x4000;

const nft::TableId kTableV4{nft::Family::ip, "flannel-ipv4"};
const nft::TableId kTableV6{nft::Family::ip6, "flannel-ipv6"};

// The words and the order are those of pkg/trafficmngr/nftables. There the third return compares with the pods, where
// iptables' rules compare with the network; so it does here.
void add_masquerade(nft::Batch& batch, const nft::TableId& table, const Network& cluster, const Network& pods,
                    bool random_fully) {
  const auto source = nft::saddr_of(table.family);
  const auto destination = nft::daddr_of(table.family);
  const auto multicast = parse_network(is_v6(cluster) ? "ff00::/8" : "224.0.0.0/4");
  const auto masquerade = nft::masquerade({.fully_random = random_fully});
  const nft::ChainId chain{table, "postrtg"};
  batch.add(nft::Chain{chain, nft::Hook{nft::ChainType::nat, nft::HookPoint::postrouting, nft::priority::kSrcNat},
                       "chain to manage traffic masquerading by flannel"});
  batch.add(nft::Rule{chain, {nft::meta::mark() == nft::Data::mark(kKubernetesMark), nft::return_()}});
  batch.add(nft::Rule{chain, {source == pods, destination == cluster, nft::return_()}});
  batch.add(nft::Rule{chain, {source == cluster, destination == pods, nft::return_()}});
  batch.add(nft::Rule{chain, {source != pods, destination == cluster, nft::return_()}});
  batch.add(nft::Rule{chain, {source == cluster, destination != multicast, masquerade}});
  batch.add(nft::Rule{chain, {source != cluster, destination == cluster, masquerade}});
}

void add_forward(nft::Batch& batch, const nft::TableId& table, const Network& cluster) {
  const nft::ChainId chain{table, "forward"};
  batch.add(nft::Chain{chain, nft::Hook{nft::ChainType::filter, nft::HookPoint::forward, nft::priority::kFilter},
                       "chain to accept flannel traffic"});
  batch.add(nft::Rule{chain, {nft::saddr_of(table.family) == cluster, nft::accept()}});
  batch.add(nft::Rule{chain, {nft::daddr_of(table.family) == cluster, nft::accept()}});
}

/// What a program of iptables' says of `input`; nullopt if it took it.
std::optional<std::string> restore(const std::string& program, const std::string& input) {
  const auto answer = exec({.argv = {program, "--noflush", "-w"}}, kProgramPatience, input);
  if (answer.ok()) return std::nullopt;
  return fmt::format("{}: {}", answer.status.describe(), excerpt(answer.err));
}

std::string saved_rules(const std::string& program) { return exec({.argv = {program}}, kProgramPatience).out; }

void write_family(const TrafficRules& rules, const Network& cluster, const Network& pods) {
  const std::string name = is_v6(cluster) ? "ip6tables" : "iptables";
  if (!find_program(name + "-restore")) {
    spdlog::warn("there is no {}-restore (apt-get install iptables): forwarded traffic is left to the rules of others",
                 name);
    return;
  }
  // Mostly there is nothing yet, and one program is enough.
  if (!restore(name + "-restore", iptables_rules(rules, cluster, pods, true))) return;
  auto input = without_iptables_rules(saved_rules(name + "-save"));
  auto failure = input.empty() ? std::nullopt : restore(name + "-restore", input);
  if (!failure) failure = restore(name + "-restore", iptables_rules(rules, cluster, pods, true));
  if (failure)
    throw Error(describe({.where = name,
                          .tried = "write flannel's rules",
                          .answer = *failure,
                          .remedy = "see iptables-save; -iptables-forward-rules=false leaves FORWARD alone"}));
}

/// flanneld cleans up what it wrote when it was told to use the other kind of rules.
void clear_iptables() {
  for (const std::string name : {"iptables", "ip6tables"}) {
    if (!find_program(name + "-save")) continue;
    const auto input = without_iptables_rules(saved_rules(name + "-save"));
    if (!input.empty()) restore(name + "-restore", input);
  }
}

bool is_iptables_chain(const nft::ChainId& chain) {
  return chain.name == "FLANNEL-FWD" || chain.name == "FLANNEL-POSTRTG" || chain.name == "FORWARD" ||
         chain.name == "POSTROUTING";
}

/// nft_tables' notifications: NFNLGRP_NFTABLES. Rules that iptables writes come there too, where it is iptables-nft.
Fd subscribe() {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  const int group = NFNLGRP_NFTABLES;
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
      ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
    throw SystemError("subscribe to the notifications of nft_tables");
  return fd;
}

bool contains_rule(const std::vector<nft::RuleId>& rules, const nft::RuleId& rule) {
  return std::find(rules.begin(), rules.end(), rule) != rules.end();
}

bool takes_away(const nlmsghdr& message) {
  const auto type = message.nlmsg_type;
  if (NFNL_SUBSYS_ID(type) != NFNL_SUBSYS_NFTABLES) return false;
  const auto kind = NFNL_MSG_TYPE(type);
  return kind == NFT_MSG_DELTABLE || kind == NFT_MSG_DELCHAIN || kind == NFT_MSG_DELRULE;
}

}  // namespace

TrafficManager::TrafficManager(const Config& config, LeaseSubnets own, TrafficRules rules)
    : config_(config), own_(std::move(own)), rules_(rules), changes_(subscribe()) {}

void TrafficManager::write_nftables() {
  clear_iptables();
  nft::Batch batch;
  const auto add = [&](const nft::TableId& table, const std::optional<SubnetRange>& range,
                       const std::optional<Network>& pods) {
    batch.replace(nft::Table{table, "rules for " + table.name});
    if (!range || !pods) return;
    if (rules_.masquerade) add_masquerade(batch, table, range->network, *pods, rules_.random_fully);
    if (rules_.forward) add_forward(batch, table, range->network);
  };
  add(kTableV4, config_.v4, own_.v4);
  add(kTableV6, config_.v6, own_.v6);
  batch.commit(NetNs::current());
}

void TrafficManager::write_iptables() {
  nft::Batch batch;
  batch.ensure_absent(kTableV4);
  batch.ensure_absent(kTableV6);
  batch.commit(NetNs::current());
  if (config_.v4 && own_.v4) write_family(rules_, config_.v4->network, *own_.v4);
  if (config_.v6 && own_.v6) write_family(rules_, config_.v6->network, *own_.v6);
}

void TrafficManager::write() {
  if (!rules_.masquerade && !rules_.forward) return;
  spdlog::info("{}: setting up {}", config_.nftables ? "nftables" : "iptables",
               rules_.masquerade ? "masking rules" : "forward rules");
  const auto before = standing();
  if (config_.nftables)
    write_nftables();
  else
    write_iptables();
  written_ = standing();
  std::erase_if(written_, [&](const nft::RuleId& rule) { return contains_rule(before, rule); });
}

/// Handles are never used again, so the same ones are the same rules. Empty where iptables isn't iptables-nft.
std::vector<nft::RuleId> TrafficManager::standing() const {
  std::vector<nft::RuleId> rules;
  const auto netns = NetNs::current();
  for (const auto family : {nft::Family::ip, nft::Family::ip6})
    for (const auto* name : {"flannel-ipv4", "flannel-ipv6", "filter", "nat"}) {
      const nft::TableId table{family, name};
      if (!nft::exists(netns, table)) continue;
      const bool shared = !std::string_view(name).starts_with("flannel");
      for (const auto& rule : nft::list_rules(netns, table))
        if (!shared || is_iptables_chain(rule.id.chain)) rules.push_back(rule.id);
    }
  return rules;
}

void TrafficManager::heed() {
  std::array<char, 1 << 16> buffer;
  bool look = false;
  for (;;) {
    const auto got = ::recv(changes_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOBUFS) {
      look = true;
      continue;
    }
    if (got <= 0) break;
    auto left = static_cast<unsigned>(got);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left))
      look |= takes_away(*message);
  }
  if (!look || written_.empty()) return;
  const auto now = standing();
  const auto stands = [&](const nft::RuleId& rule) { return contains_rule(now, rule); };
  if (std::all_of(written_.begin(), written_.end(), stands)) return;
  spdlog::warn("some of flannel's rules are gone; writing them again");
  write();
}

}  // namespace knetsim::flannel
