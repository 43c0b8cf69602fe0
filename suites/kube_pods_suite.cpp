// What is applied runs: a Pod that is bound to a worker is a container of the emulation, with its programs, probes,
// restarts and end; and a container of the emulation ends with its Pod.
//
// What a kubelet decides is proven in unit-emulator; here is that it does so. Topology: pair.json.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "knetsim/apiserver/client.h"
#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/prompt.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"

namespace knetsim::fixtures {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class KubePods : public EmulationTest {
 protected:
  void stand() {
    boot(topology("pair.json"));
    emulation().start_apis();
  }
  Cluster& only() { return *emulation().clusters().front(); }
  static std::string kubectl(std::vector<std::string> arguments, const std::string& input = {}) {
    const auto result = exec(Emulation::kubectl(std::move(arguments)), kExecTimeout, input);
    EXPECT_TRUE(result.ok()) << result.err;
    return result.out;
  }
  static void apply(const std::string& yaml) { kubectl({"create", "-f", "-", "--validate=false"}, yaml); }
  /// A pod on w1 with one container, called a; `rest` is YAML of that container, indented by four.
  static void apply_pod(const std::string& name, const std::string& image, const std::string& rest,
                        const std::string& policy = "Always") {
    apply(
        fmt::format("apiVersion: v1\nkind: Pod\nmetadata: {{name: {}}}\nspec:\n  nodeName: w1\n  restartPolicy: {}\n"
                    "  containers:\n  - name: a\n    image: {}\n{}",
                    name, policy, image, rest));
  }
  static json status(const std::string& pod) {
    apiserver::Client client(parse_address("127.0.0.1"), ClusterApi::port_of(0));
    const auto answer = client.ask("GET", "/api/v1/namespaces/default/pods/" + pod);
    return answer.good() ? answer.body.value("status", json::object()) : json::object();
  }
  /// Waits until a value of the pod's status is this.
  static void wait_for(const std::string& pod, const std::string& pointer, const json& wanted) {
    eventually([&]() -> std::optional<std::string> {
      const auto now = status(pod);
      const json::json_pointer place(pointer);
      if (now.contains(place) && now.at(place) == wanted) return std::nullopt;
      return fmt::format("{} of {} to be {}: {}", pointer, pod, wanted.dump(), now.dump());
    });
  }
  static void wait_until_gone(const std::string& pod) {
    eventually([&]() -> std::optional<std::string> {
      return status(pod).empty() ? std::nullopt : std::optional("the end of " + pod);
    });
  }
  static json list(const std::string& what) {
    apiserver::Client client(parse_address("127.0.0.1"), ClusterApi::port_of(0));
    return client.must("GET", "/api/v1/namespaces/default/" + what).body.at("items");
  }
  /// Of the process whose number is written there.
  static void wait_for_end_of(const std::filesystem::path& file) {
    eventually([&]() -> std::optional<std::string> {
      int pid = 0;
      std::ifstream(file) >> pid;
      return pid == 0 || ::kill(pid, 0) == 0 ? std::optional(fmt::format("the end of process {}", pid)) : std::nullopt;
    });
  }
  bool has_container(const std::string& name) {
    const auto all = only().containers();
    return std::any_of(all.begin(), all.end(), [&](const Container* one) { return one->short_name() == name; });
  }
};

constexpr const char* kFirst = "/containerStatuses/0/";

TEST_F(KubePods, AreContainersOfTheEmulation) {
  stand();
  apply(R"(apiVersion: v1
kind: Pod
metadata: {name: web-0, labels: {app: web}}
spec:
  nodeName: w1
  initContainers:
  - {name: first, image: busybox, command: [sh, -c, "echo first > made-by-init"]}
  containers:
  - name: server
    image: registry.k8s.io/e2e-test-images/agnhost:2.47
    args: [netexec]
    ports: [{name: http, containerPort: 8080}]
    readinessProbe: {httpGet: {path: /healthz, port: http}}
  - name: side
    image: busybox
    command: [sh, -c, "cat made-by-init; echo $MY_NAME $(MY_IP) $KUBERNETES_SERVICE_PORT; sleep 1000"]
    env:
    - {name: MY_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: MY_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
)");
  wait_for("web-0", "/conditions/2/status", "True");
  auto& web = only().container("web-0");
  const auto address = web.address().to_string();
  EXPECT_THAT(kubectl({"get", "pods", "-o", "wide"}),
              ContainsRegex("web-0 +2/2 +Running +0 +[0-9]+s +" + address + " +w1 "));
  auto& c3 = only().container("c3");
  EXPECT_THAT(c3, CanPing(web));
  EXPECT_EQ(c3.exec({"curl", "-s", "--max-time", "5", "http://" + address + ":8080/hostname"}).out, "web-0");
  EXPECT_THAT(c3.exec({"curl", "-s", "--max-time", "5", "http://" + address + ":8080/clientip"}).out,
              HasSubstr(c3.address().to_string() + ":"));
  EXPECT_EQ(c3.exec({"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "5",
                     "http://" + address + ":8080/redirect?code=99999"})
                .out,
            "400");
  const auto datagram = fmt::format("exec 3<>/dev/udp/{}/8081; echo hostname >&3; timeout 5 head -c 5 <&3", address);
  EXPECT_EQ(c3.exec({"bash", "-c", datagram}).out, "web-0");
  EXPECT_EQ(emulation().find("web-0.w1"), &web) << "its names are those of every container";
  const auto log = only().worker("w1").directory() / "pods";
  std::string said;
  for (const auto& pod : std::filesystem::directory_iterator(log))
    std::getline(std::ifstream(pod.path() / "side" / "0.log"), said, '\0');
  EXPECT_EQ(said, "first\nweb-0 " + address + " 443\n");
  EXPECT_THAT(kubectl({"get", "events", "--field-selector", "involvedObject.name=web-0"}),
              AllOf(HasSubstr("Started container server"), HasSubstr("Created container: side")));

  kubectl({"delete", "pod", "web-0", "--timeout=20s"});
  EXPECT_FALSE(has_container("web-0"));
  EXPECT_EQ(emulation().find("web-0.w1"), nullptr);
  EXPECT_THAT(only().worker("w1").create_container("web-0"), CanPing(c3)) << "its name is free again";
}

TEST_F(KubePods, SayWhatIsWrongWithThem) {
  stand();
  const auto left = only().worker("w1").directory() / "left-behind";
  apply_pod("crashing", "busybox",
            fmt::format("    command: [sh, -c, 'sleep 1000 & echo $! > {}; exit 3']\n", left.string()));
  apply_pod("unknown", "example.com/nobody/knows:1", "");
  apply_pod("lacking", "busybox", "    command: [no-such-program-anywhere]\n");
  apply_pod("unfed", "busybox", "    envFrom: [{configMapRef: {name: not-there}}]\n");
  apply_pod("done", "busybox", "    command: [sh, -c, exit 0]\n", "Never");
  apply_pod("failed", "busybox", "    command: [sh, -c, exit 7]\n", "Never");
  const std::string first = kFirst;
  wait_for("crashing", first + "state/waiting/reason", "CrashLoopBackOff");
  EXPECT_EQ(status("crashing")["containerStatuses"][0]["lastState"]["terminated"]["exitCode"], 3);
  EXPECT_EQ(status("crashing")["containerStatuses"][0]["restartCount"], 1);
  wait_for_end_of(left);
  eventually([]() -> std::optional<std::string> {
    const auto told = list("events?fieldSelector=involvedObject.name%3Dcrashing%2Creason%3DCreated");
    return told.size() == 1 && told[0]["count"] == 2 ? std::nullopt : std::optional("one event of two: " + told.dump());
  });
  wait_for("unknown", first + "state/waiting/reason", "ErrImagePull");
  wait_for("lacking", first + "state/waiting/reason", "CreateContainerError");
  wait_for("unfed", first + "state/waiting/reason", "CreateContainerConfigError");
  wait_for("done", "/phase", "Succeeded");
  wait_for("failed", "/phase", "Failed");
  EXPECT_EQ(status("failed")["containerStatuses"][0]["state"]["terminated"]["exitCode"], 7);
  eventually([&]() -> std::optional<std::string> {
    return has_container("done") ? std::optional("the end of its container") : std::nullopt;
  });
  const auto events = kubectl({"get", "events"});
  EXPECT_THAT(events, AllOf(HasSubstr("none stands for \"example.com/nobody/knows:1\""),
                            HasSubstr("no-such-program-anywhere"), HasSubstr("configmap \"not-there\" not found"),
                            HasSubstr("Back-off restarting failed container a in pod crashing_default")));
}

TEST_F(KubePods, HaveTheirVolumes) {
  stand();
  apply(R"(apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  nodeName: w1
  volumes:
  - {name: page, configMap: {name: page, defaultMode: 493}}
  - {name: shared, emptyDir: {}}
  - {name: all, projected: {sources: [{secret: {name: pin}}, {serviceAccountToken: {path: token, expirationSeconds: 600}},
      {downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}]}}
  containers:
  - name: server
    image: nginx
    volumeMounts: [{name: page, mountPath: /usr/share/nginx/html}, {name: shared, mountPath: /usr/share/nginx/html-2}]
  - name: writer
    image: busybox
    command: [/scripts/run]
    env: [{name: WHERE, value: here}]
    readinessProbe: {exec: {command: [cat, /no-such-place/all/pin]}}
    volumeMounts:
    - {name: shared, mountPath: /data, subPathExpr: $(WHERE)}
    - {name: all, mountPath: /no-such-place/all}
    - {name: page, mountPath: /scripts/run, subPath: run}
)");
  eventually([]() -> std::optional<std::string> {
    const auto told = list("events?fieldSelector=involvedObject.name%3Dweb%2Creason%3DFailedMount");
    if (!told.empty() &&
        told[0]["message"] == "MountVolume.SetUp failed for volume \"page\" : configmap \"page\" not found")
      return std::nullopt;
    return "an event of what is missing: " + told.dump();
  });
  EXPECT_EQ(status("web")["containerStatuses"][0]["state"]["waiting"]["reason"], "ContainerCreating");
  apply(R"(apiVersion: v1
kind: Secret
metadata: {name: pin}
stringData: {pin: "42"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data:
  index.html: "from a map\n"
  run: |
    #!/bin/sh
    cd /no-such-place/all
    cat pin && echo && cat labels && echo
    test -s token && echo a token
    echo x 2>/dev/null > pin || echo read-only
    echo written > /data/file
    trap 'exit 0' TERM
    sleep 1000 & wait
)");
  wait_for("web", "/conditions/2/status", "True");
  const auto page = "http://" + only().container("web").address().to_string();
  EXPECT_EQ(only().container("c3").exec({"curl", "-s", "--max-time", "5", page}).out, "from a map\n");
  EXPECT_EQ(kubectl({"logs", "web", "-c", "writer"}), "42\napp=\"web\"\na token\nread-only\n");
  const auto pods = only().worker("w1").directory() / "pods";
  const auto uid = list("pods?fieldSelector=metadata.name%3Dweb")[0]["metadata"]["uid"].get<std::string>();
  EXPECT_EQ(read_file(pods / uid / "volumes" / "shared" / "here" / "file"), "written\n");
  // What they are made of changes; a pod's labels are seen at once, and all is looked at then.
  kubectl({"patch", "configmap", "page", "-p", R"({"data":{"index.html":"changed\n"}})"});
  kubectl({"label", "pod", "web", "app=shop", "--overwrite"});
  eventually([&]() -> std::optional<std::string> {
    const auto labels = read_file(pods / uid / "volumes" / "all" / "labels");
    const auto text = only().container("c3").exec({"curl", "-s", "--max-time", "5", page}).out;
    return labels == "app=\"shop\"" && text == "changed\n" ? std::nullopt : std::optional("both: " + labels + text);
  });
  kubectl({"delete", "pod", "web", "--timeout=20s"});
  EXPECT_FALSE(std::filesystem::exists(pods / uid / "volumes"));
  EXPECT_FALSE(std::filesystem::exists("/no-such-place"));
}

TEST_F(KubePods, AreReadyAndLiveAsTheirProbesSay) {
  stand();
  const auto file = (only().worker("w1").directory() / "ready").string();
  const auto alive = (only().worker("w1").directory() / "alive").string();
  std::ofstream(alive) << "yes";
  apply_pod("probed", "busybox",
            fmt::format("    command: [sleep, '1000']\n"
                        "    readinessProbe: {{exec: {{command: [cat, {}]}}, periodSeconds: 1, failureThreshold: 1}}\n"
                        "    livenessProbe: {{exec: {{command: [cat, {}]}}, periodSeconds: 1, failureThreshold: 2}}\n",
                        file, alive));
  const std::string first = kFirst;
  wait_for("probed", "/phase", "Running");
  EXPECT_EQ(status("probed")["containerStatuses"][0]["ready"], false);
  std::ofstream(file) << "yes";
  wait_for("probed", first + "ready", true);
  std::filesystem::remove(file);
  wait_for("probed", first + "ready", false);
  EXPECT_EQ(status("probed")["containerStatuses"][0]["restartCount"], 0);
  std::filesystem::remove(alive);
  wait_for("probed", first + "restartCount", 1);
  EXPECT_THAT(kubectl({"get", "events"}),
              AllOf(ContainsRegex("Readiness probe failed: .*cat: " + file + ": No such file"),
                    HasSubstr("Container a failed liveness probe, will be restarted")));
}

TEST_F(KubePods, EndWithGraceAndNotLater) {
  stand();
  const auto directory = only().worker("w1").directory();
  const auto apply_trap = [&](const std::string& name, const std::string& trap) {
    apply_pod(name, "bash",
              fmt::format("    command: [bash, -c, '{} echo > {}; while :; do read -t 1 <> <(:); done']\n", trap,
                          (directory / name).string()));
    wait_for_file(directory / name, std::chrono::seconds(10));
  };
  const auto ended = directory / "ended-well";
  apply_trap("polite", fmt::format("trap \"echo > {}; exit\" TERM;", ended.string()));
  apply_trap("stubborn", "trap \"\" TERM;");
  const auto begin = std::chrono::steady_clock::now();
  kubectl({"delete", "pod", "stubborn", "--grace-period=2", "--timeout=20s"});
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  EXPECT_FALSE(has_container("stubborn"));
  kubectl({"delete", "pod", "polite", "--timeout=20s"});
  EXPECT_TRUE(std::filesystem::exists(ended));

  const auto daemon = directory / "daemon";
  apply_pod("forced", "bash",
            fmt::format("    command: [bash, -c, 'setsid sleep 1000 & echo $! > {}; sleep 1000']\n", daemon.string()));
  wait_for_file(daemon, std::chrono::seconds(10));
  kubectl({"delete", "pod", "forced", "--force", "--grace-period=0"});
  eventually([&]() -> std::optional<std::string> {
    return has_container("forced") ? std::optional("the end of its container") : std::nullopt;
  });
  wait_for_end_of(daemon);
}

TEST_F(KubePods, AreOneThingWithTheirContainers) {
  stand();
  only().container("c1").run({"sleep", "1000"});
  kubectl({"delete", "pod", "c1", "c2", "--timeout=20s"});
  EXPECT_FALSE(has_container("c1"));
  EXPECT_FALSE(has_container("c2"));
  auto& again = only().create_container("w1", "c1");
  EXPECT_THAT(only().container("c3"), CanPing(again));
  EXPECT_EQ(status("c1")["podIP"], again.address().to_string());
  EXPECT_TRUE(emulation().ailments().empty()) << "that a program was ended is none";

  apply_pod("applied", "busybox", "    command: [sleep, '1000']\n");
  wait_for("applied", "/phase", "Running");
  EXPECT_THROW(only().create_container("w2", "applied"), InputError);
  only().delete_container("applied");
  EXPECT_TRUE(status("applied").empty());
  EXPECT_FALSE(has_container("applied"));
}

TEST(KubePodsAtThePrompt, ComeAndGoThere) {
  Prompt prompt("pair");
  prompt.type("kubectl run web --image=nginx --overrides '{\"spec\": {\"nodeName\": \"w1\"}}'");
  eventually([&]() -> std::optional<std::string> {
    if (prompt.type("nodes").find(", web ") != std::string::npos) return std::nullopt;
    return "web in the picture";
  });
  EXPECT_THAT(prompt.type("w2/c2 ping -c 1 -W 2 web.w1"), HasSubstr("1 received"));
  prompt.type("delete w1/web");
  EXPECT_THAT(prompt.type("kubectl get pods"), Not(HasSubstr("web")));
  EXPECT_THAT(prompt.type("nodes"), Not(HasSubstr("web")));
}

}  // namespace
}  // namespace knetsim::fixtures
