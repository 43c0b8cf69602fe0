// What a kubelet decides, without a clock and without a process: which program a container is, what it is told, when it
// is started and restarted, and what the pod's status says.
#include <gmock/gmock.h>

#include "../kubelet/environment.h"
#include "../kubelet/events.h"
#include "../kubelet/handler_run.h"
#include "../kubelet/images.h"
#include "../kubelet/lifecycle.h"
#include "../kubelet/pod_status.h"
#include "../kubelet/probe_state.h"
#include "knetsim/kube/kinds.h"
#include "knetsim/kube/prepare.h"

namespace knetsim::kubelet {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr kube::Time kMorning{seconds(1'764'500'000)};
const Instant kBegin{};

json pod(const char* spec) {
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata",
           {{"name", "web"}, {"namespace", "default"}, {"uid", "u1"}, {"labels", {{"app", "web"}, {"tier", "front"}}}}},
          {"spec", json::parse(spec)},
          {"status", {{"podIP", "11.10.0.2"}}}};
}

TEST(KubeletImages, ANameStandsForProgramsWhateverItsRegistryAndTag) {
  struct Row {
    const char* reference;
    std::vector<std::string> command, args, argv;
  };
  const std::vector<Row> rows{
      {"registry.k8s.io/e2e-test-images/agnhost:2.47", {}, {"netexec"}, {"{agnhost}", "netexec"}},
      {"k8s.gcr.io/agnhost", {"/agnhost"}, {"pause"}, {"{agnhost}", "pause"}},
      {"busybox", {}, {}, {"sh"}},
      {"localhost:5000/busybox@sha256:00", {"sleep"}, {"1"}, {"sleep", "1"}},
      {"busybox:1.36", {}, {"ls"}, {"ls"}},
      {"curlimages/curl", {}, {"-s", "web"}, {"curl", "-s", "web"}},
      {"curlimages/curl", {"sh"}, {}, {"sh"}},
      {"nginx:1.27-alpine", {}, {}, {"nginx", "-p", "{image}", "-c", "{image}/nginx.conf"}},
      {"nginx", {"nginx", "-t"}, {}, {"nginx", "-p", "{image}", "-c", "{image}/nginx.conf", "-t"}},
      {"nginx", {"sh"}, {}, {"sh"}},
  };
  for (const auto& [reference, command, args, argv] : rows) {
    const auto* image = find_image(reference);
    ASSERT_NE(image, nullptr) << reference;
    EXPECT_EQ(argv_of(*image, command, args), argv) << reference;
  }
  for (const auto* unknown : {"postgres", "", ":latest", "nginx ; rm", "agnhost2"})
    EXPECT_EQ(find_image(unknown), nullptr) << unknown;
}

TEST(KubeletEnvironment, ExpandsAsKubernetesDoes) {
  const Environment known{{"A", "1"}, {"EMPTY", ""}};
  const std::vector<std::pair<std::string, std::string>> rows{
      {"$(A)", "1"},    {"x$(A)$(A)y", "x11y"}, {"$(B)", "$(B)"}, {"$$(A)", "$(A)"},
      {"$$$(A)", "$1"}, {"$(A", "$(A"},         {"$A", "$A"},     {"$", "$"},
      {"$(EMPTY)", ""}, {"a$$", "a$"},          {"$()", "$()"},   {"", ""}};
  for (const auto& [text, wanted] : rows) EXPECT_EQ(expanded(text, known), wanted) << text;
}

TEST(KubeletEnvironment, TellsWhatASpecRefersTo) {
  const FindObject find = [](const std::string& plural, const std::string& name) -> json {
    if (plural == "configmaps" && name == "c") return {{"kind", "ConfigMap"}, {"data", {{"k", "v"}, {"l", "w"}}}};
    if (plural == "secrets" && name == "s") return {{"kind", "Secret"}, {"data", {{"k", "c2VjcmV0"}}}};
    return nullptr;
  };
  const auto told = [&](const char* container) {
    return environment_of(pod("{}"), json::parse(container), {{"SVC", "10.0.0.1"}}, find);
  };
  const auto* const all = R"json({
    "envFrom": [{"prefix": "P_", "configMapRef": {"name": "c"}}, {"secretRef": {"name": "none", "optional": true}}],
    "env": [{"name": "A", "value": "$(SVC)"}, {"name": "B", "value": "$(A)/$(C)"},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "L", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "O", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "no", "optional": true}}}]})json";
  EXPECT_THAT(told(all), UnorderedElementsAre(Pair("SVC", "10.0.0.1"), Pair("P_k", "v"), Pair("P_l", "w"),
                                              Pair("A", "10.0.0.1"), Pair("B", "10.0.0.1/$(C)"),
                                              Pair("IP", "11.10.0.2"), Pair("L", "web"), Pair("S", "secret")));
  const std::vector<std::pair<const char*, const char*>> refused{
      {R"({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "k"}}}]})",
       "configmap \"no\" not found"},
      {R"({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "no"}}}]})",
       "couldn't find key no in configmap"},
      {R"({"envFrom": [{"secretRef": {"name": "no"}}]})", "secret \"no\" not found"},
      {R"({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.containers"}}}]})", "isn't offered"}};
  for (const auto& [container, words] : refused) try {
      told(container);
      ADD_FAILURE() << container;
    } catch (const NotYet& error) {
      EXPECT_EQ(error.reason(), "CreateContainerConfigError");
      EXPECT_THAT(error.what(), HasSubstr(words));
    }
}

TEST(KubeletEnvironment, TellsOfServicesAsDockersLinksDid) {
  const auto service = json::parse(R"({"metadata": {"name": "web-1"}, "spec": {"clusterIP": "10.96.0.7", "ports": [
    {"name": "http", "port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}})");
  const auto headless =
      json::parse(R"({"metadata": {"name": "h"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}})");
  EXPECT_THAT(
      service_variables({service, headless}),
      UnorderedElementsAre(Pair("WEB_1_SERVICE_HOST", "10.96.0.7"), Pair("WEB_1_SERVICE_PORT", "80"),
                           Pair("WEB_1_SERVICE_PORT_HTTP", "80"), Pair("WEB_1_PORT", "tcp://10.96.0.7:80"),
                           Pair("WEB_1_PORT_80_TCP", "tcp://10.96.0.7:80"), Pair("WEB_1_PORT_80_TCP_PROTO", "tcp"),
                           Pair("WEB_1_PORT_80_TCP_PORT", "80"), Pair("WEB_1_PORT_80_TCP_ADDR", "10.96.0.7"),
                           Pair("WEB_1_PORT_53_UDP", "udp://10.96.0.7:53"), Pair("WEB_1_PORT_53_UDP_PROTO", "udp"),
                           Pair("WEB_1_PORT_53_UDP_PORT", "53"), Pair("WEB_1_PORT_53_UDP_ADDR", "10.96.0.7")));
}

/// Plays the part of the processes.
struct Play {
  Lifecycle life;
  Instant now = kBegin;

  /// What is started, until there is nothing more to start.
  std::vector<std::string> starts() {
    std::vector<std::string> all;
    for (auto names = life.next(now).start; !names.empty(); names = life.next(now).start)
      for (const auto& name : names) {
        life.started(name, "id", false, false, now, kMorning);
        all.push_back(name);
      }
    return all;
  }
  void ends(const std::string& name, int code) { life.ended(name, {.exit_code = code, .finished = kMorning}, now); }
};

TEST(KubeletLifecycle, InitContainersRunInOrderBeforeTheOthers) {
  Play play{
      Lifecycle(pod(R"({"initContainers": [{"name": "i1"}, {"name": "side", "restartPolicy": "Always"}, {"name": "i2"}],
                              "containers": [{"name": "a"}, {"name": "b"}]})"))};
  EXPECT_THAT(play.starts(), ElementsAre("i1"));
  EXPECT_THAT(play.starts(), IsEmpty());
  EXPECT_EQ(play.life.phase(), "Pending");
  play.ends("i1", 1);
  EXPECT_THAT(play.starts(), ElementsAre("i1")) << "again, as the policy is Always";
  play.ends("i1", 0);
  EXPECT_THAT(play.starts(), ElementsAre("side", "i2"));
  EXPECT_FALSE(play.life.initialized());
  play.ends("i2", 0);
  EXPECT_THAT(play.starts(), ElementsAre("a", "b"));
  EXPECT_TRUE(play.life.initialized());
  EXPECT_EQ(play.life.phase(), "Running");
  play.ends("side", 0);
  EXPECT_THAT(play.starts(), ElementsAre("side")) << "a sidecar goes on, however it ends";
  EXPECT_EQ(play.life.phase(), "Running");
}

TEST(KubeletLifecycle, AFailedInitContainerIsTheEndOfAPodThatNeverRestarts) {
  Play play{Lifecycle(pod(R"({"restartPolicy": "Never", "initContainers": [{"name": "side", "restartPolicy": "Always"},
                              {"name": "i"}], "containers": [{"name": "a"}]})"))};
  EXPECT_THAT(play.starts(), ElementsAre("side", "i"));
  play.ends("i", 7);
  const auto steps = play.life.next(play.now);
  EXPECT_THAT(steps.start, IsEmpty());
  EXPECT_THAT(steps.stop, ElementsAre("side"));
  play.ends("side", 143);
  EXPECT_EQ(play.life.phase(), "Failed");
}

TEST(KubeletLifecycle, RestartsByItsPolicy) {
  struct Row {
    const char* policy;
    int code;
    bool again;
    const char* phase;
  };
  const std::vector<Row> rows{{"Always", 0, true, "Running"},       {"Always", 1, true, "Running"},
                              {"OnFailure", 0, false, "Succeeded"}, {"OnFailure", 1, true, "Running"},
                              {"Never", 0, false, "Succeeded"},     {"Never", 1, false, "Failed"}};
  for (const auto& [policy, code, again, phase] : rows) {
    auto object =
        pod(R"({"containers": [{"name": "a"}], "initContainers": [{"name": "s", "restartPolicy": "Always"}]})");
    object["spec"]["restartPolicy"] = policy;
    Play play{Lifecycle(object)};
    EXPECT_THAT(play.starts(), ElementsAre("s", "a"));
    play.ends("a", code);
    EXPECT_EQ(play.life.phase(), "Running") << policy << code;
    const auto steps = play.life.next(play.now);
    EXPECT_EQ(!steps.start.empty(), again) << policy << code;
    EXPECT_EQ(steps.stop.empty(), again) << "sidecars of a pod that has done its work are stopped: " << policy << code;
    if (!again) play.ends("s", 143);
    EXPECT_EQ(play.life.phase(), phase) << policy << code;
    EXPECT_EQ(play.life.finished(), !again) << policy << code;
  }
}

TEST(KubeletLifecycle, ACrashLoopWaitsLongerAndLonger) {
  Play play{Lifecycle(pod(R"({"containers": [{"name": "a"}]})"))};
  std::vector<long> waited;
  for (int crash = 0; crash < 8; ++crash) {
    EXPECT_THAT(play.starts(), ElementsAre("a"));
    play.ends("a", 1);
    const auto steps = play.life.next(play.now);
    const auto due = steps.again.value_or(play.now);
    waited.push_back(std::chrono::duration_cast<seconds>(due - play.now).count());
    if (crash == 2) {
      const auto& record = play.life.container("a");
      EXPECT_EQ(record.reason, "CrashLoopBackOff");
      EXPECT_EQ(record.message, "back-off 20s restarting failed container=a pod=web_default(u1)");
      EXPECT_EQ(record.restarts(), 2);
      EXPECT_EQ(record.last.value().exit_code, 1);
    }
    play.now = due - std::chrono::milliseconds(1);
    if (waited.back() > 0) {
      EXPECT_THAT(play.starts(), IsEmpty());
    }
    play.now = due;
  }
  EXPECT_THAT(waited, ElementsAre(0, 10, 20, 40, 80, 160, 300, 300));
  EXPECT_THAT(play.starts(), ElementsAre("a"));
  play.now += seconds(601);
  play.ends("a", 1);
  EXPECT_THAT(play.starts(), ElementsAre("a"));
  play.ends("a", 1);
  EXPECT_EQ(play.life.next(play.now).again, play.now + BackOff::kFirst) << "long ago is forgotten";
}

TEST(KubeletLifecycle, NothingStartsOnceItTerminates) {
  Play play{Lifecycle(pod(R"({"containers": [{"name": "a"}]})"))};
  play.starts();
  play.life.terminate();
  play.ends("a", 0);
  EXPECT_THAT(play.starts(), IsEmpty());
}

TEST(KubeletProbe, CountsInARow) {
  ProbeState liveness(ProbeKind::liveness, {.delay = seconds(5), .period = seconds(2), .failures = 3}, kBegin);
  EXPECT_TRUE(liveness.holds());
  EXPECT_EQ(liveness.next(), kBegin + seconds(5));
  auto now = liveness.next();
  for (const bool success : {false, false, true, false, false}) {
    EXPECT_FALSE(liveness.record(success, now));
    EXPECT_FALSE(liveness.failed());
    EXPECT_EQ(liveness.next(), now + seconds(2));
    now = liveness.next();
  }
  EXPECT_TRUE(liveness.record(false, now));
  EXPECT_TRUE(liveness.failed());
}

TEST(KubeletProbe, ReadinessComesAndGoes) {
  ProbeState readiness(ProbeKind::readiness, {.period = seconds(1), .successes = 2, .failures = 1}, kBegin);
  EXPECT_FALSE(readiness.record(true, kBegin));
  EXPECT_TRUE(readiness.record(true, kBegin + seconds(1)));
  EXPECT_TRUE(readiness.record(false, kBegin + seconds(2)));
  EXPECT_FALSE(readiness.holds());
  EXPECT_FALSE(readiness.failed()) << "nobody is restarted for it";
}

TEST(KubeletProbe, LooksOftenAtFirstAndCountsAsAKubeletWould) {
  ProbeState startup(ProbeKind::startup, {.period = seconds(1), .failures = 2}, kBegin);
  std::vector<long> looks;
  for (auto now = kBegin; !startup.failed() && looks.size() < 20; now = startup.next()) {
    looks.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(now - kBegin).count());
    startup.record(false, now);
  }
  EXPECT_THAT(looks, ElementsAre(0, 100, 300, 700, 1000));
}

/// What a server stores of it.
json taken(json object) {
  object.erase("status");
  object["metadata"].erase("uid");
  for (auto& container : object["spec"]["containers"]) container["image"] = "busybox";
  return kube::prepare_create(kube::must_be("pods"), std::move(object),
                              {.ns = "default", .name = {}, .uid = "u1", .suffix = {}, .now = kMorning});
}

TEST(KubeletStatus, SaysWhatKubectlPrints) {
  auto object = taken(pod(R"({"containers": [{"name": "a"}, {"name": "b"}]})"));
  Play play{Lifecycle(object)};
  PodPlace place{.node_addresses = {parse_address("10.0.0.3")}, .since = kMorning};
  const auto shown = [&] {
    object["status"] = pod_status(object, play.life, place, kMorning);
    const auto cells = kube::must_be("pods").row(object, kMorning);
    return cells[1].get<std::string>() + " " + cells[2].get<std::string>() + " " + cells[3].get<std::string>();
  };
  EXPECT_EQ(shown(), "0/2 ContainerCreating 0");
  place.addresses = {parse_address("11.10.0.2"), parse_address("fd00::2")};
  play.starts();
  EXPECT_EQ(shown(), "2/2 Running 0");
  EXPECT_EQ(object["status"]["podIP"], "11.10.0.2");
  EXPECT_EQ(object["status"]["podIPs"].size(), 2);
  EXPECT_EQ(object["status"]["hostIP"], "10.0.0.3");
  play.life.set_ready("a", false);
  EXPECT_EQ(shown(), "1/2 Running 0");
  play.ends("b", 3);
  play.starts();
  play.ends("b", 3);
  play.starts();
  EXPECT_THAT(shown(), HasSubstr("CrashLoopBackOff"));
  EXPECT_EQ(object["status"]["containerStatuses"][1]["lastState"]["terminated"]["exitCode"], 3);
  EXPECT_EQ(object["status"]["conditions"][2]["message"], "containers with unready status: [a b]");
  play.life.refused("a", "ErrImagePull", "no such image", play.now);
  EXPECT_THAT(shown(), HasSubstr("ErrImagePull"));
}

TEST(KubeletLifecycle, EphemeralContainersRunOnceAndAreNotThePods) {
  auto object = taken(pod(R"({"restartPolicy": "OnFailure", "containers": [{"name": "a", "image": "x"}]})"));
  Play play{Lifecycle(object)};
  play.life.add_ephemeral({{"name", "debugger"}, {"image", "busybox"}});
  play.life.add_ephemeral({{"name", "debugger"}, {"image", "busybox"}});
  EXPECT_THAT(play.starts(), ElementsAre("a", "debugger"));
  play.ends("debugger", 1);
  EXPECT_THAT(play.starts(), IsEmpty());
  EXPECT_EQ(play.life.phase(), "Running");
  const auto status = pod_status(object, play.life, {.since = kMorning}, kMorning);
  EXPECT_EQ(status["conditions"][2]["status"], "True") << "ready";
  ASSERT_EQ(status["ephemeralContainerStatuses"].size(), 1U);
  EXPECT_EQ(status["ephemeralContainerStatuses"][0]["state"]["terminated"]["exitCode"], 1);
  EXPECT_EQ(status["ephemeralContainerStatuses"][0]["ready"], false);
  EXPECT_EQ(status["containerStatuses"].size(), 1U);

  play.life.add_ephemeral({{"name", "another"}, {"image", "busybox"}});
  EXPECT_EQ(play.life.phase(), "Running") << "before it starts";
  EXPECT_THAT(play.starts(), ElementsAre("another"));
  play.ends("a", 0);
  EXPECT_EQ(play.life.phase(), "Succeeded");
  EXPECT_THAT(play.life.next(play.now).stop, ElementsAre("another"));
}

TEST(KubeletEvents, AreWhatAServerTakesAndKubectlPrints) {
  auto object = pod(R"({"containers": [{"name": "a"}], "nodeName": "w1"})");
  const auto event =
      event_object(object, "web.1", true, "BackOff", "Back-off", "a", 3, kMorning, kMorning + seconds(60));
  const auto stored = kube::prepare_create(kube::must_be("events"), event,
                                           {.ns = "default", .name = {}, .uid = "u2", .suffix = {}, .now = kMorning});
  EXPECT_EQ(stored["involvedObject"]["fieldPath"], "spec.containers{a}");
  EXPECT_EQ(stored["firstTimestamp"], kube::timestamp(kMorning));
  EXPECT_EQ(stored["lastTimestamp"], kube::timestamp(kMorning + seconds(60)));
  EXPECT_EQ(stored["count"], 3);
  const auto cells = kube::must_be("events").row(stored, kMorning);
  EXPECT_EQ(event_object(object, "web.2", false, "Started", "", "a", 1, kMorning, kMorning)["type"], "Normal");
  EXPECT_EQ(cells[1], "Warning");
  EXPECT_EQ(cells[3], "pod/web");
}

TEST(KubeletProbe, FindsAPortByNumberOrName) {
  const auto container = json::parse(R"({"ports": [{"name": "http", "containerPort": 8080}]})");
  EXPECT_EQ(port_of(80, container), 80);
  EXPECT_EQ(port_of("http", container), 8080);
  for (const json& wrong : {json("https"), json(0), json(65'536), json(), json(-1)})
    EXPECT_EQ(port_of(wrong, container), std::nullopt) << wrong;
}

TEST(KubeletStatus, KeepsTheTimeOfWhatHasNotChangedAndTheConditionsOfOthers) {
  auto object = taken(pod(R"({"containers": [{"name": "a"}], "readinessGates": [{"conditionType": "gate"}]})"));
  Play play{Lifecycle(object)};
  play.starts();
  const PodPlace place{.addresses = {parse_address("11.10.0.2")}, .since = kMorning};
  object["status"] = pod_status(object, play.life, place, kMorning);
  EXPECT_EQ(object["status"]["conditions"][2]["reason"], "ReadinessGatesNotReady");
  object["status"]["conditions"].push_back({{"type", "gate"}, {"status", "True"}});
  const auto later = pod_status(object, play.life, place, kMorning + seconds(60));
  std::map<std::string, json> conditions;
  for (const auto& one : later["conditions"]) conditions[one["type"]] = one;
  EXPECT_EQ(conditions["Ready"]["status"], "True");
  EXPECT_EQ(conditions["Ready"]["lastTransitionTime"], kube::timestamp(kMorning + seconds(60)));
  EXPECT_EQ(conditions["ContainersReady"]["lastTransitionTime"], kube::timestamp(kMorning));
  EXPECT_EQ(conditions["gate"]["status"], "True");
}

}  // namespace
}  // namespace knetsim::kubelet
