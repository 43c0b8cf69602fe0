#include "world.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::cni {

namespace fs = std::filesystem;

Plugins plugins_of(Flavour flavour) { return resolve(to_string(flavour)); }

TestWorker::TestWorker(const std::string& name, const std::string& lease)
    : name_(name),
      netns_(NetNs::create()),
      directory_(fs::path(kStateDirectory) / name),
      subnet_file_(directory_ / "subnet.env") {
  fs::create_directories(directory_);
  write_file_atomically(subnet_file_, lease);
  netns_.pin(name);
}

PodNetworkOptions TestWorker::options(Flavour flavour) const {
  return {.node = name_, .directory = directory_, .subnet_file = subnet_file_, .plugins = plugins_of(flavour)};
}

RuntimeOptions TestWorker::runtime_options() const {
  return {.node = name_, .directory = directory_, .search_path = {directory_ / "plugins", "/usr/lib/cni"}};
}

TestContainer::TestContainer(std::string id) : id_(std::move(id)), netns_(NetNs::create()) { netns_.pin(id_); }

TestContainer::~TestContainer() { NetNs::unpin(id_); }

std::string output(const NetNs& ns, const std::vector<std::string>& argv) {
  const auto result = exec({.argv = argv, .netns = &ns});
  EXPECT_TRUE(result.ok()) << argv.front() << ": " << result.status.describe() << "\n" << result.err;
  return result.out;
}

bool succeeds(const NetNs& ns, const std::vector<std::string>& argv) { return exec({.argv = argv, .netns = &ns}).ok(); }

std::vector<std::string> files_in(const fs::path& directory) {
  std::vector<std::string> names;
  if (!fs::exists(directory)) return names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace knetsim::cni
