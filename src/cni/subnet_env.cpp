#include "knetsim/cni/subnet_env.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <string>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"

namespace knetsim::cni {

namespace {

using Values = std::map<std::string, std::string, std::less<>>;

Values read_lines(std::string_view text) {
  Values values;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    values.insert_or_assign(std::string(line.substr(0, equals)), std::string(line.substr(equals + 1)));
  }
  return values;
}

class Reader {
 public:
  Reader(std::string_view text, std::string_view where) : values_(read_lines(text)), where_(where) {}

  bool has(std::string_view key) const { return values_.contains(key); }

  const std::string& get(std::string_view key) const {
    const auto found = values_.find(key);
    if (found == values_.end()) throw refuse(fmt::format("is missing {}", key));
    return found->second;
  }

  Network network(std::string_view key, bool v6) const {
    const auto& text = get(key);
    try {
      const auto network = canonical(parse_network(text));
      if (is_v6(network) != v6) throw InputError(fmt::format("\"{}\" is of the other address family", text));
      return network;
    } catch (const InputError& error) {
      throw refuse(fmt::format("{}: {}", key, error.what()));
    }
  }

  unsigned number(std::string_view key) const {
    const auto& text = get(key);
    unsigned value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size())
      throw refuse(fmt::format("{}: \"{}\" isn't a number", key, text));
    return value;
  }

  InputError refuse(const std::string& answer) const {
    return InputError(describe({.where = {},
                                .tried = fmt::format("use {}", where_),
                                .answer = answer,
                                .remedy = "see that a flannel daemon wrote it"}));
  }

 private:
  Values values_;
  std::string where_;
};

}  // namespace

Network PodSubnet::gateway() const { return make_network(advance(address_of(subnet), 1), prefix_length(subnet)); }

SubnetEnv parse_subnet_env(std::string_view text, std::string_view where) {
  const Reader reader(text, where);
  SubnetEnv env;
  for (const bool v6 : {false, true}) {
    const auto network = v6 ? "FLANNEL_IPV6_NETWORK" : "FLANNEL_NETWORK";
    const auto subnet = v6 ? "FLANNEL_IPV6_SUBNET" : "FLANNEL_SUBNET";
    if (!reader.has(network) && !reader.has(subnet)) continue;
    env.subnets.push_back({.network = reader.network(network, v6), .subnet = reader.network(subnet, v6)});
  }
  if (env.subnets.empty()) throw reader.refuse("is missing FLANNEL_SUBNET or FLANNEL_IPV6_SUBNET");
  env.mtu = reader.number("FLANNEL_MTU");
  env.ip_masq = reader.get("FLANNEL_IPMASQ") == "true";
  return env;
}

SubnetEnv read_subnet_env(const std::filesystem::path& path) {
  std::string text;
  try {
    text = read_file(path);
  } catch (const SystemError& error) {
    throw InputError(describe({.where = {},
                               .tried = fmt::format("use {}", path.string()),
                               .answer = errno_text(error.error()),
                               .remedy = "start a flannel daemon on this worker and wait for that file"}));
  }
  return parse_subnet_env(text, path.string());
}

}  // namespace knetsim::cni
