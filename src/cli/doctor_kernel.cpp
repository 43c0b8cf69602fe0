#include <fmt/format.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "doctor.h"
#include "knetsim/kubeproxy/vips.h"
#include "knetsim/netlink/link.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sysctl.h"
#include "text.h"

namespace knetsim::cli {

namespace fs = std::filesystem;

namespace {

constexpr const char* kPrivileges = "run it as root (sudo), or in a container started with docker run --privileged";

struct NamespaceKind {
  const char* name;
  int flag;
};

constexpr std::array<NamespaceKind, 5> kKinds{{{"mount namespaces", CLONE_NEWNS},
                                               {"pid namespaces", CLONE_NEWPID},
                                               {"network namespaces", CLONE_NEWNET},
                                               {"ipc namespaces", CLONE_NEWIPC},
                                               {"uts namespaces", CLONE_NEWUTS}}};

void make_namespace(int flags) {
  if (::unshare(flags) != 0) throw SystemError("create one");
}

void make_veth() {
  const auto here = NetNs::current();
  const auto there = NetNs::create();
  netlink::create_veth({.ns = here, .name = "knetsim0", .up = true}, {.ns = there, .name = "knetsim0", .up = true});
}

void make_bridge() {
  auto socket = netlink::Socket::here();
  netlink::create_bridge(socket, {.name = "knetsim0", .up = true});
}

void make_vxlan() {
  auto socket = netlink::Socket::here();
  netlink::create_vxlan(socket, {.name = "knetsim0", .vni = 100, .local = parse_address("127.0.0.1"), .up = true});
}

// A worker's whole ruleset, by the code that writes it when a cluster boots.
void serve_vips() {
  const auto here = NetNs::current();
  for (const auto& [vip, pods] : {std::pair("100.64.10.1", "11.0.0.0/8"), std::pair("fd64::1", "fd11::/48")}) {
    const auto network = parse_network(pods);
    kubeproxy::VipProxy proxy(here, {.pod_networks = {network}});
    const auto pod = [&](std::uint64_t number) { return kubeproxy::VipEndpoint{advance(address_of(network), number)}; };
    proxy.apply({{.address = parse_address(vip), .endpoints = {pod(2), pod(3)}, .name = "doctor"}});
  }
}

void open_socket(int family, int type) {
  const Fd socket(::socket(family, type | SOCK_CLOEXEC, 0));
  if (!socket) throw SystemError("open a socket");
}

void forward() { write_sysctl("net.ipv4.ip_forward", "1"); }

struct Feature {
  const char* name;
  void (*probe)();
  const char* remedy;
};

constexpr std::array<Feature, 7> kFeatures{
    {{"veth", make_veth, "modprobe veth (as root, on the host)"},
     {"bridge", make_bridge, "modprobe bridge (as root, on the host)"},
     {"vxlan", make_vxlan, "modprobe vxlan (as root, on the host)"},
     {"nftables rules of VIPs", serve_vips,
      "modprobe -a nf_tables nft_chain_nat nft_nat nft_masq nft_ct nft_numgen nf_conntrack_netlink (as root, on the "
      "host)"},
     {"IPv4 forwarding", forward, "see that /proc/sys may be written: docker run --privileged"},
     {"IPv6", [] { open_socket(AF_INET6, SOCK_DGRAM); }, "boot without ipv6.disable=1"},
     {"packet capture", [] { open_socket(AF_PACKET, SOCK_RAW); }, "modprobe af_packet (as root, on the host)"}}};

Finding finding_of(std::string name, const std::optional<std::string>& refusal, Finding::State otherwise,
                   std::string remedy) {
  // The sandbox's own message brings its remedy along.
  if (refusal && refusal->find("remedy:") != std::string::npos) remedy.clear();
  return {"kernel", std::move(name), refusal ? otherwise : Finding::State::good, refusal.value_or("works"),
          refusal ? std::move(remedy) : ""};
}

constexpr int kNetAdmin = 12;  // CAP_NET_ADMIN, capabilities(7)
constexpr int kSysAdmin = 21;  // CAP_SYS_ADMIN

std::optional<std::string> read_setting(const fs::path& path) {
  try {
    auto value = read_file(path);
    while (!value.empty() && value.back() == '\n') value.pop_back();
    return value;
  } catch (const SystemError&) {
    return std::nullopt;  // not every kernel has each of them
  }
}

Finding finding_of(std::string name, Finding::State state, std::string detail, std::string remedy = {}) {
  return {"privileges", std::move(name), state, std::move(detail), std::move(remedy)};
}

std::uint64_t effective_capabilities(const fs::path& status) {
  for (const auto& line : split_lines(read_setting(status).value_or("")))
    if (line.starts_with("CapEff:")) return std::stoull(line.substr(7), nullptr, 16);
  return 0;
}

Finding examine_user(const Machine& machine) {
  if (machine.user != 0)
    return finding_of("user", Finding::State::good, fmt::format("uid {}: rootless, in a user namespace", machine.user));
  const auto capabilities = effective_capabilities(machine.status);
  const auto has = [&](int number) { return (capabilities >> number & 1) != 0; };
  if (has(kNetAdmin) && has(kSysAdmin)) return finding_of("user", Finding::State::good, "root");
  const auto missing =
      fmt::format("root without {}{}", has(kSysAdmin) ? "" : "CAP_SYS_ADMIN ", has(kNetAdmin) ? "" : "CAP_NET_ADMIN");
  return finding_of("user", machine.may_make_namespaces ? Finding::State::good : Finding::State::bad, missing,
                    machine.may_make_namespaces ? "" : "docker run --privileged, or leave the container");
}

// A setting that forbids user namespaces matters only to an ordinary user whom the kernel did refuse.
Finding examine_setting(const Machine& machine, const std::string& name, const std::string& value, bool forbids,
                        const std::string& allow) {
  const auto detail = fmt::format("= {}", value);
  if (!forbids) return finding_of(name, Finding::State::good, detail);
  if (machine.user == 0) return finding_of(name, Finding::State::good, detail + ": no matter to root");
  if (machine.may_make_namespaces) return finding_of(name, Finding::State::good, detail + ", and yet it works");
  return finding_of(name, Finding::State::bad, detail + ": ordinary users may not make user namespaces",
                    fmt::format("sudo sysctl -w {}={}, or run it as root", name, allow));
}

}  // namespace

std::vector<Finding> examine_kernel() {
  using State = Finding::State;
  const bool root = ::geteuid() == 0;
  std::vector<Finding> findings;
  findings.push_back(finding_of("user namespaces", try_in_child(false, [] { make_namespace(CLONE_NEWUSER); }),
                                root ? State::optional : State::bad,
                                root ? "only running without root needs them" : kPrivileges));
  for (const auto& [name, flag] : kKinds)
    findings.push_back(
        finding_of(name, try_in_child(false, [flags = flag | (root ? 0 : CLONE_NEWUSER)] { make_namespace(flags); }),
                   State::bad, kPrivileges));
  const auto refusal = try_in_child(true, [] {});
  findings.push_back(finding_of(kSandboxFinding, refusal, State::bad, kPrivileges));
  for (const auto& feature : kFeatures)
    if (refusal)
      findings.push_back({"kernel", feature.name, State::bad, "not tried: no sandbox to try it in", ""});
    else
      findings.push_back(finding_of(feature.name, try_in_child(true, feature.probe), State::bad, feature.remedy));
  return findings;
}

std::vector<Finding> examine_privileges(const Machine& machine) {
  struct Setting {
    const char* name;
    const char* path;
    const char* forbidding;
    const char* allowing;
  };
  constexpr Setting kSettings[] = {
      {"kernel.unprivileged_userns_clone", "kernel/unprivileged_userns_clone", "0", "1"},
      {"kernel.apparmor_restrict_unprivileged_userns", "kernel/apparmor_restrict_unprivileged_userns", "1", "0"},
      {"user.max_user_namespaces", "user/max_user_namespaces", "0", "10000"}};
  std::vector<Finding> findings{examine_user(machine)};
  for (const auto& setting : kSettings)
    if (const auto value = read_setting(machine.sysctls / setting.path))
      findings.push_back(
          examine_setting(machine, setting.name, *value, *value == setting.forbidding, setting.allowing));
  return findings;
}

}  // namespace knetsim::cli
