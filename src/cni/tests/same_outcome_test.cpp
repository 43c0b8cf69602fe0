// The built-in plugin leaves what the real ones leave: everything that iproute2 and /proc/sys show is compared.

#include <gmock/gmock.h>

#include <map>

#include "knetsim/sys/file.h"
#include "knetsim/sys/sysctl.h"
#include "snapshot.h"
#include "world.h"

namespace knetsim::cni {
namespace {

using nlohmann::json;

struct Outcome {
  json worker;
  json container;
  json result;
  std::map<std::string, std::string> allocations;
};

Outcome outcome_of(Flavour flavour, const std::string& lease, const std::string& version) {
  const TestWorker worker("w1", lease);
  const TestContainer c1("c1");
  const TestContainer c2("c2");
  worker.netns().run([] { write_sysctl("net.ipv6.conf.default.accept_dad", "0"); });
  auto options = worker.options(flavour);
  options.cni_version = version;
  PodNetwork network(worker.netns(), options);
  network.attach(c1.attachment());
  const auto result = network.attach(c2.attachment());
  Outcome outcome{.worker = snapshot(worker.netns()),
                  .container = snapshot(c2.netns()),
                  .result = without_chance(json::parse(to_json(result))),
                  .allocations = {}};
  for (const auto& name : files_in(worker.allocations()))
    outcome.allocations[name] = read_file(worker.allocations() / name);
  network.detach("c1");
  network.detach("c2");
  NetNs::unpin("w1");
  std::filesystem::remove_all(worker.directory());
  return outcome;
}

void expect_same(const json& builtin, const json& real, const std::string& what) {
  const auto difference = json::diff(real, builtin);
  EXPECT_TRUE(difference.empty()) << what << ": what turns the real one into the built-in one\n" << difference.dump(2);
}

void expect_same_outcome(const std::string& lease, const std::string& version) {
  const auto real = outcome_of(Flavour::real, lease, version);
  const auto builtin = outcome_of(Flavour::builtin, lease, version);
  ASSERT_GT(real.worker["sysctls"].size(), 100U);
  ASSERT_EQ(real.worker["links"].size(), 4U);
  expect_same(builtin.worker, real.worker, "worker");
  expect_same(builtin.container, real.container, "container");
  expect_same(builtin.result, real.result, "result");
  EXPECT_EQ(builtin.allocations, real.allocations);
}

TEST(SameOutcome, BuiltInAndRealLeaveTheSameLinksAddressesRoutesAndSysctls) {
  expect_same_outcome(kIpv4Lease, "1.0.0");
}

TEST(SameOutcome, AlsoWithBothAddressFamilies) { expect_same_outcome(kDualStackLease, "1.0.0"); }

TEST(SameOutcome, AlsoInVersion040) { expect_same_outcome(kIpv4Lease, "0.4.0"); }

TEST(SameOutcome, AlsoInVersion020WithSeveralNetworks) {
  expect_same_outcome(
      "FLANNEL_NETWORK=10.244.0.0/16,192.168.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\n"
      "FLANNEL_IPMASQ=true\n",
      "0.2.0");
}

}  // namespace
}  // namespace knetsim::cni
