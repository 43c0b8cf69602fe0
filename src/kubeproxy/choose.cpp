// Which endpoints answer: pkg/proxy/topology.go.
#include <algorithm>
#include <tuple>

#include "knetsim/kubeproxy/services.h"

namespace knetsim::kubeproxy {

namespace {

bool is_among(const std::string& name, const std::vector<std::string>& names) {
  return !name.empty() && std::ranges::find(names, name) != names.end();
}

bool falls_back(const Backend& backend) { return backend.serving && backend.terminating; }

/// Each address and port once; one that a slice says is ready while it moves to another slice is.
std::vector<const Backend*> each_once(const std::vector<Backend>& backends, bool v6) {
  std::vector<const Backend*> all;
  for (const auto& backend : backends)
    if (backend.address.is_v6() == v6) all.push_back(&backend);
  std::ranges::stable_sort(all, {},
                           [](const Backend* one) { return std::tuple(one->address, one->port, !one->ready); });
  const auto again = std::ranges::unique(
      all, [](const Backend* a, const Backend* b) { return a->address == b->address && a->port == b->port; });
  all.erase(again.begin(), again.end());
  return all;
}

/// Those that the hints choose for this node: all, unless every one has a hint and some of them are for here.
std::vector<const Backend*> near(std::vector<const Backend*> ready, const NodeFacts& node) {
  using Names = std::vector<std::string> Backend::*;
  for (const auto& [names, here] : {std::pair{Names{&Backend::nodes}, node.name}, {&Backend::zones, node.zone}}) {
    const auto hinted = std::ranges::count_if(ready, [&](const Backend* one) { return !(one->*names).empty(); });
    if (static_cast<std::size_t>(hinted) != ready.size() || here.empty()) continue;
    auto chosen = ready;
    std::erase_if(chosen, [&](const Backend* one) { return !is_among(here, one->*names); });
    if (!chosen.empty()) return chosen;
  }
  return ready;
}

std::vector<const Backend*> those(const std::vector<const Backend*>& all, const auto& predicate) {
  std::vector<const Backend*> chosen;
  std::ranges::copy_if(all, std::back_inserter(chosen), [&](const Backend* one) { return predicate(*one); });
  return chosen;
}

}  // namespace

Chosen choose(const std::vector<Backend>& backends, bool v6, const NodeFacts& node) {
  const auto all = each_once(backends, v6);
  const auto is_here = [&](const Backend& one) { return !node.name.empty() && one.node == node.name; };
  const auto is_ready = [](const Backend& one) { return one.ready; };
  Chosen chosen;
  chosen.cluster = near(those(all, is_ready), node);
  if (chosen.cluster.empty()) chosen.cluster = those(all, falls_back);
  chosen.local = those(all, [&](const Backend& one) { return is_here(one) && one.ready; });
  if (chosen.local.empty())
    chosen.local = those(all, [&](const Backend& one) { return is_here(one) && falls_back(one); });
  return chosen;
}

std::size_t local_ready(const Backends& backends, const NodeFacts& node) {
  std::set<Address> here;
  for (const auto& [port, list] : backends)
    for (const auto& backend : list)
      if (backend.ready && !node.name.empty() && backend.node == node.name) here.insert(backend.address);
  return here.size();
}

}  // namespace knetsim::kubeproxy
