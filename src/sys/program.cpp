#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <sstream>
#include <utility>

#include "knetsim/sys/error.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {

namespace fs = std::filesystem;

namespace {

// The view of the state may be gone, or be somebody else's directory: what it shows is run from where it lies.
fs::path behind_the_view(const std::string& name) {
  const std::string view = std::string(kStateView) + "/";
  return name.starts_with(view) ? fs::path(kStateDirectory) / name.substr(view.size()) : fs::path(name);
}

bool is_executable(const fs::path& path) { return ::access(path.c_str(), X_OK) == 0 && fs::is_regular_file(path); }

// Where programs are if nobody says.
constexpr const char* kUsualPath = "/usr/local/bin:/usr/bin:/bin";

// Debian's packages of the programs that a knetsim run may start.
constexpr std::array<std::pair<std::string_view, std::string_view>, 36> kPackages{{{"etcd", "etcd-server"},
                                                                                   {"etcdctl", "etcd-client"},
                                                                                   {"nft", "nftables"},
                                                                                   {"iptables", "iptables"},
                                                                                   {"ip", "iproute2"},
                                                                                   {"bridge", "iproute2"},
                                                                                   {"ss", "iproute2"},
                                                                                   {"ping", "iputils-ping"},
                                                                                   {"ifconfig", "net-tools"},
                                                                                   {"wget", "wget"},
                                                                                   {"ps", "procps"},
                                                                                   {"tcpdump", "tcpdump"},
                                                                                   {"python3", "python3"},
                                                                                   {"conntrack", "conntrack"},
                                                                                   {"socat", "socat"},
                                                                                   {"iperf3", "iperf3"},
                                                                                   {"bash", "bash"},
                                                                                   {"nginx", "nginx-light"},
                                                                                   {"dot", "graphviz"},
                                                                                   {"mount", "mount"},
                                                                                   {"nsenter", "util-linux"},
                                                                                   {"setpriv", "util-linux"},
                                                                                   {"curl", "curl"},
                                                                                   {"tshark", "tshark"},
                                                                                   {"traceroute", "traceroute"},
                                                                                   {"tracepath", "iputils-tracepath"},
                                                                                   {"mtr", "mtr-tiny"},
                                                                                   {"arping", "iputils-arping"},
                                                                                   {"dig", "bind9-dnsutils"},
                                                                                   {"nc", "netcat-openbsd"},
                                                                                   {"nmap", "nmap"},
                                                                                   {"ethtool", "ethtool"},
                                                                                   {"strace", "strace"},
                                                                                   {"htop", "htop"},
                                                                                   {"telnet", "telnet"},
                                                                                   {"less", "less"}}};

// Where it is although PATH doesn't lead there; empty if it isn't anywhere.
fs::path elsewhere(const std::string& name) {
  std::istringstream usual(kUsualPath);
  if (name.find('/') == std::string::npos)
    for (std::string directory; std::getline(usual, directory, ':');)
      if (auto there = fs::path(directory) / name; is_executable(there)) return there;
  return {};
}

}  // namespace

std::optional<fs::path> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    const auto path = fs::absolute(behind_the_view(name));
    return is_executable(path) ? std::optional(path) : std::nullopt;
  }
  const char* path = std::getenv("PATH");
  const bool set = path != nullptr && *path != '\0';
  // An ordinary user's PATH lacks the sbin directories.
  std::istringstream directories((set ? path : std::string(kUsualPath)) + ":/usr/sbin:/sbin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (directory.empty()) continue;
    if (auto candidate = fs::path(directory) / name; is_executable(candidate)) return candidate;
  }
  return std::nullopt;
}

fs::path require_program(const std::string& name) {
  if (auto found = find_program(name)) return *found;
  std::string remedy = "see that it exists, is executable and is on PATH";
  for (const auto& [program, package] : kPackages)
    if (program == name) remedy = "apt-get install " + std::string(package);
  if (const auto there = elsewhere(name); !there.empty())
    remedy = fmt::format("it is {}: add {} to PATH", there.string(), there.parent_path().string());
  throw InputError(describe({.tried = "find the program " + name, .remedy = remedy}));
}

}  // namespace knetsim
