// Ways into a lab from the host: its APIs and its nodes' ports, on the host's loopback. The host is this test's
// sandbox.
//
// Topology: pair.json, demo.json.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "knetsim/fixtures/prompt.h"
#include "knetsim/sys/eventually.h"

namespace knetsim::fixtures {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

ExecResult on_host(std::vector<std::string> argv, const std::string& kubeconfig = {}) {
  Command command{.argv = std::move(argv)};
  if (!kubeconfig.empty()) command.environment["KUBECONFIG"] = kubeconfig;
  return exec(command);
}

std::string kubeconfig_in(const std::string& greeting) {
  std::smatch found;
  return std::regex_search(greeting, found, std::regex("export KUBECONFIG=(\\S+)")) ? found[1].str() : "";
}

TEST(KubeWaysIn, OfferEachApiToWhoeverHasTheLabsToken) {
  Prompt prompt("demo", {"--api", "127.0.0.1:18443"});
  const auto file = kubeconfig_in(prompt.greeting());
  ASSERT_FALSE(file.empty()) << prompt.greeting();
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_THAT(on_host({"kubectl", "get", "nodes"}, file).out, ContainsRegex("c0w1 +Ready "));
  EXPECT_THAT(on_host({"kubectl", "--context", "C1", "get", "nodes"}, file).out, ContainsRegex("c1w1 +Ready "));
  const auto config = json::parse(std::ifstream(file));
  const auto url = config["clusters"][0]["cluster"]["server"].get<std::string>() + "/api/v1/nodes";
  EXPECT_EQ(url, "https://127.0.0.1:18443/api/v1/nodes");
  EXPECT_EQ(config["clusters"][1]["cluster"]["server"], "https://127.0.0.1:18444");
  const auto stranger = on_host({"curl", "-sk", "--max-time", "20", url});
  EXPECT_THAT(stranger.out, HasSubstr("Unauthorized")) << stranger.err;
  // A server that is started anew is found at the same place.
  prompt.type("restart C0e1 apiserver");
  EXPECT_THAT(on_host({"kubectl", "get", "nodes"}, file).out, ContainsRegex("c0w1 +Ready "));

  prompt.leave();
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_FALSE(on_host({"curl", "-sk", "--max-time", "20", url}).ok());
}

TEST(KubeWaysIn, PublishPortsOfTheFirstWorker) {
  Prompt prompt("pair", {"--publish", "18080:8080", "--api", "[::1]:0"});
  const auto config = json::parse(std::ifstream(kubeconfig_in(prompt.greeting())));
  EXPECT_THAT(config["clusters"][0]["cluster"]["server"], testing::MatchesRegex(R"(https://\[::1\]:[1-9][0-9]+)"));
  prompt.type("w1 python3 -m http.server 8080 --bind 10.0.0.3 &");
  eventually([]() -> std::optional<std::string> {
    const auto answer = on_host({"curl", "-s", "--max-time", "20", "http://127.0.0.1:18080/"});
    if (answer.out.find("Directory listing") != std::string::npos) return std::nullopt;
    return "an answer of w1's at port 18080 of the host: " + answer.out + answer.err;
  });
  prompt.leave();
  EXPECT_FALSE(on_host({"curl", "-s", "--max-time", "20", "http://127.0.0.1:18080/"}).ok());
}

TEST(KubeWaysIn, AreRefusedWhereTheyWouldBeSeenOrAreTaken) {
  const auto refusal = [](std::vector<std::string> options) {
    options.insert(options.begin(), {"up", "single"});
    const auto result = knetsim(std::move(options));
    EXPECT_EQ(result.status.code(), 2);
    return result.err;
  };
  EXPECT_THAT(refusal({"--api", "0.0.0.0:0"}), HasSubstr("other machines could reach it there"));
  EXPECT_THAT(refusal({"--api", "8001"}), HasSubstr("isn't ADDRESS:PORT"));
  EXPECT_THAT(refusal({"--api", "host:8001"}), HasSubstr("isn't ADDRESS:PORT"));
  EXPECT_THAT(refusal({"--api", "127.0.0.1:0"}), HasSubstr("no cluster of this network has a Kubernetes API"));
  EXPECT_THAT(refusal({"--publish", "8080"}), HasSubstr("isn't HOSTPORT:NODEPORT"));
  EXPECT_THAT(refusal({"--publish", "8080:0"}), HasSubstr("isn't HOSTPORT:NODEPORT"));
  EXPECT_THAT(refusal({"--publish", "8080:C9:30080"}), HasSubstr("no such cluster"));
  EXPECT_THAT(refusal({"--publish", "18081:1", "--publish", "18081:2"}), HasSubstr("can't listen on 127.0.0.1 port"));
}

}  // namespace
}  // namespace knetsim::fixtures
