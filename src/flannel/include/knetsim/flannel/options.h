#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/etcd/client.h"
#include "knetsim/sys/network.h"

namespace knetsim::flannel {

/// What a flannel daemon is told on its command line. The names, the meaning and the defaults are flanneld's.
struct DaemonOptions {
  std::vector<std::string> etcd_endpoints{"http://127.0.0.1:4001", "http://127.0.0.1:2379"};
  std::string etcd_prefix = "/coreos.com/network";
  etcd::TlsFiles etcd_tls;  ///< for endpoints that begin with https
  std::string etcd_username;
  std::string etcd_password;
  std::vector<std::string> interfaces;  ///< names or addresses, the first that is there wins; none: the default route's
  std::vector<std::string> interface_patterns;  ///< regular expressions of the same, looked at after those
  std::optional<Address> interface_can_reach;  ///< the link of the route there, if there are neither names nor patterns
  std::optional<Address> public_ip;
  std::optional<Address> public_ipv6;
  std::filesystem::path subnet_file = "/run/flannel/subnet.env";
  bool ip_masq = false;
  bool masq_random_fully = true;  ///< choose the ports of what is masqueraded at random
  bool forward_rules = true;      ///< accept what is forwarded from and to the network
  std::chrono::minutes lease_renew_margin{60};
  std::chrono::seconds lease_ttl{86'400};  ///< knetsim-flanneld only; a real one is never given it
  Address healthz_ip;                      ///< 0.0.0.0
  std::uint16_t healthz_port = 0;          ///< 0: no health server
  int verbosity = 0;
  std::vector<std::string> ineffective;  ///< flags of flanneld's that were given and do nothing here
};

/// The prefix of flannel's keys in etcd as every part spells it: as Go's path.Join writes it, "//a/./b/" is "/a/b". One
/// without a slash at its beginning stays so: etcd's v3 keys are bytes. Throws InputError if nothing is left.
std::string parse_prefix(std::string_view text);

/// What the command line asks for besides running.
enum class Request { run, help, version };

struct CommandLine {
  Request request = Request::run;
  DaemonOptions options;
};

/// Reads arguments as Go's flag package does ("-flag=x", "--flag x", a bare boolean flag), then, for flags that weren't
/// given, the variables FLANNELD_<FLAG> of `environment` ("NAME=value" strings, as in environ(7)). Throws InputError
/// naming flag, value and remedy.
CommandLine parse_command_line(const std::vector<std::string>& arguments,
                               const std::vector<std::string>& environment = {});

/// The arguments that say the same, in the form that every flanneld since 0.6 understands: what is at its default is
/// left out.
std::vector<std::string> to_arguments(const DaemonOptions& options);

/// The arguments as a log may show them: without the password.
std::vector<std::string> without_secrets(std::vector<std::string> arguments);

/// The text of --help.
std::string usage(const std::string& program);

}  // namespace knetsim::flannel
