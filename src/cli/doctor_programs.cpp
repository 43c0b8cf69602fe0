#include <fmt/format.h>

#include <array>
#include <regex>

#include "doctor.h"
#include "knetsim/cni/plugins.h"
#include "knetsim/parts/program.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/installation.h"
#include "knetsim/sys/process.h"

namespace knetsim::cli {

namespace {

struct Wanted {
  const char* name;
  const char* version_argument;
  const char* package;
  const char* purpose;
};

constexpr std::array<Wanted, 11> kRequired{
    {{"etcd", "--version", "etcd-server", "holds flannel's config and leases"},
     {"etcdctl", "version", "etcd-client", "etcd's health, as the README asks it"},
     {"nft", "--version", "nftables", "shows the VIP rules"},
     {"ip", "-V", "iproute2", "looks into running emulations"},
     {"iptables", "-V", "iptables", "real CNI plugins and flanneld use it"},
     {"ping", "-V", "iputils-ping", "pod to pod, VIP"},
     {"ifconfig", "--version", "net-tools", "a command of the README"},
     {"wget", "--version", "wget", "a command of the README"},
     {"ps", "--version", "procps", "a command of the README"},
     {"tcpdump", "--version", "tcpdump", "looks into running emulations"},
     {"python3", "--version", "python3", "the README's http server"}}};

std::string first_match(const std::string& text, const char* pattern) {
  std::smatch match;
  return std::regex_search(text, match, std::regex(pattern)) ? match.str() : "";
}

// "nftables v1.0.6 (Lester Gooch #5)" -> "1.0.6", "ping from iputils 20221126" -> "20221126"
std::string version_in(const std::string& text) {
  const auto dotted = first_match(text, "[0-9]+([.][0-9]+)+");
  const auto version = dotted.empty() ? first_match(text, "[0-9]{4,}") : dotted;
  return version.empty() ? "unknown version" : version;
}

Finding examine_required(const Wanted& wanted) {
  Finding finding{.group = "programs", .name = wanted.name, .detail = {}, .remedy = {}};
  const auto program = find_program(wanted.name);
  if (!program) {
    finding.state = Finding::State::bad;
    finding.detail = fmt::format("not found: {}", wanted.purpose);
    finding.remedy = fmt::format("apt-get install {}", wanted.package);
    return finding;
  }
  try {
    const auto version = version_in(parts::ask_version({.argv = {program->string(), wanted.version_argument}}));
    finding.detail = fmt::format("{}  ({})", version, program->string());
  } catch (const Error& error) {
    finding.state = Finding::State::bad;
    finding.detail = error.what();
    finding.remedy = fmt::format("apt-get install --reinstall {}", wanted.package);
  }
  return finding;
}

// The part's row, as far as it is for choosing.
std::string how_to_choose(const parts::Part& part) {
  auto text = fmt::format("{}={}", part.variable, choices_of(part));
  if (!part.path_variable.empty()) text += fmt::format("\n{}: where the real one is", part.path_variable);
  if (!part.root_variable.empty()) text += fmt::format("\n{}: the unpacked image that it is in", part.root_variable);
  return text;
}

// Judged as an emulation would, whatever the variable that chooses says. A real one that is found and can't work here
// ends a boot.
Finding examine_daemon(const parts::Part& part) {
  Finding finding{.group = "parts", .name = std::string(part.real.front()), .detail = {}, .remedy = {}};
  try {
    const auto environment = parts::Environment::current().with(part.variable, {});
    const auto program = parts::resolve(part, parts::Flavour::automatic, environment);
    if (program.flavour == parts::Flavour::real) {
      finding.detail = fmt::format("{}  ({})", version_in(program.version), program.path.string());
      return finding;
    }
    finding.state = Finding::State::optional;
    finding.detail = fmt::format("not found: {} does its work", part.own);
    finding.remedy = part.remedy;
  } catch (const Error& error) {
    finding.state = Finding::State::bad;
    finding.detail = error.what();
  }
  return finding;
}

// A plugin tells the versions of the protocol when it is asked in the protocol's own way.
Finding examine_plugin(const parts::Part& part, std::string_view name) {
  Finding finding{.group = "parts", .name = fmt::format("{} {}", part.name, name), .detail = {}, .remedy = {}};
  const auto program = find_file(std::string(name), cni::resolve(parts::Flavour::builtin).search_path);
  finding.state = Finding::State::optional;
  finding.remedy = part.remedy;
  if (!program) {
    finding.detail = "not found: the built-in one does its work";
    return finding;
  }
  try {
    const auto answer = parts::ask_version({.argv = {program->string()}, .environment = {{"CNI_COMMAND", "VERSION"}}},
                                           R"({"cniVersion":"1.0.0"})");
    const auto versions = first_match(answer, "\"supportedVersions\":\\[[^\\]]*\\]");
    if (!versions.empty())
      return {.group = finding.group,
              .name = finding.name,
              .detail = fmt::format("speaks CNI {}  ({})", version_in(versions.substr(versions.rfind(',') + 1)),
                                    program->string()),
              .remedy = {}};
    finding.detail = fmt::format("{} doesn't speak CNI", program->string());
  } catch (const Error& error) {
    finding.detail = error.what();
  }
  return finding;
}

}  // namespace

std::vector<Finding> examine_programs() {
  std::vector<Finding> findings;
  for (const auto& wanted : kRequired) findings.push_back(examine_required(wanted));
  for (const auto* part : parts::kParts) {
    if (part == &parts::kCni)
      for (const auto name : part->real) findings.push_back(examine_plugin(*part, name));
    else
      findings.push_back(examine_daemon(*part));
    findings.back().detail += "\n" + how_to_choose(*part);
  }
  return findings;
}

}  // namespace knetsim::cli
