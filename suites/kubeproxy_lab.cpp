#include "kubeproxy_lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "knetsim/apiserver/watch.h"
#include "knetsim/emulator/cluster_api.h"
#include "knetsim/nft/batch.h"
#include "knetsim/nft/ruleset.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/sysctl.h"

namespace knetsim::fixtures {

using nlohmann::json;

namespace {

constexpr std::initializer_list<const char*> kProxied{"w1", "w2"};
// A real one that finds its table gone looks at all of it, at the latest after its sync period.
constexpr std::chrono::milliseconds kSyncPeriod{90'000};
constexpr unsigned kConflict = 409;
constexpr unsigned kNotFound = 404;

std::set<std::string> port_names(const json& ports) {
  std::set<std::string> names;
  for (const auto& port : ports) names.insert(port.value("name", ""));
  return names;
}

std::string selector_of(const json& service) {
  std::string text;
  for (const auto& [key, value] : service["spec"]["selector"].items()) {
    auto name = key;
    if (const auto slash = name.find('/'); slash != std::string::npos) name.replace(slash, 1, "%2F");
    text += (text.empty() ? "" : "%2C") + name + "%3D" + value.get<std::string>();
  }
  return text;
}

}  // namespace

void KubeProxies::SetUp() {
  if (const auto absent = why_no(parts::kKubeProxy, GetParam())) GTEST_SKIP() << *absent;
  stand(GetParam());
}

void KubeProxyLab::stand(Flavour flavour) {
  flavour_ = flavour;
  auto pair = topology("pair.json");
  for (auto& cluster : pair.clusters) cluster.kube_proxy = flavour;
  boot(std::move(pair));
  // The kernel tells each host of one port a second that can't be reached, after six at once: icmp(7).
  for (const char* name : kProxied) worker(name).netns().run([] { write_sysctl("net.ipv4.icmp_ratelimit", "0"); });
  emulation().start_apis();
  api_.emplace(parse_address("127.0.0.1"), ClusterApi::port_of(0));
  s2_.emplace(c2(), kServed);
  s3_.emplace(c3(), kServed);
  other_.emplace(c2(), kOtherServed);
}

bool KubeProxyLab::is_ours(const std::string& name) const {
  const auto* const place = std::ranges::find(kProxied, name);
  return parts::at(flavour_, static_cast<std::size_t>(place - kProxied.begin()), kProxied.size()) == Flavour::builtin;
}

json KubeProxyLab::port(const char* name, const char* protocol, int number, int target) {
  return {{"name", name}, {"protocol", protocol}, {"port", number}, {"targetPort", target}};
}

json KubeProxyLab::endpoint(Container& container, const json& conditions, const json& hints) {
  json made{{"addresses", json::array({container.address().to_string()})},
            {"conditions", conditions},
            {"nodeName", &container == &c1() ? "w1" : "w2"}};
  if (!hints.is_null()) made["hints"] = hints;
  return made;
}

json KubeProxyLab::selecting(const std::string& container) {
  return {{"selector", {{"knetsim.io/container", container}}}};
}

Address KubeProxyLab::serve(const json& spec, const std::vector<json>& endpoints, const json& status) {
  json service{{"metadata", {{"name", "web"}}}, {"spec", {{"ports", json::array({port()})}}}};
  if (spec.is_object()) service["spec"].merge_patch(spec);
  auto made = api_->must("POST", kServices, service).body;
  if (!status.is_null())
    made = api_->must("PATCH", std::string(kServices) + "/web/status", {{"status", status}},
                      "application/merge-patch+json")
               .body;
  auto slices = std::uint64_t{0};
  if (!endpoints.empty()) slices = put_slice(endpoints);
  wait(apiserver::revision_of(made), slices);
  if (made["spec"].contains("selector")) wait_for_selected();
  return parse_address(made["spec"]["clusterIP"].get<std::string>());
}

void KubeProxyLab::change(const json& patch) {
  const auto changed = api_->must("PATCH", std::string(kServices) + "/web", patch, "application/merge-patch+json").body;
  wait(apiserver::revision_of(changed), 0);
  if (changed["spec"].contains("selector")) wait_for_selected();
}

std::uint64_t KubeProxyLab::put_slice(const std::vector<json>& endpoints) {
  json ports = json::array();
  for (const char* protocol : {"TCP", "UDP"})
    ports.push_back({{"name", protocol == std::string("TCP") ? "" : "u"}, {"protocol", protocol}, {"port", kServed}});
  const json slice{{"metadata", {{"name", "hand"}, {"labels", {{"kubernetes.io/service-name", "web"}}}}},
                   {"addressType", "IPv4"},
                   {"endpoints", endpoints},
                   {"ports", ports}};
  auto made = api_->must("POST", kSlices, slice, "application/json", kConflict);
  if (made.status == kConflict)
    made =
        api_->must("PATCH", std::string(kSlices) + "/hand", {{"endpoints", endpoints}}, "application/merge-patch+json");
  return apiserver::revision_of(made.body);
}

void KubeProxyLab::forget() {
  api_->must("DELETE", std::string(kServices) + "/web", {}, "application/json", kNotFound);
  api_->must("DELETE", std::string(kSlices) + "/hand", {}, "application/json", kNotFound);
  // The controllers' own go with the service; one of the same name would be served by them.
  eventually([&]() -> std::optional<std::string> {
    const auto left = api_->must("GET", std::string(kSlices) + "?labelSelector=kubernetes.io/service-name%3Dweb").body;
    return left["items"].empty() ? std::nullopt : std::optional("the end of its slices");
  });
  if (flavour_ != Flavour::builtin) return wait(0, 0);
  eventually([&]() -> std::optional<std::string> {
    for (const char* name : kProxied)
      for (const auto& element : nft::list_elements(worker(name).netns(), {kTable, "endpoints"}))
        if (element.comment.starts_with("default/web")) return "the end of " + element.comment;
    return std::nullopt;
  });
}

void KubeProxyLab::wait(std::uint64_t services, std::uint64_t slices) {
  if (flavour_ != Flavour::builtin) change_mark();
  for (const char* name : kProxied)
    is_ours(name) ? wait_for_acknowledgement(name, services, slices) : wait_for_mark(name);
}

void KubeProxyLab::wait_for_acknowledgement(const std::string& name, std::uint64_t services, std::uint64_t slices) {
  eventually([&]() -> std::optional<std::string> {
    json told;
    try {
      told = worker(name).netns().run(
          [] { return apiserver::Client(parse_address("127.0.0.1"), 10249).ask("GET", "/acknowledged").body; });
    } catch (const Error& error) {
      return error.what();  // it hasn't come up yet
    }
    if (told.value("services", std::uint64_t{0}) >= services &&
        told.value("endpointslices", std::uint64_t{0}) >= slices)
      return std::nullopt;
    return fmt::format("{} having services up to {} and slices up to {}: {}", name, services, slices, told.dump());
  });
}

// What any kube-proxy writes of a service and a slice that come last shows that it has written what came before: they
// have a port of their own each time.
void KubeProxyLab::change_mark() {
  const auto name = fmt::format("m{}", ++mark_);
  const json service{{"metadata", {{"name", "mark"}}},
                     {"spec", {{"ports", json::array({port(name.c_str(), "TCP", mark_)})}}}};
  const json slice{{"metadata", {{"name", "mark"}, {"labels", {{"kubernetes.io/service-name", "mark"}}}}},
                   {"addressType", "IPv4"},
                   {"endpoints", json::array({endpoint(c2())})},
                   {"ports", json::array({{{"name", name}, {"protocol", "TCP"}, {"port", kServed}}})}};
  if (!mark_ip_) {
    const auto made = api_->must("POST", kServices, service).body;
    mark_ip_ = parse_address(made["spec"]["clusterIP"].get<std::string>());
    api_->must("POST", kSlices, slice);
    return;
  }
  api_->must("PATCH", std::string(kServices) + "/mark", {{"spec", service["spec"]}}, "application/merge-patch+json");
  api_->must("PATCH", std::string(kSlices) + "/mark", {{"ports", slice["ports"]}}, "application/merge-patch+json");
}

void KubeProxyLab::wait_for_mark(const std::string& name) {
  const auto key =
      nft::Data::concat({*mark_ip_, nft::L4Proto::tcp, nft::Data::port(static_cast<std::uint16_t>(mark_))});
  const auto is_there = [&]() -> std::optional<std::string> {
    try {
      for (const auto& element : nft::list_elements(worker(name).netns(), {kTable, "service-ips"}))
        if (element.key == key) return std::nullopt;
    } catch (const nft::Error&) {
      // It hasn't come up yet.
    }
    return fmt::format("mark {} in the kernel of {}", mark_, name);
  };
  eventually(is_there, kSyncPeriod);
}

void KubeProxyLab::wait_for_selected() {
  std::uint64_t revision = 0;
  eventually([&]() -> std::optional<std::string> {
    const auto service = api_->must("GET", std::string(kServices) + "/web").body;
    const auto pods = api_->must("GET", "/api/v1/namespaces/default/pods?labelSelector=" + selector_of(service)).body;
    const auto slices =
        api_->must("GET", std::string(kSlices) + "?labelSelector=kubernetes.io/service-name%3Dweb").body;
    std::size_t endpoints = 0;
    bool current = !slices["items"].empty();
    for (const auto& slice : slices["items"]) {
      revision = std::max(revision, apiserver::revision_of(slice));
      endpoints += slice.value("endpoints", json::array()).size();
      current = current && port_names(slice.value("ports", json::array())) == port_names(service["spec"]["ports"]);
    }
    if (current && endpoints == pods["items"].size()) return std::nullopt;
    return fmt::format("{} endpoints of web; there are {}", pods["items"].size(), endpoints);
  });
  wait(0, revision);
}

Trouble KubeProxyLab::reaches(const Node& from, const Address& to, std::uint16_t number, const std::set<int>& servers,
                              const std::optional<Address>& source) {
  std::set<int> seen;
  for (int i = 0; i < 60 && (seen.size() < servers.size() || i < 3); ++i) {
    const auto before2 = s2_->flows();
    const auto before3 = s3_->flows();
    if (auto trouble = tcp_exchange(from, to, number, 64, kQuick)) return trouble;
    const bool at2 = s2_->flows() > before2;
    const bool at3 = s3_->flows() > before3;
    if (!at2 && !at3) return "somebody else answered";
    seen.insert(at2 ? 2 : 3);
    const auto client = (at2 ? *s2_ : *s3_).clients().back();
    if (source && client != *source) return "the server saw " + client.to_string();
  }
  if (seen == servers) return std::nullopt;
  return fmt::format("{} of {} servers answered, or others", seen.size(), servers.size());
}

Trouble KubeProxyLab::is_refused(const Node& from, const Address& to, std::uint16_t number) {
  const auto trouble = tcp_exchange(from, to, number, 64, kQuick);
  if (!trouble) return "it is answered";
  return trouble->find("refused") != std::string::npos ? std::nullopt : trouble;
}

std::uint64_t KubeProxyLab::counted(const std::string& on, const std::string& rule) {
  std::uint64_t packets = 0;
  for (const auto& one : nft::list_rules(worker(on).netns(), kTable))
    if (one.comment == rule && one.counter) packets += one.counter->packets;
  return packets;
}

Trouble KubeProxyLab::is_dropped(const Node& from, const Address& to, std::uint16_t number, const std::string& on,
                                 const std::string& rule) try {
  const auto before = is_ours(on) ? counted(on, rule) : 0;
  auto trouble = tcp_exchange(from, to, number, 64, kQuick);
  if (!trouble) return "it is answered";
  if (trouble->find("refused") != std::string::npos) return trouble;
  if (!is_ours(on)) return std::nullopt;
  return counted(on, rule) > before ? Trouble() : "nothing was dropped by: " + rule;
} catch (const nft::Error& error) {
  return error.what();
}

Trouble KubeProxyLab::without_rules(const std::function<Trouble()>& probe) {
  for (const char* name : kProxied) {
    proxy(name).process().signal(SIGSTOP);
    nft::Batch batch;
    batch.ensure_absent(kTable).commit(worker(name).netns());
  }
  auto trouble = probe();
  for (const char* name : kProxied) proxy(name).process().signal(SIGCONT);
  if (flavour_ != Flavour::builtin) change_mark();
  for (const char* name : kProxied) {
    if (!is_ours(name)) {
      wait_for_mark(name);
      continue;
    }
    eventually([&]() -> std::optional<std::string> {
      if (nft::exists(worker(name).netns(), kTable) && !nft::list_rules(worker(name).netns(), kTable).empty())
        return std::nullopt;
      return std::string("the rules of ") + name;
    });
  }
  return trouble;
}

INSTANTIATE_TEST_SUITE_P(Flavours, KubeProxies, kAllFlavours, flavour_name);

}  // namespace knetsim::fixtures
