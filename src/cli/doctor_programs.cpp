#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <regex>

#include "doctor.h"
#include "knetsim/cni/find_plugin.h"
#include "knetsim/cni/plugins.h"
#include "knetsim/flannel/launcher.h"
#include "knetsim/skupper/launcher.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/process.h"

namespace knetsim::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kVersionTimeout{10};

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
  return dotted.empty() ? first_match(text, "[0-9]{4,}") : dotted;
}

struct Answer {
  bool ok = false;
  std::string text;
};

Answer ask_version(const fs::path& program, const std::string& argument) {
  try {
    const auto result = exec({.argv = {program.string(), argument}}, kVersionTimeout);
    if (!result.ok())
      return {false, fmt::format("{} {}: {}\n{}", program.string(), argument,
                                 result.timed_out ? "no answer" : result.status.describe(), result.err)};
    const auto version = version_in(result.out + result.err);
    return {true, version.empty() ? "unknown version" : version};
  } catch (const Error& error) {
    return {false, error.what()};
  }
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
  const auto answer = ask_version(*program, wanted.version_argument);
  finding.detail = answer.ok ? fmt::format("{}  ({})", answer.text, program->string()) : answer.text;
  if (!answer.ok) {
    finding.state = Finding::State::bad;
    finding.remedy = fmt::format("apt-get install --reinstall {}", wanted.package);
  }
  return finding;
}

// A daemon that has a built-in stand-in: judged as an emulation would, whatever KNETSIM_FLANNEL and KNETSIM_SKUPPER
// say. A real one that is found and can't work here ends a boot.
template <typename Resolve>
Finding examine_daemon(const char* name, const char* stand_in, const char* remedy, const Resolve& resolve) {
  Finding finding{.group = "programs", .name = name, .detail = {}, .remedy = {}};
  try {
    const auto program = resolve();
    if (program.flavour == parts::Flavour::real) {
      finding.detail = fmt::format("{}  ({})", version_in(program.version), program.path.string());
      return finding;
    }
    finding.state = Finding::State::optional;
    finding.detail = fmt::format("not found: {} does its work", stand_in);
    finding.remedy = remedy;
  } catch (const Error& error) {
    finding.state = Finding::State::bad;
    finding.detail = error.what();
  }
  return finding;
}

Finding examine_flanneld() {
  return examine_daemon("flanneld", "knetsim-flanneld", "set KNETSIM_FLANNELD to the path of a real one", [] {
    auto environment = flannel::Environment::current();
    environment.flannel.reset();
    return flannel::resolve(parts::Flavour::automatic, environment);
  });
}

Finding examine_skrouterd() {
  constexpr const char* kRemedy =
      "set KNETSIM_SKROUTERD to the path of a real one, or KNETSIM_SKUPPER_ROOT to its unpacked image";
  return examine_daemon("skrouterd", "knetsim-skrouterd", kRemedy, [] {
    auto environment = skupper::Environment::current();
    environment.skupper.reset();
    return skupper::resolve(parts::Flavour::automatic, environment);
  });
}

// A plugin tells the versions of the protocol when it is asked in the protocol's own way.
Finding examine_plugin(const char* name) {
  Finding finding{.group = "programs", .name = fmt::format("CNI {}", name), .detail = {}, .remedy = {}};
  const char* cni_path = std::getenv("CNI_PATH");
  const auto program = cni::find_plugin(name, cni::resolve("builtin", cni_path != nullptr ? cni_path : "").search_path);
  if (!program) {
    finding.state = Finding::State::optional;
    finding.detail = "not found: the built-in one does its work";
    finding.remedy = "apt-get install containernetworking-plugins";
    return finding;
  }
  try {
    const auto result = exec({.argv = {program->string()}, .environment = {{"CNI_COMMAND", "VERSION"}}},
                             kVersionTimeout, R"({"cniVersion":"1.0.0"})");
    const auto versions = first_match(result.out, "\"supportedVersions\":\\[[^\\]]*\\]");
    const auto newest = versions.substr(std::min(versions.rfind(',') + 1, versions.size()));
    const auto version = version_in(newest.empty() ? versions : newest);
    if (result.ok() && !version.empty()) {
      finding.detail = fmt::format("speaks CNI {}  ({})", version, program->string());
      return finding;
    }
    finding.detail = fmt::format("{} doesn't speak CNI: {}", program->string(), result.status.describe());
  } catch (const Error& error) {
    finding.detail = error.what();
  }
  finding.state = Finding::State::optional;
  finding.remedy = "apt-get install --reinstall containernetworking-plugins";
  return finding;
}

}  // namespace

std::vector<Finding> examine_programs() {
  std::vector<Finding> findings;
  for (const auto& wanted : kRequired) findings.push_back(examine_required(wanted));
  for (const auto* plugin : {"bridge", "host-local"}) findings.push_back(examine_plugin(plugin));
  findings.push_back(examine_flanneld());
  findings.push_back(examine_skrouterd());
  return findings;
}

}  // namespace knetsim::cli
