#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "knetsim/cni/pod_network.h"
#include "knetsim/sys/netns.h"

namespace knetsim::cni {

using parts::Flavour;
Plugins plugins_of(Flavour flavour);

inline constexpr const char* kIpv4Lease =
    "FLANNEL_NETWORK=11.0.0.0/8\nFLANNEL_SUBNET=11.13.0.1/20\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n";
inline constexpr const char* kDualStackLease =
    "FLANNEL_NETWORK=11.0.0.0/8\nFLANNEL_SUBNET=11.13.0.1/20\nFLANNEL_IPV6_NETWORK=fd00::/8\n"
    "FLANNEL_IPV6_SUBNET=fd00:0:0:1::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n";

/// A worker's namespace with a lease, in a directory of its own.
class TestWorker {
 public:
  explicit TestWorker(const std::string& name = "w1", const std::string& lease = kIpv4Lease);

  const NetNs& netns() const { return netns_; }
  PodNetworkOptions options(Flavour flavour) const;
  PodNetwork network(Flavour flavour) const { return {netns_, options(flavour)}; }
  RuntimeOptions runtime_options() const;
  std::filesystem::path allocations() const { return directory_ / "cni/networks/cbr0"; }
  const std::filesystem::path& directory() const { return directory_; }
  const std::filesystem::path& subnet_file() const { return subnet_file_; }

 private:
  std::string name_;
  NetNs netns_;
  std::filesystem::path directory_;
  std::filesystem::path subnet_file_;
};

/// A container's namespace, pinned while this stands.
class TestContainer {
 public:
  explicit TestContainer(std::string id);
  ~TestContainer();
  TestContainer(const TestContainer&) = delete;
  TestContainer& operator=(const TestContainer&) = delete;

  const NetNs& netns() const { return netns_; }
  Attachment attachment() const { return {.container_id = id_, .netns = "/run/netns/" + id_}; }

 private:
  std::string id_;
  NetNs netns_;
};

/// stdout of a program run in `ns`; a test failure if it fails.
std::string output(const NetNs& ns, const std::vector<std::string>& argv);
/// How it ends: true for exit code 0.
bool succeeds(const NetNs& ns, const std::vector<std::string>& argv);
/// What the function throws, as an Error; a test failure if it throws nothing or something else.
template <typename E, typename F>
E thrown(F&& f);

std::vector<std::string> files_in(const std::filesystem::path& directory);

}  // namespace knetsim::cni

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>

namespace knetsim::cni {

template <typename E, typename F>
E thrown(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error;
  }
  throw std::logic_error("the expected exception wasn't thrown");
}

}  // namespace knetsim::cni
