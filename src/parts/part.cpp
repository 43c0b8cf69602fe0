#include "knetsim/parts/part.h"

#include <fmt/format.h>

#include <boost/algorithm/string/case_conv.hpp>

namespace knetsim::parts {

namespace {

using Verdict = Releases::Verdict;
using std::string_view_literals::operator""sv;

constexpr std::array kFlanneld{"flanneld"sv};
constexpr std::array kPlugins{"bridge"sv, "host-local"sv};
constexpr std::array kSkrouterd{"skrouterd"sv};
constexpr std::array kKubeApiserver{"kube-apiserver"sv};
constexpr std::array kKubeControllerManager{"kube-controller-manager"sv};
constexpr std::array kKubeProxyProgram{"kube-proxy"sv};

constexpr auto kUseAnotherFlanneld = "use 0.21.3 or later (0.26.3 and later also end quietly), or 0.6 to 0.17"sv;

constexpr std::array<Releases, 4> kFlanneldReleases{
    {{{0, 20, 0}, {0, 20, 1}, Verdict::refused, "it can't speak plain http to etcd", kUseAnotherFlanneld},
     {{0, 20, 1},
      {0, 21, 3},
      Verdict::refused,
      "it arms its watch anew after each event, and never hears of a lease that was registered in between: its workers "
      "lose each other",
      kUseAnotherFlanneld},
     {{0, 22, 0},
      {0, 26, 3},
      Verdict::faulty,
      "panics when it is stopped: \"close of closed channel\", exit code 2; 0.26.3 and later don't"},
     {{0, 0, 0},
      {0, 20, 0},
      Verdict::apart,
      "it keeps its leases in etcd's v2 store, the built-in one in v3",
      "set KNETSIM_FLANNELD to flanneld 0.21.3 or later, or choose another flavour"}}};

constexpr std::array<Releases, 1> kSkrouterdReleases{
    {{{0, 0, 0},
      {3, 0, 0},
      Verdict::apart,
      "before release 3 skrouterd carries TCP in another way: services are offered, and each of their connections "
      "breaks",
      "use release 3 or later, or the same flavour, real or builtin, for all routers"}}};

constexpr std::array<Releases, 1> kKubeProxyReleases{{{{0, 0, 0},
                                                       {1, 31, 0},
                                                       Verdict::refused,
                                                       "before release 1.31 it has no mode nftables, or asks for a "
                                                       "feature gate to have it",
                                                       "use 1.31 or later"}}};

}  // namespace

constinit const Part kFlannel{
    .name = "flannel",
    .kind = "daemon",
    .title = "flanneld",
    .own = "knetsim-flanneld",
    .real = kFlanneld,
    .variable = "KNETSIM_FLANNEL",
    .path_variable = "KNETSIM_FLANNELD",
    .remedy =
        "Debian has no package of it; take a release from https://github.com/flannel-io/flannel/releases and set "
        "KNETSIM_FLANNELD=/path/to/flanneld, or choose KNETSIM_FLANNEL=builtin",
    .needs = "iptables",
    .ready = "had a lease",
    .tells_release = true,
    .releases = kFlanneldReleases};

constinit const Part kCni{.name = "CNI",
                          .kind = "plugin",
                          .title = "CNI plugins",
                          .own = "flannel",
                          .real = kPlugins,
                          .variable = "KNETSIM_CNI",
                          .also = "the path of a plugin, a directory of plugins or a .conflist of yours",
                          .path_variable = "CNI_PATH",
                          .remedy = "apt-get install containernetworking-plugins, or put its directory on CNI_PATH"};

constinit const Part kSkupper{
    .name = "skupper",
    .kind = "router",
    .title = "skrouterd",
    .own = "knetsim-skrouterd",
    .real = kSkrouterd,
    .variable = "KNETSIM_SKUPPER",
    .path_variable = "KNETSIM_SKROUTERD",
    .root_variable = "KNETSIM_SKUPPER_ROOT",
    .remedy =
        "Debian has no package of it; unpack the image quay.io/skupper/skupper-router and set "
        "KNETSIM_SKUPPER_ROOT=/path/to/it, or set KNETSIM_SKROUTERD=/path/to/skrouterd, or choose "
        "KNETSIM_SKUPPER=builtin",
    .ready = "listened",
    .releases = kSkrouterdReleases};

constinit const Part kApiServer{
    .name = "apiserver",
    .kind = "server",
    .title = "kube-apiserver",
    .own = "knetsim-apiserver",
    .real = kKubeApiserver,
    .variable = "KNETSIM_APISERVER",
    .also = "the path of a kube-apiserver",
    .remedy =
        "Debian has no package of it; take it out of the image registry.k8s.io/kube-apiserver and set "
        "KNETSIM_APISERVER=/path/to/kube-apiserver, or choose KNETSIM_APISERVER=builtin",
    .ready = "served",
    .on_request = true};

constinit const Part kControllers{
    .name = "controllers",
    .kind = "daemon",
    .title = "kube-controller-manager",
    .own = "knetsim-controllers",
    .real = kKubeControllerManager,
    .variable = "KNETSIM_CONTROLLER_MANAGER",
    .also = "the path of a kube-controller-manager",
    .remedy =
        "Debian has no package of it; take it out of the image registry.k8s.io/kube-controller-manager and set "
        "KNETSIM_CONTROLLER_MANAGER=/path/to/kube-controller-manager, or choose KNETSIM_CONTROLLER_MANAGER=builtin",
    .on_request = true};

constinit const Part kKubeProxy{
    .name = "kube-proxy",
    .kind = "daemon",
    .title = "kube-proxy",
    .own = "knetsim-kube-proxy",
    .real = kKubeProxyProgram,
    .variable = "KNETSIM_KUBE_PROXY",
    .also = "the path of a kube-proxy",
    .remedy =
        "Debian has no package of it; take it out of the image registry.k8s.io/kube-proxy and set "
        "KNETSIM_KUBE_PROXY=/path/to/kube-proxy, or choose KNETSIM_KUBE_PROXY=builtin",
    .needs = "nft",
    .on_request = true,
    .tells_release = true,
    .releases = kKubeProxyReleases};

std::string choices_of(const Part& part) {
  return part.also.empty() ? "auto, real or builtin" : fmt::format("auto, real, builtin, or {}", part.also);
}

std::string option_of(const Part& part) { return "--" + boost::algorithm::to_lower_copy(std::string(part.name)); }

}  // namespace knetsim::parts
