// kubectl exec, cp, logs and attach of a lab's containers, by the real kubectl through the API server and the kubelet's
// endpoint of their worker. What the endpoint does with clients of any kind is proven in unit-emulator.
//
// Topology: pair.json, where c2 prints something. kubectl before 1.29 does all of it over SPDY.

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/pty.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

class KubeExec : public EmulationTest {
 protected:
  void SetUp() override {
    auto talking = topology("pair.json");
    talking.clusters.front().containers.at(1).command = {
        "sh", "-c", "trap 'echo last; kill $!; exit' TERM; echo first; echo second; sleep 1000 & wait"};
    boot(std::move(talking));
    emulation().start_apis();
  }

  static Command command(std::vector<std::string> arguments) {
    auto made = Emulation::kubectl(std::move(arguments));
    made.environment["KUBECTL_REMOTE_COMMAND_WEBSOCKETS"] = "true";  // 1.29; later ones need no telling
    return made;
  }
  static ExecResult kubectl(std::vector<std::string> arguments, const std::string& input = {}) {
    return exec(command(std::move(arguments)), kExecTimeout, input);
  }
  /// 20 of 1.20, which is Debian 12's.
  static int minor_of_kubectl() {
    const auto version = nlohmann::json::parse(kubectl({"version", "--client", "-o", "json"}).out);
    return std::stoi(version.at("clientVersion").at("minor").get<std::string>());
  }
};

TEST_F(KubeExec, RunsProgramsAndCopiesFiles) {
  const auto there = kubectl({"exec", "c1", "--", "ip", "-o", "-4", "address", "show", "eth0"});
  EXPECT_THAT(there.out, HasSubstr(cluster("C0").container("c1").address().to_string())) << there.err;

  const auto ended = kubectl({"exec", "c1", "--", "sh", "-c", "echo said; echo complaint >&2; exit 7"});
  EXPECT_EQ(ended.status.code(), 7);
  EXPECT_EQ(ended.out, "said\n");
  EXPECT_THAT(ended.err, HasSubstr("complaint\n"));

  std::string everything;
  for (int i = 0; i < 1 << 20; ++i) everything += static_cast<char>(i * 7 + i / 251);
  EXPECT_EQ(kubectl({"exec", "-i", "c1", "--", "cat"}, everything).out, everything);

  const std::filesystem::path here = kStateDirectory + std::string("/sent");
  const std::filesystem::path arrived = kStateDirectory + std::string("/arrived");
  std::ofstream(here) << everything;
  const auto sent = kubectl({"cp", here.string(), "c1:" + arrived.string()});
  EXPECT_TRUE(sent.ok()) << sent.err;
  const auto fetched = kubectl({"cp", "c1:" + arrived.string(), here.string() + "-back"});
  EXPECT_TRUE(fetched.ok()) << fetched.err;
  EXPECT_EQ(read_file(here.string() + "-back"), everything);

  EXPECT_THAT(kubectl({"exec", "nobody", "--", "true"}).err, HasSubstr("pods \"nobody\" not found"));
  EXPECT_THAT(kubectl({"exec", "c1", "-c", "x", "--", "true"}).err, HasSubstr("x is not valid for pod c1"));
  EXPECT_THAT(kubectl({"exec", "c1", "--", "no-such-program"}).err, HasSubstr("no-such-program"));
}

TEST_F(KubeExec, GoesOverSpdyWithOlderClients) {
  const auto older = [](std::vector<std::string> arguments) {
    auto made = Emulation::kubectl(std::move(arguments));
    for (const auto* const name : {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "KUBECTL_PORT_FORWARD_WEBSOCKETS"})
      made.environment[name] = "false";
    return made;
  };
  const auto ended =
      exec(older({"exec", "-i", "c1", "--", "sh", "-c", "cat; echo complaint >&2; exit 7"}), kExecTimeout, "typed\n");
  EXPECT_EQ(ended.status.code(), 7);
  EXPECT_EQ(ended.out, "typed\n");
  EXPECT_THAT(ended.err, HasSubstr("complaint\n"));

  auto shell = PtyProcess::spawn(older({"exec", "-it", "c1", "--", "sh"}), {.rows = 33, .columns = 101});
  shell.write("stty size\n");
  shell.expect("33 101\r\n");
  shell.write("exit 3\n");
  EXPECT_EQ(shell.wait().code(), 3);

  auto& pod = cluster("C0").container("c1");
  const auto server = pod.spawn({"python3", "-m", "http.server", "8080", "--bind", "127.0.0.1"});
  eventually([&]() -> std::optional<std::string> {
    return pod.exec({"curl", "-s", "http://127.0.0.1:8080/"}).ok() ? std::nullopt : std::optional("a server in c1");
  });
  auto forwarding = PtyProcess::spawn(older({"port-forward", "pod/c1", "18092:8080"}));
  forwarding.expect("Forwarding from 127.0.0.1:18092");
  EXPECT_THAT(exec({.argv = {"curl", "-s", "--max-time", "20", "http://127.0.0.1:18092/"}}).out,
              HasSubstr("Directory listing"));
}

TEST_F(KubeExec, EndsWithItsContainer) {
  auto left = PtyProcess::spawn(command({"exec", "c1", "--", "sh", "-c", "echo ready; exec sleep 1000"}));
  left.expect("ready");
  cluster("C0").delete_container("c1");
  left.expect("exit code 137");
  EXPECT_EQ(left.wait().code(), 137);
}

TEST_F(KubeExec, GivesAShellATerminal) {
  auto shell = PtyProcess::spawn(command({"exec", "-it", "c1", "--", "sh"}), {.rows = 33, .columns = 101});
  shell.write("stty size\n");
  shell.expect("33 101\r\n");
  shell.resize(44, 99);
  eventually([&]() -> std::optional<std::string> {
    shell.write("stty size\n");
    return shell.expect(std::regex("[0-9]+ [0-9]+\r\n")).find("44 99") != std::string::npos
               ? std::nullopt
               : std::optional<std::string>("the new size");
  });
  // Said by whoever has the terminal, so that Ctrl-C is for it.
  shell.write("sh -c 'echo $((6 * 7)); exec sleep 1000'\n");
  shell.expect("42\r\n");
  shell.write("\x03");
  shell.write("echo $((7 * 7)); exit 5\n");
  shell.expect("49\r\n");
  EXPECT_EQ(shell.wait().code(), 5);
}

TEST_F(KubeExec, DebugsAPodInItsNetwork) {
  constexpr int kEphemeralContainers = 25;
  constexpr int kProfiles = 30;
  const auto minor = minor_of_kubectl();
  if (minor < kEphemeralContainers) GTEST_SKIP() << "kubectl before 1.25 adds ephemeral containers in another way";
  ASSERT_TRUE(
      kubectl({"run", "web", "--image=agnhost", "--overrides={\"spec\":{\"nodeName\":\"w1\"}}", "--", "netexec"}).ok());
  ASSERT_TRUE(kubectl({"wait", "pod/web", "--for=condition=Ready", "--timeout=20s"}).ok());
  EXPECT_EQ(kubectl({"exec", "web", "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/namespace"}).out,
            "default");
  auto shell = PtyProcess::spawn(command({"debug", "-it", "web", "--image=busybox", "--", "sh"}));
  shell.expect("Defaulting debug container name to debugger-");
  eventually([&]() -> std::optional<std::string> {
    shell.write("curl -s http://127.0.0.1:8080/hostname; echo \n");
    return shell.expect(std::regex("\r\n[a-z]+\r\n")).find("web") != std::string::npos
               ? std::nullopt
               : std::optional<std::string>("the pod's own server");
  });
  shell.write("exit 3\n");
  shell.wait();
  const auto ended =
      kubectl({"get", "pod", "web", "-o",
               "jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode} {.status.phase}"});
  EXPECT_EQ(ended.out, "3 Running") << ended.err;

  auto on_node = PtyProcess::spawn(command({"debug", "-it", "node/w1", "--image=busybox", "--", "sh"}));
  eventually([&]() -> std::optional<std::string> {
    on_node.write("cmp /host/etc/passwd /etc/passwd && hostname; echo\n");
    return on_node.expect(std::regex("\r\n[a-z0-9]+\r\n")).find("w1") != std::string::npos
               ? std::nullopt
               : std::optional<std::string>("the worker's files and name");
  });
  on_node.write("exit\n");
  EXPECT_EQ(on_node.wait().code(), 0);
  if (minor >= kProfiles) {
    for (const char* profile : {"--profile=sysadmin", "--profile=netadmin"})
      EXPECT_TRUE(kubectl({"debug", "node/w1", profile, "--image=busybox", "--attach=false"}).ok());
    EXPECT_THAT(kubectl({"get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].securityContext}"}).out,
                AllOf(HasSubstr(R"("privileged":true)"), HasSubstr("NET_ADMIN")));
  }

  EXPECT_TRUE(kubectl({"debug", "c1", "--image=busybox", "--attach=false"}).ok());
  eventually([]() -> std::optional<std::string> {
    const auto told =
        kubectl({"get", "pod", "c1", "-o", "jsonpath={.status.ephemeralContainerStatuses[0].state.waiting.message}"});
    return told.out == "a container of the topology takes none; remedy: kubectl exec"
               ? std::nullopt
               : std::optional("a refusal: " + told.out);
  });
}

TEST_F(KubeExec, ShowsWhatContainersPrint) {
  EXPECT_EQ(kubectl({"logs", "c2"}).out, "first\nsecond\n");
  EXPECT_EQ(kubectl({"logs", "c2", "--tail=1"}).out, "second\n");
  EXPECT_EQ(kubectl({"logs", "c1"}).out, "");
  EXPECT_THAT(kubectl({"logs", "c2", "--previous"}).err, HasSubstr("previous terminated container"));
  // As another API server asks it that has the same files.
  const auto& server = *cluster("C0").etcd_nodes().front();
  const auto keys = server.directory() / "pki";
  const auto asked = [&](const std::string& pod, const std::string& who = "apiserver-kubelet-client") {
    return server
        .exec({"curl", "-s", "--cacert", keys / "ca.crt", "--cert", keys / (who + ".crt"), "--key",
               keys / (who + ".key"), "https://" + worker("w2").address().to_string() + ":10250/containerLogs/" + pod})
        .out;
  };
  EXPECT_EQ(asked("default/c2/c2"), "first\nsecond\n");
  EXPECT_THAT(asked("default/c1/c1"), HasSubstr("container c1 of pod default/c1 isn't on w2"));
  EXPECT_THAT(asked("shop/c2/c2"), HasSubstr("isn't on w2"));
  EXPECT_THAT(asked("default/c2/c2", "apiserver"), HasSubstr("Unauthorized"));
  auto follower = PtyProcess::spawn(command({"logs", "-f", "c2"}));
  follower.expect("second\r\n");
  cluster("C0").container("c2").program().stop();
  follower.expect("last\r\n");
  EXPECT_EQ(follower.wait().code(), 0);
}

TEST_F(KubeExec, ForwardsPortsToWhatListensInAPod) {
  auto& pod = cluster("C0").container("c1");
  const auto server = pod.spawn({"python3", "-m", "http.server", "8080", "--bind", "127.0.0.1"});
  eventually([&]() -> std::optional<std::string> {
    return pod.exec({"curl", "-s", "http://127.0.0.1:8080/"}).ok() ? std::nullopt : std::optional("a server in c1");
  });
  auto forward = command({"port-forward", "pod/c1", "18090:8080", "18091:81"});
  forward.environment["KUBECTL_PORT_FORWARD_WEBSOCKETS"] = "true";  // 1.30; later ones need no telling
  auto forwarding = PtyProcess::spawn(forward);
  forwarding.expect("Forwarding from 127.0.0.1:18091");
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(exec({.argv = {"curl", "-s", "--max-time", "20", "http://127.0.0.1:18090/"}}).out,
                HasSubstr("Directory listing"));
  exec({.argv = {"curl", "-s", "--max-time", "20", "http://127.0.0.1:18091/"}});
  forwarding.expect("error forwarding port 81 to pod c1");
}

TEST_F(KubeExec, TellsWhichNodeItCannotReach) {
  // What the server's kernel finds out by itself after three seconds without an answer to ARP, at each try.
  const auto& server = *cluster("C0").etcd_nodes().front();
  ASSERT_TRUE(server.exec({"ip", "route", "add", "unreachable", "10.0.0.3"}).ok());
  EXPECT_THAT(kubectl({"exec", "c1", "--", "true"}).err,
              HasSubstr("error dialing backend: dial tcp 10.0.0.3:10250: No route to host"));
}

}  // namespace
}  // namespace knetsim::fixtures
