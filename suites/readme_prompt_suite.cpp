// The README's check of the prompt: every command of the original's README that is typed at its prompt, typed as it
// stands there on a real terminal, and its output judged.
//
// Topology: demo.json, stood up by `knetsim up`.

#include <gmock/gmock.h>

#include <regex>

#include "knetsim/fixtures/events.h"
#include "knetsim/fixtures/prompt.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

class ReadmePrompt : public testing::Test {
 protected:
  /// Types it, as one step of the check.
  std::string type(const std::string& line) {
    const Step step("a terminal", "the prompt", line);
    return prompt_.type(line);
  }

  /// The address that ifconfig shows in a container of C0.
  std::string address_of(const std::string& worker, const std::string& container) {
    const auto shown = type("py C0" + worker + ".exec_container(\"" + container + "\", \"ifconfig\")");
    std::smatch match;
    EXPECT_TRUE(std::regex_search(shown, match, std::regex("inet (11\\.[0-9.]+)"))) << shown;
    EXPECT_THAT(shown, HasSubstr("eth0: flags="));
    return match[1];
  }

 private:
  Prompt prompt_{"demo"};
};

KNETSIM_CHECK(ReadmePrompt, EveryCommandWorksAsItIsTypedThere, "cli",
              "Every command that the original README types at its prompt works as it stands there") {
  const auto c1 = address_of("w1", "c1");
  const auto c2 = address_of("w2", "c2");
  const auto c3 = address_of("w3", "c3");
  for (const auto& ip : {c2, c3})
    EXPECT_THAT(type("py C0w1.exec_container(\"c1\", \"ping " + ip + " -c 5\")"),
                HasSubstr("5 packets transmitted, 5 received, 0% packet loss"));

  EXPECT_EQ(type(R"(C0.kp_vip_add("100.64.10.1", ["c2", "c3"]))"), "");
  EXPECT_THAT(type(R"(py C0w1.exec_container("c1", "ping 100.64.10.1 -c 5"))"), HasSubstr("5 received"));
  EXPECT_THAT(type("C0w1 nft list ruleset"), ContainsRegex("ip daddr 100\\.64\\.10\\.1[^\n]*counter packets [1-9]"));

  EXPECT_EQ(type(R"(py C0w3.delete_container("c3"))"), "");
  std::vector<bool> answered;
  for (int i = 0; i < 4; ++i)
    answered.push_back(type(R"(py C0w1.exec_container("c1", "ping 100.64.10.1 -c 1 -W 1"))").find(" 1 received") !=
                       std::string::npos);
  EXPECT_THAT(answered, ElementsAre(false, true, false, true)) << "every other one goes to c3, which is gone";

  EXPECT_THAT(
      type("e1 /tmp/knetsim/etcdctl cluster-health"),
      AllOf(HasSubstr("is healthy: got healthy result from http://10.0.0.1:2379\n"),
            HasSubstr("is healthy: got healthy result from http://10.0.0.2:2379\n"), EndsWith("cluster is healthy\n")));
  EXPECT_THAT(type("w1 ifconfig"),
              AllOf(HasSubstr("flannel.100: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1450\n"),
                    ContainsRegex("inet 11\\.[0-9.]+  netmask"), HasSubstr("txqueuelen 0  (Ethernet)")));
}

}  // namespace
}  // namespace knetsim::fixtures
