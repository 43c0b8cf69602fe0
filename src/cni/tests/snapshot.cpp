#include "snapshot.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <regex>

#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "world.h"

namespace knetsim::cni {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

std::string common_part(const std::string& text) {
  static const std::regex veth("veth[0-9a-f]{8}");
  static const std::regex mac("([0-9a-f]{1,2}:){5}[0-9a-f]{1,2}");
  static const std::regex link_local("fe80::[0-9a-f:]+");
  auto plain = std::regex_replace(text, link_local, "LINKLOCAL");
  plain = std::regex_replace(plain, veth, "VETH");
  return std::regex_replace(plain, mac, "MAC");
}

bool by_chance(const std::string& key) {
  return key.ends_with("_timer") || key == "tentative" || key == "link_netns" || key == "link_netnsid";
}

json read_all(const NetNs& ns, const std::vector<std::string>& argv) { return json::parse(output(ns, argv)); }

// The kernel lists routes of the same destination in the order in which interfaces came up.
json read_routes(const NetNs& ns, const std::vector<std::string>& argv) {
  auto routes = without_chance(read_all(ns, argv));
  std::sort(routes.begin(), routes.end());
  return routes;
}

// Interfaces by name, so that a random name doesn't decide on the order.
json sysctls(const NetNs& ns) {
  return ns.run([] {
    json values;
    for (const std::string root : {"/proc/sys/net/ipv4/conf", "/proc/sys/net/ipv6/conf"}) {
      for (const auto& file : fs::recursive_directory_iterator(root)) {
        if (!file.is_regular_file() || file.path().filename() == "stable_secret") continue;
        try {
          values[common_part(file.path().string())] = read_file(file.path());
        } catch (const SystemError&) {
          continue;  // write-only
        }
      }
    }
    values["ip_forward"] = read_file("/proc/sys/net/ipv4/ip_forward");
    return values;
  });
}

}  // namespace

json without_chance(const json& document) {
  if (document.is_string()) return common_part(document.get<std::string>());
  if (!document.is_structured()) return document;
  json plain = document;
  for (auto item = plain.begin(); item != plain.end();) {
    if (plain.is_object() && by_chance(item.key())) {
      item = plain.erase(item);
    } else {
      *item = without_chance(*item);
      ++item;
    }
  }
  return plain;
}

json snapshot(const NetNs& ns) {
  // The kernel brings links and IPv6 addresses into service in the background, and adds routes when it has.
  eventually([&]() -> std::optional<std::string> {
    for (const auto& link : read_all(ns, {"ip", "-j", "address"})) {
      if (link.at("operstate") == "DOWN" || link.at("operstate") == "LOWERLAYERDOWN") return link.dump();
      for (const auto& address : link.at("addr_info"))
        if (address.contains("tentative")) return link.dump();
    }
    return std::nullopt;
  });
  return without_chance({{"links", read_all(ns, {"ip", "-d", "-j", "link"})},
                         {"ports", read_all(ns, {"bridge", "-d", "-j", "link"})},
                         {"addresses", read_all(ns, {"ip", "-j", "address"})},
                         {"routes", read_routes(ns, {"ip", "-d", "-j", "route", "show", "table", "all"})},
                         {"routes6", read_routes(ns, {"ip", "-d", "-6", "-j", "route", "show", "table", "all"})},
                         {"sysctls", sysctls(ns)}});
}

}  // namespace knetsim::cni
