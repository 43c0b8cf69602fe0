#include "knetsim/flannel/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <functional>
#include <regex>

#include "knetsim/sys/error.h"
#include "knetsim/sys/text.h"

namespace knetsim::flannel {

namespace {

InputError refused(const std::string& flag, std::string_view value, std::string_view why) {
  return InputError(fmt::format("invalid value \"{}\" for flag -{}: {}", value, flag, why));
}

long parse_number(const std::string& flag, const std::string& value, long min, long max) {
  long number = 0;
  const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (code != std::errc{} || end != value.data() + value.size() || number < min || number > max)
    throw refused(flag, value, fmt::format("give a whole number from {} to {}", min, max));
  return number;
}

bool parse_bool(const std::string& flag, const std::string& value) {
  constexpr std::array<std::string_view, 6> kTrue{"1", "t", "T", "true", "TRUE", "True"};
  constexpr std::array<std::string_view, 6> kFalse{"0", "f", "F", "false", "FALSE", "False"};
  if (std::find(kTrue.begin(), kTrue.end(), value) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), value) != kFalse.end()) return false;
  throw refused(flag, value, "give true or false");
}

Address parse_ip(const std::string& flag, const std::string& value) {
  try {
    return parse_address(value);
  } catch (const InputError& error) {
    throw refused(flag, value, error.what());
  }
}

Address parse_ip(const std::string& flag, const std::string& value, bool v6) {
  auto address = parse_ip(flag, value);
  if (address.is_v6() != v6) throw refused(flag, value, v6 ? "give an IPv6 address" : "give an IPv4 address");
  return address;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t start = 0; start <= text.size();) {
    const auto comma = std::min(text.find(',', start), text.size());
    if (comma > start) parts.push_back(text.substr(start, comma - start));
    start = comma + 1;
  }
  return parts;
}

std::string required(const std::string& flag, const std::string& value) {
  if (value.empty()) throw refused(flag, value, "it must not be empty");
  return value;
}

std::string parse_pattern(const std::string& flag, const std::string& value) {
  constexpr std::size_t kLongest = 200;  // std::regex recurses along its pattern
  try {
    if (value.size() <= kLongest && !value.empty()) return std::regex(value), value;
  } catch (const std::regex_error&) {
    throw refused(flag, value, "it isn't a regular expression; write it like eth[0-9]+ or 10\\.0\\..*");
  }
  throw refused(flag, excerpt(value, kLongest), "give a regular expression of 1 to 200 characters");
}

struct Flag {
  std::string name;
  std::string help;
  bool boolean;
  std::function<void(CommandLine&, const std::string& flag, const std::string& value)> set;
};

const std::vector<Flag>& flags() {
  static const std::vector<Flag> all{
      {"etcd-endpoints",
       "a comma-delimited list of etcd endpoints (default http://127.0.0.1:4001,http://127.0.0.1:2379)", false,
       [](auto& line, auto& flag, auto& value) {
         line.options.etcd_endpoints = split(value);
         if (line.options.etcd_endpoints.empty()) throw refused(flag, value, "give at least one endpoint");
       }},
      {"etcd-prefix", "etcd prefix (default /coreos.com/network)", false,
       [](auto& line, auto& flag, auto& value) {
         try {
           line.options.etcd_prefix = parse_prefix(value);
         } catch (const InputError& error) {
           throw refused(flag, value, error.what());
         }
       }},
      {"etcd-cafile", "SSL Certificate Authority file used to secure etcd communication", false,
       [](auto& line, auto&, auto& value) { line.options.etcd_tls.ca = value; }},
      {"etcd-certfile", "SSL certification file used to secure etcd communication", false,
       [](auto& line, auto&, auto& value) { line.options.etcd_tls.certificate = value; }},
      {"etcd-keyfile", "SSL key file used to secure etcd communication", false,
       [](auto& line, auto&, auto& value) { line.options.etcd_tls.key = value; }},
      {"etcd-username", "username for BasicAuth to etcd", false,
       [](auto& line, auto&, auto& value) { line.options.etcd_username = value; }},
      {"etcd-password", "password for BasicAuth to etcd", false,
       [](auto& line, auto&, auto& value) { line.options.etcd_password = value; }},
      {"iface",
       "interface to use (IP or name) for inter-host communication; may be repeated, the first match wins (default: "
       "that "
       "of the default route)",
       false, [](auto& line, auto& flag, auto& value) { line.options.interfaces.push_back(required(flag, value)); }},
      {"iface-regex", "regular expression to match the first interface to use (IP or name); may be repeated", false,
       [](auto& line, auto& flag, auto& value) {
         line.options.interface_patterns.push_back(parse_pattern(flag, value));
       }},
      {"iface-can-reach", "use the interface by which this IP is reached", false,
       [](auto& line, auto& flag, auto& value) { line.options.interface_can_reach = parse_ip(flag, value); }},
      {"public-ip", "IP accessible by other nodes for inter-host communication (default: that of the interface)", false,
       [](auto& line, auto& flag, auto& value) { line.options.public_ip = parse_ip(flag, value, false); }},
      {"public-ipv6", "IPv6 accessible by other nodes for inter-host communication (default: that of the interface)",
       false, [](auto& line, auto& flag, auto& value) { line.options.public_ipv6 = parse_ip(flag, value, true); }},
      {"subnet-file",
       "filename where env variables (subnet, MTU, ...) will be written to (default /run/flannel/subnet.env)", false,
       [](auto& line, auto& flag, auto& value) { line.options.subnet_file = required(flag, value); }},
      {"ip-masq", "setup IP masquerade rules for traffic destined outside of the overlay network", true,
       [](auto& line, auto& flag, auto& value) { line.options.ip_masq = parse_bool(flag, value); }},
      {"ip-masq-fully-random-disable", "masquerade without fully random ports", true,
       [](auto& line, auto& flag, auto& value) { line.options.masq_random_fully = !parse_bool(flag, value); }},
      {"iptables-forward-rules", "add default accept rules for forwarded traffic of the network (default true)", true,
       [](auto& line, auto& flag, auto& value) { line.options.forward_rules = parse_bool(flag, value); }},
      {"subnet-lease-renew-margin", "subnet lease renewal margin, in minutes, ranging from 1 to 1439 (default 60)",
       false,
       [](auto& line, auto& flag, auto& value) {
         line.options.lease_renew_margin = std::chrono::minutes(parse_number(flag, value, 1, 1439));
       }},
      {"subnet-lease-ttl",
       "knetsim-flanneld only: how long a lease lives without renewal, in seconds, more than the margin (default "
       "86400)",
       false,
       [](auto& line, auto& flag, auto& value) {
         line.options.lease_ttl = std::chrono::seconds(parse_number(flag, value, 2, 9'000'000));
       }},
      {"healthz-ip", "the IP address for the healthz server to listen on (default 0.0.0.0)", false,
       [](auto& line, auto& flag, auto& value) { line.options.healthz_ip = parse_ip(flag, value); }},
      {"healthz-port", "the port for the healthz server to listen on (default 0: no server)", false,
       [](auto& line, auto& flag, auto& value) {
         line.options.healthz_port = static_cast<std::uint16_t>(parse_number(flag, value, 0, 65'535));
       }},
      {"v", "log level for V logs (default 0)", false,
       [](auto& line, auto& flag, auto& value) {
         line.options.verbosity = static_cast<int>(parse_number(flag, value, 0, 100));
       }},
      {"version", "print version and exit", true,
       [](auto& line, auto& flag, auto& value) {
         if (parse_bool(flag, value)) line.request = Request::version;
       }},
      {"help", "print this message and exit", true,
       [](auto& line, auto& flag, auto& value) {
         if (parse_bool(flag, value)) line.request = Request::help;
       }},
  };
  return all;
}

/// Flags of flanneld's and of klog's that have nothing to change here: unit files and manifests give them.
struct Ineffective {
  std::string_view name;
  bool boolean;
  std::string_view why;
};

constexpr std::string_view kNoKubernetes = "there is no Kubernetes API here, leases are kept in etcd";
constexpr std::string_view kOneLog = "the log goes to stderr";

constexpr std::array kIneffective{
    Ineffective{"kube-subnet-mgr", true, kNoKubernetes},
    Ineffective{"kube-api-url", false, kNoKubernetes},
    Ineffective{"kube-annotation-prefix", false, kNoKubernetes},
    Ineffective{"kubeconfig-file", false, kNoKubernetes},
    Ineffective{"net-config-path", false, kNoKubernetes},
    Ineffective{"set-node-network-unavailable", true, kNoKubernetes},
    Ineffective{"iptables-resync", false, "rules are put back when the kernel tells that they went"},
    Ineffective{"ip-blackhole-route", true, "no blackhole route is written"},
    Ineffective{"add_dir_header", true, kOneLog},
    Ineffective{"alsologtostderr", true, kOneLog},
    Ineffective{"log_backtrace_at", false, kOneLog},
    Ineffective{"log_dir", false, kOneLog},
    Ineffective{"log_file", false, kOneLog},
    Ineffective{"log_file_max_size", false, kOneLog},
    Ineffective{"log_link", false, kOneLog},
    Ineffective{"logbuflevel", false, kOneLog},
    Ineffective{"logtostderr", true, kOneLog},
    Ineffective{"one_output", true, kOneLog},
    Ineffective{"skip_headers", true, kOneLog},
    Ineffective{"skip_log_headers", true, kOneLog},
    Ineffective{"stderrthreshold", false, kOneLog},
    Ineffective{"vmodule", false, kOneLog},
};

const std::vector<Flag>& ineffective_flags() {
  static const std::vector<Flag> all = [] {
    std::vector<Flag> flags;
    for (const auto& [name, boolean, why] : kIneffective)
      flags.push_back({std::string(name), {}, boolean, [why = why](auto& line, auto& flag, auto& value) {
                         constexpr std::size_t kShown = 40;
                         line.options.ineffective.push_back(
                             fmt::format("-{}={} has no effect: {}", flag, excerpt(value, kShown), why));
                       }});
    return flags;
  }();
  return all;
}

const Flag& find_flag(std::string_view name) {
  for (const auto& flag : flags()) {
    if (flag.name == name || (name == "h" && flag.name == "help")) return flag;
  }
  for (const auto& flag : ineffective_flags())
    if (flag.name == name) return flag;
  throw InputError(fmt::format("flag provided but not defined: -{}; --help lists those that there are", name));
}

std::string variable_of(const Flag& flag) {
  std::string name = "FLANNELD_" + flag.name;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return c == '-' ? '_' : static_cast<char>(std::toupper(c)); });
  return name;
}

void read_environment(const std::vector<Flag>& known, const std::vector<std::string>& environment,
                      const std::vector<const Flag*>& given, CommandLine& line) {
  for (const auto& flag : known) {
    if (std::find(given.begin(), given.end(), &flag) != given.end()) continue;
    const auto prefix = variable_of(flag) + "=";
    for (const auto& variable : environment) {
      if (variable.size() > prefix.size() && variable.compare(0, prefix.size(), prefix) == 0)
        flag.set(line, flag.name, variable.substr(prefix.size()));
    }
  }
}

}  // namespace

std::string parse_prefix(std::string_view text) {
  constexpr std::size_t kLongest = 1'000;
  auto prefix = std::filesystem::path(text).lexically_normal().string();
  while (prefix.ends_with('/')) prefix.pop_back();
  if (prefix.empty() || prefix == "." || prefix == ".." || text.size() > kLongest)
    throw InputError(fmt::format(
        "{} can't be the prefix of flannel's keys\n  remedy: write it like /coreos.com/network", excerpt(text)));
  return prefix;
}

CommandLine parse_command_line(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
  CommandLine line;
  line.options.healthz_ip = boost::asio::ip::address_v4::any();
  std::vector<const Flag*> given;
  for (auto argument = arguments.begin(); argument != arguments.end(); ++argument) {
    auto text = *argument;
    if (text.size() < 2 || text.front() != '-' || text == "--")
      throw InputError(fmt::format("unexpected argument \"{}\"; every flag begins with a dash, see --help", text));
    text.erase(0, text[1] == '-' ? 2 : 1);
    const auto equals = text.find('=');
    const auto& flag = find_flag(text.substr(0, equals));
    std::string value = "true";
    if (equals != std::string::npos) {
      value = text.substr(equals + 1);
    } else if (!flag.boolean) {
      if (++argument == arguments.end())
        throw InputError(fmt::format("flag needs an argument: -{}; write -{}=<value>", flag.name, flag.name));
      value = *argument;
    }
    flag.set(line, flag.name, value);
    given.push_back(&flag);
  }
  read_environment(flags(), environment, given, line);
  read_environment(ineffective_flags(), environment, given, line);
  if (line.options.lease_ttl <= line.options.lease_renew_margin)
    throw refused("subnet-lease-ttl", std::to_string(line.options.lease_ttl.count()),
                  "it must be more than -subnet-lease-renew-margin");
  return line;
}

std::vector<std::string> to_arguments(const DaemonOptions& options) {
  const DaemonOptions defaults;
  std::vector<std::string> arguments;
  const auto add = [&](std::string_view flag, const auto& value) {
    arguments.push_back(fmt::format("-{}={}", flag, value));
  };
  add("etcd-endpoints", fmt::format("{}", fmt::join(options.etcd_endpoints, ",")));
  add("etcd-prefix", options.etcd_prefix);
  if (!options.etcd_tls.ca.empty()) add("etcd-cafile", options.etcd_tls.ca.string());
  if (!options.etcd_tls.certificate.empty()) add("etcd-certfile", options.etcd_tls.certificate.string());
  if (!options.etcd_tls.key.empty()) add("etcd-keyfile", options.etcd_tls.key.string());
  if (!options.etcd_username.empty()) add("etcd-username", options.etcd_username);
  if (!options.etcd_password.empty()) add("etcd-password", options.etcd_password);
  for (const auto& interface : options.interfaces) add("iface", interface);
  for (const auto& pattern : options.interface_patterns) add("iface-regex", pattern);
  if (options.interface_can_reach) add("iface-can-reach", options.interface_can_reach->to_string());
  if (options.public_ip) add("public-ip", options.public_ip->to_string());
  if (options.public_ipv6) add("public-ipv6", options.public_ipv6->to_string());
  add("subnet-file", options.subnet_file.string());
  if (options.ip_masq) add("ip-masq", true);
  if (!options.masq_random_fully) add("ip-masq-fully-random-disable", true);
  if (!options.forward_rules) add("iptables-forward-rules", false);
  if (options.lease_renew_margin != defaults.lease_renew_margin)
    add("subnet-lease-renew-margin", options.lease_renew_margin.count());
  if (options.lease_ttl != defaults.lease_ttl) add("subnet-lease-ttl", options.lease_ttl.count());
  if (options.healthz_port != 0) {
    if (!options.healthz_ip.is_unspecified()) add("healthz-ip", options.healthz_ip.to_string());
    add("healthz-port", options.healthz_port);
  }
  if (options.verbosity != 0) add("v", options.verbosity);
  return arguments;
}

std::vector<std::string> without_secrets(std::vector<std::string> arguments) {
  constexpr const char* kHidden = "...";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto flag = arguments[i].substr(0, arguments[i].find('='));
    if (flag != "-etcd-password" && flag != "--etcd-password") continue;
    if (flag.size() < arguments[i].size())
      arguments[i] = flag + "=" + kHidden;
    else if (i + 1 < arguments.size())
      arguments[i + 1] = kHidden;
  }
  return arguments;
}

std::string usage(const std::string& program) {
  auto text = fmt::format("Usage: {} [OPTION]...\n", program);
  for (const auto& flag : flags())
    text += fmt::format("  -{}{}\n        {}\n", flag.name, flag.boolean ? "" : " value", flag.help);
  text += "Taken, with a word in the log, and without effect:";
  for (const auto& flag : ineffective_flags()) text += " -" + flag.name;
  return text + "\nEach flag may also be given as a variable, -etcd-prefix for example as FLANNELD_ETCD_PREFIX.\n";
}

}  // namespace knetsim::flannel
