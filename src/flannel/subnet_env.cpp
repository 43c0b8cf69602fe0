#include "knetsim/flannel/subnet_env.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/text.h"

namespace knetsim::flannel {

namespace {

unsigned parse_mtu(std::string_view text) {
  unsigned mtu = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), mtu);
  if (code != std::errc{} || end != text.data() + text.size()) throw InputError(excerpt(text) + " isn't a number");
  return mtu;
}

std::vector<Network> parse_networks(std::string_view text) {
  std::vector<Network> networks;
  for (;;) {
    const auto one = text.substr(0, text.find(','));
    if (const auto network = canonical(parse_network(one));
        std::find(networks.begin(), networks.end(), network) == networks.end())
      networks.push_back(network);
    if (one.size() == text.size()) return networks;
    text.remove_prefix(one.size() + 1);
  }
}

void read_line(std::string_view key, std::string_view value, SubnetEnv& env) {
  if (key == "FLANNEL_NETWORK") env.networks = parse_networks(value);
  if (key == "FLANNEL_SUBNET") env.subnet = parse_network(value);
  if (key == "FLANNEL_IPV6_NETWORK") env.ipv6_networks = parse_networks(value);
  if (key == "FLANNEL_IPV6_SUBNET") env.ipv6_subnet = parse_network(value);
  if (key == "FLANNEL_MTU") env.mtu = parse_mtu(value);
  if (key == "FLANNEL_IPMASQ") env.ip_masq = value == "true";
}

}  // namespace

std::string to_text(const SubnetEnv& env) {
  std::string text;
  const auto add = [&](std::string_view key, const std::vector<Network>& networks) {
    std::vector<std::string> written;
    for (const auto& network : networks) written.push_back(to_string(network));
    if (!networks.empty()) text += fmt::format("{}={}\n", key, fmt::join(written, ","));
  };
  const auto one = [](const std::optional<Network>& network) {
    return network ? std::vector{*network} : std::vector<Network>{};
  };
  add("FLANNEL_NETWORK", env.networks);
  add("FLANNEL_SUBNET", one(env.subnet));
  add("FLANNEL_IPV6_NETWORK", env.ipv6_networks);
  add("FLANNEL_IPV6_SUBNET", one(env.ipv6_subnet));
  if (env.mtu) text += fmt::format("FLANNEL_MTU={}\n", *env.mtu);
  if (env.ip_masq) text += fmt::format("FLANNEL_IPMASQ={}\n", *env.ip_masq);
  return text;
}

SubnetEnv parse_subnet_env(std::string_view text) {
  SubnetEnv env;
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    try {
      read_line(line.substr(0, equals), line.substr(equals + 1), env);
    } catch (const InputError& error) {
      throw InputError(fmt::format("{}: {}", excerpt(line), error.what()));
    }
  }
  return env;
}

SubnetEnv read_subnet_env(const std::filesystem::path& path) {
  try {
    return parse_subnet_env(read_file(path));
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", path.string(), error.what()));
  }
}

void write_subnet_env(const std::filesystem::path& path, const SubnetEnv& env) {
  if (path.has_parent_path()) make_directories(path.parent_path());
  write_file_atomically(path, to_text(env), 0644);
}

}  // namespace knetsim::flannel
