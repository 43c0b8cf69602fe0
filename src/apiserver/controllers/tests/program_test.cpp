// The program: controllers at work on a real API server over a real etcd.
#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <thread>

#include "../../tests/kubectl.h"
#include "knetsim/apiserver/client.h"
#include "knetsim/apiserver/watch.h"
#include "knetsim/etcd/ensemble.h"
#include "knetsim/kube/access.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/installation.h"
#include "knetsim/sys/ready.h"
#include "knetsim/sys/sandbox.h"
#include "lab.h"

namespace knetsim::controllers::test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using namespace std::chrono_literals;

const std::filesystem::path kDirectory = kStateDirectory;
const boost::asio::ip::tcp::endpoint kServer(boost::asio::ip::make_address("127.0.0.1"), 8001);

/// Plays the kubelets of all nodes: pods that are bound run and are ready at once, and end when they are told to.
class PlayedKubelets {
 public:
  PlayedKubelets()
      : informer_(context_, {kServer}, {.path = "/api/v1/pods", .fields = "spec.nodeName!="},
                  {.changed =
                       [this](const json*, const json* now) {
                         if (now != nullptr) follow(*now);
                       }}),
        thread_([this] { context_.run(); }) {}
  ~PlayedKubelets() {
    context_.stop();
    thread_.join();
  }
  PlayedKubelets(const PlayedKubelets&) = delete;
  PlayedKubelets& operator=(const PlayedKubelets&) = delete;

 private:
  void follow(const json& pod) {
    const auto target = target_of(pods(), pod);
    if (is_ending(pod)) {
      client_.ask("DELETE", target, {{"gracePeriodSeconds", 0}});
    } else if (kube::text_at(pod, "status", "phase") != "Running") {
      const auto address = "10.244.0." + std::to_string(++last_);
      client_.ask("PATCH", target + "/status",
                  {{"status",
                    {{"phase", "Running"},
                     {"podIP", address},
                     {"podIPs", {{{"ip", address}}}},
                     {"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}}},
                  "application/strategic-merge-patch+json");
    }
  }

  boost::asio::io_context context_;
  apiserver::Client client_{kServer.address(), kServer.port()};
  int last_ = 1;
  apiserver::Informer informer_;
  std::thread thread_;
};

class ControllersProgram : public testing::Test {
 protected:
  void SetUp() override {
    etcd::MemberSpec spec;
    spec.name = "m1";
    spec.address = boost::asio::ip::make_address("127.0.0.2");
    spec.directory = kDirectory / "m1";
    spec.log = kDirectory / "m1.log";
    ensemble_ = etcd::Ensemble::start({spec});
    serve();
    control();
  }

  void serve() {
    server_.reset();
    server_ = start("knetsim-apiserver", {"--etcd-servers=http://127.0.0.2:2379"}, "apiserver.log", "serving on");
  }
  void control() {
    controllers_.reset();
    controllers_ = start("knetsim-controllers", {}, "controllers.log", "controlling what is on");
  }
  static Process start(const std::string& program, const std::vector<std::string>& flags, const std::string& log_name,
                       const std::string& line) {
    Command command;
    command.argv = {(own_directory() / program).string()};
    command.argv.insert(command.argv.end(), flags.begin(), flags.end());
    command.directory = kDirectory;
    const auto log = kDirectory / log_name;
    const auto before = std::filesystem::exists(log) ? read_file(log).size() : 0;
    auto process = Process::spawn(command, log);
    wait_until_ready(process, {.deed = "started",
                               .probe = [&]() -> std::optional<std::string> {
                                 if (read_file(log).find(line, before) != std::string::npos) return std::nullopt;
                                 return line;
                               },
                               .watched = log});
    return process;
  }

  json ask(const std::string& method, const std::string& target, const json& body = {}) {
    return client_.must(method, target, body).body;
  }
  json get(const std::string& target) { return client_.ask("GET", target).body; }
  void until(const std::string& what, const std::function<bool()>& holds) {
    eventually([&]() -> std::optional<std::string> { return holds() ? std::nullopt : std::optional(what); }, 20s);
  }
  void put_pod(json object) {
    const auto status = std::exchange(object["status"], nullptr);
    object.erase("status");
    ask("POST", "/api/v1/namespaces/shop/pods", object);
    client_.must("PATCH", "/api/v1/namespaces/shop/pods/" + kube::name_of(object) + "/status", {{"status", status}},
                 "application/merge-patch+json");
  }
  json slices() { return get("/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices")["items"]; }

  std::optional<etcd::Ensemble> ensemble_;
  std::optional<Process> server_;
  std::optional<Process> controllers_;
  apiserver::Client client_{kServer.address(), kServer.port()};
};

/// The real kubectl, and nodes with somebody who plays their kubelets.
class ControllersWithKubectl : public ControllersProgram {
 protected:
  void SetUp() override {
    ControllersProgram::SetUp();
    for (const auto* const name : {"w1", "w2"}) {
      ask("POST", "/api/v1/nodes", {{"metadata", {{"name", name}}}});
      client_.must("PATCH", std::string("/api/v1/nodes/") + name + "/status",
                   {{"status", {{"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}}},
                   "application/merge-patch+json");
    }
    kubelets_.emplace();
  }

  /// What it prints; a test fails if it fails.
  static std::string kubectl(const std::vector<std::string>& arguments, const std::string& input = {}) {
    const auto result =
        exec(apiserver::test::kubectl_command(apiserver::test::kubectl(), arguments), kExecTimeout, input);
    EXPECT_TRUE(result.ok()) << testing::PrintToString(arguments) << result.out << result.err;
    return result.out;
  }
  static void apply(const char* kind, const std::string& more = {}) {
    kubectl({"apply", "--validate=false", "-f", "-"},
            fmt::format(R"({{"apiVersion": "apps/v1", "kind": "{}", "metadata": {{"name": "web"}}, "spec": {{{}
                             "selector": {{"matchLabels": {{"app": "web"}}}}, "template": {{
                               "metadata": {{"labels": {{"app": "web"}}}},
                               "spec": {{"containers": [{{"name": "c", "image": "pause:1"}}]}}}}}}}})",
                        kind, more));
  }
  std::size_t count(const std::string& collection) { return get(collection)["items"].size(); }

  std::optional<PlayedKubelets> kubelets_;
};

constexpr const char* kPods = "/api/v1/namespaces/default/pods";
constexpr const char* kSets = "/apis/apps/v1/namespaces/default/replicasets";

TEST_F(ControllersWithKubectl, RollADeploymentOutAndBackAndScaleIt) {
  apply("Deployment", R"("replicas": 3,)");
  EXPECT_THAT(kubectl({"rollout", "status", "deployment/web", "--timeout=20s"}), HasSubstr("successfully rolled out"));
  EXPECT_THAT(kubectl({"get", "deployment", "web"}), ContainsRegex("web +3/3 +3 +3"));
  EXPECT_THAT(kubectl({"get", "pods", "-o", "wide"}), AllOf(HasSubstr(" w1 "), HasSubstr(" w2 ")));
  kubectl({"set", "image", "deployment/web", "c=pause:2"});
  kubectl({"rollout", "status", "deployment/web", "--timeout=20s"});
  EXPECT_EQ(kubectl({"get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}"}), "pause:2 pause:2 pause:2");
  EXPECT_THAT(kubectl({"rollout", "history", "deployment/web"}), ContainsRegex("1 +<none>\n2 +<none>"));
  kubectl({"rollout", "undo", "deployment/web"});
  kubectl({"rollout", "status", "deployment/web", "--timeout=20s"});
  EXPECT_EQ(kubectl({"get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}"}), "pause:1 pause:1 pause:1");
  kubectl({"rollout", "restart", "deployment/web"});
  kubectl({"rollout", "status", "deployment/web", "--timeout=20s"});
  kubectl({"scale", "deployment/web", "--replicas=5"});
  kubectl({"wait", "deployment/web", "--for=jsonpath={.status.readyReplicas}=5", "--timeout=20s"});
  EXPECT_THAT(kubectl({"get", "events"}), HasSubstr("ScalingReplicaSet"));
  kubectl({"delete", "deployment", "web"});
  until("the end of all pods", [&] { return count(kPods) == 0 && count(kSets) == 0; });
}

TEST_F(ControllersWithKubectl, DeleteADeploymentInTheForegroundOrLeaveItsPods) {
  apply("Deployment", R"("replicas": 2,)");
  kubectl({"rollout", "status", "deployment/web", "--timeout=20s"});
  kubectl({"delete", "deployment", "web", "--cascade=orphan", "--timeout=20s"});
  until("an orphan", [&] { return get(kSets)["items"][0]["metadata"]["ownerReferences"].is_null(); });
  EXPECT_EQ(count(kPods), 2U);
  // It takes over what it finds.
  const auto before = get(kSets)["items"][0]["metadata"]["uid"];
  apply("Deployment", R"("replicas": 2,)");
  kubectl({"rollout", "status", "deployment/web", "--timeout=20s"});
  EXPECT_EQ(get(kSets)["items"][0]["metadata"]["uid"], before);
  EXPECT_EQ(count(kPods), 2U);
  kubectl({"delete", "deployment", "web", "--cascade=foreground", "--timeout=20s"});
  EXPECT_EQ(count(kPods), 0U) << "kubectl waits for the Deployment, and that for them";
}

TEST_F(ControllersProgram, GivesAServiceItsEndpointsAndEndsANamespace) {
  ask("POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  ask("POST", "/api/v1/namespaces/shop/services",
      {{"metadata", {{"name", "web"}}}, {"spec", {{"selector", {{"app", "web"}}}, {"ports", {{{"port", 80}}}}}}});
  put_pod(pod("a", {{"app", "web"}}, "10.244.0.2"));
  until("an endpoint", [&] {
    const auto all = slices();
    return all.size() == 1 && all[0]["endpoints"].size() == 1 && all[0]["endpoints"][0]["conditions"]["ready"] == true;
  });
  until("Endpoints", [&] { return get("/api/v1/namespaces/shop/endpoints/web").contains("subsets"); });
  ask("DELETE", "/api/v1/namespaces/shop");
  until("the deletion of the pod", [&] { return is_ending(get("/api/v1/namespaces/shop/pods/a")); });
  EXPECT_EQ(get("/api/v1/namespaces/shop")["status"]["phase"], "Terminating") << "its node has to confirm";
  ask("DELETE", "/api/v1/namespaces/shop/pods/a", {{"gracePeriodSeconds", 0}});
  until("its end", [&] { return client_.ask("GET", "/api/v1/namespaces/shop").status == 404; });
}

TEST_F(ControllersProgram, GoesOnAfterAServerThatWasKilledAndAfterItsOwnEnd) {
  ask("POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  server_->signal(SIGKILL);
  server_->wait(10s);
  serve();
  const json selector{{"app", "web"}};
  ask("POST", "/api/v1/namespaces/shop/services",
      {{"metadata", {{"name", "web"}}}, {"spec", {{"selector", selector}, {"ports", {{{"port", 80}}}}}}});
  until("a slice", [&] { return slices().size() == 1; });
  EXPECT_EQ(controllers_->terminate().code(), 0);
  put_pod(pod("a", selector, "10.244.0.2"));
  EXPECT_FALSE(slices()[0].contains("endpoints") && !slices()[0]["endpoints"].empty());
  control();
  until("an endpoint", [&] { return slices()[0]["endpoints"].size() == 1; });
}

TEST_F(ControllersProgram, GoesOnBesideAnObjectThatItCannotRead) {
  ensemble_->client().put("/registry/statefulsets/default/odd",
                          json{{"apiVersion", "apps/v1"},
                               {"kind", "StatefulSet"},
                               {"metadata", {{"name", "odd"}, {"namespace", "default"}, {"uid", "1"}}},
                               {"spec", {{"replicas", 1}, {"template", {{"metadata", {{"labels", "none"}}}}}}}}
                              .dump());
  until("its name in the log",
        [&] { return read_file(kDirectory / "controllers.log").find("default/odd") != std::string::npos; });
  ask("POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  ask("POST", "/api/v1/namespaces/shop/services",
      {{"metadata", {{"name", "web"}}}, {"spec", {{"selector", {{"app", "web"}}}, {"ports", {{{"port", 80}}}}}}});
  until("a slice", [&] { return slices().size() == 1; });
  EXPECT_TRUE(controllers_->running());
}

TEST_F(ControllersProgram, IsIdleWhenNothingChanges) {
  ask("POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  ask("POST", "/api/v1/namespaces/shop/services",
      {{"metadata", {{"name", "web"}}}, {"spec", {{"selector", {{"app", "web"}}}, {"ports", {{{"port", 80}}}}}}});
  until("Endpoints", [&] { return get("/api/v1/namespaces/shop/endpoints/web")["kind"] == "Endpoints"; });
  const auto revision = ensemble_->client().put("/mark", "1");
  // One write more than ours would be one too many.
  const auto deadline = std::chrono::steady_clock::now() + 300ms;
  while (std::chrono::steady_clock::now() < deadline) get("/api/v1/namespaces");
  EXPECT_EQ(ensemble_->client().put("/mark", "2"), revision + 1);
}

TEST(ControllersCommandLine, TellsOfItselfAndRefusesWhatItCannotUse) {
  const auto program = [](std::vector<std::string> flags) {
    Command command;
    command.argv = {(own_directory() / "knetsim-controllers").string()};
    command.argv.insert(command.argv.end(), flags.begin(), flags.end());
    return exec(command);
  };
  EXPECT_THAT(program({"--help"}).out, HasSubstr("--master"));
  EXPECT_THAT(program({"--version"}).out, HasSubstr("knetsim-controllers "));
  for (const char* bad : {"--master=https://127.0.0.1:8001", "--master=http://127.0.0.1", "--master=http://host:80",
                          "--master=http://127.0.0.1:0", "--nope", "--controllers=nobody"}) {
    const auto result = program({bad});
    EXPECT_EQ(result.status.code(), 2) << bad;
    EXPECT_THAT(result.err, HasSubstr("knetsim-controllers: ")) << bad;
  }
}

}  // namespace
}  // namespace knetsim::controllers::test
