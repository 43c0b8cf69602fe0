// What people type: command lines of the real kubectl, one after the other, in a lab whose workers run what is applied.
// The recorded ones, of a server without kubelets and controllers, are in unit-apiserver.
//
// Topology: pair.json.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::fixtures {
namespace {

struct Row {
  std::vector<std::string> argv;
  int code;             // exit code
  const char* says;     // a pattern (ECMAScript) that output and complaints together have
  std::string in = {};  // stdin
};

const std::string kConfig = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata: {a: '1'}\n";
const std::string kOther = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata: {a: '2'}\n";
const std::string kPolicy =
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed}\nspec: {podSelector: {}}\n";
const std::string kSets = [] {
  std::string both;
  for (const auto& [kind, name] : {std::pair("DaemonSet", "log"), {"StatefulSet", "db"}})
    both += fmt::format(
        "apiVersion: apps/v1\nkind: {0}\nmetadata: {{name: {1}}}\nspec:\n  selector: {{matchLabels: {{app: {1}}}}}\n"
        "  template:\n    metadata: {{labels: {{app: {1}}}}}\n    spec: {{terminationGracePeriodSeconds: 0, "
        "containers: "
        "[{{name: c, image: 'pause:1'}}]}}\n---\n",
        kind, name);
  return both;
}();
const char* const kWait = "--timeout=60s";

const std::vector<Row> kRows{
    // A pod.
    {{"run", "web", "--image=agnhost", "--port=8080", "--labels=run=web,tier=old", "--", "netexec"},
     0,
     "pod/web created"},
    {{"wait", "--for=condition=Ready", "pod/web", kWait}, 0, "pod/web condition met"},
    {{"get", "pod", "web", "-o", "jsonpath={.status.phase} {.spec.nodeName}"}, 0, "^Running w[12]$"},
    {{"get", "pods", "-o", "wide"}, 0, "web +1/1 +Running +0 .* w[12] "},
    {{"get", "pods", "-o", "custom-columns=N:.metadata.name,I:.spec.containers[0].image"}, 0, "web +agnhost"},
    {{"get", "pods", "-l", "run=web", "-o", "name"}, 0, "^pod/web\n$"},
    {{"get", "pods", "--field-selector=status.phase=Running,metadata.name=web", "-o", "name"}, 0, "^pod/web\n$"},
    {{"get", "pods", "--sort-by=.metadata.name", "-o", "name"}, 0, "pod/c1\npod/c2\npod/c3\npod/web"},
    {{"get", "all"}, 0, "pod/web[^]*service/kubernetes"},
    {{"describe", "pod", "web"}, 0, "Node: +w[12][^]*Started"},
    {{"exec", "web", "--", "echo", "hello"}, 0, "^hello\n$"},
    {{"exec", "web", "--", "sh", "-c", "exit 7"}, 7, "command terminated with exit code 7"},
    {{"exec", "-i", "web", "--", "tr", "a-z", "A-Z"}, 0, "^LOUD$", "loud"},
    {{"exec", "pod/web", "-c", "web", "--", "pwd"}, 0, "^/"},
    {{"exec", "web", "-c", "none", "--", "true"}, 1, "container none is not valid for pod web"},
    {{"exec", "nobody", "--", "true"}, 1, "pods \"nobody\" not found"},
    {{"cp", "there.txt", "web:/run/knetsim/kubectl-cp.txt"}, 0, "^$"},
    {{"exec", "web", "--", "cat", "/run/knetsim/kubectl-cp.txt"}, 0, "^some text\n$"},
    {{"cp", "web:/run/knetsim/kubectl-cp.txt", "back.txt"}, 0, "Removing leading|^$"},
    {{"logs", "web"}, 0, ""},
    {{"logs", "web", "--tail=1", "-c", "web"}, 0, ""},
    {{"logs", "-l", "run=web", "--prefix"}, 0, ""},
    {{"logs", "nobody"}, 1, "pods \"nobody\" not found"},
    {{"label", "pod", "web", "tier=front"}, 1, "'tier' already has a value \\(old\\)"},
    {{"label", "pod", "web", "tier=front", "--overwrite"}, 0, "pod/web labeled"},
    {{"label", "pods", "--all", "all=yes"}, 0, "pod/c1 labeled[^]*pod/web labeled"},
    {{"label", "pod", "web", "tier-"}, 0, "pod/web unlabeled"},
    {{"annotate", "pod", "web", "note=hi"}, 0, "pod/web annotated"},
    {{"annotate", "pod", "web", "note=ho"}, 1, "'note' already has a value"},
    {{"annotate", "pod", "web", "note-"}, 0, "pod/web annotated"},
    {{"set", "image", "pod/web", "web=agnhost:2"}, 0, "pod/web image updated"},
    {{"expose", "pod", "web", "--port=80", "--target-port=8080", "--selector=run=web"}, 0, "service/web exposed"},
    {{"get", "service", "web", "-o", "jsonpath={.spec.ports[0].targetPort}"}, 0, "^8080$"},
    {{"wait", "--for=create", "endpoints/web", kWait}, 0, "endpoints/web condition met"},
    {{"wait", "--for=jsonpath={.subsets[0].addresses[0].targetRef.name}=web", "endpoints/web", kWait},
     0,
     "condition met"},
    {{"get", "endpointslices", "-l", "kubernetes.io/service-name=web", "-o", "name"},
     0,
     "endpointslice.discovery.k8s.io/web-"},
    {{"describe", "service", "web"}, 0, "TargetPort: +8080/TCP"},
    {{"get", "events", "--field-selector=reason=Started,involvedObject.name=web"}, 0, "Started +pod/web"},
    {{"events", "--for=pod/web"}, 0, "Started"},
    // A Deployment.
    {{"create", "deployment", "api", "--image=pause:1", "--replicas=2"}, 0, "deployment.apps/api created"},
    {{"rollout", "status", "deployment/api", kWait}, 0, "successfully rolled out"},
    {{"get", "deployment", "api"}, 0, "api +2/2 +2 +2 "},
    {{"scale", "deployment/api", "--replicas=3"}, 0, "deployment.apps/api scaled"},
    {{"scale", "deployment/api", "--current-replicas=1", "--replicas=5"}, 1, "Expected replicas to be 1, was 3"},
    {{"rollout", "status", "deployment/api", kWait}, 0, "successfully rolled out"},
    {{"set", "image", "deployment/api", "pause=pause:2"}, 0, "deployment.apps/api image updated"},
    {{"rollout", "status", "deployment/api", kWait}, 0, "successfully rolled out"},
    {{"rollout", "history", "deployment/api"}, 0, "REVISION[^]*1 [^]*2 "},
    {{"rollout", "history", "deployment/api", "--revision=2"}, 0, "Image:\\s+pause:2"},
    {{"rollout", "undo", "deployment/api"}, 0, "deployment.apps/api rolled back"},
    {{"rollout", "status", "deployment/api", kWait}, 0, "successfully rolled out"},
    {{"get", "deployment", "api", "-o", "jsonpath={.spec.template.spec.containers[0].image}"}, 0, "^pause:1$"},
    {{"rollout", "pause", "deployment/api"}, 0, "deployment.apps/api paused"},
    {{"set", "env", "deployment/api", "A=b"}, 0, "deployment.apps/api env updated"},
    {{"set", "env", "deployment/api", "--list"}, 0, "A=b"},
    {{"rollout", "resume", "deployment/api"}, 0, "deployment.apps/api resumed"},
    {{"rollout", "restart", "deployment/api"}, 0, "deployment.apps/api restarted"},
    {{"rollout", "status", "deployment/api", kWait}, 0, "successfully rolled out"},
    {{"set", "resources", "deployment/api", "--limits=cpu=200m"}, 0, "resource requirements updated"},
    {{"describe", "deployment", "api"}, 0, "NewReplicaSet: +api-"},
    {{"rollout", "status", "deployment/api", kWait}, 0, "successfully rolled out"},
    {{"get", "replicasets", "-l", "app=api"}, 0, "api-[a-z0-9]+ +3 "},
    {{"expose", "deployment", "api", "--port=80", "--name=api-svc"}, 0, "service/api-svc exposed"},
    {{"patch", "service", "api-svc", "-p", R"({"spec":{"type":"NodePort"}})"}, 0, "service/api-svc patched"},
    {{"get", "service", "api-svc", "-o", "jsonpath={.spec.ports[0].nodePort}"}, 0, "^3[0-2][0-9]{3}$"},
    {{"patch", "deployment", "api", "--type=json", "-p", R"([{"op":"replace","path":"/spec/replicas","value":1}])"},
     0,
     "api patched"},
    {{"set", "selector", "service", "api-svc", "run=web"}, 0, "service/api-svc selector updated"},
    {{"autoscale", "deployment", "api", "--max=3"}, 1, "could not find the requested resource|no matches for kind"},
    {{"rollout", "status", "deployment/none"}, 1, "deployments.apps \"none\" not found"},
    {{"delete", "deployment,service", "-l", "app=api"}, 0, "deployment.apps \"api\" deleted"},
    {{"wait", "--for=delete", "pod", "-l", "app=api", kWait}, 0, "met|^$"},
    // A Job.
    {{"create", "job", "sums", "--image=busybox", "--", "sh", "-c", "echo done"}, 0, "job.batch/sums created"},
    {{"wait", "--for=condition=Complete", "job/sums", kWait}, 0, "job.batch/sums condition met"},
    {{"get", "jobs"}, 0, "sums +Complete +1/1"},
    {{"logs", "job/sums"}, 0, "^done\n$"},
    {{"describe", "job", "sums"}, 0, "1 Succeeded / 0 Failed[^]*Job completed"},
    {{"delete", "job", "sums"}, 0, "job.batch \"sums\" deleted"},
    {{"wait", "--for=delete", "pod", "-l", "job-name=sums", kWait}, 0, "met|^$"},
    // A DaemonSet and a StatefulSet.
    {{"apply", "-f", "-"}, 0, "daemonset.apps/log created[^]*statefulset.apps/db created", kSets},
    {{"rollout", "status", "daemonset/log", kWait}, 0, "successfully rolled out"},
    {{"rollout", "status", "statefulset/db", kWait}, 0, "partitioned roll out complete|roll.* complete"},
    {{"set", "image", "daemonset/log", "statefulset/db", "c=pause:2"}, 0, "log image updated[^]*db image updated"},
    {{"rollout", "status", "daemonset/log", kWait}, 0, "successfully rolled out"},
    {{"rollout", "status", "statefulset/db", kWait}, 0, "roll.* complete"},
    {{"rollout", "history", "daemonset/log"}, 0, "REVISION[^]*1 [^]*2 "},
    {{"rollout", "history", "statefulset/db"}, 0, "REVISION[^]*1 [^]*2 "},
    {{"rollout", "history", "statefulset/db", "--revision=1"}, 0, "Image:\\s+pause:1"},
    {{"rollout", "undo", "daemonset/log"}, 0, "daemonset.apps/log rolled back"},
    {{"rollout", "undo", "statefulset/db", "--to-revision=1"}, 0, "statefulset.apps/db rolled back"},
    {{"rollout", "status", "daemonset/log", kWait}, 0, "successfully rolled out"},
    {{"rollout", "status", "statefulset/db", kWait}, 0, "roll.* complete"},
    {{"get", "pods", "-l", "app in (log, db)", "-o", "jsonpath={.items[*].spec.containers[0].image}"},
     0,
     "^pause:1( pause:1)+$"},
    {{"get", "controllerrevisions", "-l", "app=db"}, 0, "db-[a-z0-9]+ +statefulset.apps/db +3 "},
    {{"rollout", "undo", "daemonset/log", "--to-revision=9"}, 1, "unable to find specified revision 9"},
    {{"delete", "daemonset/log", "statefulset/db"}, 0, "\"log\" deleted[^]*\"db\" deleted"},
    {{"wait", "--for=delete", "pod", "-l", "app in (log, db)", kWait}, 0, "met|^$"},
    // Everything else.
    {{"create", "configmap", "cfg", "--from-literal=a=1", "--from-file=there.txt"}, 0, "configmap/cfg created"},
    {{"create", "configmap", "cfg"}, 1, "configmaps \"cfg\" already exists"},
    {{"get", "configmap", "cfg", "-o", "go-template={{len .data}}"}, 0, "^2$"},
    {{"create", "secret", "generic", "keys", "--from-literal=k=v"}, 0, "secret/keys created"},
    {{"get", "secret", "keys", "-o", "jsonpath={.data.k}"}, 0, "^dg==$"},
    {{"create", "serviceaccount", "bot"}, 0, "serviceaccount/bot created"},
    {{"create", "ingress", "door", "--rule=web.example.org/*=web:80"}, 0, "ingress.networking.k8s.io/door created"},
    {{"create", "service", "clusterip", "plain", "--tcp=80:8080"}, 0, "service/plain created"},
    {{"create", "quota", "none"}, 1, "could not find the requested resource"},
    {{"create", "deployment", "shown", "--image=x", "--dry-run=client", "-o", "yaml"}, 0, "kind: Deployment"},
    {{"apply", "--server-side", "-f", "-"}, 0, "configmap/applied serverside-applied", kConfig},
    {{"apply", "--server-side", "--field-manager=other", "-f", "-"}, 1, "conflict with \"kubectl\": .data.a", kOther},
    {{"apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-"},
     0,
     "serverside-applied",
     kOther},
    {{"get", "configmap", "applied", "-o", "yaml", "--show-managed-fields"}, 0, "f:a: \\{\\}[^]*manager: other"},
    {{"diff", "--server-side", "--field-manager=other", "-f", "-"}, 0, "^$", kOther},
    {{"diff", "--server-side", "--force-conflicts", "-f", "-"}, 1, "\\+  a: \"1\"", kConfig},
    {{"apply", "-f", "-"}, 0, "networkpolicy.networking.k8s.io/closed created", kPolicy},
    {{"replace", "-f", "-"}, 0, "networkpolicy.networking.k8s.io/closed replaced", kPolicy},
    {{"delete", "-f", "-"}, 0, "networkpolicy.networking.k8s.io \"closed\" deleted", kPolicy},
    {{"cordon", "w1"}, 0, "node/w1 cordoned"},
    {{"get", "node", "w1"}, 0, "Ready,SchedulingDisabled"},
    {{"uncordon", "w1"}, 0, "node/w1 uncordoned"},
    {{"taint", "node", "w1", "k=v:NoSchedule"}, 0, "node/w1 tainted"},
    {{"taint", "node", "w1", "k-"}, 0, "node/w1 untainted"},
    {{"describe", "node", "w1"}, 0, "PodCIDR"},
    {{"create", "namespace", "shop"}, 0, "namespace/shop created"},
    {{"run", "-n", "shop", "there", "--image=pause"}, 0, "pod/there created"},
    {{"get", "pods", "-A", "-o", "name"}, 0, "pod/there"},
    {{"delete", "namespace", "shop"}, 0, "namespace \"shop\" deleted"},
    {{"get", "pods", "-n", "shop"}, 0, "No resources found in shop namespace"},
    {{"explain", "job.spec.backoffLimit"}, 0, "FIELD: backoffLimit <integer>"},
    {{"api-resources", "--api-group=batch", "-o", "name"}, 0, "^jobs.batch\n$"},
    {{"cluster-info"}, 0, "is running at"},
    // What goes wrong.
    {{"get", "pod", "nobody"}, 1, "pods \"nobody\" not found"},
    {{"get", "nosuch"}, 1, "doesn't have a resource type \"nosuch\""},
    {{"frobnicate"}, 1, "unknown command \"frobnicate\""},
    {{"top", "pods"}, 1, "Metrics API not available"},
    {{"wait", "--for=condition=Ready", "pod/nobody", kWait}, 1, "\"nobody\" not found"},
    {{"apply", "-f", "none.yaml"}, 1, "none.yaml.*does not exist"},
    {{"delete", "pod", "nobody"}, 1, "pods \"nobody\" not found"},
    {{"delete", "pod", "nobody", "--ignore-not-found"}, 0, "^$"},
    {{"delete", "pod", "web", "--grace-period=1"}, 0, "pod \"web\" deleted"},
    {{"get", "pod", "web"}, 1, "pods \"web\" not found"},
    {{"delete", "configmap", "cfg", "applied"}, 0, "\"cfg\" deleted[^]*\"applied\" deleted"},
    {{"delete", "service", "--all", "--dry-run=server"}, 0, "\\(server dry run\\)"},
    {{"delete", "service", "plain", "--now"}, 0, "service \"plain\" deleted"},
};

class KubeCommands : public EmulationTest {
 protected:
  static Command command(const std::vector<std::string>& arguments) {
    auto made = Emulation::kubectl(arguments);
    made.environment["KUBECTL_REMOTE_COMMAND_WEBSOCKETS"] = "true";
    made.directory = kStateDirectory;
    return made;
  }
};

TEST_F(KubeCommands, DoWhatTheySay) {
  boot(topology("pair.json"));
  emulation().start_apis();
  const auto version = nlohmann::json::parse(exec(command({"version", "--client", "-o", "json"})).out);
  constexpr int kFirst = 31;
  if (std::stoi(version.at("clientVersion").at("minor").get<std::string>()) < kFirst)
    GTEST_SKIP() << "kubectl before 1.31 lacks some of these words";
  std::ofstream(std::filesystem::path(kStateDirectory) / "there.txt") << "some text\n";
  for (const auto& row : kRows) {
    const auto line = fmt::format("kubectl {}", fmt::join(row.argv, " "));
    const auto result = exec(command(row.argv), kExecTimeout, row.in);
    EXPECT_EQ(result.status.code(), row.code) << line << '\n' << result.out << result.err;
    EXPECT_TRUE(std::regex_search(result.out + result.err, std::regex(row.says)))
        << line << " says\n"
        << result.out << result.err << "and not: " << row.says;
  }
  EXPECT_EQ(read_file(std::filesystem::path(kStateDirectory) / "back.txt"), "some text\n");
}

}  // namespace
}  // namespace knetsim::fixtures
